#include "kernels/simd/lstm_integer.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/lstm_integer.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/requantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

void Rescale(const int32_t* sums, const ChannelScales& scales, size_t count, const int16_t* base, int16_t* gates) {
  const hn::CappedTag<int32_t, kChannelBlock> d;
  const hn::Rebind<int16_t, decltype(d)> d16;
  // What lies beyond saturates with every base.
  const auto low = hn::Set(d, -(1 << 20)), high = hn::Set(d, 1 << 20);
  for (size_t i = 0; i < count; i += hn::MaxLanes(d)) {
    Rounder<numerics::Rounding::kFixedHalfAway, decltype(d)> round;
    round.Load(scales, {}, i);
    auto y = hn::Min(hn::Max(round(hn::LoadU(d, sums + i)), low), high);
    if (base != nullptr) y = hn::Add(y, hn::PromoteTo(d, hn::LoadU(d16, base + i)));
    hn::StoreU(hn::DemoteTo(d16, y), d16, gates + i);
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {
namespace {

int16_t At(const int16_t* table, int16_t x) { return table[static_cast<uint16_t>(x)]; }

// a * b / 2^shift, half away from zero, as 16 bits.
int16_t Product(int16_t a, int16_t b, int shift) {
  return static_cast<int16_t>(numerics::RoundingShiftRightHalfAway(int32_t{a} * int32_t{b}, shift));
}

}  // namespace

HWY_EXPORT(Rescale);

void RescaleLstmGates(const int32_t* sums, const ChannelScales& scales, size_t count, const int16_t* base,
                      int16_t* gates) noexcept {
  HWY_DYNAMIC_DISPATCH(Rescale)(sums, scales, count, base, gates);
}

void LstmIntegerCells(const ref::LstmInteger& lstm, const LstmTables& tables, const int16_t* const* gates,
                      int16_t* cell_state, int8_t* output_state) noexcept {
  using ref::kCellGate, ref::kForgetGate, ref::kInputGate, ref::kOutputGate;
  const int16_t clip = lstm.cell_clip > 0 ? lstm.cell_clip : int16_t{INT16_MAX};
  const int16_t least = lstm.cell_clip > 0 ? static_cast<int16_t>(-clip) : int16_t{INT16_MIN};
  for (int32_t c = 0; c < lstm.sizes.cells; ++c) {
    const int16_t kept = Product(At(tables.logistic, gates[kForgetGate][c]), cell_state[c], 15);
    const int16_t added = Product(At(tables.logistic, gates[kInputGate][c]), At(tables.tanh, gates[kCellGate][c]),
                                  30 + lstm.cell_exponent);
    const auto cell = static_cast<int16_t>(std::clamp<int32_t>(int32_t{kept} + added, int32_t{least}, int32_t{clip}));
    cell_state[c] = cell;
    const int32_t product = int32_t{At(tables.logistic, gates[kOutputGate][c])} * At(tables.cell_tanh, cell);
    const int64_t value = int64_t{numerics::MultiplyHalfAway(product, lstm.hidden_scale)} + lstm.hidden_zero_point;
    output_state[c] = static_cast<int8_t>(std::clamp<int64_t>(value, INT8_MIN, INT8_MAX));
  }
}

}  // namespace assay::kernels::simd
#endif
