// Some lines of an image, copied with what surrounds them, so that every window lies inside.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/ref/conv_2d.h"

namespace assay::kernels::simd {

struct ImageStrip {
  size_t pixel_bytes;
  size_t width;            // pixels of a line, the first pad_w of which lie left of the image
  uint8_t flip;            // for every byte of the image
  uint8_t outside;         // every byte of what surrounds it, flipped already
  size_t pixel_pitch = 0;  // from one of the image's pixels to the next; 0: they touch
};

// The `lines` lines of `image` from `first` on; those above and below the image are outside too.
void FillStrip(const ref::Conv2DGeometry& g, const ImageStrip& how, const uint8_t* image, int64_t first, size_t lines,
               uint8_t* strip) noexcept;

// Each of `count` values `times` times.
void RepeatValues(const float* from, size_t count, size_t times, float* to) noexcept;
void RepeatValues(const int16_t* from, size_t count, size_t times, int16_t* to) noexcept;

}  // namespace assay::kernels::simd
