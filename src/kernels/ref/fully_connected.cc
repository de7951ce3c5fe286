#include "kernels/ref/fully_connected.h"

#include <algorithm>
#include <cmath>

#include "kernels/ref/dot.h"

namespace assay::kernels::ref {
namespace {

// What the products of -128 with negative codes lack: twice their value.
uint32_t WrongSigns(const int8_t* codes, const int8_t* weights, int64_t count) {
  uint32_t sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    if (weights[k] == -128 && codes[k] < 0) sum += static_cast<uint32_t>(-256 * int32_t{codes[k]});
  }
  return sum;
}

float Clamp(float x, float low, float high) { return std::min(std::max(x, low), high); }

}  // namespace

void FullyConnectedHybrid(const FullyConnectedShape& shape, const HybridRule& rule, int sign_block, const float* input,
                          const int8_t* weights, const float* weight_scales, const float* bias, float low, float high,
                          int8_t* codes, int16_t* differences, float* output) noexcept {
  const int8_t* weights_end = weights + shape.outputs * shape.depth;
  const bool any_wrong = sign_block > 0 && std::find(weights, weights_end, int8_t{-128}) != weights_end;
  const int64_t in_blocks = any_wrong ? shape.depth / sign_block * sign_block : 0;
  for (int64_t r = 0; r < shape.rows; ++r) {
    const DynamicRange range =
        QuantizeDynamically(rule.quantizer, {input + r * shape.depth, static_cast<size_t>(shape.depth)}, codes);
    for (int64_t k = 0; k < shape.depth; ++k) differences[k] = static_cast<int16_t>(codes[k] - range.zero_point);
    for (int64_t o = 0; o < shape.outputs; ++o) {
      const int8_t* w = weights + o * shape.depth;
      const uint32_t sum = Dot(differences, w, shape.depth) - WrongSigns(codes, w, in_blocks);
      const float value = HybridValue(rule.scaling, static_cast<int32_t>(sum), range.scale, weight_scales[o],
                                      bias != nullptr ? bias[o] : 0.0f);
      output[r * shape.outputs + o] = Clamp(value, low, high);
    }
  }
}

void FullyConnectedHybridInt4(const FullyConnectedShape& shape, const float* input, const int8_t* weights,
                              const float* weight_scales, const float* bias, float low, float high, int16_t* codes,
                              float* output) noexcept {
  constexpr int32_t kOffset = 7;
  for (int64_t r = 0; r < shape.rows; ++r) {
    const float* x = input + r * shape.depth;
    float range = 0;
    for (int64_t k = 0; k < shape.depth; ++k) range = std::max(range, std::abs(x[k]));
    if (range == 0) range = 127;
    const float inverse = 127.0f / range, scale = range / 127.0f;
    uint32_t code_sum = 0;
    for (int64_t k = 0; k < shape.depth; ++k) {
      const float q = std::round(x[k] * inverse);
      codes[k] = static_cast<int16_t>(q >= -127.0f ? std::min(q, 127.0f) : -127.0f);
      code_sum += static_cast<uint32_t>(int32_t{codes[k]});
    }
    const float offset = static_cast<float>(static_cast<int32_t>(code_sum * static_cast<uint32_t>(-kOffset))) * scale;
    for (int64_t o = 0; o < shape.outputs; ++o) {
      const uint32_t sum = Dot(codes, weights + o * shape.depth, shape.depth) + code_sum * kOffset;
      const float start = bias != nullptr ? offset * weight_scales[o] + bias[o] : offset * weight_scales[o];
      const float value = start + static_cast<float>(static_cast<int32_t>(sum)) * scale * weight_scales[o];
      output[r * shape.outputs + o] = Clamp(value, low, high);
    }
  }
}

}  // namespace assay::kernels::ref
