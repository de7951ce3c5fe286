// L2_NORMALIZATION along the last axis and LOCAL_RESPONSE_NORMALIZATION across channels.
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

// x / max(|x|, 1e-6) for each row of `depth` values, sums in float.
void L2NormalizeFloat(int64_t rows, int32_t depth, const float* input, float* output) noexcept;
// Codes in, codes of 1/128 out; int8_t (zero point 0) or uint8_t (zero point 128).
template <typename T>
void L2NormalizeCodes(int64_t rows, int32_t depth, int32_t zero_point, const T* input, T* output) noexcept;

struct LocalResponse {
  int64_t rows = 0;
  int32_t depth = 0;
  int32_t radius = 0;
  bool with_last = false;  // whether the window holds channel c + radius too
  float bias = 0, alpha = 0, beta = 0;
};
// x * (bias + alpha * sum of squares over channels [c - radius, c + radius))^-beta.
void LocalResponseNormalize(const LocalResponse& p, const float* input, float* output) noexcept;

}  // namespace assay::kernels::ref
