// Dynamic range ("hybrid") ops: floats are quantized to int8 when the op runs, sums are taken in integers against int8
// weights and scaled back to float. The rules are those of docs/numerics.md, "Dynamic range".
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace assay::kernels::ref {

enum class DynamicQuantizer : uint8_t {
  kSymmetric,   // the built-in kernels: zero point 0, codes in [-127, 127]
  kAsymmetric,  // the built-in kernels, where the op or its options ask for a zero point
  kXnnpack,
};

// real ~ scale * (code - zero_point).
struct DynamicRange {
  float scale = 1;
  int32_t zero_point = 0;
};

// Writes one code per value. Not-a-number and infinity give some code.
DynamicRange QuantizeDynamically(DynamicQuantizer how, std::span<const float> values, int8_t* codes) noexcept;

// What kXnnpack makes of values from `low` to `high`: the range, and what values are multiplied by.
struct XnnpackRange {
  DynamicRange range;
  float steps;
};
inline XnnpackRange RangeAsXnnpack(float lowest, float highest) noexcept {
  const float low = std::min(0.0f, lowest), high = std::max(0.0f, highest);
  const float steps = low == high ? 1.0f : 255.0f / (high - low);
  const float scaled_low = low * steps, scaled_high = high * steps;
  const float low_error = -128.0f + scaled_low, high_error = 127.0f + scaled_high;
  const float real_zero = low_error + high_error > 0 ? -128.0f - scaled_low : 127.0f - scaled_high;
  const float limited = real_zero < -128.0f ? -128.0f : real_zero > 127.0f ? 127.0f : real_zero;
  // Not-a-number gives 0.
  const float zero = limited == limited ? std::nearbyintf(limited) : 0.0f;
  return {{.scale = 1.0f / steps, .zero_point = static_cast<int32_t>(zero)}, steps};
}

// In which order a sum, the input's scale and the weight's scale are multiplied, each product rounded to float.
enum class HybridScaling : uint8_t {
  kScalesFirst,  // sum * (weight * input) + bias
  kWeightFirst,  // (sum * weight) * input + bias
  kInputFirst,   // (sum * input) * weight + bias
  kFused,        // fma(sum * input, weight, bias)
};

inline float HybridValue(HybridScaling how, int32_t sum, float input_scale, float weight_scale, float bias) noexcept {
  const auto s = static_cast<float>(sum);
  switch (how) {
    case HybridScaling::kScalesFirst:
      return s * (weight_scale * input_scale) + bias;
    case HybridScaling::kWeightFirst:
      return s * weight_scale * input_scale + bias;
    case HybridScaling::kInputFirst:
      return s * input_scale * weight_scale + bias;
    case HybridScaling::kFused:
      return std::fma(s * input_scale, weight_scale, bias);
  }
  return 0;
}

}  // namespace assay::kernels::ref
