// numerics::Requantize on vectors, to the bit. Included once per target.
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

// One vector of channels: what the rounding needs of their scales, kept in registers over many rows.
template <numerics::Rounding kRounding, class D = hn::CappedTag<int32_t, kChannelBlock>>
class Requantizer {
 public:
  using V = hn::Vec<D>;

  HWY_INLINE Requantizer(const ChannelScales& scales, const numerics::OutputStage& stage, size_t channel)
      : scales_(scales), channel_(channel) {
    const D d;
    zero_ = hn::Set(d, stage.zero_point);
    low_ = hn::Set(d, stage.low - stage.zero_point);
    high_ = hn::Set(d, stage.high - stage.zero_point);
  }

  // What is to be stored: rounded, clamped, with the zero point.
  HWY_INLINE V operator()(V x) const {
    if constexpr (kRounding == numerics::Rounding::kFloatHalfEven) {
      const hn::Rebind<float, D> df;
      const auto scaled = hn::Mul(hn::ConvertTo(df, x), hn::LoadU(df, scales_.single + channel_));
      const auto clamped = hn::Min(hn::Max(scaled, hn::ConvertTo(df, low_)), hn::ConvertTo(df, high_));
      return hn::Add(hn::NearestInt(clamped), zero_);
    } else {
      V y;
      if constexpr (kRounding == numerics::Rounding::kDoubleHalfAway) {
        y = DoubleHalfAway(x);
      } else {
        y = FixedPoint(x);
      }
      return hn::Add(hn::Min(hn::Max(y, low_), high_), zero_);
    }
  }

 private:
  static constexpr size_t kLanes = hn::MaxLanes(D());

  // (x * multiplier + 2^30 + (2^(right-1) - n) * 2^31) >> (31 + right), the middle term only where right > 0;
  // n = 1 for rounding half away where x * multiplier + 2^30 < 0.
  HWY_INLINE V FixedPoint(V x) const {
    const D d;
    if (scales_.shifts_left) x = hn::Shl(x, hn::LoadU(d, scales_.left + channel_));
    const V multiplier = hn::LoadU(d, scales_.multiplier + channel_), right = hn::LoadU(d, scales_.right + channel_);
    const hn::Repartition<int64_t, D> d64;
    const auto half = [&](V values, V factors, V shifts) HWY_ATTR {
      const auto shift = hn::And(hn::BitCast(d64, shifts), hn::Set(d64, 0x7F));
      const auto shifts_right = hn::Gt(shift, hn::Zero(d64));
      auto sum = hn::Add(hn::MulEven(values, factors), hn::Set(d64, int64_t{1} << 30));
      const auto nudge = hn::Shl(hn::Set(d64, int64_t{1} << 30), shift);
      auto more = hn::IfThenElseZero(shifts_right, nudge);
      if constexpr (kRounding == numerics::Rounding::kFixedHalfAway) {
        const auto negative = hn::And(hn::BroadcastSignBit(sum), hn::Set(d64, int64_t{1} << 31));
        more = hn::Sub(more, hn::IfThenElseZero(shifts_right, negative));
      }
      sum = hn::Add(sum, more);
      return hn::BitCast(d, hn::Shr(hn::ShiftRight<31>(sum), shift));
    };
    const V even = half(x, multiplier, right);
    const V odd = half(Odd(x), Odd(multiplier), Odd(right));
    return hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(hn::BitCast(d64, odd))), even);
  }
  static HWY_INLINE V Odd(V x) {
    const hn::Repartition<uint64_t, D> d64;
    return hn::BitCast(D(), hn::ShiftRight<32>(hn::BitCast(d64, x)));
  }

  HWY_INLINE V DoubleHalfAway(V x) const {
    const D d;
    const hn::Half<D> dh;
    const hn::Rebind<double, decltype(dh)> dd;
    const auto half = [&](hn::Vec<hn::Half<D>> values, const double* scale) HWY_ATTR {
      const auto y = hn::Mul(hn::PromoteTo(dd, values), hn::LoadU(dd, scale));
      const auto whole = hn::Trunc(y);
      const auto away = hn::Ge(hn::Abs(hn::Sub(y, whole)), hn::Set(dd, 0.5));
      const auto rounded = hn::Add(whole, hn::IfThenElseZero(away, hn::CopySign(hn::Set(dd, 1.0), y)));
      const auto limited = hn::Min(hn::Max(rounded, hn::Set(dd, -2147483648.0)), hn::Set(dd, 2147483647.0));
      return hn::DemoteTo(dh, limited);
    };
    const auto low = half(hn::LowerHalf(dh, x), scales_.real + channel_);
    const auto high = half(hn::UpperHalf(dh, x), scales_.real + channel_ + kLanes / 2);
    return hn::Combine(d, high, low);
  }

  const ChannelScales& scales_;
  size_t channel_;
  V zero_, low_, high_;
};

// Stores the low 8 bits of `count` <= Lanes lanes.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void StoreBytes(D d, V x, uint8_t* out, size_t count) {
  const hn::Rebind<uint8_t, D> d8;
#if HWY_TARGET == HWY_AVX3_DL  // Highway 1.0.3 has this one wrong
  const hn::Vec<decltype(d8)> bytes{_mm512_cvtepi32_epi8(x.raw)};
#else
  const hn::Rebind<uint32_t, D> du;
  const auto bytes = hn::TruncateTo(d8, hn::BitCast(du, x));
#endif
  if (count >= hn::Lanes(d)) {
    hn::StoreU(bytes, d8, out);
    return;
  }
  HWY_ALIGN uint8_t some[64];
  hn::Store(bytes, d8, some);
  for (size_t i = 0; i < count; ++i) out[i] = some[i];
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
