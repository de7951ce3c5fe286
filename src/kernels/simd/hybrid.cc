#include "kernels/simd/hybrid.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/hybrid.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/requantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;
constexpr size_t kFloats = hn::MaxLanes(DF());

// The smallest and the largest of at least one value.
HWY_INLINE void FindExtent(const float* HWY_RESTRICT x, size_t count, float* ends) {
  const DF d;
  if (count < kFloats) {
    float low = x[0], high = x[0];
    for (size_t i = 1; i < count; ++i) {
      low = x[i] < low ? x[i] : low;
      high = x[i] > high ? x[i] : high;
    }
    ends[0] = low, ends[1] = high;
    return;
  }
  // The last values twice, where they are not a whole vector.
  VF lows[4], highs[4];
  for (size_t k = 0; k < 4; ++k) lows[k] = highs[k] = hn::LoadU(d, x + count - kFloats);
  size_t i = 0;
  for (; i + 4 * kFloats <= count; i += 4 * kFloats) {
    for (size_t k = 0; k < 4; ++k) {
      const VF v = hn::LoadU(d, x + i + k * kFloats);
      lows[k] = hn::Min(lows[k], v), highs[k] = hn::Max(highs[k], v);
    }
  }
  for (; i + kFloats <= count; i += kFloats) {
    const VF v = hn::LoadU(d, x + i);
    lows[0] = hn::Min(lows[0], v), highs[0] = hn::Max(highs[0], v);
  }
  const VF low = hn::Min(hn::Min(lows[0], lows[1]), hn::Min(lows[2], lows[3]));
  const VF high = hn::Max(hn::Max(highs[0], highs[1]), hn::Max(highs[2], highs[3]));
  ends[0] = hn::GetLane(hn::MinOfLanes(d, low)), ends[1] = hn::GetLane(hn::MaxOfLanes(d, high));
}

void FindExtentOf(const float* x, size_t count, float* ends) { FindExtent(x, count, ends); }

// Limited to what an int32 holds with room to add a zero point; in this order NaN is limited too.
constexpr float kLimit = 1 << 24;
HWY_INLINE int32_t ToInt(float x) { return static_cast<int32_t>(std::min(kLimit, std::max(-kLimit, x))); }
HWY_INLINE VF Limited(VF x) {
  const DF d;
  return hn::Min(hn::Max(x, hn::Set(d, -kLimit)), hn::Set(d, kLimit));
}

// clamp(trunc(x * factor +- half) + zero), of codes without sign
struct InBlocks {
  float factor;
  int32_t zero, low;  // without sign

  HWY_INLINE uint8_t operator()(float x) const {
    const float y = x * factor;
    return static_cast<uint8_t>(std::min(std::max(ToInt(y + (y < 0 ? -0.5F : 0.5F)) + zero, low), 255));
  }
  HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> operator()(VF x) const {
    const DF d;
    const hn::RebindToSigned<DF> di;
    const VF y = hn::Mul(x, hn::Set(d, factor));
    const VF moved = hn::Add(y, hn::CopySignToAbs(hn::Set(d, 0.5F), y));
    return hn::Max(hn::Add(hn::ConvertTo(di, Limited(moved)), hn::Set(di, zero)), hn::Set(di, low));
  }
};

// clamp(rint(x * factor) + zero), of codes without sign
struct HalfEven {
  float factor;
  int32_t zero;  // without sign

  HWY_INLINE uint8_t operator()(float x) const {
    return static_cast<uint8_t>(std::min(std::max(ToInt(std::nearbyintf(x * factor)) + zero, 0), 255));
  }
  HWY_INLINE hn::Vec<hn::RebindToSigned<DF>> operator()(VF x) const {
    const DF d;
    const hn::RebindToSigned<DF> di;
    const VF y = hn::Min(hn::Mul(x, hn::Set(d, factor)), hn::Set(d, kLimit));
    return hn::Add(RoundHalfEven(d, y), hn::Set(di, zero));
  }
};

template <class Quantizer>
HWY_INLINE void Quantize(const Quantizer& quantizer, const float* HWY_RESTRICT x, size_t count,
                         uint8_t* HWY_RESTRICT codes) {
  const DF d;
  const hn::Rebind<uint8_t, DF> d8;
  if (count < kFloats) {
    for (size_t i = 0; i < count; ++i) codes[i] = quantizer(x[i]);
    return;
  }
  const auto at = [&](size_t i)
                      HWY_ATTR { hn::StoreU(hn::DemoteTo(d8, quantizer(hn::LoadU(d, x + i))), d8, codes + i); };
  size_t i = 0;
  for (; i + kFloats <= count; i += kFloats) at(i);
  if (i < count) at(count - kFloats);
}

void QuantizeInBlocks(const float* x, size_t count, float factor, int32_t zero, int32_t low, uint8_t* codes) {
  Quantize(InBlocks{factor, zero + kSignBit, low + kSignBit}, x, count, codes);
}

void QuantizeXnnpackRows(const float* values, size_t rows, size_t size, uint8_t* codes, ref::DynamicRange* ranges) {
  // The ranges of several rows come out together, for their divisions take long.
  constexpr size_t kTogether = 16;
  for (size_t r = 0; r < rows; r += kTogether) {
    const size_t count = std::min(kTogether, rows - r);
    float lows[kTogether] = {}, highs[kTogether] = {}, steps[kTogether], scales[kTogether];
    int32_t zeros[kTogether];
    for (size_t i = 0; i < count; ++i) {
      float ends[2];
      FindExtent(values + (r + i) * size, size, ends);
      lows[i] = ends[0], highs[i] = ends[1];
    }
    for (size_t i = 0; i < (count == 1 ? 1 : kTogether); ++i) {
      const ref::XnnpackRange range = ref::RangeAsXnnpack(lows[i], highs[i]);
      steps[i] = range.steps, scales[i] = range.range.scale, zeros[i] = range.range.zero_point;
    }
    for (size_t i = 0; i < count; ++i) {
      ranges[r + i] = {scales[i], zeros[i]};
      Quantize(HalfEven{steps[i], zeros[i] + kSignBit}, values + (r + i) * size, size, codes + (r + i) * size);
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(QuantizeXnnpackRows);
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

ref::DynamicRange QuantizeDynamically(ref::DynamicQuantizer how, std::span<const float> values,
                                      uint8_t* codes) noexcept {
  using ref::DynamicQuantizer;
  // kernels/ref's own code gives scale and zero point, which the ends of the range decide, and the codes of those that
  // are left of blocks of 8.
  constexpr size_t kBlock = 8, kMostLeft = kBlock - 1 - 2;
  if (values.size() < kBlock) return QuantizeFew(how, values, codes);
  if (how == DynamicQuantizer::kXnnpack) {
    ref::DynamicRange range;
    HWY_DYNAMIC_DISPATCH(QuantizeXnnpackRows)(values.data(), 1, values.size(), codes, &range);
    return range;
  }
  float few[kBlock];
  uint8_t few_codes[kBlock];
  HWY_DYNAMIC_DISPATCH(FindExtentOf)(values.data(), values.size(), few);
  const float low = few[0], high = few[1];
  const ref::DynamicRange range = QuantizeFew(how, {few, 2}, few_codes);
  if (low == 0 && high == 0) {
    std::fill_n(codes, values.size(), kSignBit);
    return range;
  }
  const bool symmetric = how == DynamicQuantizer::kSymmetric;
  const float factor = symmetric ? 127.0F / std::max(std::abs(low), std::abs(high)) : 1.0F / range.scale;
  const size_t blocked = values.size() / kBlock * kBlock;
  HWY_DYNAMIC_DISPATCH(QuantizeInBlocks)
  (values.data(), blocked, factor, range.zero_point, symmetric ? -127 : -128, codes);
  for (size_t i = blocked; i < values.size();) {
    const size_t count = std::min(kMostLeft, values.size() - i);
    std::copy_n(values.data() + i, count, few + 2);
    QuantizeFew(how, {few, 2 + count}, few_codes);
    std::copy_n(few_codes + 2, count, codes + i);
    i += count;
  }
  return range;
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
