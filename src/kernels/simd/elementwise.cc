#include "kernels/simd/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/elementwise.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/requantize-inl.h"

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

#if HWY_NATIVE_FMA
// Compilers make branches of its two limits.
HWY_INLINE void MapLoop(const float* x, float* y, size_t count, const ref::HardSwishXnnpack& f) {
  const hn::CappedTag<float, 16> d;
  constexpr size_t kLanes = hn::MaxLanes(d);
  const auto zero = hn::Zero(d), half = hn::Set(d, 0.5F), one = hn::Set(d, 1.0F), sixth = hn::Set(d, 0x1.555556p-3F);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto v = hn::LoadU(d, x + i);
    hn::StoreU(hn::Mul(LimitFloat(d, hn::MulAdd(v, sixth, half), zero, one), v), d, y + i);
  }
  for (; i < count; ++i) y[i] = f(x[i]);
}
#endif

template <typename In, typename Out, typename F>
HWY_INLINE void MapLoop(const In* x, Out* y, size_t count, const F& f) {
  const F g = f;
  ASSAY_SIMD_INDEPENDENT
  for (size_t i = 0; i < count; ++i) y[i] = static_cast<Out>(g(x[i]));
}

template <typename T, typename F>
HWY_INLINE void CombineLoop(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, const F& f) {
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
