// FULLY_CONNECTED with dynamic range: y[r,o] = scaled sum of x[r,k] * w[o,k] + bias[o], every row of x quantized by
// itself. All other forms of the op are CONV_2D's on images of one pixel.
#pragma once

#include <cstdint>

#include "kernels/ref/conv_2d.h"

namespace assay::kernels::ref {

struct FullyConnectedShape {
  int64_t rows, depth, outputs;
};

// The built-in kernels multiply blocks of 16 by |x| * (w with the sign of x), where -128 stays -128 under a negative x:
// such products get the wrong sign. `sign_block` is 16 where this is to be reproduced, else 0.
void FullyConnectedHybrid(const FullyConnectedShape& shape, const HybridRule& rule, int sign_block, const float* input,
                          const int8_t* weights, const float* weight_scales, const float* bias, float low, float high,
                          int8_t* codes, int16_t* differences, float* output) noexcept;

// The built-in kernels' form for int4 weights, which become w + 7 to have no sign; what that adds is taken off apart:
// y = (sum of x * (w + 7) * x_scale) * w_scale + ((-7 * sum of x) * x_scale * w_scale + bias).
void FullyConnectedHybridInt4(const FullyConnectedShape& shape, const float* input, const int8_t* weights,
                              const float* weight_scales, const float* bias, float low, float high, int16_t* codes,
                              float* output) noexcept;

}  // namespace assay::kernels::ref
