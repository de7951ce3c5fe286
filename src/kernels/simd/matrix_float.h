// Products of float matrices, the core of CONV_2D, FULLY_CONNECTED and BATCH_MATMUL: out[r,o] = clamp(bias[o] + sum
// over k of x[r,k] * w[o,k]). Sums start from the bias and take k in order with one fused multiply-add each (two
// roundings where the instruction set has none), so a result depends neither on the number of rows nor on who computes
// it.
#pragma once

#include <cstddef>

#include "kernels/simd/scales.h"

namespace assay::kernels::simd {

struct MatrixFloat {
  size_t outputs, depth;
  const float* weights;  // packed by PackWeightsFloat
  const float* bias;     // padded to whole blocks
  float low, high;
  Range blocks = kAllBlocks;  // of output channels, that are computed
};

// Windows as rows `stride` values apart, of `lines` lines each `line_step` apart, which together are the depth.
struct RowsFloat {
  const float* data;
  size_t rows, stride, lines, line_step;
};

// weights[outputs, depth] to PaddedOutputs * depth values: [block][k][channel].
void PackWeightsFloat(size_t outputs, size_t depth, const float* weights, float* packed) noexcept;

// The same of weights[depth, outputs], whose rows lie `stride` values apart.
void PackColumnsFloat(size_t outputs, size_t depth, size_t stride, const float* weights, float* packed) noexcept;

// out[r * out_stride + o]
void MultiplyFloat(const MatrixFloat& matrix, const RowsFloat& x, float* out, size_t out_stride) noexcept;

}  // namespace assay::kernels::simd
