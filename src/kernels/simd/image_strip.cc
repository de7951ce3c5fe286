#include "kernels/simd/image_strip.h"

#include <algorithm>
#include <cstring>

namespace assay::kernels::simd {
namespace {

// Some bytes flipped, in a few moves.
inline void CopyPixel(const uint8_t* from, uint8_t* to, size_t bytes, uint64_t flip) {
  const auto move = [&]<typename Word>(Word mask) {
    for (; bytes >= sizeof(Word); from += sizeof(Word), to += sizeof(Word), bytes -= sizeof(Word)) {
      Word word;
      std::memcpy(&word, from, sizeof(Word));
      word ^= mask;
      std::memcpy(to, &word, sizeof(Word));
    }
  };
  move(flip), move(static_cast<uint32_t>(flip));
  for (size_t i = 0; i < bytes; ++i) to[i] = static_cast<uint8_t>(from[i] ^ flip);
}

}  // namespace

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
    const size_t pitch = how.pixel_pitch > 0 ? how.pixel_pitch : how.pixel_bytes;
    const uint8_t* from = image + static_cast<size_t>(y) * input_w * pitch;
    uint8_t* to = strip + before;
    if (pitch != how.pixel_bytes) {
      for (size_t i = 0; i < inside; i += how.pixel_bytes, from += pitch) {
        CopyPixel(from, to + i, how.pixel_bytes, kEach * how.flip);
      }
      continue;
    }
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
