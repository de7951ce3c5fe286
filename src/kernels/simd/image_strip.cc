#include "kernels/simd/image_strip.h"

#include <algorithm>
#include <cstring>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/image_strip.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

void CopyFlipped(const uint8_t* HWY_RESTRICT from, size_t count, uint8_t flip, uint8_t* HWY_RESTRICT to) {
  const hn::CappedTag<uint8_t, 64> d;
  constexpr size_t kBytes = hn::MaxLanes(d);
  const auto mask = hn::Set(d, flip);
  size_t i = 0;
  for (; i + kBytes <= count; i += kBytes) hn::StoreU(hn::Xor(hn::LoadU(d, from + i), mask), d, to + i);
  for (; i < count; ++i) to[i] = from[i] ^ flip;
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(CopyFlipped);

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
  constexpr uint64_t kEach = 0x0101010101010101U;
  const auto input_w = static_cast<size_t>(g.input_w);
  const size_t left = std::min(static_cast<size_t>(g.pad_w), how.width);
  const size_t inside = std::min(input_w, how.width - left) * how.pixel_bytes;
  const size_t before = left * how.pixel_bytes, line_bytes = how.width * how.pixel_bytes;
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
    HWY_DYNAMIC_DISPATCH(CopyFlipped)(from, inside, how.flip, to);
  }
}

}  // namespace assay::kernels::simd
#endif
