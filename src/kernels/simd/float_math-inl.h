// exp, tanh and the logistic function of float vectors. Errors, as activations_test.cc bounds them: logistic 4 ulp,
// tanh 6 ulp, a softmax 4 ulp. NaN gives NaN. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_FLOAT_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_FLOAT_MATH_INL_H_
#undef ASSAY_KERNELS_SIMD_FLOAT_MATH_INL_H_
#else
#define ASSAY_KERNELS_SIMD_FLOAT_MATH_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2; e^r from its series to the sixth power, fitted (Cephes).
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Exp(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToSigned<D> di;
  // Beyond these everything is 0 or infinite.
  const V limited = hn::Min(hn::Max(x, hn::Set(d, -104.0F)), hn::Set(d, 89.0F));
  const V n = hn::Round(hn::Mul(limited, hn::Set(d, 1.44269504088896341F)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375F), limited);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), r);
  V p = hn::Set(d, 1.9875691500e-4F);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1F));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0F));
  // In two factors, for 2^n alone may be none of the float's exponents.
  const auto whole = hn::ConvertTo(di, n);
  const auto half = hn::ShiftRight<1>(whole);
  const auto power = [&](auto exponent)
                         HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(di, 127)))); };
  const V y = hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(whole, half)));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

#if HWY_TARGET <= HWY_AVX3
// The logistic function as XNNPACK computes it with AVX-512, to its bits: with z = -|x| = (32 n + k) ln 2 / 32 + t, e^z
// is 2^n 2^(k/32) e^t, of which a table has the second and a polynomial the third; e^z / (e^z + 1), of 1 where x > 0.
HWY_INLINE __m512 LogisticAsXnnpack(__m512 x) {
  HWY_ALIGN static constexpr float kPowers[32] = {
      0x1.000000p+0F, 0x1.059B0Ep+0F, 0x1.0B5586p+0F, 0x1.11301Ep+0F, 0x1.172B84p+0F, 0x1.1D4874p+0F, 0x1.2387A6p+0F,
      0x1.29E9E0p+0F, 0x1.306FE0p+0F, 0x1.371A74p+0F, 0x1.3DEA64p+0F, 0x1.44E086p+0F, 0x1.4BFDAEp+0F, 0x1.5342B6p+0F,
      0x1.5AB07Ep+0F, 0x1.6247ECp+0F, 0x1.6A09E6p+0F, 0x1.71F75Ep+0F, 0x1.7A1148p+0F, 0x1.82589Ap+0F, 0x1.8ACE54p+0F,
      0x1.93737Cp+0F, 0x1.9C4918p+0F, 0x1.A5503Cp+0F, 0x1.AE89FAp+0F, 0x1.B7F770p+0F, 0x1.C199BEp+0F, 0x1.CB720Ep+0F,
      0x1.D5818Ep+0F, 0x1.DFC974p+0F, 0x1.EA4AFAp+0F, 0x1.F50766p+0F};
  // Added, it leaves the last place at 1 / 32.
  const __m512 shift = _mm512_set1_ps(0x1.8p18F), one = _mm512_set1_ps(1.0F);
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  const __m512 negative = _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(x), sign));
  // From here on it is 0 or 1; of NaN the second operand remains.
  const __m512 z = _mm512_max_ps(_mm512_set1_ps(-200.0F), negative);
  const __m512 shifted = _mm512_fmadd_ps(z, _mm512_set1_ps(0x1.715476p0F), shift);
  const __m512 power =
      _mm512_permutex2var_ps(_mm512_load_ps(kPowers), _mm512_castps_si512(shifted), _mm512_load_ps(kPowers + 16));
  const __m512 n = _mm512_sub_ps(shifted, shift);
  __m512 t = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.62E430p-1F), z);
  t = _mm512_fmadd_ps(n, _mm512_set1_ps(0x1.05C61p-29F), t);
  const __m512 p = _mm512_fmadd_ps(t, _mm512_set1_ps(0.5F), _mm512_set1_ps(0x1.0000F6p0F));
  const __m512 e = _mm512_scalef_ps(_mm512_fmadd_ps(_mm512_mul_ps(t, power), p, power), n);
  const __m512 y = _mm512_div_ps(e, _mm512_add_ps(e, one));
  return _mm512_mask_sub_ps(y, _mm512_testn_epi32_mask(_mm512_castps_si512(x), sign), one, y);
}
#endif

// 1 / (1 + e^-x), as e^x / (1 + e^x) where x < 0, for 1 + e^-x would be infinite too early.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Logistic(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(x.raw) == sizeof(__m512)) return V{LogisticAsXnnpack(x.raw)};
#endif
  const V one = hn::Set(d, 1.0F);
  const V e = Exp(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

// x P(x^2) / Q(x^2), 1 from where that is the nearest float (the fit is Eigen's).
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Tanh(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr float kLimit = 7.90531110763549805F, kLinear = 0.0004F;
  const V limited = hn::Min(hn::Max(x, hn::Set(d, -kLimit)), hn::Set(d, kLimit));
  const V squared = hn::Mul(limited, limited);
  V p = hn::Set(d, -2.76076847742355e-16F);
  p = hn::MulAdd(p, squared, hn::Set(d, 2.00018790482477e-13F));
  p = hn::MulAdd(p, squared, hn::Set(d, -8.60467152213735e-11F));
  p = hn::MulAdd(p, squared, hn::Set(d, 5.12229709037114e-08F));
  p = hn::MulAdd(p, squared, hn::Set(d, 1.48572235717979e-05F));
  p = hn::MulAdd(p, squared, hn::Set(d, 6.37261928875436e-04F));
  p = hn::MulAdd(p, squared, hn::Set(d, 4.89352455891786e-03F));
  V q = hn::Set(d, 1.19825839466702e-06F);
  q = hn::MulAdd(q, squared, hn::Set(d, 1.18534705686654e-04F));
  q = hn::MulAdd(q, squared, hn::Set(d, 2.26843463243900e-03F));
  q = hn::MulAdd(q, squared, hn::Set(d, 4.89352518554385e-03F));
  const V one = hn::Set(d, 1.0F);
  V y = hn::Min(hn::Max(hn::Div(hn::Mul(limited, p), q), hn::Neg(one)), one);
  y = hn::IfThenElse(hn::Ge(hn::Abs(x), hn::Set(d, kLimit)), hn::CopySign(one, x), y);
  const auto as_is = hn::Or(hn::Lt(hn::Abs(x), hn::Set(d, kLinear)), hn::IsNaN(x));
  return hn::IfThenElse(as_is, x, y);
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
