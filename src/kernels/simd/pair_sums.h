// numerics::ErrorMeter's sums on vectors, the same bits on every instruction set.
#pragma once

#include <cstddef>

#include "numerics/error_metrics.h"

namespace assay::kernels::simd {

// Of all pairs; where they hold NaN or infinities the sums are of no use, and is_finite() of them says so.
numerics::PairSums SumPairs(const float* reference, const float* value, size_t count) noexcept;

}  // namespace assay::kernels::simd
