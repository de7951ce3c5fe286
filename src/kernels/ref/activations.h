// The arithmetic of the activations, one element at a time; kernels/ref/elementwise_unary.h walks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "numerics/fixed_point.h"
#include "numerics/lookup_table.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

// ---- floats

struct ClampFloat {
  float low, high;
  float operator()(float x) const { return std::min(std::max(x, low), high); }
};
struct LogisticFloat {
  float operator()(float x) const { return 1.0F / (1.0F + std::exp(-x)); }
};
struct TanhFloat {
  float operator()(float x) const { return std::tanh(x); }
};
struct EluFloat {
  float operator()(float x) const { return x < 0 ? std::expm1(x) : x; }
};
struct HardSwishFloat {
  float operator()(float x) const { return x * std::min(6.0F, std::max(0.0F, x + 3.0F)) / 6.0F; }
};
// XNNPACK's: x times clamp(x / 6 + 1/2) to [0, 1], the quotient a fused product with the float next to 1/6.
struct HardSwishXnnpack {
  float operator()(float x) const { return std::min(std::max(std::fma(x, 0x1.555556p-3F, 0.5F), 0.0F), 1.0F) * x; }
};
struct LeakyReluFloat {
  float alpha;
  float operator()(float x) const { return x > 0 ? x : x * alpha; }
};
// 0.5 x erfc(-x / sqrt 2)
struct GeluFloat {
  float operator()(float x) const { return 0.5F * x * std::erfc(x * -0.70710678118654752440F); }
};
// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
struct GeluApproximateFloat {
  float operator()(float x) const {
    constexpr auto kSqrt2OverPi = static_cast<float>(1.12837916709551257390 * 0.70710678118654752440);
    return 0.5F * x * (1.0F + std::tanh(kSqrt2OverPi * (x + 0.044715F * x * x * x)));
  }
};

// ---- codes

// RELU and its kin: rescaled (rule D), then clamped.
struct ReluQuantized {
  int32_t input_zero_point = 0;
  numerics::FixedPointScale scale;
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code) const {
    const int64_t y = int64_t{numerics::MultiplyHalfAway(code - input_zero_point, scale)} + zero_point;
    return static_cast<int32_t>(std::clamp<int64_t>(y, low, high));
  }
};

// x * min(6, max(0, x + 3)) / 6 in 16-bit steps: the input in 1/128 of its scale, the second factor ("relu-ish") in
// 3/32768, saturating to [-1, 1).
struct HardSwishQuantized {
  int32_t input_zero_point = 0, zero_point = 0, low = 0, high = 0;
  int16_t output_multiplier = 0;
  int output_shift = 0;  // to the right
  int16_t relu_multiplier = 0;
  int relu_exponent = 0;  // to the left
  int32_t operator()(int32_t code) const {
    const auto x = static_cast<int16_t>((code - input_zero_point) * 128);
    const int16_t preshifted = numerics::SaturatingRoundingDoublingHighMul(x, output_multiplier);
    int16_t relu = x;
    const auto saturating_left = [](int16_t v, int shift) {
      const int64_t y = int64_t{v} * (int64_t{1} << std::min(shift, 31));
      return static_cast<int16_t>(std::clamp<int64_t>(y, INT16_MIN, INT16_MAX));
    };
    if (relu_exponent > 0) relu = saturating_left(relu, relu_exponent - 1);
    relu = numerics::SaturatingRoundingDoublingHighMul(relu, relu_multiplier);
    if (relu_exponent > 0) relu = saturating_left(relu, 1);
    if (relu_exponent < 0) relu = static_cast<int16_t>(numerics::RoundingShiftRightHalfAway(relu, -relu_exponent));
    relu = static_cast<int16_t>((relu + (1 << 15)) >> 1);
    const int32_t product = int32_t{relu} * int32_t{preshifted};
    const auto high_half = static_cast<int16_t>(product / (1 << 15));
    const int32_t y = numerics::RoundingShiftRightHalfAway(high_half, std::min(output_shift, 31)) + zero_point;
    return std::clamp(y, low, high);
  }
};

struct LeakyReluQuantized {
  int32_t input_zero_point = 0;
  numerics::FixedPointScale identity, alpha;         // alpha's magnitude
  bool negate_before = false, negate_after = false;  // where alpha < 0: rounding is not symmetric
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code) const {
    const int32_t x = code - input_zero_point;
    int32_t y;
    if (x >= 0) {
      y = numerics::MultiplyHalfAway(x, identity);
    } else {
      y = numerics::MultiplyHalfAway(negate_before ? -x : x, alpha);
      if (negate_after) y = -y;
    }
    return static_cast<int32_t>(std::clamp<int64_t>(int64_t{y} + zero_point, low, high));
  }
};

// XNNPACK's LEAKY_RELU and its conversion between scales of one type: multiples of 1/256, half up.
struct RescaleXnnpack {
  int32_t input_zero_point = 0;
  int32_t positive = 0, negative = 0;  // multipliers, 8 fractional bits
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code) const {
    const int32_t x = code - input_zero_point;
    return std::clamp(((x * (x > 0 ? positive : negative) + 128) >> 8) + zero_point, low, high);
  }
};

// 16-bit LOGISTIC and TANH by interpolation in the sigmoid table, codes first scaled to 1/12288.
struct SigmoidTableInput {
  int32_t multiplier = 3;
  int shift = 0;  // to the right
  int32_t operator()(int16_t code) const {
    const uint32_t round = shift > 0 ? uint32_t{1} << (shift - 1) : 0;
    return static_cast<int32_t>(static_cast<uint32_t>(code) * static_cast<uint32_t>(multiplier) + round) >> shift;
  }
  static uint32_t Magnitude(int32_t x) {
    return x < 0 ? uint32_t{0} - static_cast<uint32_t>(x) : static_cast<uint32_t>(x);
  }
};
struct LogisticInt16 {
  numerics::SigmoidTable table;
  SigmoidTableInput input;
  int16_t operator()(int16_t code) const {
    const int32_t x = input(code);
    const uint32_t magnitude = SigmoidTableInput::Magnitude(x);
    const size_t at = magnitude >> 9;
    uint32_t y = uint32_t{0x7FFF} << 10;
    if (at < 255) {
      const uint32_t here = table[at], next = table[at + 1];
      y = (here << 9) + (magnitude & 0x1FF) * (next - here);
    }
    y = x >= 0 ? y + (1 << 9) : (uint32_t{1} << 25) - y + (1 << 9) - 1;
    return static_cast<int16_t>(y >> 10);
  }
};
struct TanhInt16 {
  numerics::SigmoidTable table;
  SigmoidTableInput input;
  int16_t operator()(int16_t code) const {
    const int32_t x = input(code);
    const uint32_t magnitude = SigmoidTableInput::Magnitude(x);
    const size_t at = magnitude >> 8;
    int32_t y = 0xFFFF << 8;
    if (at < 255) {
      const uint32_t here = table[at], next = table[at + 1];
      y = static_cast<int32_t>((here << 8) + (magnitude & 0xFF) * (next - here));
    }
    y = x >= 0 ? y - (1 << 23) + (1 << 7) : -y + (1 << 23) + (1 << 7) - 1;
    return static_cast<int16_t>(y >> 8);
  }
};
// The same in fixed point, for inputs in 1/4096: what the optimised kernels do.
struct LogisticInt16FixedPoint {
  int16_t operator()(int16_t code) const { return numerics::Logistic(numerics::Fixed<int16_t, 3>{code}).raw; }
};
struct TanhInt16FixedPoint {
  int shift = 0;  // to the left, saturating
  int16_t operator()(int16_t code) const {
    return numerics::Tanh(numerics::Fixed<int16_t, 3>{numerics::SaturatingShift(code, shift)}).raw;
  }
};

}  // namespace assay::kernels::ref
