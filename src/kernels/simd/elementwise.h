// Ops that go element by element. The arithmetic is that of kernels/ref, functor by functor; here its loops are
// compiled for every instruction set, so results are the same bits.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels/ref/activations.h"
#include "kernels/ref/elementwise_binary.h"
#include "kernels/ref/quantize.h"

namespace assay::kernels::simd {

// y[i] = table[x[i]]
using ByteTable = std::array<uint8_t, 256>;
void LookupBytes(const ByteTable& table, const uint8_t* x, uint8_t* y, size_t count) noexcept;

struct QuantizeXnnpack {
  ref::CodeOf code;
  int32_t operator()(float x) const { return code.Xnnpack(x); }
};
struct QuantizeBlock {
  ref::CodeOf code;
  int32_t operator()(float x) const { return code.Block(x); }
};
struct DequantizeBlock {
  ref::Dequantizer code;
  float operator()(int32_t x) const { return code.Block(x); }
};
// MUL of codes under XNNPACK's rule.
struct MultiplyXnnpack {
  ref::MultiplyQuantized product;
  float low = 0, high = 0;  // less the zero point
  int32_t operator()(int32_t a, int32_t b) const {
    const float y = static_cast<float>(product.Product(a, b)) * product.scale.single;
    return product.stage.zero_point + numerics::RoundHalfEvenClamped(y, low, high);
  }
};
// ADD and SUB of codes in fixed point where a sum is, but for what the roundings on the way bring,
// a * a_scale + b * b_scale + offset.
class AddCodes {
 public:
  using InputShift = ref::AddQuantized::InputShift;

  // For codes of type T. None where not all can be computed so: where an input is scaled up or a shift leaves [-31, 0],
  // or, where sums of full blocks pass through 16 bits, one might leave them.
  template <typename T>
  static std::optional<AddCodes> Of(const ref::AddQuantized& sum, InputShift shift);

  int32_t operator()(int32_t a, int32_t b) const {
    return std::clamp(ref::Add()(Unclamped(a, b), sum.zero_point), sum.low, sum.high);
  }

  // What an input's code less its zero point times 2^left_shift is scaled by, in 32 bits: the multiplier in two halves.
  struct Scaling {
    int32_t high = 0, low = 0;
    // ((x * high << left) + ((x * low + low_nudge) >> low_right) + nudge - sign) >> right; sign where that is negative.
    int left = 0, low_right = 0, right = 0;
    int32_t low_nudge = 0, nudge = 0, sign = 0;
    int power = -1;  // where not negative: x << power is the same
  };

  ref::AddQuantized sum;
  InputShift shift = InputShift::kHalfAway;
  double a_scale = 0, b_scale = 0, offset = 0;
  // How far from an integer a sum may lie whose rounding is right although it was computed in one go, in floats for
  // 8-bit codes and in doubles for 16-bit ones.
  double sure = 0;
  Scaling a_exactly, b_exactly;  // 8-bit codes only

 private:
  int32_t Unclamped(int32_t a_code, int32_t b_code) const {
    switch (shift) {
      case InputShift::kBefore:
        return sum.Unclamped<InputShift::kBefore>(a_code, b_code);
      case InputShift::kFloor:
        return sum.Unclamped<InputShift::kFloor>(a_code, b_code);
      case InputShift::kHalfAway:
        break;
    }
    return sum.Unclamped<InputShift::kHalfAway>(a_code, b_code);
  }
};
using AddFloats = ref::Clamped<ref::Add, float>;
using SubtractFloats = ref::Clamped<ref::Subtract, float>;
using MultiplyFloats = ref::Clamped<ref::Multiply, float>;

// name, type of x, type of y, functor
#define ASSAY_SIMD_MAPS(X)                                       \
  X(QuantizeXnnpackInt8, float, int8_t, QuantizeXnnpack)         \
  X(QuantizeXnnpackUInt8, float, uint8_t, QuantizeXnnpack)       \
  X(QuantizeBlockInt8, float, int8_t, QuantizeBlock)             \
  X(QuantizeBlockUInt8, float, uint8_t, QuantizeBlock)           \
  X(QuantizeBlockInt16, float, int16_t, QuantizeBlock)           \
  X(DequantizeInt8, int8_t, float, ref::Dequantizer)             \
  X(DequantizeUInt8, uint8_t, float, ref::Dequantizer)           \
  X(DequantizeInt16, int16_t, float, ref::Dequantizer)           \
  X(DequantizeBlockInt8, int8_t, float, DequantizeBlock)         \
  X(DequantizeBlockUInt8, uint8_t, float, DequantizeBlock)       \
  X(ClampFloats, float, float, ref::ClampFloat)                  \
  X(HardSwishFloats, float, float, ref::HardSwishFloat)          \
  X(HardSwishXnnpackFloats, float, float, ref::HardSwishXnnpack) \
  X(LeakyReluFloats, float, float, ref::LeakyReluFloat)

// name, type of all operands, functor
#define ASSAY_SIMD_COMBINATIONS(X)            \
  X(AddFloatsRow, float, AddFloats)           \
  X(SubtractFloatsRow, float, SubtractFloats) \
  X(MultiplyFloatsRow, float, MultiplyFloats) \
  X(LargerFloats, float, ref::Larger)         \
  X(SmallerFloats, float, ref::Smaller)       \
  X(LargerInt8, int8_t, ref::Larger)          \
  X(SmallerInt8, int8_t, ref::Smaller)

// The same, of codes.
#define ASSAY_SIMD_CODE_COMBINATIONS(X)                      \
  X(AddXnnpackInt8, int8_t, ref::AddXnnpack)                 \
  X(AddXnnpackUInt8, uint8_t, ref::AddXnnpack)               \
  X(MultiplyXnnpackInt8, int8_t, MultiplyXnnpack)            \
  X(MultiplyXnnpackUInt8, uint8_t, MultiplyXnnpack)          \
  X(AddCodesInt8, int8_t, AddCodes)                          \
  X(AddCodesUInt8, uint8_t, AddCodes)                        \
  X(AddCodesInt16, int16_t, AddCodes)                        \
  X(MultiplyQuantizedInt8, int8_t, ref::MultiplyQuantized)   \
  X(MultiplyQuantizedUInt8, uint8_t, ref::MultiplyQuantized) \
  X(MultiplyQuantizedInt16, int16_t, ref::MultiplyQuantized)

// Whether Map and Combine are there for a functor.
template <typename In, typename Out, typename F>
inline constexpr bool kHasMap = false;
template <typename T, typename F>
inline constexpr bool kHasCombination = false;

// y[i] = f(x[i])
template <typename In, typename Out, typename F>
void Map(const In* x, Out* y, size_t count, const F& f) noexcept;
// y[i] = f(a[i], b[i]); an operand that repeats is read at 0 only.
template <typename T, typename F>
void Combine(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, const F& f) noexcept;

#define ASSAY_SIMD_DECLARE(name, In, Out, F)        \
  template <>                                       \
  inline constexpr bool kHasMap<In, Out, F> = true; \
  template <>                                       \
  void Map<In, Out, F>(const In* x, Out* y, size_t count, const F& f) noexcept;
ASSAY_SIMD_MAPS(ASSAY_SIMD_DECLARE)
#undef ASSAY_SIMD_DECLARE
#define ASSAY_SIMD_DECLARE(name, T, F)                \
  template <>                                         \
  inline constexpr bool kHasCombination<T, F> = true; \
  template <>                                         \
  void Combine<T, F>(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, const F& f) noexcept;
ASSAY_SIMD_COMBINATIONS(ASSAY_SIMD_DECLARE)
ASSAY_SIMD_CODE_COMBINATIONS(ASSAY_SIMD_DECLARE)
#undef ASSAY_SIMD_DECLARE

}  // namespace assay::kernels::simd
