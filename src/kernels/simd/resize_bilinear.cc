#include "kernels/simd/resize_bilinear.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/resize_bilinear.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

constexpr float kUnit = 2048;

// Values between two pixels, codes in 1/2048.
template <typename T>
using Mixed = std::conditional_t<std::is_integral_v<T>, int32_t, float>;

// `line` of the image along x.
template <typename T>
HWY_INLINE void ResizeLine(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* tx, const T* HWY_RESTRICT line,
                           Mixed<T>* HWY_RESTRICT out) {
  const auto channels = static_cast<size_t>(g.channels);
  for (int32_t ox = 0; ox < g.x.output; ++ox, out += channels) {
    const T* HWY_RESTRICT low = line + int64_t{tx[ox].low} * g.channels;
    const T* HWY_RESTRICT high = line + int64_t{tx[ox].high} * g.channels;
    if constexpr (std::is_integral_v<T>) {
      const auto w = static_cast<int32_t>(std::nearbyintf(tx[ox].fraction * kUnit));
      for (size_t c = 0; c < channels; ++c) out[c] = low[c] * (2048 - w) + high[c] * w;
    } else {
      const float w = tx[ox].fraction;
      for (size_t c = 0; c < channels; ++c) out[c] = std::fma(high[c] - low[c], w, low[c]);
    }
  }
}

template <typename T>
HWY_INLINE void MixLines(const Mixed<T>* HWY_RESTRICT top, const Mixed<T>* HWY_RESTRICT bottom, float fraction,
                         size_t count, T* HWY_RESTRICT out) {
  if constexpr (std::is_integral_v<T>) {
    constexpr int32_t kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
    const auto w = static_cast<int32_t>(std::nearbyintf(fraction * kUnit));
    for (size_t i = 0; i < count; ++i) {
      const int32_t value = (top[i] * 2048 + (bottom[i] - top[i]) * w + (1 << 21)) >> 22;
      out[i] = static_cast<T>(std::min(std::max(value, kLow), kHigh));
    }
  } else {
    for (size_t i = 0; i < count; ++i) out[i] = std::fma(bottom[i] - top[i], fraction, top[i]);
  }
}

template <typename T>
HWY_INLINE void ResizeRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* ty,
                           const ref::ResizeTap<float>* tx, Range rows, const T* input, void* scratch, T* output) {
  const size_t width = static_cast<size_t>(g.x.output) * static_cast<size_t>(g.channels);
  const int64_t line = int64_t{g.x.input} * g.channels, none = -1;
  Mixed<T>* lines[2] = {static_cast<Mixed<T>*>(scratch), static_cast<Mixed<T>*>(scratch) + width};
  int64_t held[2] = {none, none};  // lines counted through all images
  const auto hold = [&](int slot, int64_t index) {
    if (held[slot] == index) return;
    ResizeLine(g, tx, input + index * line, lines[slot]);
    held[slot] = index;
  };
  for (size_t row = rows.begin; row < rows.end; ++row) {
    const int64_t image = static_cast<int64_t>(row) / g.y.output * g.y.input;
    const ref::ResizeTap<float>& y = ty[static_cast<int64_t>(row) % g.y.output];
    const int64_t top = image + y.low, bottom = image + y.high;
    if (held[0] != top && (held[1] == top || held[0] == bottom)) {
      std::swap(held[0], held[1]), std::swap(lines[0], lines[1]);
    }
    hold(0, top);
    if (bottom != top) hold(1, bottom);
    MixLines(lines[0], lines[bottom == top ? 0 : 1], y.fraction, width, output + row * width);
  }
}

void ResizeInt8(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                Range rows, const int8_t* input, void* scratch, int8_t* output) {
  ResizeRows(g, y, x, rows, input, scratch, output);
}
void ResizeUInt8(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                 Range rows, const uint8_t* input, void* scratch, uint8_t* output) {
  ResizeRows(g, y, x, rows, input, scratch, output);
}
void ResizeFloat(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                 Range rows, const float* input, void* scratch, float* output) {
  ResizeRows(g, y, x, rows, input, scratch, output);
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(ResizeInt8);
HWY_EXPORT(ResizeUInt8);
HWY_EXPORT(ResizeFloat);

size_t ResizeBilinearScratch(const ref::ResizeGeometry& g) noexcept {
  return 2 * static_cast<size_t>(g.x.output) * static_cast<size_t>(g.channels) * sizeof(float);
}

void ResizeBilinearRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                        Range rows, const int8_t* input, void* scratch, int8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ResizeInt8)(g, y, x, rows, input, scratch, output);
}
void ResizeBilinearRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                        Range rows, const uint8_t* input, void* scratch, uint8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ResizeUInt8)(g, y, x, rows, input, scratch, output);
}
void ResizeBilinearRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                        Range rows, const float* input, void* scratch, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ResizeFloat)(g, y, x, rows, input, scratch, output);
}

}  // namespace assay::kernels::simd
#endif
