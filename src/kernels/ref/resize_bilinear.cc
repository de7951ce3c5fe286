#include "kernels/ref/resize_bilinear.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace assay::kernels::ref {
namespace {

// Calls each(tap of y, tap of x, the four pixels 00 01 10 11 as (y, x), output offset).
template <typename T, typename Fraction, typename Each>
inline void ForOutputs(const ResizeGeometry& g, const ResizeTap<Fraction>* ty, const ResizeTap<Fraction>* tx,
                       const T* input, Each&& each) {
  int64_t at = 0;
  for (int32_t b = 0; b < g.batches; ++b) {
    const T* image = input + int64_t{b} * g.y.input * g.x.input * g.channels;
    for (int32_t y = 0; y < g.y.output; ++y) {
      const T* row0 = image + int64_t{ty[y].low} * g.x.input * g.channels;
      const T* row1 = image + int64_t{ty[y].high} * g.x.input * g.channels;
      for (int32_t x = 0; x < g.x.output; ++x) {
        const int64_t left = int64_t{tx[x].low} * g.channels, right = int64_t{tx[x].high} * g.channels;
        for (int32_t c = 0; c < g.channels; ++c) {
          each(ty[y].fraction, tx[x].fraction, row0[left + c], row0[right + c], row1[left + c], row1[right + c], at++);
        }
      }
    }
  }
}

template <typename T>
T FromFloat(float value) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(
        std::clamp<float>(value + 0.5F, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else {
    return value;
  }
}

int32_t ClampIndex(float position, int32_t size) {
  const float last = static_cast<float>(size - 1);
  return std::min(static_cast<int32_t>(std::clamp(position, 0.0F, last)), size - 1);
}

}  // namespace

void ResizeTapsFloat(const ResizeAxis& axis, ResizeTap<float>* taps) noexcept {
  const float scale = axis.align_corners && axis.output > 1
                          ? static_cast<float>(axis.input - 1) / static_cast<float>(axis.output - 1)
                          : static_cast<float>(axis.input) / static_cast<float>(axis.output);
  for (int32_t i = 0; i < axis.output; ++i) {
    const auto index = static_cast<float>(i);
    const float position = axis.half_pixel_centers ? (index + 0.5F) * scale - 0.5F : index * scale;
    taps[i].low = ClampIndex(std::floor(position), axis.input);
    taps[i].high = ClampIndex(std::ceil(position), axis.input);
    taps[i].fraction = position - static_cast<float>(taps[i].low);
  }
}

void ResizeTapsTenBit(const ResizeAxis& axis, ResizeTap<int64_t>* taps) noexcept {
  const bool corners = axis.align_corners && axis.output > 1;
  const int64_t in = corners ? axis.input - 1 : axis.input, out = corners ? axis.output - 1 : axis.output;
  const int64_t scale = (1024 * in + out / 2) / out;
  for (int32_t i = 0; i < axis.output; ++i) {
    const int64_t position = axis.half_pixel_centers ? i * scale + scale / 2 - 512 : i * scale;
    taps[i].low = static_cast<int32_t>(std::clamp<int64_t>(position / 1024, 0, axis.input - 1));
    taps[i].high = static_cast<int32_t>(std::clamp<int64_t>((position + 1023) / 1024, 0, axis.input - 1));
    taps[i].fraction = position - 1024 * int64_t{taps[i].low};
  }
}

void ResizeTapsXnnpack(const ResizeAxis& axis, ResizeTap<float>* taps) noexcept {
  const int32_t less = axis.align_corners && axis.output != 1 ? 1 : 0;
  const float scale = static_cast<float>(axis.input - less) / static_cast<float>(axis.output - less);
  const float offset = axis.half_pixel_centers && !axis.align_corners ? 0.5F * scale - 0.5F : 0.0F;
  const auto last = static_cast<float>(axis.input - 1);
  for (int32_t i = 0; i < axis.output; ++i) {
    const float position = std::clamp(static_cast<float>(i) * scale + offset, 0.0F, last);
    taps[i].low = ClampIndex(position, axis.input);
    taps[i].high = std::min(taps[i].low + 1, axis.input - 1);
    taps[i].fraction = position - static_cast<float>(taps[i].low);
  }
}

template <typename T>
void ResizeBilinear(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x, const T* input,
                    T* output) noexcept {
  ForOutputs(g, y, x, input, [&](float fy, float fx, T p00, T p01, T p10, T p11, int64_t at) {
    const float sum = static_cast<float>(p00) * (1 - fy) * (1 - fx) + static_cast<float>(p10) * fy * (1 - fx) +
                      static_cast<float>(p01) * (1 - fy) * fx + static_cast<float>(p11) * fy * fx;
    output[at] = FromFloat<T>(sum);
  });
}

template <typename T>
void ResizeBilinearWeightsFirst(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x,
                                const T* input, T* output) noexcept {
  ForOutputs(g, y, x, input, [&](float fy, float fx, T p00, T p01, T p10, T p11, int64_t at) {
    const float w00 = (1 - fy) * (1 - fx), w01 = (1 - fy) * fx, w10 = fy * (1 - fx), w11 = fy * fx;
    const float sum = static_cast<float>(p00) * w00 + static_cast<float>(p01) * w01 + static_cast<float>(p10) * w10 +
                      static_cast<float>(p11) * w11;
    output[at] = FromFloat<T>(sum);
  });
}

template <typename T>
void ResizeBilinearTenBit(const ResizeGeometry& g, const ResizeTap<int64_t>* y, const ResizeTap<int64_t>* x,
                          const T* input, T* output) noexcept {
  ForOutputs(g, y, x, input, [&](int64_t fy, int64_t fx, T p00, T p01, T p10, T p11, int64_t at) {
    const int64_t sum =
        p00 * (1024 - fy) * (1024 - fx) + p10 * fy * (1024 - fx) + p01 * (1024 - fy) * fx + p11 * fy * fx;
    output[at] = static_cast<T>((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
  });
}

void ResizeBilinearFused(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x,
                         const float* input, float* output) noexcept {
  ForOutputs(g, y, x, input, [&](float fy, float fx, float p00, float p01, float p10, float p11, int64_t at) {
    const float top = std::fma(p01 - p00, fx, p00), bottom = std::fma(p11 - p10, fx, p10);
    output[at] = std::fma(bottom - top, fy, top);
  });
}

template <typename T>
void ResizeBilinearElevenBit(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x,
                             const T* input, T* output) noexcept {
  ForOutputs(g, y, x, input, [&](float fy, float fx, T p00, T p01, T p10, T p11, int64_t at) {
    const auto wy = static_cast<int32_t>(std::nearbyintf(fy * 2048)),
               wx = static_cast<int32_t>(std::nearbyintf(fx * 2048));
    const int32_t top = p00 * (2048 - wx) + p01 * wx, bottom = p10 * (2048 - wx) + p11 * wx;
    const int32_t value = (top * 2048 + (bottom - top) * wy + (1 << 21)) >> 22;
    output[at] =
        static_cast<T>(std::clamp<int32_t>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  });
}

template void ResizeBilinear<float>(const ResizeGeometry&, const ResizeTap<float>*, const ResizeTap<float>*,
                                    const float*, float*) noexcept;
template void ResizeBilinear<uint8_t>(const ResizeGeometry&, const ResizeTap<float>*, const ResizeTap<float>*,
                                      const uint8_t*, uint8_t*) noexcept;
template void ResizeBilinearWeightsFirst<float>(const ResizeGeometry&, const ResizeTap<float>*, const ResizeTap<float>*,
                                                const float*, float*) noexcept;
template void ResizeBilinearWeightsFirst<uint8_t>(const ResizeGeometry&, const ResizeTap<float>*,
                                                  const ResizeTap<float>*, const uint8_t*, uint8_t*) noexcept;
template void ResizeBilinearTenBit<int8_t>(const ResizeGeometry&, const ResizeTap<int64_t>*, const ResizeTap<int64_t>*,
                                           const int8_t*, int8_t*) noexcept;
template void ResizeBilinearTenBit<int16_t>(const ResizeGeometry&, const ResizeTap<int64_t>*, const ResizeTap<int64_t>*,
                                            const int16_t*, int16_t*) noexcept;
template void ResizeBilinearElevenBit<int8_t>(const ResizeGeometry&, const ResizeTap<float>*, const ResizeTap<float>*,
                                              const int8_t*, int8_t*) noexcept;
template void ResizeBilinearElevenBit<uint8_t>(const ResizeGeometry&, const ResizeTap<float>*, const ResizeTap<float>*,
                                               const uint8_t*, uint8_t*) noexcept;

}  // namespace assay::kernels::ref
