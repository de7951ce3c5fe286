// CONV_2D as plain loops: y[b,oy,ox,o] = sum over the window of x[b,iy,ix,c] * w[o,ky,kx,c] + bias[o], grouped where
// the filter has fewer channels than the input. Layouts: NHWC, filter OHWI. Pixels outside of the input count as its
// zero point. Each window is gathered into `patch` (PatchSize() values) once and multiplied with every filter.
// FULLY_CONNECTED is the same on images of one pixel.
#pragma once

#include <cstdint>

#include "kernels/ref/dynamic_range.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

struct Conv2DGeometry {
  int32_t batches, input_h, input_w, input_c;
  int32_t filter_h, filter_w, filter_c;  // input_c = groups * filter_c
  int32_t output_h, output_w, output_c;
  int32_t stride_h, stride_w, dilation_h, dilation_w;
  int32_t pad_h, pad_w;  // rows above, columns to the left

  int64_t PatchSize() const { return int64_t{filter_h} * filter_w * filter_c; }
  int64_t ImageSize() const { return int64_t{input_h} * input_w * input_c; }
  int64_t OutputImageSize() const { return int64_t{output_h} * output_w * output_c; }
};

// Accumulates in double, rounds once. bias may be null.
void Conv2DFloat(const Conv2DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                 float high, double* patch, float* output) noexcept;

// 8-bit codes of either sign. The zero points are those of input and filter; scales has one entry per output channel.
template <typename T, typename W>
void Conv2DQuantized(const Conv2DGeometry& g, const T* input, int32_t input_zero_point, const W* filter,
                     int32_t filter_zero_point, const int32_t* bias, const numerics::ChannelScale* scales,
                     const numerics::OutputStage& stage, int16_t* patch, T* output) noexcept;

// 16-bit activations, 8-bit weights; bias int32 or int64 (Bias), the sum exact in int64.
// With an int64 bias the multiplier has 15 bits, with an int32 one stage.rounding decides.
template <typename Bias>
void Conv2DInt16(const Conv2DGeometry& g, const int16_t* input, const int8_t* filter, const Bias* bias,
                 const numerics::ChannelScale* scales, const numerics::OutputStage& stage, int16_t* patch,
                 int16_t* output) noexcept;

// Float input, quantized image by image into `codes` (ImageSize() values); one weight scale per output channel.
struct HybridRule {
  DynamicQuantizer quantizer;
  HybridScaling scaling;
};
void Conv2DHybrid(const Conv2DGeometry& g, const HybridRule& rule, const float* input, const int8_t* filter,
                  const float* filter_scales, const float* bias, float low, float high, int8_t* codes, int16_t* patch,
                  float* output) noexcept;

}  // namespace assay::kernels::ref
