#include "kernels/ref/conv_3d.h"

#include <algorithm>

namespace assay::kernels::ref {
namespace {

// Calls each(filter position, input position) for the positions of a window that lie inside of the input.
template <typename Each>
inline void ForWindow(const Conv3DAxis& axis, int32_t out, Each&& each) {
  for (int32_t k = 0; k < axis.filter; ++k) {
    const int64_t in = int64_t{out} * axis.stride - axis.pad_before + int64_t{k} * axis.dilation;
    if (in >= 0 && in < axis.input) each(k, in);
  }
}

}  // namespace

void Conv3DFloat(const Conv3DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                 float high, double* sums, float* output) noexcept {
  const int64_t row = int64_t{g.width.input} * g.input_c, plane = row * g.height.input, image = plane * g.depth.input;
  const int64_t filter_pixel = int64_t{g.input_c} * g.output_c, filter_row = filter_pixel * g.width.filter,
                filter_plane = filter_row * g.height.filter;
  const auto add_window = [&](const float* x_image, int32_t od, int32_t oy, int32_t ox) {
    ForWindow(g.depth, od, [&](int32_t kd, int64_t id) {
      ForWindow(g.height, oy, [&](int32_t ky, int64_t iy) {
        ForWindow(g.width, ox, [&](int32_t kx, int64_t ix) {
          const float* x = x_image + id * plane + iy * row + ix * g.input_c;
          const float* w = filter + kd * filter_plane + ky * filter_row + kx * filter_pixel;
          for (int32_t c = 0; c < g.input_c; ++c, w += g.output_c) {
            const auto xc = static_cast<double>(x[c]);
            for (int32_t o = 0; o < g.output_c; ++o) sums[o] += xc * static_cast<double>(w[o]);
          }
        });
      });
    });
  };
  for (int32_t b = 0; b < g.batches; ++b) {
    for (int32_t od = 0; od < g.depth.output; ++od) {
      for (int32_t oy = 0; oy < g.height.output; ++oy) {
        for (int32_t ox = 0; ox < g.width.output; ++ox) {
          for (int32_t o = 0; o < g.output_c; ++o) sums[o] = bias != nullptr ? static_cast<double>(bias[o]) : 0.0;
          add_window(input + b * image, od, oy, ox);
          for (int32_t o = 0; o < g.output_c; ++o) {
            *output++ = std::min(std::max(static_cast<float>(sums[o]), low), high);
          }
        }
      }
    }
  }
}

}  // namespace assay::kernels::ref
