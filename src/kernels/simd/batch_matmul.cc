#include "kernels/simd/batch_matmul.h"

#include <algorithm>
#include <cstring>

namespace assay::kernels::simd {
namespace {

// How many rows of x go through the kernels at once; the values from one copied row to the next.
struct MatMulPlan {
  size_t chunk, pitch;
};

MatMulPlan MatMulPlanFloat(const MatMulShape& s) {
  return {ChunkRows(s.rows, (s.depth + s.columns) * sizeof(float)), s.depth};
}
MatMulPlan MatMulPlan8Bit(const MatMulShape& s) {
  return {ChunkRows(s.rows, PaddedLine(s.depth) + s.columns * sizeof(int32_t)), PaddedLine(s.depth)};
}
size_t SumBytes(const MatMulShape& s, size_t parts) { return parts * PaddedOutputs(s.columns) * sizeof(int64_t); }
MatMulPlan MatMulPlanInt16(const MatMulShape& s, size_t parts) {
  const size_t pitch = PaddedDepth16(s.depth);
  return {ChunkRows(s.rows, pitch * sizeof(int16_t) + SumBytes(s, parts)), pitch};
}

template <typename T>
void CopyMatMulRows(const MatMulRows<T>& x, size_t first, size_t count, size_t pitch, T* to) {
  constexpr size_t kSquare = 16;  // values that share cache lines on both sides
  const size_t depth = x.shape.depth;
  if (!x.shape.transposed) {
    for (size_t r = 0; r < count; ++r) std::memcpy(to + r * pitch, x.data + (first + r) * depth, depth * sizeof(T));
    return;
  }
  for (size_t k0 = 0; k0 < depth; k0 += kSquare) {
    const size_t k1 = std::min(k0 + kSquare, depth);
    for (size_t r0 = 0; r0 < count; r0 += kSquare) {
      const size_t r1 = std::min(r0 + kSquare, count);
      for (size_t k = k0; k < k1; ++k) {
        const T* from = x.data + k * x.shape.rows + first;
        for (size_t r = r0; r < r1; ++r) to[r * pitch + k] = from[r];
      }
    }
  }
}

// Calls each(first row, rows, data, values from row to row) for all rows, at most plan.chunk at once.
template <typename T, typename Each>
void ForMatMulRows(const MatMulRows<T>& x, const MatMulPlan& plan, Range rows, T* copied, const Each& each) {
  const size_t depth = x.shape.depth;
  for (size_t first = rows.begin; first < rows.end; first += plan.chunk) {
    const size_t count = std::min(plan.chunk, rows.end - first);
    const bool as_it_is = !x.shape.transposed && (first + count - 1) * depth + plan.pitch <= x.readable;
    if (!as_it_is) CopyMatMulRows(x, first, count, plan.pitch, copied);
    each(first, count, as_it_is ? x.data + first * depth : copied, as_it_is ? depth : plan.pitch);
  }
}

}  // namespace

size_t MatMulFloatScratch(const MatMulShape& shape) noexcept {
  const MatMulPlan plan = MatMulPlanFloat(shape);
  return shape.transposed ? plan.chunk * plan.pitch * sizeof(float) : 0;
}

void MatMulFloat(const MatrixFloat& w, const MatMulRows<float>& x, Range rows, uint8_t* scratch, float* y) noexcept {
  ForMatMulRows(x, MatMulPlanFloat(x.shape), rows, reinterpret_cast<float*>(scratch),
                [&](size_t first, size_t count, const float* data, size_t stride) {
                  MultiplyFloat(w, {data, count, stride, 1, w.depth}, y + first * w.outputs, w.outputs);
                });
}

size_t MatMul8BitScratch(const MatMulShape& shape) noexcept {
  const MatMulPlan plan = MatMulPlan8Bit(shape);
  return plan.chunk * (sizeof(int32_t) + plan.pitch);
}

void MatMul8Bit(const Matrix8Bit& w, int32_t w_zero_point, const MatMulRows<uint8_t>& x, Range rows, uint8_t* scratch,
                uint8_t* y) noexcept {
  const MatMulPlan plan = MatMulPlan8Bit(x.shape);
  auto* offsets = reinterpret_cast<int32_t*>(scratch);
  ForMatMulRows(x, plan, rows, scratch + plan.chunk * sizeof(int32_t),
                [&](size_t first, size_t count, const uint8_t* data, size_t stride) {
                  Rows8Bit some = {data, count, stride, stride, /*flip_sign=*/true};
                  if (w_zero_point != 0) {
                    SumRows8Bit(some, w.line_depth, offsets);
                    for (size_t r = 0; r < count; ++r) {
                      offsets[r] = static_cast<int32_t>(0U - static_cast<uint32_t>(w_zero_point) *
                                                                 static_cast<uint32_t>(offsets[r]));
                    }
                    some.row_offsets = offsets;
                  }
                  Multiply8Bit(w, some, y + first * w.outputs, w.outputs);
                });
}

void MatMul8BitSums(const Matrix8Bit& w, const MatMulRows<uint8_t>& x, Range rows, uint8_t* scratch,
                    int32_t* y) noexcept {
  ForMatMulRows(x, MatMulPlan8Bit(x.shape), rows, scratch,
                [&](size_t first, size_t count, const uint8_t* data, size_t stride) {
                  Sum8Bit(w, {data, count, stride, stride, /*flip_sign=*/true}, y + first * w.outputs, w.outputs);
                });
}

size_t MatMulInt16Scratch(const MatMulShape& shape, size_t parts) noexcept {
  const MatMulPlan plan = MatMulPlanInt16(shape, parts);
  return plan.chunk * (SumBytes(shape, parts) + plan.pitch * sizeof(int16_t));
}

void MatMulInt16(const Matrix16Bit& w, size_t parts, const Stage16Bit& stage, const MatMulRows<int16_t>& x, Range rows,
                 uint8_t* scratch, int16_t* y) noexcept {
  const MatMulPlan plan = MatMulPlanInt16(x.shape, parts);
  const size_t columns = x.shape.columns, width = PaddedOutputs(columns);
  auto* sums = reinterpret_cast<int64_t*>(scratch);
  auto* copied = reinterpret_cast<int16_t*>(scratch + plan.chunk * SumBytes(x.shape, parts));
  ForMatMulRows(x, plan, rows, copied, [&](size_t first, size_t count, const int16_t* data, size_t stride) {
    Sum16Bit(w, data, count, stride, sums);
    for (size_t r = 0; r < count; ++r) {
      int64_t* row = sums + r * parts * width;
      for (size_t c = 0; parts == 2 && c < columns; ++c) row[c] += 256 * row[width + c];
      Store16Bit(stage, row, columns, y + (first + r) * columns);
    }
  });
}

size_t QuantizeMatMulRowsScratch(const MatMulShape& shape) noexcept { return MatMulFloatScratch(shape); }

void QuantizeMatMulRows(ref::DynamicQuantizer how, const MatMulRows<float>& x, Range rows, uint8_t* scratch,
                        uint8_t* codes, ref::DynamicRange* ranges) noexcept {
  ForMatMulRows(x, MatMulPlanFloat(x.shape), rows, reinterpret_cast<float*>(scratch),
                [&](size_t first, size_t count, const float* data, size_t stride) {
                  QuantizeRows(how, data, count, stride, codes + first * stride, ranges + first);
                });
}

void MatMulHybrid(const MatrixHybrid& w, const MatMulShape& shape, const uint8_t* codes,
                  const ref::DynamicRange* ranges, Range rows, float* y) noexcept {
  const size_t chunk = MatMulPlan8Bit(shape).chunk, depth = shape.depth;
  for (size_t first = rows.begin; first < rows.end; first += chunk) {
    const size_t count = std::min(chunk, rows.end - first);
    MultiplyHybrid(w, {codes + first * depth, count, depth, depth, /*flip_sign=*/false}, {ranges, first, 1},
                   y + first * shape.columns, shape.columns);
  }
}

}  // namespace assay::kernels::simd
