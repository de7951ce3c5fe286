#include "kernels/simd/resize_bilinear.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/resize_bilinear.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

constexpr float kUnit = 2048;

template <typename T>
HWY_INLINE void Mix(const T* HWY_RESTRICT p00, const T* HWY_RESTRICT p01, const T* HWY_RESTRICT p10,
                    const T* HWY_RESTRICT p11, int32_t wy, int32_t wx, size_t channels, T* HWY_RESTRICT out) {
  constexpr int32_t kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  for (size_t c = 0; c < channels; ++c) {
    const int32_t top = p00[c] * (2048 - wx) + p01[c] * wx, bottom = p10[c] * (2048 - wx) + p11[c] * wx;
    const int32_t value = (top * 2048 + (bottom - top) * wy + (1 << 21)) >> 22;
    out[c] = static_cast<T>(std::min(std::max(value, kLow), kHigh));
  }
}

template <typename T>
HWY_INLINE void ResizeRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* ty,
                           const ref::ResizeTap<float>* tx, Range rows, const T* input, T* output) {
  const auto channels = static_cast<size_t>(g.channels);
  const int64_t line = int64_t{g.x.input} * g.channels;
  output += static_cast<int64_t>(rows.begin) * g.x.output * g.channels;
  for (auto row = static_cast<int64_t>(rows.begin); row < static_cast<int64_t>(rows.end); ++row) {
    const T* image = input + row / g.y.output * g.y.input * line;
    const ref::ResizeTap<float>& y = ty[row % g.y.output];
    const auto wy = static_cast<int32_t>(std::nearbyintf(y.fraction * kUnit));
    const T *row0 = image + y.low * line, *row1 = image + y.high * line;
    for (int32_t ox = 0; ox < g.x.output; ++ox, output += channels) {
      const auto wx = static_cast<int32_t>(std::nearbyintf(tx[ox].fraction * kUnit));
      const int64_t left = int64_t{tx[ox].low} * g.channels, right = int64_t{tx[ox].high} * g.channels;
      Mix(row0 + left, row0 + right, row1 + left, row1 + right, wy, wx, channels, output);
    }
  }
}

void ResizeInt8(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                Range rows, const int8_t* input, int8_t* output) {
  ResizeRows(g, y, x, rows, input, output);
}
void ResizeUInt8(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                 Range rows, const uint8_t* input, uint8_t* output) {
  ResizeRows(g, y, x, rows, input, output);
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(ResizeInt8);
HWY_EXPORT(ResizeUInt8);

void ResizeBilinearElevenBit(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y,
                             const ref::ResizeTap<float>* x, Range rows, const int8_t* input, int8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ResizeInt8)(g, y, x, rows, input, output);
}
void ResizeBilinearElevenBit(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y,
                             const ref::ResizeTap<float>* x, Range rows, const uint8_t* input,
                             uint8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ResizeUInt8)(g, y, x, rows, input, output);
}

}  // namespace assay::kernels::simd
#endif
