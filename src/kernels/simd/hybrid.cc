#include "kernels/simd/hybrid.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/hybrid.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/codes-inl.h"

#ifndef ASSAY_KERNELS_SIMD_HYBRID_ONCE_
#define ASSAY_KERNELS_SIMD_HYBRID_ONCE_
namespace assay::kernels::simd {
namespace {

// clamp(round(x * factor) + zero, low), of values from smallest to largest
struct Blocks {
  float factor, smallest, largest;
  int32_t zero, low;
};

}  // namespace
}  // namespace assay::kernels::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;
constexpr size_t kFloats = hn::MaxLanes(DF());

using DI = hn::RebindToSigned<DF>;

// Some vectors whose lanes hold among them the smallest and the largest of at least one value.
struct Extent {
  VF low, high;
};
HWY_INLINE Extent FindExtent(const float* HWY_RESTRICT x, size_t count) {
  const DF d;
  if (count < kFloats) {
    float low = x[0], high = x[0];
    for (size_t i = 1; i < count; ++i) {
      low = x[i] < low ? x[i] : low;
      high = x[i] > high ? x[i] : high;
    }
    return {hn::Set(d, low), hn::Set(d, high)};
  }
  // The last values twice, where they are not a whole vector.
  const VF last = hn::LoadU(d, x + count - kFloats);
  VF low0 = last, low1 = last, high0 = last, high1 = last;
  size_t i = 0;
  if (count >= 4 * kFloats) {
    VF low2 = last, low3 = last, high2 = last, high3 = last;
    for (; i + 4 * kFloats <= count; i += 4 * kFloats) {
      const VF v0 = hn::LoadU(d, x + i), v1 = hn::LoadU(d, x + i + kFloats);
      const VF v2 = hn::LoadU(d, x + i + 2 * kFloats), v3 = hn::LoadU(d, x + i + 3 * kFloats);
      low0 = hn::Min(low0, v0), high0 = hn::Max(high0, v0), low1 = hn::Min(low1, v1), high1 = hn::Max(high1, v1);
      low2 = hn::Min(low2, v2), high2 = hn::Max(high2, v2), low3 = hn::Min(low3, v3), high3 = hn::Max(high3, v3);
    }
    low0 = hn::Min(low0, low2), high0 = hn::Max(high0, high2), low1 = hn::Min(low1, low3),
    high1 = hn::Max(high1, high3);
  }
  for (; i + kFloats <= count; i += kFloats) {
    const VF v = hn::LoadU(d, x + i);
    low0 = hn::Min(low0, v), high0 = hn::Max(high0, v);
  }
  return {hn::Min(low0, low1), hn::Max(high0, high1)};
}

void FindExtentOf(const float* x, size_t count, float* ends) {
  const Extent extent = FindExtent(x, count);
  ends[0] = hn::GetLane(hn::MinOfLanes(DF(), extent.low)), ends[1] = hn::GetLane(hn::MaxOfLanes(DF(), extent.high));
}

// Lane r of what comes out is row r's lanes taken together: of as many rows as a vector has lanes.
template <typename Op>
HWY_INLINE VF ReduceRows(const VF* rows, const Op& op) {
  const DF d;
  const hn::Repartition<double, DF> d64;
  constexpr size_t kFours = kFloats / 4;
  VF fours[kFours];  // in every block of four lanes four rows
  for (size_t i = 0; i < kFours; ++i) {
    const VF* r = rows + 4 * i;
    const VF two = op(hn::InterleaveLower(d, r[0], r[1]), hn::InterleaveUpper(d, r[0], r[1]));
    const VF more = op(hn::InterleaveLower(d, r[2], r[3]), hn::InterleaveUpper(d, r[2], r[3]));
    const auto a = hn::BitCast(d64, two), b = hn::BitCast(d64, more);
    fours[i] = op(hn::BitCast(d, hn::InterleaveLower(d64, a, b)), hn::BitCast(d, hn::InterleaveUpper(d64, a, b)));
  }
  if constexpr (kFours == 1) return fours[0];
  const auto halves = [&](VF a, VF b)
                          HWY_ATTR { return op(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a)); };
  if constexpr (kFours == 2) return halves(fours[0], fours[1]);
#if HWY_TARGET <= HWY_AVX3
  if constexpr (kFours == 4) {
    constexpr int kEven = 0x88, kOdd = 0xDD;  // of blocks
    const VF a = halves(fours[0], fours[1]), b = halves(fours[2], fours[3]);
    return op(VF{_mm512_shuffle_f32x4(a.raw, b.raw, kEven)}, VF{_mm512_shuffle_f32x4(a.raw, b.raw, kOdd)});
  }
#endif
}

// Beyond this, values times a factor are limited before they become integers, for a zero point is added to those.
constexpr float kLimit = 1 << 24;
// Whether all products with values from low to high are within; not where one is not a number.
bool IsWithin(float low, float high, float factor) {
  return std::abs(low * factor) <= kLimit && std::abs(high * factor) <= kLimit;
}
// In this order NaN is limited too.
HWY_INLINE VF Limited(VF x) {
  const DF d;
  return hn::Min(hn::Max(x, hn::Set(d, -kLimit)), hn::Set(d, kLimit));
}

// trunc(x * factor +- half), where x * factor is within
struct HalfAway {
  VF factor;
  HWY_INLINE hn::Vec<DI> operator()(VF x) const {
    const DF d;
    const VF y = hn::Mul(x, factor);
    return Truncate(d, hn::Add(y, hn::CopySignToAbs(hn::Set(d, 0.5F), y)));
  }
};
struct LimitedHalfAway {
  VF factor;
  HWY_INLINE hn::Vec<DI> operator()(VF x) const {
    const DF d;
    const VF y = hn::Mul(x, factor);
    return hn::ConvertTo(DI(), Limited(hn::Add(y, hn::CopySignToAbs(hn::Set(d, 0.5F), y))));
  }
};
// rint(x * factor), where x * factor is within
struct HalfEven {
  VF factor;
  HWY_INLINE hn::Vec<DI> operator()(VF x) const { return RoundHalfEven(DF(), hn::Mul(x, factor)); }
};
struct LimitedHalfEven {
  VF factor;
  HWY_INLINE hn::Vec<DI> operator()(VF x) const { return RoundHalfEven(DF(), Limited(hn::Mul(x, factor))); }
};

// max(round(x) + zero, low), limited to bytes, of codes without sign
template <class Round>
HWY_INLINE void Quantize(const Round& round, int32_t zero, int32_t low, const float* HWY_RESTRICT x, size_t count,
                         uint8_t* HWY_RESTRICT codes) {
  const DF d;
  const DI di;
  const hn::Repartition<int16_t, DI> d16;
  const hn::Repartition<uint8_t, DI> d8;
  constexpr size_t kStep = 4 * kFloats;
  const auto vzero = hn::Set(d16, static_cast<int16_t>(zero));
  const auto vlow = hn::Set(d8, static_cast<uint8_t>(low));
  const auto bytes = [&](const float* from) HWY_ATTR {
    const auto y0 = round(hn::LoadU(d, from)), y1 = round(hn::LoadU(d, from + kFloats));
    const auto y2 = round(hn::LoadU(d, from + 2 * kFloats)), y3 = round(hn::LoadU(d, from + 3 * kFloats));
    const auto even = hn::SaturatedAdd(hn::ReorderDemote2To(d16, y0, y1), vzero);
    const auto odd = hn::SaturatedAdd(hn::ReorderDemote2To(d16, y2, y3), vzero);
    return InOrder(di, hn::Max(BytesOf<uint8_t>(d16, even, odd), vlow));
  };
  size_t i = 0;
  for (; i + kStep <= count; i += kStep) hn::StoreU(bytes(x + i), d8, codes + i);
  if (i == count) return;
  if (count >= kStep) return hn::StoreU(bytes(x + count - kStep), d8, codes + count - kStep);
  const hn::Rebind<uint8_t, DI> few;
  const auto vector = [&](const float* from) HWY_ATTR {
    return hn::DemoteTo(few, hn::Max(hn::Add(round(hn::LoadU(d, from)), hn::Set(di, zero)), hn::Set(di, low)));
  };
  if (count >= kFloats) {
    for (; i + kFloats <= count; i += kFloats) hn::StoreU(vector(x + i), few, codes + i);
    if (i < count) hn::StoreU(vector(x + count - kFloats), few, codes + count - kFloats);
    return;
  }
  HWY_ALIGN float some[kFloats];
  HWY_ALIGN uint8_t some_codes[kFloats];
  for (i = 0; i < count; ++i) some[i] = x[i];
  hn::Store(vector(some), few, some_codes);
  for (i = 0; i < count; ++i) codes[i] = some_codes[i];
}

// Rows of one, two or three vectors, as many as a vector has lanes: four vectors together.
template <class Round>
HWY_INLINE void QuantizeShortRows(const float* HWY_RESTRICT x, size_t size, const float* factors, const int32_t* zeros,
                                  uint8_t* HWY_RESTRICT codes) {
  const DF d;
  const DI di;
  const hn::Repartition<int16_t, DI> d16;
  const hn::Repartition<uint8_t, DI> d8;
  size_t row = 0, left = size;
  const auto next = [&](const float* from) HWY_ATTR {
    const auto y = hn::Add(Round{hn::Set(d, factors[row])}(hn::LoadU(d, from)), hn::Set(di, zeros[row] + kSignBit));
    left -= kFloats;
    if (left == 0) left = size, ++row;
    return y;
  };
  for (size_t i = 0; i < kFloats * size; i += 4 * kFloats) {
    const auto y0 = next(x + i), y1 = next(x + i + kFloats), y2 = next(x + i + 2 * kFloats);
    const auto y3 = next(x + i + 3 * kFloats);
    const auto even = hn::ReorderDemote2To(d16, y0, y1), odd = hn::ReorderDemote2To(d16, y2, y3);
    hn::StoreU(InOrder(di, BytesOf<uint8_t>(d16, even, odd)), d8, codes + i);
  }
}

void QuantizeInBlocks(const float* x, size_t count, const Blocks& how, uint8_t* codes) {
  const VF factor = hn::Set(DF(), how.factor);
  if (IsWithin(how.smallest, how.largest, how.factor)) {
    Quantize(HalfAway{factor}, how.zero + kSignBit, how.low + kSignBit, x, count, codes);
  } else {
    Quantize(LimitedHalfAway{factor}, how.zero + kSignBit, how.low + kSignBit, x, count, codes);
  }
}

// ref::RangeAsXnnpack of as many ranges as a vector has lanes.
struct XnnpackRanges {
  HWY_ALIGN float steps[kFloats], scales[kFloats];
  HWY_ALIGN int32_t zeros[kFloats];

  HWY_INLINE XnnpackRanges(VF lowest, VF highest) {
    const DF d;
    const auto one = hn::Set(d, 1.0F), least = hn::Set(d, -128.0F), most = hn::Set(d, 127.0F), nothing = hn::Zero(d);
    const VF low = hn::Min(lowest, nothing), high = hn::Max(highest, nothing);
    const VF step = hn::IfThenElse(hn::Eq(low, high), one, hn::Div(hn::Set(d, 255.0F), hn::Sub(high, low)));
    const VF scaled_low = hn::Mul(low, step), scaled_high = hn::Mul(high, step);
    const VF errors = hn::Add(hn::Add(least, scaled_low), hn::Add(most, scaled_high));
    const VF real_zero =
        hn::IfThenElse(hn::Gt(errors, nothing), hn::Sub(least, scaled_low), hn::Sub(most, scaled_high));
    const VF zero = hn::IfThenElseZero(hn::Eq(real_zero, real_zero), hn::Min(hn::Max(real_zero, least), most));
    hn::Store(step, d, steps);
    hn::Store(hn::Div(one, step), d, scales);
    hn::Store(RoundHalfEven(d, zero), DI(), zeros);
  }
};

void QuantizeXnnpackPart(const float* values, size_t count, const float* ends, uint8_t* codes,
                         ref::DynamicRange* range) {
  const DF d;
  const XnnpackRanges found(hn::Set(d, ends[0]), hn::Set(d, ends[1]));
  *range = {found.scales[0], found.zeros[0]};
  const VF factor = hn::Set(d, found.steps[0]);
  if (IsWithin(ends[0], ends[1], found.steps[0])) {
    Quantize(HalfEven{factor}, found.zeros[0] + kSignBit, 0, values, count, codes);
  } else {
    Quantize(LimitedHalfEven{factor}, found.zeros[0] + kSignBit, 0, values, count, codes);
  }
}

void QuantizeXnnpackRows(const float* values, size_t rows, size_t size, uint8_t* codes, ref::DynamicRange* ranges) {
  // The ranges of several rows come out together, for what leads to one takes long.
  const DF d;
  for (size_t r = 0; r < rows; r += kFloats) {
    const size_t count = std::min(kFloats, rows - r);
    VF lows[kFloats], highs[kFloats];
    if (count == kFloats) {
      for (size_t i = 0; i < kFloats; ++i) {
        const Extent extent = FindExtent(values + (r + i) * size, size);
        lows[i] = extent.low, highs[i] = extent.high;
      }
    } else {
      for (size_t i = 0; i < kFloats; ++i) {
        const Extent extent = FindExtent(values + (r + std::min(i, count - 1)) * size, i < count ? size : 1);
        lows[i] = extent.low, highs[i] = extent.high;
      }
    }
    const VF low = ReduceRows(lows, [](VF a, VF b) HWY_ATTR { return hn::Min(a, b); });
    const VF high = ReduceRows(highs, [](VF a, VF b) HWY_ATTR { return hn::Max(a, b); });
    HWY_ALIGN float ends[2][kFloats];
    hn::Store(low, d, ends[0]), hn::Store(high, d, ends[1]);
    const XnnpackRanges found(low, high);
    bool within = true;
    for (size_t i = 0; i < count; ++i) {
      ranges[r + i] = {found.scales[i], found.zeros[i]};
      within = within && IsWithin(ends[0][i], ends[1][i], found.steps[i]);
    }
    if (within && count == kFloats && size < 4 * kFloats && size % kFloats == 0) {
      QuantizeShortRows<HalfEven>(values + r * size, size, found.steps, found.zeros, codes + r * size);
      continue;
    }
    for (size_t i = 0; i < count; ++i) {
      const float* from = values + (r + i) * size;
      uint8_t* to = codes + (r + i) * size;
      const VF factor = hn::Set(d, found.steps[i]);
      if (within) {
        Quantize(HalfEven{factor}, found.zeros[i] + kSignBit, 0, from, size, to);
      } else {
        Quantize(LimitedHalfEven{factor}, found.zeros[i] + kSignBit, 0, from, size, to);
      }
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(QuantizeXnnpackRows);
HWY_EXPORT(QuantizeXnnpackPart);
HWY_EXPORT(FindExtentOf);
HWY_EXPORT(QuantizeInBlocks);

namespace {

// kernels/ref's own code, for a few values.
ref::DynamicRange QuantizeFew(ref::DynamicQuantizer how, std::span<const float> values, uint8_t* codes) {
  const ref::DynamicRange range = ref::QuantizeDynamically(how, values, reinterpret_cast<int8_t*>(codes));
  for (size_t i = 0; i < values.size(); ++i) codes[i] ^= kSignBit;
  return range;
}

}  // namespace

ValueEnds FindEnds(std::span<const float> values) noexcept {
  float ends[2];
  HWY_DYNAMIC_DISPATCH(FindExtentOf)(values.data(), values.size(), ends);
  return {ends[0], ends[1]};
}

ValueEnds FindEnds(std::span<const ValueEnds> parts) noexcept {
  ValueEnds all = parts.front();
  for (const ValueEnds& part : parts) all = {std::min(all.low, part.low), std::max(all.high, part.high)};
  return all;
}

ref::DynamicRange QuantizePart(ref::DynamicQuantizer how, const ValueEnds& ends, std::span<const float> values,
                               uint8_t* codes) noexcept {
  using ref::DynamicQuantizer;
  // kernels/ref's own code gives scale and zero point, which the ends of the range decide, and the codes of those that
  // are left of blocks of 8.
  constexpr size_t kBlock = 8, kMostLeft = kBlock - 1 - 2;
  if (how == DynamicQuantizer::kXnnpack) {
    ref::DynamicRange range;
    const float both[2] = {ends.low, ends.high};
    HWY_DYNAMIC_DISPATCH(QuantizeXnnpackPart)(values.data(), values.size(), both, codes, &range);
    return range;
  }
  float few[kBlock] = {ends.low, ends.high};
  uint8_t few_codes[kBlock];
  const ref::DynamicRange range = QuantizeFew(how, {few, 2}, few_codes);
  if (ends.low == 0 && ends.high == 0) {
    std::fill_n(codes, values.size(), kSignBit);
    return range;
  }
  const bool symmetric = how == DynamicQuantizer::kSymmetric;
  const float factor = symmetric ? 127.0F / std::max(std::abs(ends.low), std::abs(ends.high)) : 1.0F / range.scale;
  const size_t blocked = values.size() / kBlock * kBlock;
  HWY_DYNAMIC_DISPATCH(QuantizeInBlocks)
  (values.data(), blocked, {factor, ends.low, ends.high, range.zero_point, symmetric ? -127 : -128}, codes);
  for (size_t i = blocked; i < values.size();) {
    const size_t count = std::min(kMostLeft, values.size() - i);
    std::copy_n(values.data() + i, count, few + 2);
    QuantizeFew(how, {few, 2 + count}, few_codes);
    std::copy_n(few_codes + 2, count, codes + i);
    i += count;
  }
  return range;
}

ref::DynamicRange QuantizeDynamically(ref::DynamicQuantizer how, std::span<const float> values,
                                      uint8_t* codes) noexcept {
  constexpr size_t kBlock = 8;
  if (values.size() < kBlock) return QuantizeFew(how, values, codes);
  if (how == ref::DynamicQuantizer::kXnnpack) {
    ref::DynamicRange range;
    HWY_DYNAMIC_DISPATCH(QuantizeXnnpackRows)(values.data(), 1, values.size(), codes, &range);
    return range;
  }
  return QuantizePart(how, FindEnds(values), values, codes);
}

void QuantizeRows(ref::DynamicQuantizer how, const float* values, size_t rows, size_t size, uint8_t* codes,
                  ref::DynamicRange* ranges) noexcept {
  if (how == ref::DynamicQuantizer::kXnnpack && size > 0) {
    return HWY_DYNAMIC_DISPATCH(QuantizeXnnpackRows)(values, rows, size, codes, ranges);
  }
  for (size_t r = 0; r < rows; ++r)
    ranges[r] = simd::QuantizeDynamically(how, {values + r * size, size}, codes + r * size);
}

}  // namespace assay::kernels::simd
#endif
