#include "kernels/simd/codes.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/codes.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Adding a number whose last place is 1 rounds to the nearest integer, the even one of two.
constexpr float kRounds = 3 << 22;

HWY_INLINE V WholeSteps(const CodeSteps& s, V x) {
  const D d;
  V steps = hn::Div(x, hn::Set(d, s.scale));
  const V least = hn::Set(d, s.least), most = hn::Set(d, s.most), rounds = hn::Set(d, kRounds);
  steps = hn::IfThenElse(hn::Lt(steps, least), least, steps);  // NaN stays
  steps = hn::IfThenElse(hn::Gt(steps, most), most, steps);
  return hn::Sub(hn::Add(steps, rounds), rounds);
}

template <typename T, class Vector>
HWY_INLINE void Transform(const float* input, size_t count, T* output, const Vector& vector) {
  constexpr size_t kLanes = hn::MaxLanes(D());
  if (count < kLanes) {
    HWY_ALIGN float in[kLanes] = {};
    T out[kLanes];
    std::copy_n(input, count, in);
    vector(hn::Load(D(), in), out);
    std::copy_n(out, count, output);
    return;
  }
  // The last vector overlaps: it is read before any of its values may be written over.
  const V last = hn::LoadU(D(), input + count - kLanes);
  for (size_t i = 0; i + kLanes <= count; i += kLanes) vector(hn::LoadU(D(), input + i), output + i);
  if (count % kLanes != 0) vector(last, output + count - kLanes);
}

void Rounded(const CodeSteps& s, const float* input, size_t count, float* output) {
  Transform(input, count, output,
            [&s](V x, float* out) HWY_ATTR { hn::StoreU(hn::Mul(hn::Set(D(), s.scale), WholeSteps(s, x)), D(), out); });
}

template <typename T>
HWY_INLINE void Codes(const CodeSteps& s, const float* input, size_t count, T* output) {
  const hn::Rebind<int32_t, D> wide;
  const hn::Rebind<T, D> narrow;
  Transform(input, count, output, [&](V x, T* out) HWY_ATTR {
    const V code = hn::Add(WholeSteps(s, x), hn::Set(D(), s.zero_point));
    const auto number = hn::IfThenElseZero(hn::Eq(code, code), code);
    hn::StoreU(hn::DemoteTo(narrow, hn::ConvertTo(wide, number)), narrow, out);
  });
}

void CodesInt8(const CodeSteps& s, const float* input, size_t count, int8_t* output) { Codes(s, input, count, output); }
void CodesUInt8(const CodeSteps& s, const float* input, size_t count, uint8_t* output) {
  Codes(s, input, count, output);
}
void CodesInt16(const CodeSteps& s, const float* input, size_t count, int16_t* output) {
  Codes(s, input, count, output);
}

void Bins(const float* values, size_t count, float per_width, int32_t middle, size_t bins, int64_t* counts) {
  // Where many values are alike, one counter would wait for itself: neighbours count in tables of their own, of small
  // numbers, so that all of them stay in the first-level cache.
  constexpr size_t kTables = 4, kChunk = 1024, kMost = kTables * UINT16_MAX / kChunk * kChunk;
  const D d;
  const hn::Rebind<int32_t, D> di;
  constexpr size_t kLanes = hn::MaxLanes(d);
  const V factor = hn::Set(d, per_width);
  const auto offset = hn::Set(di, middle), last = hn::Set(di, static_cast<int32_t>(bins) - 1);
  std::vector<uint16_t> tables(kTables * bins);
  HWY_ALIGN int32_t places[kChunk + kLanes];
  for (size_t first = 0, since = 0; first < count; first += kChunk) {
    const size_t here = std::min(kChunk, count - first);
    for (size_t i = 0; i < here; i += kLanes) {
      HWY_ALIGN float rest[kLanes] = {};
      const bool whole = i + kLanes <= here;
      if (!whole) std::copy_n(values + first + i, here - i, rest);
      const V x = whole ? hn::LoadU(d, values + first + i) : hn::Load(d, rest);
      const auto place = hn::Add(hn::ConvertTo(di, hn::Floor(hn::Mul(x, factor))), offset);
      hn::Store(hn::Min(hn::Max(place, hn::Zero(di)), last), di, places + i);
    }
    for (size_t i = 0; i < here; ++i) ++tables[i % kTables * bins + static_cast<size_t>(places[i])];
    since += kChunk;
    if (since < kMost && first + kChunk < count) continue;
    for (size_t t = 0; t < kTables; ++t) {
      const uint16_t* HWY_RESTRICT table = tables.data() + t * bins;
      for (size_t b = 0; b < bins; ++b) counts[b] += table[b];
    }
    std::fill(tables.begin(), tables.end(), uint16_t{0});
    since = 0;
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(Rounded);
HWY_EXPORT(CodesInt8);
HWY_EXPORT(CodesUInt8);
HWY_EXPORT(CodesInt16);
HWY_EXPORT(Bins);

void RoundToCodes(const CodeSteps& steps, const float* input, size_t count, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(Rounded)(steps, input, count, output);
}
void StoreCodes(const CodeSteps& steps, const float* input, size_t count, int8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(CodesInt8)(steps, input, count, output);
}
void StoreCodes(const CodeSteps& steps, const float* input, size_t count, uint8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(CodesUInt8)(steps, input, count, output);
}
void StoreCodes(const CodeSteps& steps, const float* input, size_t count, int16_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(CodesInt16)(steps, input, count, output);
}
void CountBins(const float* values, size_t count, float per_width, int32_t middle, size_t bins,
               int64_t* counts) noexcept {
  HWY_DYNAMIC_DISPATCH(Bins)(values, count, per_width, middle, bins, counts);
}

}  // namespace assay::kernels::simd
#endif
