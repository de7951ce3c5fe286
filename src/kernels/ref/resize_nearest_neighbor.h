// Copies of the nearest pixels of NHWC images.
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay::kernels::ref {

struct NearestAxis {
  int32_t input = 0, output = 0;
  bool align_corners = false, half_pixel_centers = false;
};

// round(i * s) with aligned corners, else floor((i + offset) * s), all in float; within the image.
int32_t NearestPixel(const NearestAxis& axis, int32_t i) noexcept;

struct NearestGeometry {
  int32_t batches = 0;
  size_t pixel_bytes = 0;
  NearestAxis y, x;
};

void ResizeNearestNeighbor(const NearestGeometry& g, const uint8_t* input, uint8_t* output) noexcept;

}  // namespace assay::kernels::ref
