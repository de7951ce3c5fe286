// What quantizing each op alone costs. The float model runs once, op by op: what an op's successors need of the samples
// is kept until the last of them has had it, so that a model of which one op is quantized runs from that op on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/model.h"
#include "quantize/calibration.h"
#include "tune/judge.h"

namespace assay::tune {

// Of one op quantized alone.
struct AloneCost {
  double noise = 0, signal = 0;  // of the scores
  int64_t changed = 0;           // answers
  double sqnr_db() const;
};

struct LayerCost {
  int32_t op = 0;
  std::string name, tensor;  // CONV_2D, its result
  uint64_t weights = 0;      // elements
  AloneCost int8;
  std::optional<AloneCost> int4;  // int8 with its weights in int4, where the op takes them
  int64_t samples = 0;
};

struct SensitivityRequest {
  std::shared_ptr<const graph::Model> model;
  const data::Dataset* samples = nullptr;
  Pipeline pipeline;
  size_t count = 48;                            // of the first samples, fewer where they do not fit
  uint64_t memory_bytes = uint64_t{256} << 20;  // of the values that are kept
  const quantize::Calibration* calibration = nullptr;
  bool bias_correction = true;
  const Judge* judge = nullptr;
  runtime::InterpreterOptions options;
  int threads = 1;
  // What is known of an op already, and what became known; either may be empty.
  std::function<std::optional<LayerCost>(int32_t op, int64_t samples)> known;
  std::function<void(const LayerCost&)> found;
  std::function<void(size_t done, size_t total)> progress;
};

// In the order of execution: ops with an integer form that compute; those that only move values cost what their operand
// costs. Throws InputError where the model cannot be cut (ops with state outside of their operands).
std::vector<LayerCost> RankLayers(const SensitivityRequest& request);

}  // namespace assay::tune
