// Ops that go element by element. The arithmetic is that of kernels/ref, functor by functor; here its loops are
// compiled for every instruction set, so results are the same bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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
#define ASSAY_SIMD_COMBINATIONS(X)                           \
  X(AddXnnpackInt8, int8_t, ref::AddXnnpack)                 \
  X(AddXnnpackUInt8, uint8_t, ref::AddXnnpack)               \
  X(MultiplyXnnpackInt8, int8_t, MultiplyXnnpack)            \
  X(MultiplyXnnpackUInt8, uint8_t, MultiplyXnnpack)          \
  X(AddQuantizedInt8, int8_t, ref::AddQuantized)             \
  X(AddQuantizedUInt8, uint8_t, ref::AddQuantized)           \
  X(AddQuantizedInt16, int16_t, ref::AddQuantized)           \
  X(MultiplyQuantizedInt8, int8_t, ref::MultiplyQuantized)   \
  X(MultiplyQuantizedUInt8, uint8_t, ref::MultiplyQuantized) \
  X(MultiplyQuantizedInt16, int16_t, ref::MultiplyQuantized) \
  X(AddFloatsRow, float, AddFloats)                          \
  X(SubtractFloatsRow, float, SubtractFloats)                \
  X(MultiplyFloatsRow, float, MultiplyFloats)                \
  X(LargerFloats, float, ref::Larger)                        \
  X(SmallerFloats, float, ref::Smaller)                      \
  X(LargerInt8, int8_t, ref::Larger)                         \
  X(SmallerInt8, int8_t, ref::Smaller)

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
#undef ASSAY_SIMD_DECLARE

}  // namespace assay::kernels::simd
