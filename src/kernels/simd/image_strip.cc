#include "kernels/simd/image_strip.h"

#include <algorithm>
#include <cstring>

namespace assay::kernels::simd {

void FillStrip(const ref::Conv2DGeometry& g, const ImageStrip& how, const uint8_t* image, int64_t first, size_t lines,
               uint8_t* strip) noexcept {
  constexpr size_t kMove = 16;
  using Move = uint64_t __attribute__((vector_size(kMove)));
  constexpr uint64_t kEach = 0x0101010101010101U;
  const auto input_w = static_cast<size_t>(g.input_w);
  const size_t left = std::min(static_cast<size_t>(g.pad_w), how.width);
  const size_t inside = std::min(input_w, how.width - left) * how.pixel_bytes;
  const size_t before = left * how.pixel_bytes, line_bytes = how.width * how.pixel_bytes;
  const Move flip = {kEach * how.flip, kEach * how.flip};
  for (size_t l = 0; l < lines; ++l, strip += line_bytes) {
    const int64_t y = first + static_cast<int64_t>(l);
    if (y < 0 || y >= g.input_h) {
      std::memset(strip, how.outside, line_bytes);
      continue;
    }
    std::memset(strip, how.outside, before);
    std::memset(strip + before + inside, how.outside, line_bytes - before - inside);
    const uint8_t* from = image + static_cast<size_t>(y) * input_w * how.pixel_bytes;
    uint8_t* to = strip + before;
    if (how.flip == 0) {
      std::memcpy(to, from, inside);
      continue;
    }
    size_t i = 0;
    for (; i + kMove <= inside; i += kMove) {
      Move move;
      std::memcpy(&move, from + i, kMove);
      move ^= flip;
      std::memcpy(to + i, &move, kMove);
    }
    for (; i < inside; ++i) to[i] = from[i] ^ how.flip;
  }
}

}  // namespace assay::kernels::simd
