// 1 / sqrt(x) in fixed point, as the quantized normalisations of TFLite compute it.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "numerics/requantize.h"

namespace assay::numerics {

inline int32_t SaturatingShiftLeft(int32_t x, int bits) {
  return static_cast<int32_t>(std::clamp<int64_t>(int64_t{x} << bits, std::numeric_limits<int32_t>::min(),
                                                  std::numeric_limits<int32_t>::max()));
}

// 1 / sqrt(x) ~ multiplier * 2^(shift - 31); shift <= 0. x below 2 counts as 1. Five Newton steps with 3 integer bits.
inline FixedPointScale InverseSqrt(int32_t x) {
  if (x <= 1) return {std::numeric_limits<int32_t>::max(), 0};
  int shift = 11;
  while (x >= (1 << 29)) {
    x /= 4;
    ++shift;
  }
  const int pairs = (std::countl_zero(static_cast<uint32_t>(x)) - 1) / 2 - 1;
  shift -= pairs;
  x <<= 2 * pairs;
  const int32_t input = x >> 1;  // raw with 3 integer bits: 1 is 2^28
  const int32_t half_input = RoundingShiftRightHalfAway(input, 1);
  constexpr int32_t kHalfThree = (1 << 28) + (1 << 27);
  constexpr int32_t kHalfSqrt2 = 1518500250;  // without integer bits
  int32_t y = 1 << 28;
  for (int i = 0; i < 5; ++i) {
    const int32_t cube =
        SaturatingShiftLeft(SaturatingRoundingDoublingHighMul(SaturatingRoundingDoublingHighMul(y, y), y), 6);
    const int64_t step =
        int64_t{SaturatingRoundingDoublingHighMul(kHalfThree, y)} - SaturatingRoundingDoublingHighMul(half_input, cube);
    y = SaturatingShiftLeft(static_cast<int32_t>(step), 3);
  }
  y = SaturatingRoundingDoublingHighMul(y, kHalfSqrt2);
  if (shift < 0) return {WrappingShiftLeft(y, -shift), 0};
  return {y, -shift};
}

}  // namespace assay::numerics
