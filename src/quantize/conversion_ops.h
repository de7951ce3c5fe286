// QUANTIZE and DEQUANTIZE between two tensors, with the version that TFLite's runtimes ask for.
#pragma once

#include <cstdint>

#include "graph/model.h"

namespace assay::quantize {

// From codes or reals to codes (QUANTIZE), or to reals (DEQUANTIZE), as the tensors' types say.
graph::Operator ConversionOp(const graph::Subgraph& graph, int32_t from, int32_t to);

}  // namespace assay::quantize
