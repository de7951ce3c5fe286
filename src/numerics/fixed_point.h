// Fixed-point mathematics in 16 or 32 bits as gemmlowp defines it (TFLite's integer kernels compute exp, tanh, the
// logistic function, logarithms and reciprocals this way). A value of Fixed<Raw, m> is raw / 2^(bits - 1 - m): it has m
// integer bits and lies in [-2^m, 2^m).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "numerics/requantize.h"

namespace assay::numerics {

// SRDHM in 16 bits.
inline int16_t SaturatingRoundingDoublingHighMul(int16_t a, int16_t b) {
  if (a == std::numeric_limits<int16_t>::min() && b == a) return std::numeric_limits<int16_t>::max();
  const int32_t ab = int32_t{a} * int32_t{b};
  const int32_t nudge = ab >= 0 ? (1 << 14) : 1 - (1 << 14);
  return static_cast<int16_t>((ab + nudge) / (1 << 15));
}

// x * 2^exponent, saturating to the left (beyond +-(2^(bits - 1 - exponent) - 1)) and half away from zero to the right.
// An exponent of one bit less than the type's width and above saturates all but 0.
template <typename Raw>
Raw SaturatingShift(Raw x, int exponent) {
  using Limits = std::numeric_limits<Raw>;
  if (exponent == 0) return x;
  if (exponent < 0) return static_cast<Raw>(RoundingShiftRightHalfAway(x, std::min(-exponent, 31)));
  const int64_t threshold = (int64_t{1} << std::max(Limits::digits - exponent, 0)) - 1;
  if (x > threshold) return Limits::max();
  if (x < -threshold) return Limits::min();
  return static_cast<Raw>(static_cast<int64_t>(x) * (int64_t{1} << std::min(exponent, Limits::digits)));
}

// TFLite's MultiplyByQuantizedMultiplierSmallerThanOneExp: SRDHM, then RoundingDivideByPOT, whatever the exponent.
// Outside of [0, 31] that is wrong, but it is what TFLite computes on x86: all bits are remainder, the shift counts
// modulo 32.
inline int32_t MultiplySmallerThanOne(int32_t x, FixedPointScale s) {
  const int32_t high = SaturatingRoundingDoublingHighMul(x, s.multiplier);
  const int exponent = -s.shift;
  if (exponent >= 0 && exponent <= 31) return RoundingShiftRightHalfAway(high, exponent);
  return (high >> (exponent & 31)) + (high >= 0 ? 1 : 0);
}

template <typename Raw, int kIntegerBits>
struct Fixed {
  static constexpr int kBits = 8 * sizeof(Raw);
  static constexpr int kFractionalBits = kBits - 1 - kIntegerBits;
  static_assert(kIntegerBits >= 0 && kFractionalBits >= 0);

  Raw raw = 0;

  // A constant given by its 32-bit value.
  static Fixed Constant(int32_t raw32) { return {static_cast<Raw>(RoundingShiftRightHalfAway(raw32, 32 - kBits))}; }
  static Fixed PowerOfTwo(int exponent) { return {static_cast<Raw>(Raw{1} << (kFractionalBits + exponent))}; }
  static Fixed One() {
    if constexpr (kIntegerBits == 0) {
      return {std::numeric_limits<Raw>::max()};
    } else {
      return PowerOfTwo(0);
    }
  }
  template <int kTo>
  Fixed<Raw, kTo> Rescale() const {
    return {SaturatingShift(raw, kIntegerBits - kTo)};
  }
};

// Sums wrap.
template <typename Raw, int m>
Fixed<Raw, m> operator+(Fixed<Raw, m> a, Fixed<Raw, m> b) {
  return {static_cast<Raw>(static_cast<uint32_t>(a.raw) + static_cast<uint32_t>(b.raw))};
}
template <typename Raw, int m>
Fixed<Raw, m> operator-(Fixed<Raw, m> a, Fixed<Raw, m> b) {
  return {static_cast<Raw>(static_cast<uint32_t>(a.raw) - static_cast<uint32_t>(b.raw))};
}
template <typename Raw, int m>
Fixed<Raw, m> operator-(Fixed<Raw, m> a) {
  return Fixed<Raw, m>{0} - a;
}
template <typename Raw, int m, int n>
Fixed<Raw, m + n> operator*(Fixed<Raw, m> a, Fixed<Raw, n> b) {
  return {SaturatingRoundingDoublingHighMul(a.raw, b.raw)};
}

template <typename Raw>
Fixed<Raw, 0> SaturatingSumIf16Bit(Fixed<Raw, 0> a, Fixed<Raw, 0> b) {
  if constexpr (sizeof(Raw) == 2) {
    return {static_cast<Raw>(std::clamp<int32_t>(int32_t{a.raw} + int32_t{b.raw}, INT16_MIN, INT16_MAX))};
  } else {
    return a + b;
  }
}

// (a + b) / 2, half away from zero.
template <typename Raw>
Fixed<Raw, 0> RoundingHalfSum(Fixed<Raw, 0> a, Fixed<Raw, 0> b) {
  const int64_t sum = int64_t{a.raw} + int64_t{b.raw};
  return {static_cast<Raw>((sum + (sum >= 0 ? 1 : -1)) / 2)};
}

// exp(a) for a <= 0: the part below 1/4 by a Taylor expansion about -1/8, the rest bit by bit.
template <typename Raw, int m>
Fixed<Raw, 0> ExpOnNegative(Fixed<Raw, m> a) {
  using F0 = Fixed<Raw, 0>;
  using In = Fixed<Raw, m>;
  if (a.raw == 0) return F0::One();
  const In quarter = In::PowerOfTwo(-2);
  const In below_quarter{static_cast<Raw>(a.raw & static_cast<Raw>(quarter.raw - 1))};
  const In rest = below_quarter - quarter;
  const F0 x = rest.template Rescale<0>() + F0::PowerOfTwo(-3);
  const F0 x2 = x * x;
  const F0 x3 = x2 * x;
  const F0 x4_over_4{SaturatingShift((x2 * x2).raw, -2)};
  const F0 third = F0::Constant(715827883);
  const F0 tail{SaturatingShift(((x4_over_4 + x3) * third + x2).raw, -1)};
  const F0 exp_minus_eighth = F0::Constant(1895147668);
  F0 result = SaturatingSumIf16Bit(exp_minus_eighth, exp_minus_eighth * (x + tail));
  const Raw remainder = (rest - a).raw;
  constexpr int32_t kExpMinusPowerOfTwo[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  for (int exponent = -2; exponent <= 4 && exponent < m; ++exponent) {
    if ((static_cast<uint32_t>(remainder) >> (In::kFractionalBits + exponent)) & 1U) {
      result = result * F0::Constant(kExpMinusPowerOfTwo[exponent + 2]);
    }
  }
  if constexpr (m > 5) {
    if (a.raw < -(int32_t{1} << (36 - m))) return {0};
  }
  return result;
}

// 2 / (1 + a) for a in [0, 1], by three Newton-Raphson steps on the reciprocal of (1 + a) / 2.
template <typename Raw>
Fixed<Raw, 2> ReciprocalOfHalfSum(Fixed<Raw, 0> a) {
  using F0 = Fixed<Raw, 0>;
  using F2 = Fixed<Raw, 2>;
  const F0 half_denominator = RoundingHalfSum(a, F0::One());
  F2 x = F2::Constant(1515870810) + half_denominator * F2::Constant(-1010580540);  // 48/17, -32/17
  for (int i = 0; i < 3; ++i) {
    const F2 error = F2::One() - half_denominator * x;
    x = x + (x * error).template Rescale<2>();
  }
  return x;
}
template <typename Raw>
Fixed<Raw, 0> OneOverOnePlus(Fixed<Raw, 0> a) {
  return Fixed<Raw, 1>{ReciprocalOfHalfSum(a).raw}.template Rescale<0>();
}
template <typename Raw>
Fixed<Raw, 0> OneMinusOverOnePlus(Fixed<Raw, 0> a) {
  return (ReciprocalOfHalfSum(a) - Fixed<Raw, 2>::One()).template Rescale<0>();
}

template <typename Raw, int m>
Fixed<Raw, 0> Tanh(Fixed<Raw, m> a) {
  if (a.raw == 0) return {0};
  const Fixed<Raw, m> negative = a.raw < 0 ? a : -a;
  const Fixed<Raw, 0> t = OneMinusOverOnePlus(ExpOnNegative(Fixed<Raw, m + 1>{negative.raw}));
  return a.raw < 0 ? -t : t;
}

template <typename Raw, int m>
Fixed<Raw, 0> Logistic(Fixed<Raw, m> a) {
  using F0 = Fixed<Raw, 0>;
  if (a.raw == 0) return F0::Constant(1 << 30);
  const Fixed<Raw, m> magnitude = a.raw > 0 ? a : -a;
  const F0 positive = OneOverOnePlus(ExpOnNegative(-magnitude));
  return a.raw > 0 ? positive : F0::One() - positive;
}

// ln(a) for a >= 1 (as good down to 1 / the largest value); kOut integer bits.
template <int kOut, int m>
Fixed<int32_t, kOut> Log(Fixed<int32_t, m> a) {
  using F0 = Fixed<int32_t, 0>;
  constexpr int kWide = kOut + 1;  // the sum below may exceed the result's range by a bit
  using Wide = Fixed<int32_t, kWide>;
  const F0 sqrt_half{1518500250}, sqrt_sqrt_half{1805811301};
  const Wide quarter = F0{536870912}.Rescale<kWide>();
  const auto add = [](int32_t x, int32_t y) {
    return static_cast<int32_t>(std::clamp<int64_t>(int64_t{x} + y, INT32_MIN, INT32_MAX));
  };
  // Twice: a scaled to [1/2, 1) and a * sqrt(1/2) likewise; the smaller one is nearer to the expansion's middle.
  const F0 z_a{a.raw};
  const int zeros_a = std::countl_zero(static_cast<uint32_t>(z_a.raw));
  const F0 scaled_a{SaturatingShift(z_a.raw, zeros_a - 1)};
  const int32_t r_a = SaturatingShift((scaled_a * sqrt_half).raw, 1);
  const int32_t power_a = add(SaturatingShift(int32_t{m - zeros_a}, 31 - kWide), quarter.raw);
  const F0 z_b = z_a * sqrt_half;
  const int headroom_b = std::countl_zero(static_cast<uint32_t>(z_b.raw)) - 1;
  const int32_t r_b = SaturatingShift(z_a.raw, headroom_b);
  const int32_t power_b = add(SaturatingShift(int32_t{m - headroom_b}, 31 - kWide), -quarter.raw);
  const F0 r{std::min(r_a, r_b)};
  const Wide power{std::max(power_a, power_b)};

  const F0 p = RoundingHalfSum(r, sqrt_sqrt_half);
  F0 q = r - sqrt_sqrt_half;
  q = q + q;
  const F0 square = q * q;
  const F0 numerator = q * r + q * square * F0{117049297};
  const F0 denominator_minus_one = p * (F0{1057819769} + q + F0{127690142} * square) + F0{638450708} * q;
  const F0 reciprocal = OneOverOnePlus(denominator_minus_one);
  const F0 ln2{1488522236};
  return (power * ln2 + numerator.Rescale<kWide>() * reciprocal).template Rescale<kOut>();
}

// 1/x for x > 0 of `integer_bits` integer bits: the result has 31 - *bits_over_unit fractional bits.
inline int32_t Reciprocal(int32_t x, int integer_bits, int* bits_over_unit) {
  const int zeros = std::countl_zero(static_cast<uint32_t>(x));
  *bits_over_unit = integer_bits - zeros;
  const uint32_t shifted = zeros >= 32 ? 0 : static_cast<uint32_t>(x) << zeros;
  return OneOverOnePlus(Fixed<int32_t, 0>{static_cast<int32_t>(shifted - (uint32_t{1} << 31))}).raw;
}

// 1/sqrt(x) for x >= 1 as a multiplier and a shift to the left (<= 0): multiplier * 2^(shift - 31).
inline FixedPointScale ReciprocalSqrt(int32_t x) {
  if (x <= 1) return {std::numeric_limits<int32_t>::max(), 0};
  int shift = 11;
  for (; x >= 1 << 29; x /= 4) ++shift;
  const int pairs = (std::countl_zero(static_cast<uint32_t>(x)) - 1) / 2 - 1;
  shift -= pairs;
  x <<= 2 * pairs;
  using F3 = Fixed<int32_t, 3>;
  const F3 half_x{SaturatingShift(x >> 1, -1)};
  const F3 half_three{(1 << 28) + (1 << 27)};
  F3 y = F3::One();
  for (int i = 0; i < 5; ++i) {
    const F3 cube = (y * y * y).Rescale<3>();
    y = (half_three * y - half_x * cube).Rescale<3>();
  }
  int32_t multiplier = (y * Fixed<int32_t, 0>{1518500250}).raw;
  if (shift < 0) {
    multiplier = WrappingShiftLeft(multiplier, -shift);
    shift = 0;
  }
  return {multiplier, -shift};
}

}  // namespace assay::numerics
