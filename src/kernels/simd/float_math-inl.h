// exp, tanh and the logistic function of float vectors. Errors, as activations_test.cc bounds them: logistic 3 ulp,
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

// 1 / (1 + e^-x), as e^x / (1 + e^x) where x < 0, for 1 + e^-x would be infinite too early.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V Logistic(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
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
