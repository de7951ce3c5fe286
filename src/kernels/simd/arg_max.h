// Where the largest or smallest byte of each row is, the first of equal ones: kernels/ref/arg_min_max.h where the axis
// is the last.
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay::kernels::simd {

// Rows have at least this many values.
inline constexpr size_t kLeastArgMaxRow = 16;

// input[rows, size]. `flip` makes the value looked for the largest: 0 for the largest of bytes without sign, 0x80 of
// those with one, and their complements for the smallest.
void ArgMaxOfRows(const uint8_t* input, size_t rows, size_t size, uint8_t flip, int32_t* output) noexcept;
void ArgMaxOfRows(const uint8_t* input, size_t rows, size_t size, uint8_t flip, int64_t* output) noexcept;

}  // namespace assay::kernels::simd
