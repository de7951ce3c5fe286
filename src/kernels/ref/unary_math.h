// The arithmetic of the mathematical unary ops, one element at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/ref/quantize.h"
#include "numerics/fixed_point.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

struct AbsoluteValue {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(x < 0 ? uint64_t{0} - static_cast<uint64_t>(x) : static_cast<uint64_t>(x));  // wraps
    } else {
      return std::abs(x);
    }
  }
};
struct Negate {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(uint64_t{0} - static_cast<uint64_t>(x));  // wraps
    } else {
      return -x;
    }
  }
};
struct SignOf {
  template <typename T>
  T operator()(T x) const {
    return x > 0 ? T{1} : x < 0 ? T{-1} : T{0};
  }
};

// ABS of codes; rule D where the scales differ.
struct AbsQuantized {
  int32_t input_zero_point = 0;
  bool rescale = false;
  numerics::FixedPointScale scale;
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code) const {
    const int32_t x = std::abs(code - input_zero_point);
    const int64_t y = rescale ? numerics::MultiplyHalfAway(x, scale) : x;
    return static_cast<int32_t>(std::clamp<int64_t>(y + zero_point, low, high));
  }
};

// SQRT of codes that are not below the zero point: the quotient is truncated.
struct SqrtQuantized {
  float input_scale = 1, output_scale = 1;
  int32_t input_zero_point = 0, zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code) const {
    const float root = std::sqrt(input_scale * static_cast<float>(code - input_zero_point));
    return std::clamp(WrappingSum(CastToInt32(root / output_scale), zero_point), low, high);
  }
};

// RSQRT of int8 codes that are not below the zero point; the zero point itself gives the largest code.
struct RsqrtQuantized {
  int32_t input_zero_point = 0;
  numerics::FixedPointScale scale;  // 1 / (sqrt(input scale) * output scale)
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code) const {
    constexpr int kFractionalBits = 20;
    const int32_t x = code - input_zero_point;
    if (x == 0) return high;
    const numerics::FixedPointScale root = numerics::ReciprocalSqrt(x);
    const int32_t scaled = numerics::MultiplyHalfAway(1, {root.multiplier, root.shift + kFractionalBits});
    const int shift = scale.shift - kFractionalBits;
    const int64_t y = shift > 0 ? numerics::MultiplyHalfAway(scaled, {scale.multiplier, shift})
                                : numerics::MultiplySmallerThanOne(scaled, {scale.multiplier, shift});
    return static_cast<int32_t>(std::clamp<int64_t>(y + zero_point, low, high));
  }
};

}  // namespace assay::kernels::ref
