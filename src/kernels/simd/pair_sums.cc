#include "kernels/simd/pair_sums.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/pair_sums.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using numerics::PairSums;
using Wide = hn::CappedTag<double, PairSums::kLanes>;
using V = hn::Vec<Wide>;

struct LaneSums {
  double sum[PairSums::kLanes], sum_abs[PairSums::kLanes], sum_square[PairSums::kLanes], max_abs[PairSums::kLanes];
  double reference_square[PairSums::kLanes], value_square[PairSums::kLanes], product[PairSums::kLanes];
  double equal[PairSums::kLanes];
};

// Some of the lanes, over all whole rows of kLanes pairs.
HWY_INLINE void SumLanes(const float* reference, const float* value, size_t rows, size_t first, LaneSums& lanes) {
  const Wide d;
  const hn::Rebind<float, Wide> narrow;
  const V one = hn::Set(d, 1.0);
  V sum = hn::Zero(d), sum_abs = sum, sum_square = sum, max_abs = sum, equal = sum;
  V reference_square = sum, value_square = sum, product = sum;
  for (size_t i = first; i < rows * PairSums::kLanes; i += PairSums::kLanes) {
    const V r = hn::PromoteTo(d, hn::LoadU(narrow, reference + i)), v = hn::PromoteTo(d, hn::LoadU(narrow, value + i));
    const V error = hn::Sub(v, r);
    const V size = hn::Abs(error);
    sum = hn::Add(sum, error);
    sum_abs = hn::Add(sum_abs, size);
    max_abs = hn::Max(max_abs, size);
    sum_square = hn::Add(sum_square, hn::Mul(error, error));
    equal = hn::Add(equal, hn::IfThenElseZero(hn::Eq(v, r), one));
    // Products of floats are exact in doubles: a multiply-add rounds once, as an addition does.
    reference_square = hn::MulAdd(r, r, reference_square);
    value_square = hn::MulAdd(v, v, value_square);
    product = hn::MulAdd(r, v, product);
  }
  hn::StoreU(sum, d, lanes.sum + first);
  hn::StoreU(sum_abs, d, lanes.sum_abs + first);
  hn::StoreU(sum_square, d, lanes.sum_square + first);
  hn::StoreU(max_abs, d, lanes.max_abs + first);
  hn::StoreU(reference_square, d, lanes.reference_square + first);
  hn::StoreU(value_square, d, lanes.value_square + first);
  hn::StoreU(product, d, lanes.product + first);
  hn::StoreU(equal, d, lanes.equal + first);
}

PairSums Pairs(const float* reference, const float* value, size_t count) {
  const size_t rows = count / PairSums::kLanes;
  LaneSums lanes;
  for (size_t first = 0; first < PairSums::kLanes; first += hn::MaxLanes(Wide())) {
    SumLanes(reference, value, rows, first, lanes);
  }
  PairSums all;
  for (size_t k = 0; k < PairSums::kLanes; ++k) {
    PairSums lane;
    lane.count = static_cast<int64_t>(rows);
    lane.different = lane.count - static_cast<int64_t>(lanes.equal[k]);
    lane.sum = lanes.sum[k], lane.sum_abs = lanes.sum_abs[k], lane.sum_square = lanes.sum_square[k];
    lane.max_abs = lanes.max_abs[k];
    lane.reference_square = lanes.reference_square[k], lane.value_square = lanes.value_square[k];
    lane.product = lanes.product[k];
    if (const size_t i = rows * PairSums::kLanes + k; i < count) {
      const auto r = static_cast<double>(reference[i]), v = static_cast<double>(value[i]);
      const double error = v - r;
      lane.count += 1, lane.different += error != 0;
      lane.sum += error, lane.sum_abs += std::abs(error), lane.sum_square += error * error;
      lane.max_abs = std::max(lane.max_abs, std::abs(error));
      lane.reference_square += r * r, lane.value_square += v * v, lane.product += r * v;
    }
    all.Add(lane);
  }
  return all;
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(Pairs);

numerics::PairSums SumPairs(const float* reference, const float* value, size_t count) noexcept {
  return HWY_DYNAMIC_DISPATCH(Pairs)(reference, value, count);
}

}  // namespace assay::kernels::simd
#endif
