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
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "quantize/parameters.h"
#include "runtime/interpreter.h"

namespace assay::quantize {

// Of each slice along a tensor's last dimension.
struct ChannelStatistics {
  std::vector<float> low, high;
  std::vector<double> mean, deviation;  // deviation: the standard one
  std::vector<double> share_at_six;     // of the values: 6 or more, where a RELU6 clips
};

// How a tensor's range follows from its values.
struct CalibrationMethod {
  enum class Kind : uint8_t { kMinMax, kMovingAverage, kPercentile, kMse, kEntropy };
  Kind kind = Kind::kMinMax;
  double parameter = 0;  // of the moving average: the weight of what came before; of the percentile: in percent

  bool operator==(const CalibrationMethod&) const = default;
  bool needs_histogram() const { return kind == Kind::kPercentile || kind == Kind::kMse || kind == Kind::kEntropy; }
  std::string ToString() const;  // "percentile:99.99"
};

// "minmax", "moving-average[:0.9]", "percentile[:99.99]", "mse", "entropy". Throws UsageError.
CalibrationMethod ParseCalibrationMethod(const std::string& text);

struct CalibrationRequest {
  std::shared_ptr<const graph::Model> model;
  const data::Dataset* dataset = nullptr;
  std::vector<size_t> samples;  // which of the data set
  Pipeline pipeline;
  runtime::InterpreterOptions options;
  int threads = 1;
  CalibrationMethod method;
  std::vector<std::pair<std::string, CalibrationMethod>> method_for;  // by the name of a tensor, in place of `method`
  int levels = 256;       // codes of an activation, for methods that weigh rounding against clipping
  bool channels = false;  // also statistics of every channel
  // Stop where the last samples widened no range by more than a hundredth; they should then come in random order.
  bool until_settled = false;
  std::function<void(size_t done, size_t total)> progress;  // from any thread, never at once
};

struct Calibration {
  // By tensor of the main subgraph; none where no op computed it (constants, branches that never ran).
  std::vector<std::optional<Range>> ranges;
  std::vector<ChannelStatistics> channels;  // by tensor; empty where it was not asked for, or never computed
  size_t samples = 0;                       // the first so many of the request were run
  bool settled = false;
  std::vector<std::string> warnings;
};

// TensorFlow's calibrator reads an operand after the op has run. Its interpreter lets ADD, SUB and MUL write their
// result over an operand that nothing else reads, and so the operand's range comes out as the union of its own and the
// result's. This does the same to ranges that are the operands' own.
void WidenLikeTensorFlow(const graph::Subgraph& graph, std::vector<std::optional<Range>>& ranges);

// Throws UsageError where method_for names a tensor that no op computes and that is no input; InputError naming the
// sample, and the first layer whose result is NaN or infinite.
Calibration Calibrate(const CalibrationRequest& request);

}  // namespace assay::quantize
