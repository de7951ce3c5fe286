// Stores the weights of a float model as half, with a DEQUANTIZE in front of who reads them, as TensorFlow's converter
// does for float16. The model then computes in float32 with weights that were rounded once.
#pragma once

#include "graph/model.h"

namespace assay::passes {

struct HalfWeights {
  int constants = 0;  // that were stored as half
  int kept = 0;       // that hold values beyond the range of half
  uint64_t bytes_before = 0, bytes_after = 0;
};

HalfWeights StoreWeightsAsHalf(graph::Model& model);

}  // namespace assay::passes
