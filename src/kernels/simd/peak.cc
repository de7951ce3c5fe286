#include "kernels/simd/peak.h"

#include <utility>

#include "kernels/simd/target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/peak.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/dot8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kSums = HWY_TARGET == HWY_AVX3_DL ? 20 : 10;  // enough to hide the latency of one addition

int64_t MultiplyBytes(int64_t count, float* sink) {
  const hn::CappedTag<int32_t, 16> d;
  using V = hn::Vec<decltype(d)>;
  V sums[kSums];
  for (V& sum : sums) sum = hn::Zero(d);
  const auto u = hn::Set(d, static_cast<int32_t>(*sink) + 0x01020304);
  const auto s = SplitSigned(d, hn::Set(d, static_cast<int32_t>(*sink) + 0x04030201));
  int64_t done = 0;
  while (done < count) {
    for (int i = 0; i < 64; ++i) {
      [&]<size_t... kSum>(std::index_sequence<kSum...>) HWY_ATTR { ((sums[kSum] = Dot4(d, sums[kSum], u, s)), ...); }
      (std::make_index_sequence<kSums>());
    }
    done += int64_t{64} * kSums * static_cast<int64_t>(hn::MaxLanes(d)) * 4;
  }
  for (V& sum : sums) sums[0] = hn::Add(sums[0], sum);
  *sink += static_cast<float>(hn::GetLane(sums[0]));
  return done;
}

int64_t MultiplyFloats(int64_t count, float* sink) {
  const hn::CappedTag<float, 16> d;
  using V = hn::Vec<decltype(d)>;
  V sums[kSums];
  for (V& sum : sums) sum = hn::Zero(d);
  const auto a = hn::Set(d, *sink + 0.5F), b = hn::Set(d, *sink - 0.5F);
  int64_t done = 0;
  while (done < count) {
    for (int i = 0; i < 64; ++i) {
      [&]<size_t... kSum>(std::index_sequence<kSum...>) HWY_ATTR { ((sums[kSum] = hn::MulAdd(a, b, sums[kSum])), ...); }
      (std::make_index_sequence<kSums>());
    }
    done += int64_t{64} * kSums * static_cast<int64_t>(hn::MaxLanes(d));
  }
  for (V& sum : sums) sums[0] = hn::Add(sums[0], sum);
  *sink += hn::GetLane(sums[0]);
  return done;
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(MultiplyBytes);
HWY_EXPORT(MultiplyFloats);

int64_t MultiplyRegisters(Product product, int64_t count, float* sink) noexcept {
  if (!UsesVectors()) return 0;
  return product == Product::kBytes ? HWY_DYNAMIC_DISPATCH(MultiplyBytes)(count, sink)
                                    : HWY_DYNAMIC_DISPATCH(MultiplyFloats)(count, sink);
}

}  // namespace assay::kernels::simd
#endif
