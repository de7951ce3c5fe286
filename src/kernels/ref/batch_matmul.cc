#include "kernels/ref/batch_matmul.h"

#include "kernels/ref/dot.h"

namespace assay::kernels::ref {
namespace {

// The columns of matrix w side by side.
template <typename W>
const W* Columns(const BatchMatMulGeometry& g, const W* w, W* columns) {
  if (g.w_transposed) return w;
  for (int64_t k = 0; k < g.depth; ++k) {
    for (int64_t c = 0; c < g.columns; ++c) columns[c * g.depth + k] = w[k * g.columns + c];
  }
  return columns;
}

template <typename X, typename Row>
void GatherRow(const BatchMatMulGeometry& g, const X* x, int64_t r, Row* row) {
  for (int64_t k = 0; k < g.depth; ++k) {
    row[k] = static_cast<Row>(g.x_transposed ? x[k * g.rows + r] : x[r * g.depth + k]);
  }
}

// Calls row_ready() when `row` holds a row of x, then each(column, w's column, output offset) for the row's outputs.
template <typename X, typename Row, typename W, typename Ready, typename Each>
inline void ForOutputs(const BatchMatMulGeometry& g, const X* x, const W* w, Row* row, W* columns, Ready&& row_ready,
                       Each&& each) {
  const int64_t batches = Batches(g);
  int64_t at = 0, packed = -1;
  const W* wm = w;
  for (int64_t b = 0; b < batches; ++b) {
    const BatchPosition position = Locate(g, b, g.x_step, g.w_step);
    const X* xm = x + position.x_matrix * g.rows * g.depth;
    if (packed != position.w_matrix) wm = Columns(g, w + position.w_matrix * g.depth * g.columns, columns);
    packed = position.w_matrix;
    for (int64_t r = 0; r < g.rows; ++r) {
      GatherRow(g, xm, r, row);
      row_ready();
      for (int64_t c = 0; c < g.columns; ++c) each(c, wm + c * g.depth, at++);
    }
  }
}

int64_t Dot64(const int16_t* x, const int16_t* w, int64_t count) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += int32_t{x[i]} * int32_t{w[i]};
  return sum;
}
int64_t Dot64(const int16_t* x, const int8_t* w, int64_t count) { return DotWide(x, w, count); }

}  // namespace

void BatchMatMulFloat(const BatchMatMulGeometry& g, const float* x, const float* w, double* row, float* columns,
                      float* y) noexcept {
  ForOutputs(
      g, x, w, row, columns, [] {},
      [&](int64_t, const float* column, int64_t at) { y[at] = static_cast<float>(Dot(row, column, g.depth)); });
}

void BatchMatMulInt8(const BatchMatMulGeometry& g, const int8_t* x, int32_t x_zero_point, const int8_t* w,
                     int32_t w_zero_point, const numerics::ChannelScale& scale, const numerics::OutputStage& stage,
                     int16_t* row, int8_t* columns, int8_t* y) noexcept {
  uint32_t correction = 0;  // sum x * (w - z) = sum x * w - z * sum x
  ForOutputs(
      g, x, w, row, columns,
      [&] {
        uint32_t sum = 0;
        for (int64_t k = 0; k < g.depth; ++k) {
          row[k] = static_cast<int16_t>(row[k] - x_zero_point);
          sum += static_cast<uint32_t>(int32_t{row[k]});
        }
        correction = sum * static_cast<uint32_t>(w_zero_point);
      },
      [&](int64_t, const int8_t* column, int64_t at) {
        const auto sum = static_cast<int32_t>(Dot(row, column, g.depth) - correction);
        y[at] = static_cast<int8_t>(numerics::Requantize(sum, scale, stage));
      });
}

void BatchMatMulInt8ToInt32(const BatchMatMulGeometry& g, const int8_t* x, const int8_t* w, int16_t* row,
                            int8_t* columns, int32_t* y) noexcept {
  ForOutputs(
      g, x, w, row, columns, [] {},
      [&](int64_t, const int8_t* column, int64_t at) { y[at] = static_cast<int32_t>(Dot(row, column, g.depth)); });
}

template <typename W>
void BatchMatMulInt16(const BatchMatMulGeometry& g, const int16_t* x, const W* w, const numerics::ChannelScale& scale,
                      const numerics::OutputStage& stage, int16_t* row, W* columns, int16_t* y) noexcept {
  ForOutputs(
      g, x, w, row, columns, [] {},
      [&](int64_t, const W* column, int64_t at) {
        y[at] = static_cast<int16_t>(numerics::RequantizeInt16<int64_t>(Dot64(row, column, g.depth), scale, stage));
      });
}

template void BatchMatMulInt16<int8_t>(const BatchMatMulGeometry&, const int16_t*, const int8_t*,
                                       const numerics::ChannelScale&, const numerics::OutputStage&, int16_t*, int8_t*,
                                       int16_t*) noexcept;
template void BatchMatMulInt16<int16_t>(const BatchMatMulGeometry&, const int16_t*, const int16_t*,
                                        const numerics::ChannelScale&, const numerics::OutputStage&, int16_t*, int16_t*,
                                        int16_t*) noexcept;

void BatchMatMulHybrid(const BatchMatMulGeometry& g, const BatchMatMulHybridRule& rule, const float* x, const int8_t* w,
                       const float* w_scales, const BatchMatMulHybridMemory& memory, float* y) noexcept {
  for (int64_t m = 0; m < rule.x_matrices; ++m) {
    for (int64_t r = 0; r < g.rows; ++r) {
      GatherRow(g, x + m * g.rows * g.depth, r, memory.values);
      memory.ranges[m * g.rows + r] = QuantizeDynamically(rule.quantizer, {memory.values, static_cast<size_t>(g.depth)},
                                                          memory.codes + (m * g.rows + r) * g.depth);
    }
  }
  for (int64_t m = 0; m < rule.w_matrices; ++m) {
    const int8_t* columns = Columns(g, w + m * g.depth * g.columns, memory.columns);
    for (int64_t c = 0; c < g.columns; ++c) {
      uint32_t sum = 0;
      for (int64_t k = 0; k < g.depth; ++k) sum += static_cast<uint32_t>(int32_t{columns[c * g.depth + k]});
      memory.column_sums[m * g.columns + c] = static_cast<int32_t>(sum);
    }
  }
  const int64_t batches = Batches(g);
  int64_t at = 0, packed = -1;
  const int8_t* columns = w;
  for (int64_t b = 0; b < batches; ++b) {
    const BatchPosition position = Locate(g, b, g.x_step, g.w_step);
    const BatchPosition scales = Locate(g, b, rule.range_step, rule.sum_step);
    if (packed != position.w_matrix) {
      columns = Columns(g, w + position.w_matrix * g.depth * g.columns, memory.columns);
      packed = position.w_matrix;
    }
    for (int64_t r = 0; r < g.rows; ++r) {
      const int8_t* codes = memory.codes + (position.x_matrix * g.rows + r) * g.depth;
      for (int64_t k = 0; k < g.depth; ++k) memory.row[k] = codes[k];
      const DynamicRange& range = memory.ranges[scales.x_matrix + r];
      for (int64_t c = 0; c < g.columns; ++c) {
        const uint32_t raw = Dot(memory.row, columns + c * g.depth, g.depth);
        const uint32_t offset =
            static_cast<uint32_t>(memory.column_sums[scales.w_matrix + c]) * static_cast<uint32_t>(range.zero_point);
        y[at++] = HybridValue(rule.scaling, static_cast<int32_t>(raw - offset), range.scale, w_scales[c], 0.0f);
      }
    }
  }
}

}  // namespace assay::kernels::ref
