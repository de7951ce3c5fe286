#include "kernels/simd/channel_totals.h"

#include <algorithm>
#include <limits>

#include "kernels/simd/target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/channel_totals.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The totals of a vector of neighbouring channels.
template <class D>
class Totals {
  using Half = hn::Half<D>;
  using Wide = hn::Rebind<double, Half>;
  using Int = hn::Rebind<int32_t, D>;

 public:
  HWY_INLINE Totals()
      : low_(hn::Set(D(), kInfinity)),
        high_(hn::Set(D(), -kInfinity)),
        sum_left_(hn::Zero(Wide())),
        sum_right_(hn::Zero(Wide())),
        square_left_(hn::Zero(Wide())),
        square_right_(hn::Zero(Wide())),
        at_limit_(hn::Zero(Int())) {}
  HWY_INLINE void Add(const float* x, hn::Vec<D> limit) {
    const auto v = hn::LoadU(D(), x);
    low_ = hn::Min(low_, v);
    high_ = hn::Max(high_, v);
    at_limit_ = hn::Sub(at_limit_, hn::VecFromMask(Int(), hn::RebindMask(Int(), hn::Ge(v, limit))));
    // The square of a float is exact in a double: a multiply-add rounds once, as an addition does.
    const auto left = hn::PromoteTo(Wide(), hn::LoadU(Half(), x));
    const auto right = hn::PromoteTo(Wide(), hn::LoadU(Half(), x + hn::MaxLanes(Half())));
    sum_left_ = hn::Add(sum_left_, left);
    sum_right_ = hn::Add(sum_right_, right);
    square_left_ = hn::MulAdd(left, left, square_left_);
    square_right_ = hn::MulAdd(right, right, square_right_);
  }
  HWY_INLINE void Store(const ref::ChannelTotals& t, size_t c) const {
    constexpr size_t kRight = hn::MaxLanes(Half());
    hn::StoreU(low_, D(), t.low + c);
    hn::StoreU(high_, D(), t.high + c);
    hn::StoreU(sum_left_, Wide(), t.sum + c);
    hn::StoreU(sum_right_, Wide(), t.sum + c + kRight);
    hn::StoreU(square_left_, Wide(), t.square + c);
    hn::StoreU(square_right_, Wide(), t.square + c + kRight);
    hn::StoreU(at_limit_, Int(), t.at_limit + c);
  }

 private:
  hn::Vec<D> low_, high_;
  hn::Vec<Wide> sum_left_, sum_right_, square_left_, square_right_;
  hn::Vec<Int> at_limit_;
};

// Two vectors of channels from `c` on, the second `step` channels behind the first.
template <class D>
HWY_INLINE void TwoVectors(const float* x, size_t rows, size_t channels, float limit, size_t c, size_t step,
                           const ref::ChannelTotals& t) {
  const auto limits = hn::Set(D(), limit);
  Totals<D> first, second;
  const float* row = x + c;
  for (size_t r = 0; r < rows; ++r, row += channels) {
    first.Add(row, limits);
    second.Add(row + step, limits);
  }
  first.Store(t, c);
  second.Store(t, c + step);
}

// The last vectors overlap the ones before where the channels do not come out even.
template <class D>
HWY_INLINE void AllChannels(const float* x, size_t rows, size_t channels, float limit, const ref::ChannelTotals& t) {
  constexpr size_t kLanes = hn::MaxLanes(D());
  if (channels < 2 * kLanes) return TwoVectors<D>(x, rows, channels, limit, 0, channels - kLanes, t);
  for (size_t c = 0;; c = std::min(c + 2 * kLanes, channels - 2 * kLanes)) {
    TwoVectors<D>(x, rows, channels, limit, c, kLanes, t);
    if (c + 2 * kLanes == channels) return;
  }
}

void Channels(const float* x, size_t rows, size_t channels, float limit, const ref::ChannelTotals& t) {
  using Widest = hn::ScalableTag<float>;
  if (channels >= hn::MaxLanes(Widest())) return AllChannels<Widest>(x, rows, channels, limit, t);
  using D4 = hn::CappedTag<float, 4>;
  if (channels >= hn::MaxLanes(D4())) return AllChannels<D4>(x, rows, channels, limit, t);
  ref::TotalChannels(x, rows, channels, limit, t);
}

ref::Extent Whole(const float* x, size_t count) {
  const hn::ScalableTag<float> d;
  constexpr size_t kLanes = hn::MaxLanes(d), kVectors = 4;
  if (count < kLanes * kVectors) return ref::ExtentOf(x, count);
  hn::Vec<decltype(d)> low[kVectors], high[kVectors], poison[kVectors];
  for (size_t k = 0; k < kVectors; ++k) {
    low[k] = high[k] = hn::LoadU(d, x);
    poison[k] = hn::Zero(d);
  }
  for (size_t i = 0;; i = std::min(i + kLanes * kVectors, count - kLanes * kVectors)) {
    for (size_t k = 0; k < kVectors; ++k) {
      const auto v = hn::LoadU(d, x + i + k * kLanes);
      low[k] = hn::Min(low[k], v);
      high[k] = hn::Max(high[k], v);
      poison[k] = hn::Add(poison[k], hn::Sub(v, v));
    }
    if (i + kLanes * kVectors == count) break;
  }
  for (size_t k = 1; k < kVectors; ++k) {
    low[0] = hn::Min(low[0], low[k]);
    high[0] = hn::Max(high[0], high[k]);
    poison[0] = hn::Add(poison[0], poison[k]);
  }
  HWY_ALIGN float lanes[3 * kLanes];
  hn::Store(low[0], d, lanes);
  hn::Store(high[0], d, lanes + kLanes);
  hn::Store(poison[0], d, lanes + 2 * kLanes);
  return {*std::min_element(lanes, lanes + kLanes), *std::max_element(lanes + kLanes, lanes + 2 * kLanes),
          std::all_of(lanes + 2 * kLanes, lanes + 3 * kLanes, [](float v) { return v == 0; })};
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(Channels);
HWY_EXPORT(Whole);

void TotalChannels(const float* x, size_t rows, size_t channels, float limit,
                   const ref::ChannelTotals& totals) noexcept {
  if (!UsesVectors()) return ref::TotalChannels(x, rows, channels, limit, totals);
  HWY_DYNAMIC_DISPATCH(Channels)(x, rows, channels, limit, totals);
}
ref::Extent ExtentOf(const float* x, size_t count) noexcept {
  return UsesVectors() ? HWY_DYNAMIC_DISPATCH(Whole)(x, count) : ref::ExtentOf(x, count);
}

}  // namespace assay::kernels::simd
#endif
