#include "kernels/simd/activations.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/activations.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/float_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::CappedTag<float, 16>;
using V = hn::Vec<DF>;

// The last values go through the same vectors as the others, for the same bits.
template <typename F>
HWY_INLINE void ForVectors(const float* x, float* y, size_t count, const F& f) {
  const DF d;
  constexpr size_t kLanes = hn::MaxLanes(d);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(f(hn::LoadU(d, x + i)), d, y + i);
  if (i == count) return;
  HWY_ALIGN float some[kLanes] = {};
  std::copy(x + i, x + count, some);
  hn::Store(f(hn::Load(d, some)), d, some);
  std::copy(some, some + (count - i), y + i);
}

void MapLogistic(const float* x, float* y, size_t count) {
  ForVectors(x, y, count, [](V v) HWY_ATTR { return Logistic(DF(), v); });
}

void MapSwish(const float* x, float* y, size_t count) {
  ForVectors(x, y, count, [](V v) HWY_ATTR { return hn::Mul(v, Logistic(DF(), v)); });
}

void MapTanh(const float* x, float* y, size_t count) {
  ForVectors(x, y, count, [](V v) HWY_ATTR { return Tanh(DF(), v); });
}

void SoftmaxRow(const float* x, float* y, size_t count, float beta) {
  const DF d;
  constexpr size_t kLanes = hn::MaxLanes(d);
  V largest = hn::Set(d, std::numeric_limits<float>::lowest());
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) largest = hn::Max(largest, hn::LoadU(d, x + i));
  float maximum = hn::GetLane(hn::MaxOfLanes(d, largest));
  for (; i < count; ++i) maximum = std::max(maximum, x[i]);
  const auto vmax = hn::Set(d, maximum), vbeta = hn::Set(d, beta);
  ForVectors(x, y, count, [&](V v) HWY_ATTR { return Exp(d, hn::Mul(hn::Sub(v, vmax), vbeta)); });
  // Several sums, for one addition waits for the other.
  constexpr size_t kSums = 8;
  double sums[kSums] = {};
  for (i = 0; i + kSums <= count; i += kSums) {
    for (size_t k = 0; k < kSums; ++k) sums[k] += static_cast<double>(y[i + k]);
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(y[i]);
  for (size_t k = 1; k < kSums; ++k) sums[0] += sums[k];
  const auto vsum = hn::Set(d, static_cast<float>(sums[0]));
  ForVectors(y, y, count, [&](V v) HWY_ATTR { return hn::Div(v, vsum); });
}

void UpdateCells(const float* const* gates, size_t cells, float clip, float* cell_state, float* output_state) {
  const DF d;
  constexpr size_t kLanes = hn::MaxLanes(d);
  const auto step = [&](V input, V forget, V cell, V output, V state, V* h) HWY_ATTR {
    V c = hn::Add(hn::Mul(Logistic(d, forget), state), hn::Mul(Tanh(d, cell), Logistic(d, input)));
    if (clip > 0) c = hn::Max(hn::Min(hn::Set(d, clip), c), hn::Set(d, -clip));
    *h = hn::Mul(Logistic(d, output), Tanh(d, c));
    return c;
  };
  V h;
  size_t i = 0;
  for (; i + kLanes <= cells; i += kLanes) {
    const auto gate = [&](size_t g) HWY_ATTR { return hn::LoadU(d, gates[g] + i); };
    const V c = step(gate(0), gate(1), gate(2), gate(3), hn::LoadU(d, cell_state + i), &h);
    hn::StoreU(c, d, cell_state + i);
    hn::StoreU(h, d, output_state + i);
  }
  if (i == cells) return;
  HWY_ALIGN float some[5][kLanes] = {};
  for (size_t g = 0; g < 4; ++g) std::copy(gates[g] + i, gates[g] + cells, some[g]);
  std::copy(cell_state + i, cell_state + cells, some[4]);
  const auto gate = [&](size_t g) HWY_ATTR { return hn::Load(d, some[g]); };
  hn::Store(step(gate(0), gate(1), gate(2), gate(3), gate(4), &h), d, some[4]);
  hn::Store(h, d, some[0]);
  std::copy(some[4], some[4] + (cells - i), cell_state + i);
  std::copy(some[0], some[0] + (cells - i), output_state + i);
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(MapLogistic);
HWY_EXPORT(MapSwish);
HWY_EXPORT(MapTanh);
HWY_EXPORT(SoftmaxRow);
HWY_EXPORT(UpdateCells);

void LogisticFloats(const float* x, float* y, size_t count) noexcept { HWY_DYNAMIC_DISPATCH(MapLogistic)(x, y, count); }
void SwishFloats(const float* x, float* y, size_t count) noexcept { HWY_DYNAMIC_DISPATCH(MapSwish)(x, y, count); }
void TanhFloats(const float* x, float* y, size_t count) noexcept { HWY_DYNAMIC_DISPATCH(MapTanh)(x, y, count); }
void SoftmaxFloats(const float* x, float* y, size_t count, float beta) noexcept {
  HWY_DYNAMIC_DISPATCH(SoftmaxRow)(x, y, count, beta);
}
void LstmCells(const float* const* gates, size_t cells, float clip, float* cell_state, float* output_state) noexcept {
  HWY_DYNAMIC_DISPATCH(UpdateCells)(gates, cells, clip, cell_state, output_state);
}

}  // namespace assay::kernels::simd
#endif
