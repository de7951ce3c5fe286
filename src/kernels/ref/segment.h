// Reductions of rows by the segment that each belongs to.
#pragma once

#include <cstdint>

#include "kernels/ref/reduce.h"

namespace assay::kernels::ref {

// input [rows, width] -> output [segments, width]; row r goes to segment ids[r], which is below `segments`; a negative
// one drops it. Integers wrap; a segment without rows holds the neutral value. T is float or int32_t.
template <typename T>
void ReduceSegments(ReduceKind kind, int64_t rows, int64_t width, int64_t segments, const int32_t* ids, const T* input,
                    T* output) noexcept;

}  // namespace assay::kernels::ref
