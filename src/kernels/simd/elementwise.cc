#include "kernels/simd/elementwise.h"

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/elementwise.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

// The compiler makes the vectors: what is needed of it is that an operand lies apart from the result or at the same
// place, so that no iteration reads what another one wrote, and that the functor's values are known not to change.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"  // builds for debugging may do without vectors
#define ASSAY_SIMD_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define ASSAY_SIMD_INDEPENDENT _Pragma("GCC ivdep")
#endif

template <typename In, typename Out, typename F>
HWY_INLINE void MapLoop(const In* x, Out* y, size_t count, const F& f) {
  const F g = f;
  ASSAY_SIMD_INDEPENDENT
  for (size_t i = 0; i < count; ++i) y[i] = static_cast<Out>(g(x[i]));
}

// y[i] = codes of rounded(a[i], b[i]), on vectors of 32 bits; of what is no whole step a copy is computed.
template <bool kARepeats, bool kBRepeats, typename T, class Rounded>
HWY_INLINE void CombineCodesOf(const T* a, const T* b, T* y, size_t count, const numerics::OutputStage& stage,
                               const Rounded& rounded) {
  const hn::CappedTag<int32_t, 16> d;
  const hn::Rebind<T, decltype(d)> d_codes;
  const hn::Repartition<uint8_t, decltype(d)> d8;
  constexpr size_t kLanes = hn::MaxLanes(d), kStep = 4 * kLanes;
  const Codes<CodeForm::kAny, decltype(d)> codes(stage);
  const auto first = hn::Set(d, *a), second = hn::Set(d, *b);
  const auto step = [&](const T* from_a, const T* from_b) HWY_ATTR {
    const auto at = [&](size_t v) HWY_ATTR {
      const auto x = kARepeats ? first : hn::PromoteTo(d, hn::LoadU(d_codes, from_a + v * kLanes));
      const auto z = kBRepeats ? second : hn::PromoteTo(d, hn::LoadU(d_codes, from_b + v * kLanes));
      return rounded(x, z);
    };
    const hn::Vec<decltype(d)> rounded_values[4] = {at(0), at(1), at(2), at(3)};
    return InOrder(d, codes(rounded_values));
  };
  size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    hn::StoreU(step(kARepeats ? a : a + i, kBRepeats ? b : b + i), d8, reinterpret_cast<uint8_t*>(y + i));
  }
  if (i == count) return;
  HWY_ALIGN uint8_t some[2][kStep] = {}, some_y[kStep];
  if (!kARepeats) CopySome(reinterpret_cast<const uint8_t*>(a + i), some[0], count - i);
  if (!kBRepeats) CopySome(reinterpret_cast<const uint8_t*>(b + i), some[1], count - i);
  hn::Store(step(reinterpret_cast<const T*>(some[0]), reinterpret_cast<const T*>(some[1])), d8, some_y);
  CopySome(some_y, reinterpret_cast<uint8_t*>(y + i), count - i);
}

template <typename T, class Rounded>
HWY_INLINE void CombineCodes(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count,
                             const numerics::OutputStage& stage, const Rounded& rounded) {
  if (count == 0) return;
  if (a_repeats) {
    b_repeats ? CombineCodesOf<true, true>(a, b, y, count, stage, rounded)
              : CombineCodesOf<true, false>(a, b, y, count, stage, rounded);
  } else {
    b_repeats ? CombineCodesOf<false, true>(a, b, y, count, stage, rounded)
              : CombineCodesOf<false, false>(a, b, y, count, stage, rounded);
  }
}

// Sums are right modulo 2^32, which is all that the rule looks at.
template <typename T>
HWY_INLINE void CombineVectors(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count,
                               const ref::AddXnnpack& f) {
  const hn::CappedTag<int32_t, 16> d;
  using V = hn::Vec<decltype(d)>;
  const uint32_t offset = (uint32_t{1} << (f.shift - 1)) -
                          static_cast<uint32_t>(f.a_zero_point) * static_cast<uint32_t>(f.a_multiplier) -
                          static_cast<uint32_t>(f.b_zero_point) * static_cast<uint32_t>(f.b_multiplier);
  const V start = hn::Set(d, static_cast<int32_t>(offset));
  const V a_multiplier = hn::Set(d, f.a_multiplier), b_multiplier = hn::Set(d, f.b_multiplier);
  CombineCodes(a, a_repeats, b, b_repeats, y, count,
               {.rounding = {}, .zero_point = f.zero_point, .low = f.low, .high = f.high}, [&](V x, V z) HWY_ATTR {
                 const V sum = hn::Add(hn::Add(hn::Mul(x, a_multiplier), hn::Mul(z, b_multiplier)), start);
                 return hn::ShiftRightSame(sum, f.shift);
               });
}

// Products of codes less their zero points, rounded as those of matrices are.
template <numerics::Rounding kRounding, typename T>
HWY_INLINE void MultiplyCodes(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count,
                              const ref::MultiplyQuantized& f) {
  const hn::CappedTag<int32_t, 16> d;
  using D = hn::CappedTag<int32_t, 16>;
  using V = hn::Vec<D>;
  constexpr size_t kLanes = hn::MaxLanes(d);
  HWY_ALIGN int32_t multiplier[kLanes], left[kLanes], right[kLanes];
  HWY_ALIGN float single[kLanes];
  hn::Store(hn::Set(d, f.scale.fixed.multiplier), d, multiplier);
  hn::Store(hn::Set(d, std::max(f.scale.fixed.shift, 0)), d, left);
  hn::Store(hn::Set(d, std::max(-f.scale.fixed.shift, 0)), d, right);
  hn::Store(hn::Set(hn::Rebind<float, D>(), f.scale.single), hn::Rebind<float, D>(), single);
  Rounder<kRounding, D> round;
  round.Load({multiplier, left, right, single, nullptr, f.scale.fixed.shift > 0}, f.stage, 0);
  const V a_zero = hn::Set(d, f.a_zero_point), b_zero = hn::Set(d, f.b_zero_point);
  CombineCodes(a, a_repeats, b, b_repeats, y, count, f.stage,
               [&](V x, V z) HWY_ATTR { return round(hn::Mul(hn::Sub(x, a_zero), hn::Sub(z, b_zero))); });
}

template <typename T>
HWY_INLINE void CombineVectors(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count,
                               const MultiplyXnnpack& f) {
  MultiplyCodes<numerics::Rounding::kFloatHalfEven>(a, a_repeats, b, b_repeats, y, count, f.product);
}

// Whether an op on codes has a form on vectors that is written out.
template <typename T, typename F>
constexpr bool kHasVectors = sizeof(T) == 1 &&
                             (std::is_same_v<F, ref::AddXnnpack> || std::is_same_v<F, MultiplyXnnpack>);

template <typename T, typename F>
HWY_INLINE void CombineLoop(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, const F& f) {
  if constexpr (kHasVectors<T, F>) return CombineVectors(a, a_repeats, b, b_repeats, y, count, f);
  const F g = f;
  if (b_repeats) {
    const T second = *b;
    if (a_repeats) {
      const T value = static_cast<T>(g(*a, second));
      ASSAY_SIMD_INDEPENDENT
      for (size_t i = 0; i < count; ++i) y[i] = value;
    } else {
      ASSAY_SIMD_INDEPENDENT
      for (size_t i = 0; i < count; ++i) y[i] = static_cast<T>(g(a[i], second));
    }
  } else if (a_repeats) {
    const T first = *a;
    ASSAY_SIMD_INDEPENDENT
    for (size_t i = 0; i < count; ++i) y[i] = static_cast<T>(g(first, b[i]));
  } else {
    ASSAY_SIMD_INDEPENDENT
    for (size_t i = 0; i < count; ++i) y[i] = static_cast<T>(g(a[i], b[i]));
  }
}

#define ASSAY_SIMD_DEFINE(name, In, Out, F) \
  void name(const In* x, Out* y, size_t count, const F& f) { MapLoop(x, y, count, f); }
ASSAY_SIMD_MAPS(ASSAY_SIMD_DEFINE)
#undef ASSAY_SIMD_DEFINE
#define ASSAY_SIMD_DEFINE(name, T, F)                                                                 \
  void name(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, const F& f) { \
    CombineLoop(a, a_repeats, b, b_repeats, y, count, f);                                             \
  }
ASSAY_SIMD_COMBINATIONS(ASSAY_SIMD_DEFINE)
#undef ASSAY_SIMD_DEFINE

void Lookup(const ByteTable& table, const uint8_t* x, uint8_t* y, size_t count) {
  size_t i = 0;
#if HWY_TARGET == HWY_AVX3_DL
  // Two tables of 128 entries, each from a pair of registers; the top bit of the code tells which.
  const __m512i t0 = _mm512_loadu_si512(table.data()), t1 = _mm512_loadu_si512(table.data() + 64);
  const __m512i t2 = _mm512_loadu_si512(table.data() + 128), t3 = _mm512_loadu_si512(table.data() + 192);
  for (; i + 64 <= count; i += 64) {
    const __m512i codes = _mm512_loadu_si512(x + i);
    const __m512i low = _mm512_permutex2var_epi8(t0, codes, t1), high = _mm512_permutex2var_epi8(t2, codes, t3);
    _mm512_storeu_si512(y + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high));
  }
#endif
  for (; i < count; ++i) y[i] = table[x[i]];
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(Lookup);

void LookupBytes(const ByteTable& table, const uint8_t* x, uint8_t* y, size_t count) noexcept {
  HWY_DYNAMIC_DISPATCH(Lookup)(table, x, y, count);
}

#define ASSAY_SIMD_DISPATCH(name, In, Out, F)                                    \
  HWY_EXPORT(name);                                                              \
  template <>                                                                    \
  void Map<In, Out, F>(const In* x, Out* y, size_t count, const F& f) noexcept { \
    HWY_DYNAMIC_DISPATCH(name)(x, y, count, f);                                  \
  }
ASSAY_SIMD_MAPS(ASSAY_SIMD_DISPATCH)
#undef ASSAY_SIMD_DISPATCH
#define ASSAY_SIMD_DISPATCH(name, T, F)                                                          \
  HWY_EXPORT(name);                                                                              \
  template <>                                                                                    \
  void Combine<T, F>(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, \
                     const F& f) noexcept {                                                      \
    HWY_DYNAMIC_DISPATCH(name)(a, a_repeats, b, b_repeats, y, count, f);                         \
  }
ASSAY_SIMD_COMBINATIONS(ASSAY_SIMD_DISPATCH)
#undef ASSAY_SIMD_DISPATCH

}  // namespace assay::kernels::simd
#endif
