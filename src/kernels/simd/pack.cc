#include "kernels/simd/pack.h"

#include <cstdint>
#include <cstring>

#include "kernels/simd/scales.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/pack.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

// Squares of four units, then what is left.
void Pack(const uint8_t* HWY_RESTRICT from, size_t rows, size_t row_bytes, size_t units, uint8_t* HWY_RESTRICT to) {
  constexpr size_t kSide = 4, kUnit = 4, kLine = kChannelBlock * kUnit;
  const hn::CappedTag<uint8_t, kSide * kUnit> d8;
  const hn::Repartition<uint32_t, decltype(d8)> d32;
  const hn::Repartition<uint64_t, decltype(d8)> d64;
  const size_t square_rows = rows / kSide * kSide, square_units = units / kSide * kSide;
  for (size_t r = 0; r < square_rows; r += kSide) {
    const uint8_t* x = from + r * row_bytes;
    uint8_t* y = to + r * kUnit;
    for (size_t u = 0; u < square_units; u += kSide, x += kSide * kUnit, y += kSide * kLine) {
      const auto r0 = hn::BitCast(d32, hn::LoadU(d8, x)), r1 = hn::BitCast(d32, hn::LoadU(d8, x + row_bytes));
      const auto r2 = hn::BitCast(d32, hn::LoadU(d8, x + 2 * row_bytes));
      const auto r3 = hn::BitCast(d32, hn::LoadU(d8, x + 3 * row_bytes));
      const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d32, r0, r1));
      const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d32, r2, r3));
      const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d32, r0, r1));
      const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d32, r2, r3));
      hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d64, low01, low23)), d8, y);
      hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d64, low01, low23)), d8, y + kLine);
      hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d64, high01, high23)), d8, y + 2 * kLine);
      hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d64, high01, high23)), d8, y + 3 * kLine);
    }
  }
  for (size_t r = 0; r < rows; ++r) {
    for (size_t u = r < square_rows ? square_units : 0; u < units; ++u) {
      std::memcpy(to + u * kLine + r * kUnit, from + r * row_bytes + u * kUnit, kUnit);
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(Pack);

void PackRows(const void* from, size_t rows, size_t row_bytes, size_t units, void* to) noexcept {
  HWY_DYNAMIC_DISPATCH(Pack)
  (static_cast<const uint8_t*>(from), rows, row_bytes, units, static_cast<uint8_t*>(to));
}

}  // namespace assay::kernels::simd
#endif
