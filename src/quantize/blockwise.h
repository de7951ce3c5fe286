// int4 weights with a scale for every block of a row: what TFLite calls blockwise quantization.
#pragma once

#include <cstdint>
#include <span>

#include "graph/model.h"

namespace assay::quantize {

// The least block that XNNPACK takes; others are multiples of it.
constexpr int32_t kLeastBlock = 32;

// The greatest magnitude whose block has a finite scale in float16.
constexpr float kMostBlockwise = 7 * 65280.0F;

struct BlockwiseCodes {
  graph::Constant codes;   // two int4 a byte, -7 to 7
  graph::Constant scales;  // float16, one per block in turn
  int narrowed = 0;        // scales, with `clip`
};

// `values` in consecutive blocks. Scales are positive float16 numbers with the 8 bits of mantissa that bfloat16 keeps,
// since XNNPACK computes with those. `clip`: each scale narrowed to where the squared error is least.
BlockwiseCodes EncodeBlockwise(std::span<const float> values, int32_t block, bool clip);

}  // namespace assay::quantize
