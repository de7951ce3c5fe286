// The arithmetic of the binary ops, one element at a time; kernels/ref/broadcast.h walks. Letters as in
// docs/numerics.md.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

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
    return numerics::MultiplyHalfAway(subtract ? Subtract()(x, y) : Add()(x, y), out);
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

}  // namespace assay::kernels::ref
