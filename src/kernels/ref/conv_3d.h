// CONV_3D as plain loops: y[b,od,oy,ox,o] = sum over the window of x[b,id,iy,ix,c] * w[kd,ky,kx,c,o] + bias[o].
// Layouts: NDHWC, filter DHWIO.
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

struct Conv3DAxis {
  int32_t input, filter, output, stride, dilation, pad_before;
};

struct Conv3DGeometry {
  int32_t batches, input_c, output_c;
  Conv3DAxis depth, height, width;
};

// Accumulates in double in `sums` (output_c values), rounds once. bias may be null.
void Conv3DFloat(const Conv3DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                 float high, double* sums, float* output) noexcept;

}  // namespace assay::kernels::ref
