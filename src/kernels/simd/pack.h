// Rows of weights in the order in which matrix kernels read them.
#pragma once

#include <cstddef>

namespace assay::kernels::simd {

// Four bytes are a unit: a float, or a group of four codes. Unit u of row r goes to unit u * kChannelBlock + r of `to`.
// Rows begin row_bytes apart, anywhere; there are at most kChannelBlock.
void PackRows(const void* from, size_t rows, size_t row_bytes, size_t units, void* to) noexcept;

}  // namespace assay::kernels::simd
