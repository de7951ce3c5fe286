// The flags of every verb that runs models over labelled data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "image/preprocess.h"
#include "numerics/profile.h"

namespace CLI {
class App;
}

namespace assay::cli {

struct DataFlags {
  std::string spec, labels, preprocess, numerics = "xnnpack", runtime = "assay";
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
  const numerics::Profile* profile = nullptr;
  int threads = 1;
};

// Checks what is typed before it touches a file. Without --data the dataset is null.
OpenedData Open(const DataFlags& flags);

// Throws where `runtime` is unknown or cannot be had.
void CheckRuntime(const std::string& runtime);

}  // namespace assay::cli
