// Schemes that change weights alone and need no samples: int8 weights for the float kernels that quantize their input
// on the fly (dynamic range).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/model.h"

namespace assay::quantize {

struct DynamicOptions {
  bool per_channel = true;
  int64_t min_elements = 1024;   // smaller weights stay float, as TensorFlow's converter leaves them
  std::vector<bool> keep_float;  // by op of the main subgraph
};

struct WeightStats {
  int quantized = 0, too_small = 0;  // weights
};

WeightStats QuantizeWeightsForHybridKernels(graph::Model& model, const DynamicOptions& options);

}  // namespace assay::quantize
