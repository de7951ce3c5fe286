// What quantization cost: the accuracy of the float and of the quantized model on samples that did not calibrate it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "eval/evaluate.h"

namespace assay::quantize {

struct Measurement {
  std::vector<size_t> samples;
  eval::Proportion before, after;  // top-1 of the float model, of the quantized one
  eval::PairedAccuracy paired;     // before first, after second
  std::string missing;             // why nothing was measured; "" where it was
};

struct MeasurementRequest {
  std::shared_ptr<const graph::Model> before, after;
  eval::EvaluateRequest evaluate;       // of both; its model is not looked at
  std::vector<size_t> calibrated_with;  // left out; ascending
  size_t count = 500;                   // at most so many of the others, chosen by the seed
  uint64_t seed = 0;
};

Measurement Measure(const MeasurementRequest& request);

}  // namespace assay::quantize
