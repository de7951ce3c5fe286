#include "kernels/simd/arg_max.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/arg_max.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using D8 = hn::CappedTag<uint8_t, 16>;

// The largest byte, in all lanes.
HWY_INLINE hn::Vec<D8> LargestOfLanes(hn::Vec<D8> v) {
  const D8 d;
  v = hn::Max(v, hn::CombineShiftRightBytes<8>(d, v, v));
  v = hn::Max(v, hn::CombineShiftRightBytes<4>(d, v, v));
  v = hn::Max(v, hn::CombineShiftRightBytes<2>(d, v, v));
  return hn::Max(v, hn::CombineShiftRightBytes<1>(d, v, v));
}

template <typename Index>
HWY_INLINE void Rows(const uint8_t* input, size_t rows, size_t size, uint8_t flip, Index* output) {
  const D8 d;
  constexpr size_t kLanes = hn::MaxLanes(d);
  const auto flips = hn::Set(d, flip);
  const size_t last = size - kLanes;  // the last vector overlaps the one before
  for (size_t r = 0; r < rows; ++r, input += size) {
    auto most = hn::Xor(hn::LoadU(d, input + last), flips);
    for (size_t i = 0; i < last; i += kLanes) most = hn::Max(most, hn::Xor(hn::LoadU(d, input + i), flips));
    const auto value = hn::Xor(LargestOfLanes(most), flips);
    for (size_t i = 0;; i = std::min(i + kLanes, last)) {
      const intptr_t found = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, input + i), value));
      if (found < 0) continue;
      output[r] = static_cast<Index>(i) + static_cast<Index>(found);
      break;
    }
  }
}

void Rows32(const uint8_t* input, size_t rows, size_t size, uint8_t flip, int32_t* output) {
  Rows(input, rows, size, flip, output);
}
void Rows64(const uint8_t* input, size_t rows, size_t size, uint8_t flip, int64_t* output) {
  Rows(input, rows, size, flip, output);
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(Rows32);
HWY_EXPORT(Rows64);

void ArgMaxOfRows(const uint8_t* input, size_t rows, size_t size, uint8_t flip, int32_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(Rows32)(input, rows, size, flip, output);
}
void ArgMaxOfRows(const uint8_t* input, size_t rows, size_t size, uint8_t flip, int64_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(Rows64)(input, rows, size, flip, output);
}

}  // namespace assay::kernels::simd
#endif
