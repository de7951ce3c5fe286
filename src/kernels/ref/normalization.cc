#include "kernels/ref/normalization.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "numerics/inverse_sqrt.h"

namespace assay::kernels::ref {

void L2NormalizeFloat(int64_t rows, int32_t depth, const float* input, float* output) noexcept {
  constexpr float kEpsilon = 1e-6F;
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = input + r * depth;
    float sum = 0;
    for (int32_t c = 0; c < depth; ++c) sum += x[c] * x[c];
    const float norm = std::max(std::sqrt(sum), kEpsilon);
    for (int32_t c = 0; c < depth; ++c) output[r * depth + c] = x[c] / norm;
  }
}

template <typename T>
void L2NormalizeCodes(int64_t rows, int32_t depth, int32_t zero_point, const T* input, T* output) noexcept {
  constexpr bool kSigned = std::is_signed_v<T>;
  for (int64_t r = 0; r < rows; ++r) {
    const T* x = input + r * depth;
    uint32_t sum = 0;
    for (int32_t c = 0; c < depth; ++c) {
      const int32_t centred = int32_t{x[c]} - zero_point;
      sum += static_cast<uint32_t>(centred * centred);
    }
    numerics::FixedPointScale scale = numerics::InverseSqrt(static_cast<int32_t>(sum));
    if (kSigned) scale.shift += 7;
    for (int32_t c = 0; c < depth; ++c) {
      const int32_t centred = int32_t{x[c]} - zero_point;
      const int32_t y = numerics::MultiplyHalfAway(kSigned ? centred : 128 * centred, scale) + (kSigned ? 0 : 128);
      output[r * depth + c] = static_cast<T>(std::clamp(y, kSigned ? -128 : 0, kSigned ? 127 : 255));
    }
  }
}

template void L2NormalizeCodes<int8_t>(int64_t, int32_t, int32_t, const int8_t*, int8_t*) noexcept;
template void L2NormalizeCodes<uint8_t>(int64_t, int32_t, int32_t, const uint8_t*, uint8_t*) noexcept;

void LocalResponseNormalize(const LocalResponse& p, const float* input, float* output) noexcept {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = input + r * p.depth;
    for (int32_t c = 0; c < p.depth; ++c) {
      const int64_t begin = std::max<int64_t>(int64_t{c} - p.radius, 0);
      const int64_t end = std::min<int64_t>(int64_t{c} + p.radius + (p.with_last ? 1 : 0), p.depth);
      float sum = 0;
      for (int64_t k = begin; k < end; ++k) sum += x[k] * x[k];
      output[r * p.depth + c] = x[c] * std::pow(p.bias + p.alpha * sum, -p.beta);
    }
  }
}

}  // namespace assay::kernels::ref
