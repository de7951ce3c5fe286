// TRANSPOSE_CONV as plain loops: y[b,oy,ox,o] = bias[o] + sum over c and all (iy,ky), (ix,kx) with iy*stride_h - pad_h
// + ky = oy, ix*stride_w - pad_w + kx = ox of x[b,iy,ix,c] * w[o,ky,kx,c]. Layouts: NHWC, filter OHWI. Working memory:
// `patch` holds PatchSize() values, `taps` filter_h * filter_w.
#pragma once

#include <cstdint>

#include "kernels/ref/dynamic_range.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

struct TransposeConvGeometry {
  int32_t batches, input_h, input_w, input_c;
  int32_t filter_h, filter_w;
  int32_t output_h, output_w, output_c;
  int32_t stride_h, stride_w;
  int32_t pad_h, pad_w;  // rows above, columns to the left that are cut off

  int64_t PatchSize() const { return int64_t{filter_h} * filter_w * input_c; }
  int64_t ImageSize() const { return int64_t{input_h} * input_w * input_c; }
  int64_t OutputImageSize() const { return int64_t{output_h} * output_w * output_c; }
};

// Accumulates in double, rounds once. bias may be null.
void TransposeConvFloat(const TransposeConvGeometry& g, const float* input, const float* filter, const float* bias,
                        float low, float high, double* patch, int32_t* taps, float* output) noexcept;

// Vector kernels end in scalar loops, whose rounding `tail` has: for the channels from `blocked_channels` on and the
// outputs (counted over the whole tensor) from `blocked_outputs` on.
struct TransposeConvStages {
  numerics::OutputStage stage, tail;
  int64_t blocked_channels, blocked_outputs;
};
template <typename T>
void TransposeConvQuantized(const TransposeConvGeometry& g, const T* input, int32_t input_zero_point, const T* filter,
                            int32_t filter_zero_point, const int32_t* bias, const numerics::ChannelScale* scales,
                            const TransposeConvStages& stages, int16_t* patch, int32_t* taps, T* output) noexcept;

// 16-bit activations, 8-bit weights; as CONV_2D's, the type of the bias decides on the multiplier.
template <typename Bias>
void TransposeConvInt16(const TransposeConvGeometry& g, const int16_t* input, const int8_t* filter, const Bias* bias,
                        const numerics::ChannelScale* scales, const TransposeConvStages& stages, int16_t* patch,
                        int32_t* taps, int16_t* output) noexcept;

// Float input, quantized image by image into `codes` (ImageSize() values); one weight scale per output channel.
// XNNPACK's way: integer sums, scaled back by a fused multiply-add.
void TransposeConvHybrid(const TransposeConvGeometry& g, const float* input, const int8_t* filter,
                         const float* filter_scales, const float* bias, float low, float high, int8_t* codes,
                         int16_t* patch, int32_t* taps, float* output) noexcept;
// The built-in kernels' way: every product is scaled back by itself, (x * w * filter_scale) * input_scale, and added up
// in float, pixel by pixel and channel by channel.
void TransposeConvHybridTermwise(const TransposeConvGeometry& g, const float* input, const int8_t* filter,
                                 const float* filter_scales, const float* bias, float low, float high, int8_t* codes,
                                 float* output) noexcept;

}  // namespace assay::kernels::ref
