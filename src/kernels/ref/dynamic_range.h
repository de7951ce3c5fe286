// Dynamic range ("hybrid") ops: floats are quantized to int8 when the op runs, sums are taken in integers against int8
// weights and scaled back to float. The rules are those of docs/numerics.md, "Dynamic range".
#pragma once

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
