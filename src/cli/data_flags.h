// The flags of every verb that runs models over labelled data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/runtime_flags.h"
#include "data/dataset.h"
#include "image/preprocess.h"

namespace CLI {
class App;
}

namespace assay::cli {

struct DataFlags {
  std::string spec, labels, preprocess;
  RuntimeFlags runtime;
  std::optional<int64_t> label_offset;
  int threads = 0;  // 0: all processors
  size_t max_samples = 0;
  bool skip_bad = false;
};

// `data_is_required` false: the verb also has something to do without --data.
void AddDataFlags(CLI::App& verb, DataFlags& flags, bool data_is_required = true);

struct OpenedData {
  std::unique_ptr<data::Dataset> dataset;
  Pipeline pipeline;
  OpenedRuntime runtime;
  int threads = 1;
};

// Checks what is typed before it touches a file. Without --data the dataset is null.
OpenedData Open(const DataFlags& flags);

}  // namespace assay::cli
