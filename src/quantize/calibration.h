// Runs samples through a float model and keeps the range of every float tensor of its main subgraph: two numbers a
// tensor, whatever the number of samples.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "quantize/parameters.h"
#include "runtime/interpreter.h"

namespace assay::quantize {

struct CalibrationRequest {
  std::shared_ptr<const graph::Model> model;
  const data::Dataset* dataset = nullptr;
  std::vector<size_t> samples;  // which of the data set
  Pipeline pipeline;
  runtime::InterpreterOptions options;
  int threads = 1;
  std::function<void(size_t done, size_t total)> progress;  // from any thread, never at once
};

struct Calibration {
  // By tensor of the main subgraph; none where no op computed it (constants, branches that never ran).
  std::vector<std::optional<Range>> ranges;
  size_t samples = 0;
  std::vector<std::string> warnings;
};

// TensorFlow's calibrator reads an operand after the op has run. Its interpreter lets ADD, SUB and MUL write their
// result over an operand that nothing else reads, and so the operand's range comes out as the union of its own and the
// result's. This does the same to ranges that are the operands' own.
void WidenLikeTensorFlow(const graph::Subgraph& graph, std::vector<std::optional<Range>>& ranges);

// Throws InputError naming the sample, and the first layer whose result is NaN or infinite.
Calibration Calibrate(const CalibrationRequest& request);

}  // namespace assay::quantize
