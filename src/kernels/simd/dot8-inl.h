// Dot products of 8-bit and 16-bit lanes, the step that truly differs per instruction set. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_DOT8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_DOT8_INL_H_
#undef ASSAY_KERNELS_SIMD_DOT8_INL_H_
#else
#define ASSAY_KERNELS_SIMD_DOT8_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3_DL

// sums[i] += u[4i] * s[4i] + ... + u[4i+3] * s[4i+3], u without and s with a sign, exact modulo 2^32.
template <class V>
struct SignedBytes {
  V bytes;
};
template <class D, class V = hn::Vec<D>>
HWY_INLINE SignedBytes<V> SplitSigned(D /*int32*/, V bytes) {
  return {bytes};
}
template <class D>
HWY_INLINE hn::Vec<D> Dot4(D /*int32*/, hn::Vec<D> sums, hn::Vec<D> u, const SignedBytes<hn::Vec<D>>& s) {
  // Written out because Highway's name for this instruction set does not let compilers use the intrinsic.
  asm("vpdpbusd %2, %1, %0" : "+v"(sums.raw) : "v"(u.raw), "v"(s.bytes.raw));
  return sums;
}

#else  // bytes at even and at odd places, widened to 16 bits, then products of pairs

template <class V>
struct SignedBytes {
  V even, odd;  // 16-bit lanes
};
template <class D, class V = hn::Vec<D>>
HWY_INLINE SignedBytes<V> SplitSigned(D d, V bytes) {
  const hn::Repartition<int16_t, D> d16;
  const auto wide = hn::BitCast(d16, bytes);
  return {hn::BitCast(d, hn::ShiftRight<8>(hn::ShiftLeft<8>(wide))), hn::BitCast(d, hn::ShiftRight<8>(wide))};
}

// out[i] = a[2i] * b[2i] + a[2i+1] * b[2i+1] of 16-bit lanes.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V PairwiseProducts(D d, V a, V b) {
  const hn::Repartition<int16_t, D> d16;
  const auto a16 = hn::BitCast(d16, a), b16 = hn::BitCast(d16, b);
#if HWY_ARCH_ARM
  (void)d;
  const auto low = vmull_s16(vget_low_s16(a16.raw), vget_low_s16(b16.raw));
  const auto high = vmull_high_s16(a16.raw, b16.raw);
  return V(vpaddq_s32(low, high));
#else
  // On x86 both sums come in order, and the second is left alone.
  auto unused = hn::Zero(d);
  return hn::ReorderWidenMulAccumulate(d, a16, b16, hn::Zero(d), unused);
#endif
}

template <class D>
HWY_INLINE hn::Vec<D> Dot4(D d, hn::Vec<D> sums, hn::Vec<D> u, const SignedBytes<hn::Vec<D>>& s) {
  const hn::Repartition<uint16_t, D> du16;
  const auto wide = hn::BitCast(du16, u);
  const auto even = hn::BitCast(d, hn::And(wide, hn::Set(du16, 0xFF)));
  const auto odd = hn::BitCast(d, hn::ShiftRight<8>(wide));
  return hn::Add(hn::Add(sums, PairwiseProducts(d, even, s.even)), PairwiseProducts(d, odd, s.odd));
}

#endif

// sums[i] += a[2i] * b[2i] + a[2i+1] * b[2i+1] of 16-bit lanes with sign, modulo 2^32.
template <class D>
HWY_INLINE hn::Vec<D> Dot2(D d, hn::Vec<D> sums, hn::Vec<D> a, hn::Vec<D> b) {
#if HWY_TARGET == HWY_AVX3_DL
  (void)d;
  asm("vpdpwssd %2, %1, %0" : "+v"(sums.raw) : "v"(a.raw), "v"(b.raw));
  return sums;
#else
  return hn::Add(sums, PairwiseProducts(d, a, b));
#endif
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
