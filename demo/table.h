// How good the diagnosis is: faults planted by seed, and clean models that must raise no alarm.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "demo/faults.h"

namespace assay::demo {

struct TableRequest {
  uint64_t first_seed = 0;
  int seeds = 50;
  int threads = 1;
  const std::atomic<bool>* cancelled = nullptr;
  std::function<void(size_t done, size_t total)> progress;
};

struct TableRow {
  bool clean = false;
  uint64_t seed = 0;         // of a fault
  std::string subject;       // the kind of fault, or the clean pair's name
  std::string truth, found;  // sentences
  bool right = false;        // named, or no alarm
  bool has_layer = false;    // a layer is at fault
  bool layer_named = false, kind_named = false;
};

struct Table {
  std::vector<TableRow> rows;
  int planted = 0, named = 0, clean = 0, false_alarms = 0;
  bool passes() const { return named * 10 >= planted * 9 && false_alarms <= 1; }
};

// The demo's pair carries the faults; the clean models are the twenty small pairs. Deterministic.
Table MakeTable(const TableRequest& request);

// The comparison that the demo and the table make: paths of two models, digits of `seed`, what feeds each side.
struct DemoComparison {
  std::string reference_path, model_path, images_path, labels_path;
  std::string reference_preprocess = "scale=1/255", model_preprocess = "scale=1/255";
  int threads = 1;
  std::optional<size_t> layer_samples;
  const std::atomic<bool>* cancelled = nullptr;
};
compare::CompareResult CompareFiles(const DemoComparison& comparison);

std::shared_ptr<const graph::Model> ReadEmbedded(std::string_view name, bool int8);

}  // namespace assay::demo
