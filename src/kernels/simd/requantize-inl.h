// The roundings of numerics::Requantize on vectors, to the bit. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_REQUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_REQUANTIZE_INL_H_
#undef ASSAY_KERNELS_SIMD_REQUANTIZE_INL_H_
#else
#define ASSAY_KERNELS_SIMD_REQUANTIZE_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/simd/scales.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Half to even. Beyond int32 the result is the least integer below and anything above: callers limit from above first.
template <class DF, class V = hn::Vec<DF>>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> RoundHalfEven(DF /*d*/, V x) {
#if HWY_ARCH_X86
  using Result = hn::Vec<hn::RebindToSigned<DF>>;
  // Highway's own also repairs values above, at the cost of three instructions.
  if constexpr (sizeof(x.raw) == 16) return Result{_mm_cvtps_epi32(x.raw)};
#if HWY_TARGET <= HWY_AVX2
  if constexpr (sizeof(x.raw) == 32) return Result{_mm256_cvtps_epi32(x.raw)};
#endif
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(x.raw) == 64) return Result{_mm512_cvtps_epi32(x.raw)};
#endif
#else
  return hn::NearestInt(x);
#endif
}

// Towards zero; beyond int32 the result is any.
template <class DF, class V = hn::Vec<DF>>
HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> Truncate(DF /*d*/, V x) {
#if HWY_ARCH_X86
  using Result = hn::Vec<hn::RebindToSigned<DF>>;
  // Highway's own repairs what overflows.
  if constexpr (sizeof(x.raw) == 16) return Result{_mm_cvttps_epi32(x.raw)};
#if HWY_TARGET <= HWY_AVX2
  if constexpr (sizeof(x.raw) == 32) return Result{_mm256_cvttps_epi32(x.raw)};
#endif
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(x.raw) == 64) return Result{_mm512_cvttps_epi32(x.raw)};
#endif
#else
  return hn::ConvertTo(hn::RebindToSigned<DF>(), x);
#endif
}

// std::min(std::max(x, low), high): NaN stays NaN, and of two zeros x's remains.
template <class DF, class V = hn::Vec<DF>>
HWY_INLINE V LimitFloat(DF /*d*/, V x, V low, V high) {
#if HWY_ARCH_X86
  // The second operand is what comes out of equal ones and of NaN.
  return hn::Min(high, hn::Max(low, x));
#else
  const V raised = hn::IfThenElse(hn::Lt(x, low), low, x);
  return hn::IfThenElse(hn::Gt(raised, high), high, raised);
#endif
}

// One vector of channels: what the rounding needs of their scales. What it gives is not clamped, but for
// kFloatHalfEven's upper bound, and has no zero point.
template <numerics::Rounding kRounding, class D>
class Rounder {
 public:
  using V = hn::Vec<D>;
  using D64 = hn::Repartition<int64_t, D>;

  HWY_INLINE void Load(const ChannelScales& scales, const numerics::OutputStage& /*stage*/, size_t channel) {
    const D d;
    const D64 d64;
    shifts_left_ = scales.reaches_one;
    if (shifts_left_) left_ = hn::LoadU(d, scales.left + channel);
    multiplier_ = hn::LoadU(d, scales.multiplier + channel);
    odd_multiplier_ = Odd(multiplier_);
    const auto right = hn::LoadU(d, scales.right + channel);
    const auto fields = hn::Set(d64, 0x7F);
    shift_ = hn::And(hn::BitCast(d64, right), fields);
    odd_shift_ = hn::And(hn::BitCast(d64, Odd(right)), fields);
    nudge_ = Nudge(shift_), odd_nudge_ = Nudge(odd_shift_);
  }

  // (x * multiplier + 2^30 + (2^(right-1) - n) * 2^31) >> (31 + right), the middle term only where right > 0;
  // n = 1 for rounding half away where x * multiplier + 2^30 < 0.
  HWY_INLINE V operator()(V x) const {
    const D d;
    const D64 d64;
    if (shifts_left_) x = hn::Shl(x, left_);
    const V even = Half(x, multiplier_, shift_, nudge_);
    const V odd = Half(Odd(x), odd_multiplier_, odd_shift_, odd_nudge_);
    return hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(hn::BitCast(d64, odd))), even);
  }

 private:
  using V64 = hn::Vec<D64>;

  static HWY_INLINE V64 Nudge(V64 right) {
    const D64 d64;
    const auto nudge = hn::Shl(hn::Set(d64, int64_t{1} << 30), right);
    return hn::IfThenElseZero(hn::Gt(right, hn::Zero(d64)), nudge);
  }
  static HWY_INLINE V Half(V x, V multiplier, V64 right, V64 nudge) {
    const D d;
    const D64 d64;
    auto sum = hn::Add(hn::MulEven(x, multiplier), hn::Set(d64, int64_t{1} << 30));
    auto more = nudge;
    if constexpr (kRounding == numerics::Rounding::kFixedHalfAway) {
      const auto negative = hn::And(hn::BroadcastSignBit(sum), hn::Set(d64, int64_t{1} << 31));
      more = hn::Sub(more, hn::IfThenElseZero(hn::Gt(right, hn::Zero(d64)), negative));
    }
    sum = hn::Add(sum, more);
    return hn::BitCast(d, hn::Shr(hn::ShiftRight<31>(sum), right));
  }
  static HWY_INLINE V Odd(V x) {
    const hn::Repartition<uint64_t, D> d64;
    return hn::BitCast(D(), hn::ShiftRight<32>(hn::BitCast(d64, x)));
  }

  V multiplier_, odd_multiplier_, left_;
  V64 shift_, odd_shift_, nudge_, odd_nudge_;
  bool shifts_left_ = false;
};

template <class D>
class Rounder<numerics::Rounding::kFloatHalfEven, D> {
 public:
  using V = hn::Vec<D>;
  HWY_INLINE void Load(const ChannelScales& scales, const numerics::OutputStage& stage, size_t channel) {
    const hn::Rebind<float, D> df;
    scale_ = hn::LoadU(df, scales.single + channel);
    high_ = hn::Set(df, static_cast<float>(stage.high - stage.zero_point));
  }
  HWY_INLINE V operator()(V x) const {
    const hn::Rebind<float, D> df;
    return RoundHalfEven(df, hn::Min(hn::Mul(hn::ConvertTo(df, x), scale_), high_));
  }

 private:
  hn::Vec<hn::Rebind<float, D>> scale_, high_;
};

template <class D>
class Rounder<numerics::Rounding::kDoubleHalfAway, D> {
 public:
  using V = hn::Vec<D>;
  HWY_INLINE void Load(const ChannelScales& scales, const numerics::OutputStage& /*stage*/, size_t channel) {
    scale_ = scales.real + channel;
  }
  HWY_INLINE V operator()(V x) const {
    const hn::Half<D> dh;
    return hn::Combine(D(), Half(hn::UpperHalf(dh, x), scale_ + hn::MaxLanes(dh)), Half(hn::LowerHalf(dh, x), scale_));
  }

 private:
  static HWY_INLINE hn::Vec<hn::Half<D>> Half(hn::Vec<hn::Half<D>> values, const double* scale) {
    const hn::Half<D> dh;
    const hn::Rebind<double, decltype(dh)> dd;
    const auto y = hn::Mul(hn::PromoteTo(dd, values), hn::LoadU(dd, scale));
    const auto whole = hn::Trunc(y);
    const auto away = hn::Ge(hn::Abs(hn::Sub(y, whole)), hn::Set(dd, 0.5));
    const auto rounded = hn::Add(whole, hn::IfThenElseZero(away, hn::CopySign(hn::Set(dd, 1.0), y)));
    const auto limited = hn::Min(hn::Max(rounded, hn::Set(dd, -2147483648.0)), hn::Set(dd, 2147483647.0));
    return hn::DemoteTo(dh, limited);
  }
  const double* scale_ = nullptr;
};

// Where nothing below the zero point comes out, half up rounds as half away does, and is faster.
inline numerics::Rounding FastestRounding(const numerics::OutputStage& stage) {
  return stage.rounding == numerics::Rounding::kFixedHalfAway && stage.low >= stage.zero_point
             ? numerics::Rounding::kFixedHalfUp
             : stage.rounding;
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
