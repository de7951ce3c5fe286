// kernels/ref/channel_totals.h on vectors of channels: every channel's rows are taken in the same order, so the results
// are the same bits but for the sign of a zero. Without vectors these are kernels/ref's.
#pragma once

#include <cstddef>

#include "kernels/ref/channel_totals.h"

namespace assay::kernels::simd {

void TotalChannels(const float* x, size_t rows, size_t channels, float limit,
                   const ref::ChannelTotals& totals) noexcept;
ref::Extent ExtentOf(const float* x, size_t count) noexcept;

}  // namespace assay::kernels::simd
