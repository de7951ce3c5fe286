// BATCH_MATMUL as plain loops: y[b,r,c] = sum over k of x[b,r,k] * w[b,k,c], where the batch dimensions broadcast and
// the last two of either operand may be stored the other way round. Working memory: `row` holds one row of x (depth
// values), `columns` one matrix w with each column's values side by side (depth * columns values).
#pragma once

#include <cstdint>

#include "kernels/ref/dynamic_range.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

struct BatchMatMulGeometry {
  static constexpr int kMaxBatchDims = 6;
  int batch_dims = 0;
  // Extent of the output, and how many matrices further the operand's next one is: 0 where it broadcasts.
  int64_t extent[kMaxBatchDims], x_step[kMaxBatchDims], w_step[kMaxBatchDims];
  int64_t rows, depth, columns;
  bool x_transposed, w_transposed;  // x is stored [depth, rows]; w is stored [columns, depth]
};

// Where an output matrix finds its operands.
struct BatchPosition {
  int64_t x_matrix, w_matrix;
};
inline BatchPosition Locate(const BatchMatMulGeometry& g, int64_t batch, const int64_t* x_step, const int64_t* w_step) {
  BatchPosition at = {0, 0};
  for (int d = g.batch_dims - 1; d >= 0; --d) {
    at.x_matrix += batch % g.extent[d] * x_step[d];
    at.w_matrix += batch % g.extent[d] * w_step[d];
    batch /= g.extent[d];
  }
  return at;
}
inline int64_t Batches(const BatchMatMulGeometry& g) {
  int64_t batches = 1;
  for (int d = 0; d < g.batch_dims; ++d) batches *= g.extent[d];
  return batches;
}

// Accumulates in double, rounds once.
void BatchMatMulFloat(const BatchMatMulGeometry& g, const float* x, const float* w, double* row, float* columns,
                      float* y) noexcept;

void BatchMatMulInt8(const BatchMatMulGeometry& g, const int8_t* x, int32_t x_zero_point, const int8_t* w,
                     int32_t w_zero_point, const numerics::ChannelScale& scale, const numerics::OutputStage& stage,
                     int16_t* row, int8_t* columns, int8_t* y) noexcept;

// The sums of the codes' products as they are, modulo 2^32; no zero points.
void BatchMatMulInt8ToInt32(const BatchMatMulGeometry& g, const int8_t* x, const int8_t* w, int16_t* row,
                            int8_t* columns, int32_t* y) noexcept;

// W: int16_t or int8_t. Sums in 64 bits, the multiplier of 15 bits.
template <typename W>
void BatchMatMulInt16(const BatchMatMulGeometry& g, const int16_t* x, const W* w, const numerics::ChannelScale& scale,
                      const numerics::OutputStage& stage, int16_t* row, W* columns, int16_t* y) noexcept;

// Every row of x is quantized by itself; w_scales has one entry per column.
struct BatchMatMulHybridRule {
  DynamicQuantizer quantizer;
  HybridScaling scaling;
  // Where an output matrix finds the ranges of its rows of x, and the sums of its columns of w: entries further per
  // batch dimension. The built-in kernels step as if every dimension were the innermost one, and so take those of
  // other matrices where several dimensions are at work.
  int64_t range_step[BatchMatMulGeometry::kMaxBatchDims], sum_step[BatchMatMulGeometry::kMaxBatchDims];
  int64_t x_matrices, w_matrices;
};
struct BatchMatMulHybridMemory {
  float* values;         // a row of x
  int8_t* codes;         // x
  DynamicRange* ranges;  // one per row of x
  int32_t* column_sums;  // one per column of w
  int16_t* row;
  int8_t* columns;
};
void BatchMatMulHybrid(const BatchMatMulGeometry& g, const BatchMatMulHybridRule& rule, const float* x, const int8_t* w,
                       const float* w_scales, const BatchMatMulHybridMemory& memory, float* y) noexcept;

}  // namespace assay::kernels::ref
