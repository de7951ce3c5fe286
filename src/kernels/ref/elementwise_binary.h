// The arithmetic of the binary ops, one element at a time; kernels/ref/broadcast.h walks. Letters as in
// docs/numerics.md.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/ref/quantize.h"
#include "numerics/fixed_point.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

// Integers wrap, floats follow IEEE.
template <typename T, typename F>
T Wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    using Wide = std::common_type_t<std::make_unsigned_t<T>, unsigned>;
    return static_cast<T>(f(static_cast<Wide>(a), static_cast<Wide>(b)));
  } else {
    return f(a, b);
  }
}

struct Add {
  template <typename T>
  T operator()(T a, T b) const {
    return Wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};
struct Subtract {
  template <typename T>
  T operator()(T a, T b) const {
    return Wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};
struct Multiply {
  template <typename T>
  T operator()(T a, T b) const {
    return Wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};

struct Larger {
  template <typename T>
  T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct Smaller {
  template <typename T>
  T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};
struct SquaredDifference {
  template <typename T>
  T operator()(T a, T b) const {
    const T d = Subtract()(a, b);
    return Multiply()(d, d);
  }
};
struct Atan2 {
  template <typename T>
  T operator()(T y, T x) const {
    return std::atan2(y, x);
  }
};
struct BitwiseXor {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};
// Arithmetic; the distance is clamped to the type's width.
struct RightShift {
  template <typename T>
  T operator()(T a, T b) const {
    const int64_t distance = std::clamp<int64_t>(static_cast<int64_t>(b), 0, 8 * sizeof(T) - 1);
    return static_cast<T>(a >> distance);
  }
};

// Integer divisors must not be 0 in the following four. The least integer divided by -1 wraps.
struct Divide {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      if (b == T(-1)) return Subtract()(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
};
// In double, as TFLite does; the quotient of two 32-bit integers is exact enough there.
struct FloorDivide {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      if (b == T(-1)) return Subtract()(T{0}, a);
    }
    return static_cast<T>(std::floor(static_cast<double>(a) / static_cast<double>(b)));
  }
};
struct FloorModulo {
  template <typename T>
  T operator()(T a, T b) const {
    T remainder;
    if constexpr (std::is_integral_v<T>) {
      remainder = b == T(-1) ? T{0} : static_cast<T>(a % b);
    } else {
      remainder = std::fmod(a, b);
    }
    return remainder != 0 && ((b < 0) != (remainder < 0)) ? static_cast<T>(remainder + b) : remainder;
  }
};
struct Power {
  float operator()(float a, float b) const { return std::pow(a, b); }
  int32_t operator()(int32_t a, int32_t b) const {
    return CastToInt32(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
};
// A value, then the clamp of a fused activation: min(max(x, low), high), NaN passing through.
template <typename Op, typename T>
struct Clamped {
  T low, high;
  Op op = {};
  T operator()(T a, T b) const {
    const T x = op(a, b);
    const T raised = x < low ? low : x;
    return high < raised ? high : raised;
  }
};

// x^exponent for exponent >= 1 by squaring, each product clamped to the finite range (floats) or wrapping (integers).
template <typename T>
T PowerBySquaring(T x, int32_t exponent) {
  using Limits = std::numeric_limits<T>;
  if (exponent == 1) return x;
  const Clamped<Multiply, T> multiply{Limits::lowest(), Limits::max()};
  const T half = PowerBySquaring(x, exponent / 2);
  const T square = multiply(half, half);
  return exponent % 2 == 1 ? multiply(x, square) : square;
}

// ADD and SUB of codes: both inputs scaled up by 2^left_shift and onto a common scale, added, scaled to the output.
struct AddQuantized {
  int32_t a_zero_point = 0, b_zero_point = 0;
  int left_shift = 20;
  numerics::FixedPointScale a, b, out;
  bool subtract = false;
  int32_t zero_point = 0, low = 0, high = 0;

  // How an input's (right) shift is rounded.
  enum class InputShift : uint8_t {
    kHalfAway,  // D, as written in the reference
    kBefore,    // taken off left_shift: nothing is lost
    kFloor,     // after the multiplication, towards -inf
  };

  template <InputShift kShift>
  int32_t Scale(int32_t x, numerics::FixedPointScale s) const {
    if constexpr (kShift == InputShift::kBefore) {
      const int shift = left_shift + s.shift;
      const int32_t shifted = shift >= 0 ? numerics::WrappingShiftLeft(x, shift) : x >> std::min(-shift, 31);
      return numerics::SaturatingRoundingDoublingHighMul(shifted, s.multiplier);
    } else {
      const int32_t shifted = numerics::WrappingShiftLeft(x, left_shift);
      const int32_t scaled = numerics::SaturatingRoundingDoublingHighMul(shifted, s.multiplier);
      return kShift == InputShift::kFloor ? scaled >> -s.shift : numerics::RoundingShiftRightHalfAway(scaled, -s.shift);
    }
  }
  template <InputShift kShift>
  int32_t Unclamped(int32_t code_a, int32_t code_b) const {
    const int32_t x = Scale<kShift>(code_a - a_zero_point, a);
    const int32_t y = Scale<kShift>(code_b - b_zero_point, b);
    return numerics::MultiplySmallerThanOne(subtract ? Subtract()(x, y) : Add()(x, y), out);
  }

  int32_t operator()(int32_t code_a, int32_t code_b) const {
    return std::clamp(Add()(Unclamped<InputShift::kHalfAway>(code_a, code_b), zero_point), low, high);
  }
  // Full blocks of the optimised kernels, 8-bit: the sum passes through 16 bits, wrapping.
  template <InputShift kShift>
  int32_t InBlock(int32_t code_a, int32_t code_b) const {
    const auto narrow = static_cast<int16_t>(Unclamped<kShift>(code_a, code_b));
    return std::clamp(static_cast<int32_t>(static_cast<int16_t>(narrow + zero_point)), low, high);
  }
  int32_t InBlockInt16(int32_t code_a, int32_t code_b) const {
    return std::clamp(Add()(Unclamped<InputShift::kBefore>(code_a, code_b), zero_point), low, high);
  }
};

// XNNPACK's ADD and SUB: integer multiples of 2^-shift of the output's scale.
struct AddXnnpack {
  int32_t a_zero_point = 0, b_zero_point = 0;
  int32_t a_multiplier = 0, b_multiplier = 0;  // of b negative for SUB
  int shift = 0;                               // in [13, 30]
  int32_t zero_point = 0, low = 0, high = 0;

  int32_t operator()(int32_t code_a, int32_t code_b) const {
    const int64_t sum = int64_t{code_a - a_zero_point} * a_multiplier + int64_t{code_b - b_zero_point} * b_multiplier +
                        (int64_t{1} << (shift - 1));
    const int32_t scaled = static_cast<int32_t>(sum) >> shift;
    const int32_t narrow = std::clamp<int32_t>(scaled, INT16_MIN, INT16_MAX) + zero_point;
    return std::clamp(std::clamp<int32_t>(narrow, INT16_MIN, INT16_MAX), low, high);
  }
};

// 16-bit ADD and SUB where all scales are powers of two: one input is shifted to the output's scale.
struct AddPowerOfTwo {
  int a_shift = 0, b_shift = 0;  // to the right, in [0, 15]
  bool subtract = false;
  int32_t low = 0, high = 0;

  int32_t operator()(int32_t a, int32_t b) const {
    const int32_t x = numerics::RoundingShiftRightHalfAway(a, a_shift);
    const int32_t y = numerics::RoundingShiftRightHalfAway(b, b_shift);
    return std::clamp(subtract ? x - y : x + y, low, high);
  }
};

// MUL of codes.
struct MultiplyQuantized {
  int32_t a_zero_point = 0, b_zero_point = 0;
  numerics::ChannelScale scale;
  numerics::OutputStage stage;

  int32_t Product(int32_t code_a, int32_t code_b) const {
    return Multiply()(code_a - a_zero_point, code_b - b_zero_point);
  }
  int32_t operator()(int32_t code_a, int32_t code_b) const {
    return numerics::Requantize(Product(code_a, code_b), scale, stage);
  }
  // Full blocks of the optimised kernels, 8-bit: the product passes through 16 bits, saturating or wrapping, and the
  // zero point is added wrapping.
  template <bool kSaturating>
  int32_t InBlock(int32_t code_a, int32_t code_b) const {
    const int32_t wide = numerics::MultiplyHalfAway(Product(code_a, code_b), scale.fixed);
    const auto narrow = static_cast<int16_t>(kSaturating ? std::clamp<int32_t>(wide, INT16_MIN, INT16_MAX) : wide);
    return std::clamp(static_cast<int32_t>(static_cast<int16_t>(narrow + stage.zero_point)), stage.low, stage.high);
  }
};

// SQUARED_DIFFERENCE of codes: as ADD with 7 bits, then the square scaled to the output.
struct SquaredDifferenceQuantized {
  AddQuantized difference;  // its output side is that of the square
  int32_t operator()(int32_t code_a, int32_t code_b) const {
    using Shift = AddQuantized::InputShift;
    const int32_t x = difference.Scale<Shift::kHalfAway>(code_a - difference.a_zero_point, difference.a);
    const int32_t y = difference.Scale<Shift::kHalfAway>(code_b - difference.b_zero_point, difference.b);
    const int32_t d = Subtract()(x, y);
    const int64_t scaled = numerics::MultiplySmallerThanOne(Multiply()(d, d), difference.out);
    return static_cast<int32_t>(std::clamp<int64_t>(scaled + difference.zero_point, difference.low, difference.high));
  }
};

// DIV of codes: the reciprocal in fixed point, the dividend scaled up as far as it goes. b must not be its zero point.
struct DivideQuantized {
  int32_t a_zero_point = 0, b_zero_point = 0;
  numerics::FixedPointScale scale;
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code_a, int32_t code_b) const {
    int32_t x = code_a - a_zero_point, y = code_b - b_zero_point;
    if (y < 0) x = -x, y = -y;
    int bits_over_unit = 0;
    const int32_t inverse = numerics::Reciprocal(y, 31, &bits_over_unit);
    const int headroom = std::countl_zero(static_cast<uint32_t>(x < 0 ? ~x : x)) - 1;
    const int32_t quotient =
        numerics::SaturatingRoundingDoublingHighMul(numerics::WrappingShiftLeft(x, headroom), inverse);
    const int64_t result =
        numerics::MultiplySmallerThanOne(quotient, {scale.multiplier, scale.shift - bits_over_unit - headroom});
    return static_cast<int32_t>(std::clamp<int64_t>(result + zero_point, low, high));
  }
};

// PRELU of codes: rule D, one scale for what is not negative, one for products with the slope.
struct PreluQuantized {
  int32_t input_zero_point = 0, slope_zero_point = 0;
  numerics::FixedPointScale positive, negative;
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t operator()(int32_t code, int32_t slope) const {
    const int32_t x = code - input_zero_point;
    const int64_t y = x >= 0 ? numerics::MultiplyHalfAway(x, positive)
                             : numerics::MultiplyHalfAway(x * (slope - slope_zero_point), negative);
    return static_cast<int32_t>(std::clamp<int64_t>(y + zero_point, low, high));
  }
};

// A code as a comparison sees it: 256 times its real value.
struct ComparableCode {
  int32_t zero_point = 0;
  numerics::FixedPointScale scale;
  int32_t operator()(int32_t code) const {
    return numerics::MultiplySmallerThanOne(numerics::WrappingShiftLeft(code - zero_point, 8), scale);
  }
};

}  // namespace assay::kernels::ref
