// Sums over rows, and pooling: loops over neighbouring channels, compiled for every instruction set. Every output's
// values are taken in the order of kernels/ref, so results are the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/ref/pool_2d.h"

namespace assay::kernels::simd {

// sums[c] += x[r * channels + c], row after row. Integer sums wrap.
void AddRows(const int8_t* x, size_t rows, size_t channels, int32_t* sums) noexcept;
void AddRows(const uint8_t* x, size_t rows, size_t channels, int32_t* sums) noexcept;
void AddRows(const int16_t* x, size_t rows, size_t channels, int32_t* sums) noexcept;
void AddRows(const float* x, size_t rows, size_t channels, float* sums) noexcept;
void AddRows(const float* x, size_t rows, size_t channels, double* sums) noexcept;

// As kernels/ref/pool_2d.h, for the output rows [begin, end) of all images counted through. `sums` holds one value per
// channel. Averages of codes ask for windows of less than 2^15 pixels.
void AveragePoolRows(const ref::Pool2DGeometry& g, const int8_t* input, int32_t low, int32_t high, size_t begin,
                     size_t end, int32_t* sums, int8_t* output) noexcept;
void AveragePoolRows(const ref::Pool2DGeometry& g, const uint8_t* input, int32_t low, int32_t high, size_t begin,
                     size_t end, int32_t* sums, uint8_t* output) noexcept;
void AveragePoolRows(const ref::Pool2DGeometry& g, const float* input, float low, float high, size_t begin, size_t end,
                     float* sums, float* output) noexcept;
void AveragePoolRowsXnnpack(const ref::Pool2DGeometry& g, const float* input, float low, float high, size_t begin,
                            size_t end, float* zeros, float* output) noexcept;
void MaxPoolRows(const ref::Pool2DGeometry& g, const int8_t* input, int32_t low, int32_t high, size_t begin, size_t end,
                 int8_t* output) noexcept;
void MaxPoolRows(const ref::Pool2DGeometry& g, const uint8_t* input, int32_t low, int32_t high, size_t begin,
                 size_t end, uint8_t* output) noexcept;
void MaxPoolRows(const ref::Pool2DGeometry& g, const float* input, float low, float high, size_t begin, size_t end,
                 float* output) noexcept;

}  // namespace assay::kernels::simd
