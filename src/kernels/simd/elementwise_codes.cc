// ADD, SUB and MUL of codes on vectors of 32 bits.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/simd/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/elementwise_codes.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<int32_t, 16>;
using DF = hn::Rebind<float, D>;
using DH = hn::Half<D>;
using DD = hn::Rebind<double, DH>;
using V = hn::Vec<D>;
using VF = hn::Vec<DF>;
using VD = hn::Vec<DD>;
constexpr size_t kLanes = hn::MaxLanes(D());

// What is computed in one step: as many values as a vector of codes holds.
template <typename T>
constexpr size_t kVectors = sizeof(int32_t) / sizeof(T);
template <typename T>
constexpr size_t kStep = kVectors<T>* kLanes;
template <typename T>
using Values = V[kVectors<T>];

template <typename T, bool kRepeats>
HWY_INLINE void LoadCodes(const T* from, Values<T>& x) {
  const hn::Rebind<T, D> d_codes;
  for (size_t i = 0; i < kVectors<T>; ++i) {
    x[i] = kRepeats ? hn::Set(D(), *from) : hn::PromoteTo(D(), hn::LoadU(d_codes, from + i * kLanes));
  }
}

// Adds the zero point, clamps, and stores rounded values.
template <typename T>
class Outputs {
 public:
  HWY_INLINE explicit Outputs(const numerics::OutputStage& stage) : codes_(stage) {}
  HWY_INLINE void Store(const Values<T>& y, T* to) const {
    hn::StoreU(InOrder(D(), codes_.Of(y)), hn::Repartition<uint8_t, D>(), reinterpret_cast<uint8_t*>(to));
  }

 private:
  Codes<CodeForm::kAny, D> codes_;
};

template <>
class Outputs<int16_t> {
 public:
  HWY_INLINE explicit Outputs(const numerics::OutputStage& stage) {
    zero_ = hn::Set(D(), stage.zero_point);
    low_ = hn::Set(D(), stage.low - stage.zero_point), high_ = hn::Set(D(), stage.high - stage.zero_point);
  }
  HWY_INLINE void Store(const Values<int16_t>& y, int16_t* to) const {
    const hn::Rebind<int16_t, D> d16;
    for (size_t i = 0; i < kVectors<int16_t>; ++i) {
      const V clamped = hn::Min(hn::Max(y[i], low_), high_);
      hn::StoreU(hn::DemoteTo(d16, hn::Add(clamped, zero_)), d16, to + i * kLanes);
    }
  }

 private:
  V zero_, low_, high_;
};

// A rounding of one scale for all lanes, of values first shifted to the left.
template <numerics::Rounding kRounding>
HWY_INLINE Rounder<kRounding, D> RounderOf(int left, const numerics::FixedPointScale& scale) {
  HWY_ALIGN int32_t multipliers[kLanes], lefts[kLanes], rights[kLanes];
  hn::Store(hn::Set(D(), scale.multiplier), D(), multipliers);
  left += std::max(scale.shift, 0);
  hn::Store(hn::Set(D(), left), D(), lefts);
  hn::Store(hn::Set(D(), std::max(-scale.shift, 0)), D(), rights);
  Rounder<kRounding, D> round;
  round.Load({multipliers, lefts, rights, nullptr, nullptr, left > 0}, {}, 0);
  return round;
}

template <class Doubles>
HWY_INLINE hn::Vec<DH> RoundDoubles(Doubles x) {
#if HWY_ARCH_X86
  using Result = hn::Vec<DH>;
  // Highway's own repairs what overflows.
  if constexpr (sizeof(x.raw) == 16) return Result{_mm_cvtpd_epi32(x.raw)};
#if HWY_TARGET <= HWY_AVX2
  if constexpr (sizeof(x.raw) == 32) return Result{_mm256_cvtpd_epi32(x.raw)};
#endif
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(x.raw) == 64) return Result{_mm512_cvtpd_epi32(x.raw)};
#endif
#else
  return hn::DemoteTo(DH(), hn::Round(x));
#endif
}

// As IsDoubtful of floats, then y = x rounded. A vector of y is two of x.
HWY_INLINE bool RoundOrDoubt(const VD (&x)[4], double sure, V (&y)[2]) {
  VD farthest[4];
#if HWY_TARGET <= HWY_AVX3
  constexpr int kFromNearest = 0x08, kLargerMagnitude = 0x0B;
  for (size_t i = 0; i < 4; ++i) farthest[i].raw = _mm512_reduce_pd(x[i].raw, kFromNearest);
  for (size_t i = 1; i < 4; ++i) {
    farthest[0].raw = _mm512_range_pd(farthest[0].raw, farthest[i].raw, kLargerMagnitude);
  }
#else
  for (size_t i = 0; i < 4; ++i) farthest[i] = hn::Abs(hn::Sub(x[i], hn::Round(x[i])));
  for (size_t i = 1; i < 4; ++i) farthest[0] = hn::Max(farthest[0], farthest[i]);
#endif
  for (size_t i = 0; i < 2; ++i) y[i] = hn::Combine(D(), RoundDoubles(x[2 * i + 1]), RoundDoubles(x[2 * i]));
  return !hn::AllFalse(DD(), hn::Gt(farthest[0], hn::Set(DD(), sure)));
}

HWY_INLINE VD DoublesOf(const V (&x)[2], size_t i) {
  return hn::PromoteTo(DD(), i % 2 == 0 ? hn::LowerHalf(DH(), x[i / 2]) : hn::UpperHalf(DH(), x[i / 2]));
}

// A rule computes the rounded values of a step, without their zero point; where it returns true, they may be wrong and
// Exactly computes them.
template <typename T, class F>
class Rule;

// Sums are right modulo 2^32, which is all that the rule looks at.
template <typename T>
class Rule<T, ref::AddXnnpack> {
 public:
  HWY_INLINE explicit Rule(const ref::AddXnnpack& f) : shift_(f.shift) {
    const uint32_t offset = (uint32_t{1} << (f.shift - 1)) -
                            static_cast<uint32_t>(f.a_zero_point) * static_cast<uint32_t>(f.a_multiplier) -
                            static_cast<uint32_t>(f.b_zero_point) * static_cast<uint32_t>(f.b_multiplier);
    start_ = hn::Set(D(), static_cast<int32_t>(offset));
    a_multiplier_ = hn::Set(D(), f.a_multiplier), b_multiplier_ = hn::Set(D(), f.b_multiplier);
  }
  static numerics::OutputStage Stage(const ref::AddXnnpack& f) {
    return {.rounding = {}, .zero_point = f.zero_point, .low = f.low, .high = f.high};
  }
  HWY_INLINE bool operator()(const Values<T>& x, const Values<T>& z, Values<T>& y) const {
    for (size_t i = 0; i < kVectors<T>; ++i) {
      const V sum = hn::Add(hn::Add(hn::Mul(x[i], a_multiplier_), hn::Mul(z[i], b_multiplier_)), start_);
      y[i] = hn::ShiftRightSame(sum, shift_);
    }
    return false;
  }
  static HWY_INLINE void Exactly(const ref::AddXnnpack& f, const Values<T>& x, const Values<T>& z, Values<T>& y) {
    Rule rule(f);
    rule(x, z, y);
  }

 private:
  V start_, a_multiplier_, b_multiplier_;
  int shift_;
};

HWY_INLINE V ProductOf(V x, V z, const ref::MultiplyQuantized& f) {
  return hn::Mul(hn::Sub(x, hn::Set(D(), f.a_zero_point)), hn::Sub(z, hn::Set(D(), f.b_zero_point)));
}

template <typename T>
class Rule<T, MultiplyXnnpack> {
 public:
  HWY_INLINE explicit Rule(const MultiplyXnnpack& f) : f_(f.product) {
    scale_ = hn::Set(DF(), f.product.scale.single), high_ = hn::Set(DF(), f.high);
  }
  static numerics::OutputStage Stage(const MultiplyXnnpack& f) { return f.product.stage; }
  HWY_INLINE bool operator()(const Values<T>& x, const Values<T>& z, Values<T>& y) const {
    for (size_t i = 0; i < kVectors<T>; ++i) {
      const VF product = hn::ConvertTo(DF(), ProductOf(x[i], z[i], f_));
      y[i] = RoundHalfEven(DF(), hn::Min(hn::Mul(product, scale_), high_));
    }
    return false;
  }
  static HWY_INLINE void Exactly(const MultiplyXnnpack& f, const Values<T>& x, const Values<T>& z, Values<T>& y) {
    Rule rule(f);
    rule(x, z, y);
  }

 private:
  const ref::MultiplyQuantized f_;
  VF scale_, high_;
};

// How MUL of codes rounds: as CodeRounder, 16-bit results in double. There the scale is exact, a result of up to 2^16
// is at most 2^-36 wrong, and the cut between two integers lies as far from their middle as the nudge is large.
template <typename T>
class Rule<T, ref::MultiplyQuantized> {
  static constexpr auto kRounding = numerics::Rounding::kFixedHalfAway;
  static constexpr bool kWide = sizeof(T) == 2;
  using Float = std::conditional_t<kWide, double, float>;
  using DFloat = std::conditional_t<kWide, DD, DF>;

 public:
  HWY_INLINE explicit Rule(const ref::MultiplyQuantized& f) : f_(f) {
    const numerics::FixedPointScale& s = f.scale.fixed;
    constexpr Float kSure = kWide ? static_cast<Float>(0.5 - 0x1p-35) : static_cast<Float>(kSurelyRounded);
    sure_ = s.shift > 0 ? Float{-1} : kSure;
    const auto power = [](int exponent) { return std::bit_cast<double>(static_cast<uint64_t>(1023 + exponent) << 52); };
    scale_ = hn::Set(DFloat(), static_cast<Float>(s.multiplier * power(s.shift - 31)));
    nudge_ = hn::Set(DFloat(), static_cast<Float>(s.shift < 0 ? power(s.shift - 1) : 0));
  }
  static numerics::OutputStage Stage(const ref::MultiplyQuantized& f) { return f.stage; }

  HWY_INLINE bool operator()(const Values<T>& x, const Values<T>& z, Values<T>& y) const {
    V products[kVectors<T>];
    for (size_t i = 0; i < kVectors<T>; ++i) products[i] = ProductOf(x[i], z[i], f_);
    hn::Vec<DFloat> near[4];
    for (size_t i = 0; i < 4; ++i) {
      if constexpr (kWide) {
        near[i] = DoublesOf(products, i);
      } else {
        near[i] = hn::ConvertTo(DF(), products[i]);
      }
      near[i] = hn::MulAdd(near[i], scale_, hn::CopySignToAbs(nudge_, near[i]));
    }
    if constexpr (kWide) {
      return RoundOrDoubt(near, sure_, y);
    } else {
      for (size_t i = 0; i < 4; ++i) y[i] = RoundHalfEven(DF(), near[i]);
      return IsDoubtful(DF(), near, sure_);
    }
  }
  static HWY_INLINE void Exactly(const ref::MultiplyQuantized& f, const Values<T>& x, const Values<T>& z,
                                 Values<T>& y) {
    const auto round = RounderOf<kRounding>(0, f.scale.fixed);
    for (size_t i = 0; i < kVectors<T>; ++i) y[i] = round(ProductOf(x[i], z[i], f));
  }

 private:
  const ref::MultiplyQuantized f_;
  hn::Vec<DFloat> scale_, nudge_;
  Float sure_;
};

HWY_INLINE V ScaledExactly(V x, const AddCodes::Scaling& s) {
  if (s.power >= 0) return hn::ShiftLeftSame(x, s.power);
  const D d;
  const V low = hn::Add(hn::Mul(x, hn::Set(d, s.low)), hn::Set(d, s.low_nudge));
  const V high = hn::ShiftLeftSame(hn::Mul(x, hn::Set(d, s.high)), s.left);
  const V sum = hn::Add(high, hn::ShiftRightSame(low, s.low_right));
  const V sign = hn::And(hn::BroadcastSignBit(sum), hn::Set(d, -s.sign));
  return hn::ShiftRightSame(hn::Add(hn::Add(sum, hn::Set(d, s.nudge)), sign), s.right);
}

// x / 2^right, half away from zero, of x = (y + 1) >> 1.
HWY_INLINE V HalvedAndShifted(V y, int right) {
  const D d;
  const V x = hn::ShiftRight<1>(hn::Add(y, hn::Set(d, 1)));
  if (right == 0) return x;
  return hn::ShiftRightSame(hn::Add(hn::Add(x, hn::Set(d, 1 << (right - 1))), hn::BroadcastSignBit(x)), right);
}

template <typename T>
class Rule<T, AddCodes> {
  static constexpr auto kRounding = numerics::Rounding::kFixedHalfAway;
  static constexpr bool kWide = sizeof(T) == 2;
  using Float = std::conditional_t<kWide, double, float>;
  using DFloat = std::conditional_t<kWide, DD, DF>;

 public:
  HWY_INLINE explicit Rule(const AddCodes& f) : sure_(static_cast<Float>(f.sure)) {
    a_scale_ = hn::Set(DFloat(), static_cast<Float>(f.a_scale));
    b_scale_ = hn::Set(DFloat(), static_cast<Float>(f.b_scale));
    offset_ = hn::Set(DFloat(), static_cast<Float>(f.offset));
  }
  static numerics::OutputStage Stage(const AddCodes& f) {
    return {.rounding = {}, .zero_point = f.sum.zero_point, .low = f.sum.low, .high = f.sum.high};
  }

  HWY_INLINE bool operator()(const Values<T>& x, const Values<T>& z, Values<T>& y) const {
    hn::Vec<DFloat> near[4];
    for (size_t i = 0; i < 4; ++i) {
      if constexpr (kWide) {
        near[i] = hn::MulAdd(DoublesOf(x, i), a_scale_, hn::MulAdd(DoublesOf(z, i), b_scale_, offset_));
      } else {
        const VF first = hn::ConvertTo(DF(), x[i]), second = hn::ConvertTo(DF(), z[i]);
        near[i] = hn::MulAdd(first, a_scale_, hn::MulAdd(second, b_scale_, offset_));
      }
    }
    if constexpr (kWide) {
      return RoundOrDoubt(near, sure_, y);
    } else {
      for (size_t i = 0; i < 4; ++i) y[i] = RoundHalfEven(DF(), near[i]);
      return IsDoubtful(DF(), near, sure_);
    }
  }

  static HWY_INLINE void Exactly(const AddCodes& f, const Values<T>& x, const Values<T>& z, Values<T>& y) {
    const ref::AddQuantized& sum = f.sum;
    const V a_zero = hn::Set(D(), sum.a_zero_point), b_zero = hn::Set(D(), sum.b_zero_point);
    V first[kVectors<T>], second[kVectors<T>];
    if constexpr (kWide) {
      const auto a = InputRounder(f, sum.a), b = InputRounder(f, sum.b);
      for (size_t i = 0; i < kVectors<T>; ++i)
        first[i] = a(hn::Sub(x[i], a_zero)), second[i] = b(hn::Sub(z[i], b_zero));
    } else {
      for (size_t i = 0; i < kVectors<T>; ++i) first[i] = ScaledExactly(hn::Sub(x[i], a_zero), f.a_exactly);
      for (size_t i = 0; i < kVectors<T>; ++i) second[i] = ScaledExactly(hn::Sub(z[i], b_zero), f.b_exactly);
    }
    for (size_t i = 0; i < kVectors<T>; ++i) {
      y[i] = sum.subtract ? hn::Sub(first[i], second[i]) : hn::Add(first[i], second[i]);
    }
    if (sum.out.multiplier == 1 << 30) {
      for (size_t i = 0; i < kVectors<T>; ++i) y[i] = HalvedAndShifted(y[i], -sum.out.shift);
    } else {
      const auto round = RounderOf<kRounding>(0, sum.out);
      for (size_t i = 0; i < kVectors<T>; ++i) y[i] = round(y[i]);
    }
  }

 private:
  static HWY_INLINE Rounder<kRounding, D> InputRounder(const AddCodes& f, const numerics::FixedPointScale& s) {
    if (f.shift == AddCodes::InputShift::kBefore) {
      return RounderOf<kRounding>(f.sum.left_shift + s.shift, {s.multiplier, 0});
    }
    return RounderOf<kRounding>(f.sum.left_shift, s);
  }

  hn::Vec<DFloat> a_scale_, b_scale_, offset_;
  Float sure_;
};

template <typename T, bool kARepeats, bool kBRepeats, class F>
HWY_NOINLINE void StepExactly(const T* a, const T* b, T* y, const F& f) {
  Values<T> x, z, rounded;
  LoadCodes<T, kARepeats>(a, x);
  LoadCodes<T, kBRepeats>(b, z);
  Rule<T, F>::Exactly(f, x, z, rounded);
  Outputs<T>(Rule<T, F>::Stage(f)).Store(rounded, y);
}

template <typename T, bool kARepeats, bool kBRepeats, class F>
class Steps {
 public:
  HWY_INLINE Steps(const T* a, const T* b, const F& f) : rule_(f), outputs_(Rule<T, F>::Stage(f)), f_(f) {
    LoadCodes<T, true>(a, first_);
    LoadCodes<T, true>(b, second_);
  }
  HWY_INLINE void One(const T* a, const T* b, T* y) const {
    Values<T> x, z, rounded;
    LoadCodes<T, kARepeats>(a, x);
    LoadCodes<T, kBRepeats>(b, z);
    if (HWY_UNLIKELY(rule_(kARepeats ? first_ : x, kBRepeats ? second_ : z, rounded))) {
      return StepExactly<T, kARepeats, kBRepeats>(a, b, y, f_);
    }
    outputs_.Store(rounded, y);
  }

 private:
  const Rule<T, F> rule_;
  const Outputs<T> outputs_;
  const F& f_;
  Values<T> first_, second_;
};

// `count` values of a step, the rest of it 0.
template <typename T>
HWY_INLINE void LoadSome(const T* from, T* to, size_t count) {
  const hn::Repartition<uint8_t, D> d8;
  const auto* bytes = reinterpret_cast<const uint8_t*>(from);
  auto* to_bytes = reinterpret_cast<uint8_t*>(to);
#if HWY_TARGET <= HWY_AVX3
  hn::Store(hn::MaskedLoad(hn::FirstN(d8, count * sizeof(T)), d8, bytes), d8, to_bytes);
#else
  hn::Store(hn::Zero(d8), d8, to_bytes);
  CopySome(bytes, to_bytes, count * sizeof(T));
#endif
}
template <typename T>
HWY_INLINE void StoreSome(const T* from, T* to, size_t count) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(from);
  auto* to_bytes = reinterpret_cast<uint8_t*>(to);
#if HWY_TARGET <= HWY_AVX3
  const hn::Repartition<uint8_t, D> d8;
  hn::BlendedStore(hn::Load(d8, bytes), hn::FirstN(d8, count * sizeof(T)), d8, to_bytes);
#else
  CopySome(bytes, to_bytes, count * sizeof(T));
#endif
}

// y[i] = f(a[i], b[i]); of what is no whole step a copy is computed.
template <bool kARepeats, bool kBRepeats, typename T, class F>
HWY_INLINE void CombineSteps(const T* a, const T* b, T* y, size_t count, const F& f) {
  const Steps<T, kARepeats, kBRepeats, F> steps(a, b, f);
  size_t i = 0;
  for (; i + kStep<T> <= count; i += kStep<T>) steps.One(kARepeats ? a : a + i, kBRepeats ? b : b + i, y + i);
  if (i == count) return;
  HWY_ALIGN T some_a[kStep<T>], some_b[kStep<T>], some_y[kStep<T>];
  if (!kARepeats) LoadSome(a + i, some_a, count - i);
  if (!kBRepeats) LoadSome(b + i, some_b, count - i);
  steps.One(kARepeats ? a : some_a, kBRepeats ? b : some_b, some_y);
  StoreSome(some_y, y + i, count - i);
}

template <typename T, class F>
HWY_INLINE void CombineCodes(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, const F& f) {
  if (count == 0) return;
  if (a_repeats && b_repeats) {
    std::fill_n(y, count, static_cast<T>(f(*a, *b)));
  } else if (a_repeats) {
    CombineSteps<true, false>(a, b, y, count, f);
  } else if (b_repeats) {
    CombineSteps<false, true>(a, b, y, count, f);
  } else {
    CombineSteps<false, false>(a, b, y, count, f);
  }
}

#define ASSAY_SIMD_DEFINE(name, T, F)                                                                 \
  void name(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, const F& f) { \
    CombineCodes(a, a_repeats, b, b_repeats, y, count, f);                                            \
  }
ASSAY_SIMD_CODE_COMBINATIONS(ASSAY_SIMD_DEFINE)
#undef ASSAY_SIMD_DEFINE

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {
namespace {

using InputShift = AddCodes::InputShift;

double RealOf(const numerics::FixedPointScale& s) { return std::ldexp(s.multiplier, s.shift - 31); }

// Of at most 9 bits of a code, 20 to the left: of the sum no more than 31 bits.
AddCodes::Scaling ScalingOf(const numerics::FixedPointScale& s, InputShift shift) {
  constexpr int kLeft = 20, kHalf = 16, kDropped = 31 - kLeft;
  const int right = -s.shift;
  AddCodes::Scaling scaling;
  scaling.high = s.multiplier >> kHalf, scaling.low = s.multiplier & ((1 << kHalf) - 1);
  if (s.multiplier == 1 << 30 && right < kLeft) scaling.power = kLeft - 1 - right;
  if (shift == InputShift::kBefore) {
    const int dropped = kDropped + right;
    scaling.low_right = std::min(dropped, kHalf);
    scaling.left = kHalf - scaling.low_right;
    scaling.right = dropped - scaling.low_right;
    (scaling.right > 0 ? scaling.nudge : scaling.low_nudge) =
        1 << ((scaling.right > 0 ? scaling.right : scaling.low_right) - 1);
    return scaling;
  }
  scaling.low_right = kDropped, scaling.left = kHalf - kDropped, scaling.right = right;
  scaling.low_nudge = 1 << (kDropped - 1);
  if (shift == InputShift::kHalfAway && right > 0) scaling.nudge = 1 << (right - 1), scaling.sign = 1;
  return scaling;
}

}  // namespace

template <typename T>
std::optional<AddCodes> AddCodes::Of(const ref::AddQuantized& sum, InputShift shift) {
  constexpr int kCodeBits = 8 * sizeof(T);
  constexpr int32_t kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  const auto is_code = [](int32_t zero_point) { return zero_point >= kLow && zero_point <= kHigh; };
  const auto halves = [&](const numerics::FixedPointScale& s) {
    const int least = shift == InputShift::kBefore ? -sum.left_shift : -31;
    return RealOf(s) <= 0.5 && s.shift <= 0 && s.shift >= least;
  };
  const bool fits = (kCodeBits == 8 || shift != InputShift::kFloor) && sum.left_shift == (kCodeBits == 8 ? 20 : 15) &&
                    is_code(sum.a_zero_point) && is_code(sum.b_zero_point) && halves(sum.a) && halves(sum.b) &&
                    sum.out.shift <= 0 && sum.out.shift >= -31;
  if (!fits) return std::nullopt;
  AddCodes f;
  f.sum = sum, f.shift = shift;
  if (kCodeBits == 8 && shift != InputShift::kHalfAway) {
    // The least and the largest sum come from the ends of the codes.
    for (const int32_t a : {kLow, kHigh}) {
      for (const int32_t b : {kLow, kHigh}) {
        const int32_t y = f.Unclamped(a, b);
        const int32_t shifted = y + sum.zero_point;
        if (y != static_cast<int16_t>(y) || shifted != static_cast<int16_t>(shifted)) return std::nullopt;
      }
    }
  }
  const double unit = RealOf(sum.out), left = std::ldexp(unit, sum.left_shift);
  f.a_scale = RealOf(sum.a) * left, f.b_scale = (sum.subtract ? -1 : 1) * RealOf(sum.b) * left;
  f.offset = -(f.a_scale * sum.a_zero_point + f.b_scale * sum.b_zero_point);
  // Of the way through 32 bits: each input is rounded by at most 1.25 units there, and the cut between two results lies
  // at most one unit from their middle. Of the way in one go, in units u of its last place of 1: with n codes, scales
  // and offset are at most (2 |a_scale| + 2 |b_scale|) n u wrong, products and the first sum (2 |a_scale| +
  // 2 |b_scale|) n u, the result, where it counts, (2 n) u.
  const double last = std::ldexp(1, kCodeBits - (kCodeBits == 8 ? 24 : 53));
  f.sure = 0.5 - 4 * unit - (4 * (std::abs(f.a_scale) + std::abs(f.b_scale)) + 2) * last;
  if (kCodeBits == 8) f.a_exactly = ScalingOf(sum.a, shift), f.b_exactly = ScalingOf(sum.b, shift);
  return f;
}
template std::optional<AddCodes> AddCodes::Of<int8_t>(const ref::AddQuantized& sum, InputShift shift);
template std::optional<AddCodes> AddCodes::Of<uint8_t>(const ref::AddQuantized& sum, InputShift shift);
template std::optional<AddCodes> AddCodes::Of<int16_t>(const ref::AddQuantized& sum, InputShift shift);

#define ASSAY_SIMD_DISPATCH(name, T, F)                                                          \
  HWY_EXPORT(name);                                                                              \
  template <>                                                                                    \
  void Combine<T, F>(const T* a, bool a_repeats, const T* b, bool b_repeats, T* y, size_t count, \
                     const F& f) noexcept {                                                      \
    HWY_DYNAMIC_DISPATCH(name)(a, a_repeats, b, b_repeats, y, count, f);                         \
  }
ASSAY_SIMD_CODE_COMBINATIONS(ASSAY_SIMD_DISPATCH)
#undef ASSAY_SIMD_DISPATCH

}  // namespace assay::kernels::simd
#endif
