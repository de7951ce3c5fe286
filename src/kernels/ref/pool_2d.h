// Pooling over NHWC windows; what lies in the padding does not count.
#pragma once

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

// Sums pixel after pixel in the type Sum (float or double), divided by the count of pixels in the window.
template <typename Sum>
void AveragePoolFloat(const Pool2DGeometry& g, const float* input, float low, float high, float* output) noexcept;

// Mean of the raw codes, half away from zero: (sum +- n / 2) / n, clamped to [low, high].
template <typename T>
void AveragePoolQuantized(const Pool2DGeometry& g, const T* input, int32_t low, int32_t high, T* output) noexcept;

// Starts from the type's lowest value, so a window of NaNs gives that. Bound is float for floats, else int32_t.
template <typename T, typename Bound>
void MaxPool(const Pool2DGeometry& g, const T* input, Bound low, Bound high, T* output) noexcept;

// sqrt(mean of squares).
void L2PoolFloat(const Pool2DGeometry& g, const float* input, float low, float high, float* output) noexcept;

}  // namespace assay::kernels::ref
