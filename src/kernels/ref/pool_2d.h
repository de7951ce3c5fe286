// Pooling over NHWC windows; what lies in the padding does not count.
#pragma once

#include <algorithm>
#include <cstdint>

namespace assay::kernels::ref {

struct Pool2DGeometry {
  int32_t batches = 0;
  int32_t input_h = 0, input_w = 0, channels = 0;
  int32_t output_h = 0, output_w = 0;
  int32_t filter_h = 0, filter_w = 0;
  int32_t stride_h = 1, stride_w = 1;
  int32_t pad_h = 0, pad_w = 0;  // in front
};

// Sums pixel after pixel, divided by the count of pixels in the window.
void AveragePoolFloat(const Pool2DGeometry& g, const float* input, float low, float high, float* output) noexcept;

// As XNNPACK: nine pixels of a window at a time, column by column, those outside of the input as 0; times 1 / count.
inline constexpr int kPoolGroup = 9;
void AveragePoolFloatXnnpack(const Pool2DGeometry& g, const float* input, float low, float high,
                             float* output) noexcept;
// Walks through a window in that order.
class PoolColumns {
 public:
  PoolColumns(const Pool2DGeometry& g, int64_t top, int64_t left) : g_(g), top_(top), left_(left) {}
  bool at_end() const { return x_ == g_.filter_w; }
  // The offset in the image of the next pixel's first channel; -1 where it is outside, or the window is at its end.
  int64_t Next() {
    if (at_end()) return -1;
    const int64_t y = top_ + y_, x = left_ + x_;
    if (++y_ == g_.filter_h) y_ = 0, ++x_;
    return y < 0 || y >= g_.input_h || x < 0 || x >= g_.input_w ? -1 : (y * g_.input_w + x) * g_.channels;
  }
  float Factor() const {
    const auto inside = [](int64_t first, int32_t filter, int32_t input) {
      return std::min<int64_t>(first + filter, input) - std::max<int64_t>(first, 0);
    };
    return 1.0f / static_cast<float>(inside(top_, g_.filter_h, g_.input_h) * inside(left_, g_.filter_w, g_.input_w));
  }

 private:
  const Pool2DGeometry& g_;
  int64_t top_, left_;
  int32_t y_ = 0, x_ = 0;
};

// Mean of the raw codes, half away from zero: (sum +- n / 2) / n, clamped to [low, high].
template <typename T>
void AveragePoolQuantized(const Pool2DGeometry& g, const T* input, int32_t low, int32_t high, T* output) noexcept;

// Starts from the type's lowest value, so a window of NaNs gives that. Bound is float for floats, else int32_t.
template <typename T, typename Bound>
void MaxPool(const Pool2DGeometry& g, const T* input, Bound low, Bound high, T* output) noexcept;

// sqrt(mean of squares).
void L2PoolFloat(const Pool2DGeometry& g, const float* input, float low, float high, float* output) noexcept;

}  // namespace assay::kernels::ref
