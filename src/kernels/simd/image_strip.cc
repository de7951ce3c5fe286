#include "kernels/simd/image_strip.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace assay::kernels::simd {
namespace {

// Pixels of `bytes` each, flipped, from `pitch` apart to one after the other. A number of bytes that is known here
// takes a few moves.
template <size_t kBytes>
void CopyPixels(const uint8_t* from, size_t pitch, size_t count, size_t bytes, uint64_t flip, uint8_t* to) {
  if constexpr (kBytes > 0) bytes = kBytes;
  for (size_t p = 0; p < count; ++p, from += pitch, to += bytes) {
    size_t i = 0;
    const auto move = [&]<typename Word>(Word mask) {
      for (; i + sizeof(Word) <= bytes; i += sizeof(Word)) {
        Word word;
        std::memcpy(&word, from + i, sizeof(Word));
        word ^= mask;
        std::memcpy(to + i, &word, sizeof(Word));
      }
    };
    move(flip), move(static_cast<uint32_t>(flip)), move(static_cast<uint16_t>(flip)), move(static_cast<uint8_t>(flip));
  }
}

void CopyPixels(const uint8_t* from, size_t pitch, size_t count, size_t bytes, uint64_t flip, uint8_t* to) {
  const auto copy = [&]<size_t... kBytes>(std::index_sequence<kBytes...>) {
    const bool done = ((bytes == kBytes && (CopyPixels<kBytes>(from, pitch, count, bytes, flip, to), true)) || ...);
    if (!done) CopyPixels<0>(from, pitch, count, bytes, flip, to);
  };
  copy(std::index_sequence<1, 2, 3, 4, 8, 12, 16, 24, 32, 48, 64>());
}

template <size_t kTimes, typename T>  // 0: as many as `times`
void Repeat(const T* from, size_t count, size_t times, T* to) {
  if constexpr (kTimes > 0) times = kTimes;
  for (size_t i = 0; i < count; ++i, to += times) std::fill_n(to, times, from[i]);
}
template <typename T>
void RepeatSome(const T* from, size_t count, size_t times, T* to) {
  switch (times) {
    case 2:
      return Repeat<2>(from, count, times, to);
    case 3:
      return Repeat<3>(from, count, times, to);
    case 4:
      return Repeat<4>(from, count, times, to);
    case 8:
      return Repeat<8>(from, count, times, to);
    case 16:
      return Repeat<16>(from, count, times, to);
    default:
      Repeat<0>(from, count, times, to);
  }
}

}  // namespace

void RepeatValues(const float* from, size_t count, size_t times, float* to) noexcept {
  RepeatSome(from, count, times, to);
}
void RepeatValues(const int16_t* from, size_t count, size_t times, int16_t* to) noexcept {
  RepeatSome(from, count, times, to);
}

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
      CopyPixels(from, pitch, inside / how.pixel_bytes, how.pixel_bytes, kEach * how.flip, to);
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
