// From vectors of 32-bit sums to 8-bit codes: rounded, with the zero point, clamped, packed. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_CODES_INL_H_
#undef ASSAY_KERNELS_SIMD_CODES_INL_H_
#else
#define ASSAY_KERNELS_SIMD_CODES_INL_H_
#endif

#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/simd/requantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// How far from an integer sum * scale + nudge of up to 256 may lie whose rounding is right although it was computed in
// float: sum, scale and result are rounded, each by 2^-24 of itself, and the product where it is not one operation.
inline constexpr float kSurelyRounded = 0.5F - (HWY_NATIVE_FMA ? 0x1p-14F : 0x1p-13F);
// The same where no scale is tiny: sums are floats then. Scale and result are 2^-16 and 2^-17 off.
inline constexpr float kSurelyRoundedSum = 0.5F - (HWY_NATIVE_FMA ? 0x1p-15F : 0x1p-14F);

// Whether one of four vectors' values lies farther from an integer than `sure`.
template <class DF, class V = hn::Vec<DF>>
HWY_INLINE bool IsDoubtful(DF df, const V (&x)[4], float sure) {
  V farthest[4];
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(V) == 64) {
    constexpr int kFromNearest = 0x08, kLargerMagnitude = 0x0B;
    for (size_t i = 0; i < 4; ++i) farthest[i].raw = _mm512_reduce_ps(x[i].raw, kFromNearest);
    for (size_t i = 1; i < 4; ++i) {
      farthest[0].raw = _mm512_range_ps(farthest[0].raw, farthest[i].raw, kLargerMagnitude);
    }
    return !hn::AllFalse(df, hn::Gt(farthest[0], hn::Set(df, sure)));
  }
#endif
  for (size_t i = 0; i < 4; ++i) farthest[i] = hn::Abs(hn::Sub(x[i], hn::Round(x[i])));
  const V most = hn::Max(hn::Max(farthest[0], farthest[1]), hn::Max(farthest[2], farthest[3]));
  return !hn::AllFalse(df, hn::Gt(most, hn::Set(df, sure)));
}

// As Rounder, kept in registers over many rows, for results of which only what 8 bits hold counts: for those beyond,
// any beyond on the same side will do. kHasZeroPoint: it is added already.
template <numerics::Rounding kRounding, CodeForm kForm, class D>
class CodeRounder {
 public:
  static constexpr bool kHasZeroPoint = false;
  using V = hn::Vec<D>;
  HWY_INLINE void Load(const ChannelScales& scales, const numerics::OutputStage& stage, size_t channel) {
    round_.Load(scales, stage, channel);
  }
  static HWY_INLINE void RoundFour(const CodeRounder* const (&r)[4], const V (&x)[4], V (&y)[4]) {
    for (size_t i = 0; i < 4; ++i) y[i] = r[i]->round_(x[i]);
  }

 private:
  Rounder<kRounding, D> round_;
};

// Nothing is limited where no product leaves 32 bits.
template <CodeForm kForm, class D>
requires(kForm != CodeForm::kAny) class CodeRounder<numerics::Rounding::kFloatHalfEven, kForm, D> {
 public:
  static constexpr bool kHasZeroPoint = false;
  using V = hn::Vec<D>;
  HWY_INLINE void Load(const ChannelScales& scales, const numerics::OutputStage& /*stage*/, size_t channel) {
    scale_ = hn::LoadU(hn::Rebind<float, D>(), scales.single + channel);
  }
  static HWY_INLINE void RoundFour(const CodeRounder* const (&r)[4], const V (&x)[4], V (&y)[4]) {
    const hn::Rebind<float, D> df;
    for (size_t i = 0; i < 4; ++i) y[i] = RoundHalfEven(df, hn::Mul(hn::ConvertTo(df, x[i]), r[i]->scale_));
  }

 private:
  hn::Vec<hn::Rebind<float, D>> scale_;
};

// Rounding in fixed point is rounding of x * scale to the nearest, but that the cut between two integers lies
// 2^-(right + 1) below their middle (half away: of negative values above it). In float that goes wrong only next to
// the cut, which is seen by how far from an integer the value lies: then it is rounded again.
template <numerics::Rounding kRounding, CodeForm kForm, class D>
requires(kRounding == numerics::Rounding::kFixedHalfAway ||
         kRounding == numerics::Rounding::kFixedHalfUp) class CodeRounder<kRounding, kForm, D> {
 public:
  using V = hn::Vec<D>;
  using DF = hn::Rebind<float, D>;
  using VF = hn::Vec<DF>;
  static constexpr bool kUp = kRounding == numerics::Rounding::kFixedHalfUp;
  static constexpr bool kHasZeroPoint = kUp && kForm != CodeForm::kAny;

  HWY_INLINE void Load(const ChannelScales& scales, const numerics::OutputStage& stage, size_t channel) {
    const D d;
    const DF df;
    const auto power = [&](V exponent) HWY_ATTR {  // 2^exponent
      return hn::BitCast(df, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(d, 127))));
    };
    const auto right = hn::LoadU(d, scales.right + channel);
    const auto multiplier = hn::ConvertTo(df, hn::LoadU(d, scales.multiplier + channel));
    scale_ = hn::Mul(multiplier, power(hn::Sub(hn::Set(d, -31), right)));
    const auto shifts = hn::RebindMask(df, hn::Gt(right, hn::Zero(d)));
    nudge_ = hn::IfThenElseZero(shifts, power(hn::Sub(hn::Set(d, -1), right)));
    // The sum is exact where no scale is tiny.
    if constexpr (kHasZeroPoint) nudge_ = hn::Add(nudge_, hn::Set(df, static_cast<float>(stage.zero_point)));
    scales_ = &scales, channel_ = channel, zero_point_ = stage.zero_point;
  }
  static HWY_INLINE void RoundFour(const CodeRounder* const (&r)[4], const V (&x)[4], V (&y)[4]) {
    const DF df;
    constexpr float kSure = kForm == CodeForm::kAny ? kSurelyRounded : kSurelyRoundedSum;
    VF near[4];
    for (size_t i = 0; i < 4; ++i) near[i] = r[i]->Nearly(x[i]);
    for (size_t i = 0; i < 4; ++i) y[i] = RoundHalfEven(df, near[i]);
    const bool all = kForm == CodeForm::kAny && r[0]->scales_->reaches_one;
    if (HWY_LIKELY(!all && !IsDoubtful(df, near, kSure))) return;
    for (size_t i = 0; i < 4; ++i) {
      const auto off = hn::Abs(hn::Sub(near[i], hn::Round(near[i])));
      if (!all && hn::AllFalse(df, hn::Gt(off, hn::Set(df, kSure)))) continue;
      y[i] = Exactly(x[i], *r[i]->scales_, r[i]->channel_, kHasZeroPoint ? r[i]->zero_point_ : 0);
    }
  }

 private:
  HWY_INLINE VF Nearly(V x) const {
    const DF df;
    const VF value = hn::ConvertTo(df, x);
    return hn::MulAdd(value, scale_, kUp ? nudge_ : hn::CopySignToAbs(nudge_, value));
  }
  static HWY_NOINLINE V Exactly(V x, const ChannelScales& scales, size_t channel, int32_t zero_point) {
    Rounder<kRounding, D> round;
    round.Load(scales, {}, channel);
    return hn::Add(round(x), hn::Set(D(), zero_point));
  }

  VF scale_, nudge_;
  const ChannelScales* scales_ = nullptr;
  size_t channel_ = 0;
  int32_t zero_point_ = 0;
};

// The 16-bit lanes of two vectors as bytes (T: with or without sign), saturated: of every 16 the first 8 come from a.
template <typename T, class D16, class V16 = hn::Vec<D16>>
HWY_INLINE hn::Vec<hn::Repartition<uint8_t, D16>> BytesOf(D16 /*int16*/, V16 a, V16 b) {
  using D8 = hn::Repartition<uint8_t, D16>;
  constexpr bool kSigned = std::is_signed_v<T>;
#if HWY_ARCH_X86
  using Result = hn::Vec<D8>;
  if constexpr (sizeof(a.raw) == 16) {
    return Result{kSigned ? _mm_packs_epi16(a.raw, b.raw) : _mm_packus_epi16(a.raw, b.raw)};
  }
#if HWY_TARGET <= HWY_AVX2
  if constexpr (sizeof(a.raw) == 32) {
    return Result{kSigned ? _mm256_packs_epi16(a.raw, b.raw) : _mm256_packus_epi16(a.raw, b.raw)};
  }
#endif
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(a.raw) == 64) {
    return Result{kSigned ? _mm512_packs_epi16(a.raw, b.raw) : _mm512_packus_epi16(a.raw, b.raw)};
  }
#endif
#else
  const hn::Half<hn::Repartition<T, D16>> half;
  return hn::BitCast(D8(), hn::Combine(hn::Repartition<T, D16>(), hn::DemoteTo(half, b), hn::DemoteTo(half, a)));
#endif
}

// Adds the zero point, clamps, and makes bytes of four vectors of rounded values: of every 16 bytes, four come from
// each vector. kHasZeroPoint: the values have it already.
template <CodeForm kForm, class D>
class Codes {
 public:
  using V = hn::Vec<D>;
  using D8 = hn::Repartition<uint8_t, D>;
  using D16 = hn::Repartition<int16_t, D>;

  HWY_INLINE explicit Codes(const numerics::OutputStage& stage) {
    const D16 d16;
    const D8 d8;
    const int32_t sign = kForm == CodeForm::kAny && stage.low < 0 ? 0x80 : 0;
    zero_ = hn::Set(d16, static_cast<int16_t>(stage.zero_point + sign));
    low_ = hn::Set(d8, static_cast<uint8_t>(stage.low + sign));
    high_ = hn::Set(d8, static_cast<uint8_t>(stage.high + sign));
    sign_ = hn::Set(d8, static_cast<uint8_t>(sign));
  }
  template <bool kHasZeroPoint = false>
  HWY_INLINE hn::Vec<D8> Of(const V (&y)[4]) const {
    const D16 d16;
    auto a = hn::ReorderDemote2To(d16, y[0], y[1]), b = hn::ReorderDemote2To(d16, y[2], y[3]);
    if constexpr (!kHasZeroPoint) a = hn::SaturatedAdd(a, zero_), b = hn::SaturatedAdd(b, zero_);
    if constexpr (kForm == CodeForm::kInt8) return BytesOf<int8_t>(d16, a, b);
    const auto bytes = BytesOf<uint8_t>(d16, a, b);
    if constexpr (kForm == CodeForm::kUInt8) return bytes;
    // Codes with a sign were made as codes without, the top bit of which is flipped.
    return hn::Xor(hn::Min(hn::Max(bytes, low_), high_), sign_);
  }

 private:
  hn::Vec<D16> zero_;
  hn::Vec<D8> low_, high_, sign_;
};

// Puts Codes' bytes in order: all of the first vector, then all of the second, and so on.
template <class D, class V8 = hn::Vec<hn::Repartition<uint8_t, D>>>
HWY_INLINE V8 InOrder(D d, V8 bytes) {
  constexpr size_t kLanes = hn::MaxLanes(d);
  if constexpr (kLanes == 4) {
    return bytes;
  } else {
    constexpr size_t kBlocks = kLanes / 4;
    HWY_ALIGN int32_t from[kLanes];
    for (size_t i = 0; i < kLanes; ++i) from[i] = static_cast<int32_t>(i % kBlocks * 4 + i / kBlocks);
    const hn::Repartition<uint8_t, D> d8;
    return hn::BitCast(d8, hn::TableLookupLanes(hn::BitCast(d, bytes), hn::SetTableIndices(d, from)));
  }
}

// `count` <= 64 bytes in a few moves, without a call that would make the caller save its vectors. No move reads across
// the middle: vectors of 64 bytes are stored as halves, and reading of both what was just stored takes long.
HWY_INLINE void CopySome(const uint8_t* from, uint8_t* to, size_t count) {
  if (count >= 32) {
    std::memcpy(to, from, 32);
    from += 32, to += 32, count -= 32;
  }
  const auto overlapping = [&]<size_t kBytes>(std::integral_constant<size_t, kBytes>) {
    std::memcpy(to, from, kBytes);
    std::memcpy(to + count - kBytes, from + count - kBytes, kBytes);
  };
  if (count >= 32) return overlapping(std::integral_constant<size_t, 32>());
  if (count >= 16) return overlapping(std::integral_constant<size_t, 16>());
  if (count >= 8) return overlapping(std::integral_constant<size_t, 8>());
  if (count >= 4) return overlapping(std::integral_constant<size_t, 4>());
  if (count >= 2) return overlapping(std::integral_constant<size_t, 2>());
  if (count == 1) *to = *from;
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
