// DEPTHWISE_CONV_2D as plain loops: y[b,oy,ox,c*m+k] = sum over the window of x[b,iy,ix,c] * w[ky,kx,c*m+k] +
// bias[c*m+k], where m = output_c / input_c. The geometry is CONV_2D's with filter_c 1; pixels outside of the input
// count as its zero point. `sums` is working memory for output_c values.
#pragma once

#include <cstdint>

#include "kernels/ref/conv_2d.h"

namespace assay::kernels::ref {

// Accumulates in double, rounds once. bias may be null.
void DepthwiseConv2DFloat(const Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                          float low, float high, double* sums, float* output) noexcept;

// The first `blocked_channels` are rounded by `stage`, the others by `tail`: vector kernels end in a scalar loop.
struct DepthwiseStages {
  numerics::OutputStage stage, tail;
  int32_t blocked_channels = 0;
};
template <typename T>
void DepthwiseConv2DQuantized(const Conv2DGeometry& g, const T* input, int32_t input_zero_point, const T* filter,
                              int32_t filter_zero_point, const int32_t* bias, const numerics::ChannelScale* scales,
                              const DepthwiseStages& stages, uint32_t* sums, T* output) noexcept;

// 16-bit activations, 8-bit weights, the sum exact in int64, the multiplier of 15 bits.
void DepthwiseConv2DInt16(const Conv2DGeometry& g, const int16_t* input, const int8_t* filter, const int64_t* bias,
                          const numerics::ChannelScale* scales, const numerics::OutputStage& stage, int64_t* sums,
                          int16_t* output) noexcept;

// Float input, quantized image by image into `codes` (ImageSize() values). The first `blocked_channels` are scaled back
// by `blocks`, the others by `tail`.
struct DepthwiseHybridRule {
  DynamicQuantizer quantizer;
  HybridScaling blocks, tail;
  int32_t blocked_channels = 0;
};
void DepthwiseConv2DHybrid(const Conv2DGeometry& g, const DepthwiseHybridRule& rule, const float* input,
                           const int8_t* filter, const float* filter_scales, const float* bias, float low, float high,
                           int8_t* codes, uint32_t* sums, float* output) noexcept;

}  // namespace assay::kernels::ref
