#include "kernels/ref/resize_nearest_neighbor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace assay::kernels::ref {

int32_t NearestPixel(const NearestAxis& axis, int32_t i) noexcept {
  const float scale = axis.align_corners && axis.output > 1
                          ? static_cast<float>(axis.input - 1) / static_cast<float>(axis.output - 1)
                          : static_cast<float>(axis.input) / static_cast<float>(axis.output);
  const float position = (static_cast<float>(i) + (axis.half_pixel_centers ? 0.5F : 0.0F)) * scale;
  const float nearest = axis.align_corners ? std::round(position) : std::floor(position);
  if (!(nearest < static_cast<float>(axis.input))) return axis.input - 1;
  return std::clamp(static_cast<int32_t>(nearest), 0, axis.input - 1);
}

void ResizeNearestNeighbor(const NearestGeometry& g, const uint8_t* input, uint8_t* output) noexcept {
  const auto row_bytes = static_cast<size_t>(g.x.input) * g.pixel_bytes;
  for (int32_t b = 0; b < g.batches; ++b) {
    const uint8_t* image = input + static_cast<size_t>(b) * static_cast<size_t>(g.y.input) * row_bytes;
    for (int32_t y = 0; y < g.y.output; ++y) {
      const uint8_t* row = image + static_cast<size_t>(NearestPixel(g.y, y)) * row_bytes;
      for (int32_t x = 0; x < g.x.output; ++x) {
        std::memcpy(output, row + static_cast<size_t>(NearestPixel(g.x, x)) * g.pixel_bytes, g.pixel_bytes);
        output += g.pixel_bytes;
      }
    }
  }
}

}  // namespace assay::kernels::ref
