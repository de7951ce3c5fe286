#include "kernels/ref/pool_2d.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::kernels::ref {
namespace {

// Calls pool(start, y count, x count, c, at) for every output: `start` is the offset of the window's first pixel that
// lies inside of the input, the counts are of the pixels inside.
template <typename Pool>
inline void ForWindows(const Pool2DGeometry& g, Pool&& pool) {
  int64_t at = 0;
  for (int32_t b = 0; b < g.batches; ++b) {
    for (int32_t oy = 0; oy < g.output_h; ++oy) {
      const int64_t top = int64_t{oy} * g.stride_h - g.pad_h;
      const int64_t y0 = std::max<int64_t>(top, 0), y1 = std::min<int64_t>(top + g.filter_h, g.input_h);
      for (int32_t ox = 0; ox < g.output_w; ++ox) {
        const int64_t left = int64_t{ox} * g.stride_w - g.pad_w;
        const int64_t x0 = std::max<int64_t>(left, 0), x1 = std::min<int64_t>(left + g.filter_w, g.input_w);
        const int64_t start = ((int64_t{b} * g.input_h + y0) * g.input_w + x0) * g.channels;
        for (int32_t c = 0; c < g.channels; ++c) pool(start + c, y1 - y0, x1 - x0, at++);
      }
    }
  }
}

template <typename T, typename Each>
inline void ForPixels(const Pool2DGeometry& g, const T* input, int64_t start, int64_t h, int64_t w, Each&& each) {
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) each(input[start + (y * g.input_w + x) * g.channels]);
  }
}

}  // namespace

void AveragePoolFloat(const Pool2DGeometry& g, const float* input, float low, float high, float* output) noexcept {
  ForWindows(g, [&](int64_t start, int64_t h, int64_t w, int64_t at) {
    float sum = 0;
    ForPixels(g, input, start, h, w, [&](float x) { sum += x; });
    output[at] = std::min(std::max(sum / static_cast<float>(h * w), low), high);
  });
}

void AveragePoolFloatXnnpack(const Pool2DGeometry& g, const float* input, float low, float high,
                             float* output) noexcept {
  for (int64_t row = 0; row < int64_t{g.batches} * g.output_h; ++row) {
    const float* image = input + row / g.output_h * g.input_h * g.input_w * g.channels;
    const int64_t top = row % g.output_h * g.stride_h - g.pad_h;
    for (int32_t ox = 0; ox < g.output_w; ++ox) {
      for (int32_t c = 0; c < g.channels; ++c) {
        PoolColumns columns(g, top, int64_t{ox} * g.stride_w - g.pad_w);
        float sum = 0;
        for (bool first = true; !columns.at_end(); first = false) {
          float x[kPoolGroup];
          for (float& value : x) {
            const int64_t at = columns.Next();
            value = at < 0 ? 0.0f : image[at + c];
          }
          const float part = ((x[2] + x[3]) + (x[4] + x[5])) + (((x[0] + x[1]) + x[8]) + (x[6] + x[7]));
          sum = first ? part : part + sum;
        }
        *output++ = std::min(std::max(sum * columns.Factor(), low), high);
      }
    }
  }
}

template <typename T>
void AveragePoolQuantized(const Pool2DGeometry& g, const T* input, int32_t low, int32_t high, T* output) noexcept {
  ForWindows(g, [&](int64_t start, int64_t h, int64_t w, int64_t at) {
    int64_t sum = 0;
    ForPixels(g, input, start, h, w, [&](T x) { sum += x; });
    const int64_t count = h * w;
    const int64_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
    output[at] = static_cast<T>(std::min<int64_t>(std::max<int64_t>(mean, low), high));
  });
}

template void AveragePoolQuantized<int8_t>(const Pool2DGeometry&, const int8_t*, int32_t, int32_t, int8_t*) noexcept;
template void AveragePoolQuantized<uint8_t>(const Pool2DGeometry&, const uint8_t*, int32_t, int32_t, uint8_t*) noexcept;
template void AveragePoolQuantized<int16_t>(const Pool2DGeometry&, const int16_t*, int32_t, int32_t, int16_t*) noexcept;

template <typename T, typename Bound>
void MaxPool(const Pool2DGeometry& g, const T* input, Bound low, Bound high, T* output) noexcept {
  ForWindows(g, [&](int64_t start, int64_t h, int64_t w, int64_t at) {
    T largest = std::numeric_limits<T>::lowest();
    ForPixels(g, input, start, h, w, [&](T x) { largest = std::max(largest, x); });
    output[at] = static_cast<T>(std::min(std::max(static_cast<Bound>(largest), low), high));
  });
}

template void MaxPool<float, float>(const Pool2DGeometry&, const float*, float, float, float*) noexcept;
template void MaxPool<int8_t, int32_t>(const Pool2DGeometry&, const int8_t*, int32_t, int32_t, int8_t*) noexcept;
template void MaxPool<uint8_t, int32_t>(const Pool2DGeometry&, const uint8_t*, int32_t, int32_t, uint8_t*) noexcept;
template void MaxPool<int16_t, int32_t>(const Pool2DGeometry&, const int16_t*, int32_t, int32_t, int16_t*) noexcept;

void L2PoolFloat(const Pool2DGeometry& g, const float* input, float low, float high, float* output) noexcept {
  ForWindows(g, [&](int64_t start, int64_t h, int64_t w, int64_t at) {
    float sum = 0;
    ForPixels(g, input, start, h, w, [&](float x) { sum += x * x; });
    output[at] = std::min(std::max(std::sqrt(sum / static_cast<float>(h * w)), low), high);
  });
}

}  // namespace assay::kernels::ref
