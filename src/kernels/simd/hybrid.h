// Dynamic range ("hybrid") ops: quantizing floats, and scaling integer sums
// back, to the bit as kernels/ref does.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/ref/conv_2d.h"
#include "kernels/ref/dynamic_range.h"
#include "kernels/simd/matrix_8bit.h"

namespace assay::kernels::simd {

// As ref::QuantizeDynamically, where no value is NaN; NaN gives some code here
// too.
ref::DynamicRange QuantizeDynamically(ref::DynamicQuantizer how, std::span<const float> values, int8_t* codes) noexcept;

// The same for rows of `size` values, each with a range of its own.
void QuantizeRows(ref::DynamicQuantizer how, const float* values, size_t rows, size_t size, int8_t* codes,
                  ref::DynamicRange* ranges) noexcept;

struct MatrixHybrid {
  Matrix8Bit sums;             // its offsets are 0
  const int32_t* weight_sums;  // per output
  const float *scales, *bias;  // per output
  ref::HybridScaling scaling;
  float low, high;
};

// What follows the sums of a row.
struct RowScaling {
  float input_scale;
  const float *scales, *bias;
  float low, high;
};

// Rows of output from sums of codes without sign (Rows8Bit::flip_sign) times weights; row r follows
// ranges[(first + r) / rows_per_range].
void ScaleHybrid(const MatrixHybrid& m, const ref::DynamicRange* ranges, size_t first, size_t rows_per_range,
                 size_t rows, const int32_t* sums, float* output) noexcept;

// DEPTHWISE_CONV_2D of one image's codes with a depth multiplier of 1, for the
// output rows [begin, end) of that image.
struct DepthwiseHybrid {
  const int8_t* weights;       // of each tap all channels
  const float *scales, *bias;  // per channel
  ref::HybridScaling blocks, tail;
  size_t blocked_channels;  // follow `blocks`, the others `tail`
  float low, high;
};
// `sums`: working memory for one value per channel.
void DepthwiseConv2DHybrid(const ref::Conv2DGeometry& g, const DepthwiseHybrid& filter, const ref::DynamicRange& range,
                           const int8_t* codes, Range rows, int32_t* sums, float* output) noexcept;

}  // namespace assay::kernels::simd
