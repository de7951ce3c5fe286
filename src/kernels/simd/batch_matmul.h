// BATCH_MATMUL over the matrix kernels: rows of one matrix of the first operand times one matrix of the second, whose
// columns are packed as weights are. Rows are read where they are, unless they are stored the other way round or the
// kernels would read behind the tensor: those are copied, a chunk at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/hybrid.h"
#include "kernels/simd/matrix_16bit.h"
#include "kernels/simd/matrix_8bit.h"
#include "kernels/simd/matrix_float.h"
#include "kernels/simd/scales.h"

namespace assay::kernels::simd {

// A matrix of the first operand.
struct MatMulShape {
  size_t rows, depth, columns;  // columns: of the second operand
  bool transposed;              // stored [depth, rows]
};
template <typename T>
struct MatMulRows {
  MatMulShape shape;
  const T* data;
  size_t readable;  // values from data to the end of the tensor
};

// Each computes the rows `rows` of output [shape.rows, shape.columns]; scratch: bytes of working memory.
size_t MatMulFloatScratch(const MatMulShape& shape) noexcept;
void MatMulFloat(const MatrixFloat& w, const MatMulRows<float>& x, Range rows, uint8_t* scratch, float* y) noexcept;

// int8 codes as they are. The matrix's offsets must hold what the zero points give for each column; what w's gives for
// each row is added here.
size_t MatMul8BitScratch(const MatMulShape& shape) noexcept;
void MatMul8Bit(const Matrix8Bit& w, int32_t w_zero_point, const MatMulRows<uint8_t>& x, Range rows, uint8_t* scratch,
                uint8_t* y) noexcept;
void MatMul8BitSums(const Matrix8Bit& w, const MatMulRows<uint8_t>& x, Range rows, uint8_t* scratch,
                    int32_t* y) noexcept;

// w: of `parts` matrices of the padded columns, one after the other, part p counting 256^p times.
size_t MatMulInt16Scratch(const MatMulShape& shape, size_t parts) noexcept;
void MatMulInt16(const Matrix16Bit& w, size_t parts, const Stage16Bit& stage, const MatMulRows<int16_t>& x, Range rows,
                 uint8_t* scratch, int16_t* y) noexcept;

// Dynamic range: first all rows of x are quantized, to codes[row * depth + k] and ranges[row], then multiplied. Up to
// kCodeSlack bytes behind the codes are read.
inline constexpr size_t kCodeSlack = kDepthGroup;
size_t QuantizeMatMulRowsScratch(const MatMulShape& shape) noexcept;
void QuantizeMatMulRows(ref::DynamicQuantizer how, const MatMulRows<float>& x, Range rows, uint8_t* scratch,
                        uint8_t* codes, ref::DynamicRange* ranges) noexcept;
void MatMulHybrid(const MatrixHybrid& w, const MatMulShape& shape, const uint8_t* codes,
                  const ref::DynamicRange* ranges, Range rows, float* y) noexcept;

}  // namespace assay::kernels::simd
