// BATCH_MATMUL: float32, int8 (to int8, or to the raw sums in int32), int16, int16 by int8, and dynamic range (float by
// int8). The leading dimensions broadcast.
#include "graph/ops/batch_matmul.h"

#include <algorithm>

#include "kernels/ref/batch_matmul.h"
#include "ops/batch_matmul_vector.h"
#include "ops/checks.h"
#include "ops/matrix_operands.h"
#include "ops/matrix_rules.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using graph::BatchMatMulAttributes;
using kernels::ref::BatchMatMulGeometry;
using kernels::ref::BatchMatMulHybridRule;
using kernels::ref::DynamicQuantizer;
using kernels::ref::DynamicRange;
using kernels::ref::HybridScaling;
using numerics::ChannelScale;
using numerics::Engine;
using numerics::OutputStage;
using numerics::Rounding;
using numerics::ScaleProduct;

// docs/numerics.md, "Matrix ops".
constexpr MatrixRule kRules[] = {
    {DType::kInt8, Engine::kReference, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kInt8, Engine::kBuiltin, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kInt16, Engine::kReference, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kInt16, Engine::kBuiltin, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
};

BatchMatMulGeometry CheckShapes(PrepareContext& context, const BatchMatMulAttributes& a) {
  const TensorRef &x = context.Input(0), &w = context.Input(1);
  constexpr int kMaxRank = BatchMatMulGeometry::kMaxBatchDims + 2;
  CheckRank(x, "first operand", 2, kMaxRank);
  CheckRank(w, "second operand", 2, kMaxRank);
  BatchMatMulGeometry g = {};
  g.x_transposed = a.adj_x, g.w_transposed = a.adj_y;
  g.rows = x.shape.FromEnd(a.adj_x ? 1 : 2), g.depth = x.shape.FromEnd(a.adj_x ? 2 : 1);
  g.columns = w.shape.FromEnd(a.adj_y ? 2 : 1);
  if (w.shape.FromEnd(a.adj_y ? 1 : 2) != g.depth) {
    throw InputError("operands have the shapes {} (adj_x {}) and {} (adj_y {}), whose inner dimensions differ",
                     x.shape.ToString(), a.adj_x, w.shape.ToString(), a.adj_y);
  }
  g.batch_dims = std::max(x.shape.rank(), w.shape.rank()) - 2;
  std::vector<int32_t> output(static_cast<size_t>(g.batch_dims) + 2);
  int64_t x_step = 1, w_step = 1;
  for (int d = g.batch_dims - 1; d >= 0; --d) {
    const int from_end = g.batch_dims - d + 2;
    const int32_t x_dim = from_end <= x.shape.rank() ? x.shape.FromEnd(from_end) : 1;
    const int32_t w_dim = from_end <= w.shape.rank() ? w.shape.FromEnd(from_end) : 1;
    if (x_dim != w_dim && x_dim != 1 && w_dim != 1) {
      throw InputError("operands have the shapes {} and {}, which do not broadcast", x.shape.ToString(),
                       w.shape.ToString());
    }
    const int32_t extent = x_dim == 1 ? w_dim : x_dim;
    g.extent[d] = output[static_cast<size_t>(d)] = extent;
    g.x_step[d] = x_dim == 1 ? 0 : x_step;
    g.w_step[d] = w_dim == 1 ? 0 : w_step;
    x_step *= x_dim, w_step *= w_dim;
  }
  output[static_cast<size_t>(g.batch_dims)] = static_cast<int32_t>(g.rows);
  output[static_cast<size_t>(g.batch_dims) + 1] = static_cast<int32_t>(g.columns);
  context.SetOutputShape(0, Shape(std::move(output)));
  return g;
}

// Working memory of the kernels: a row of the first operand and the second operand's columns side by side.
template <typename Row, typename W>
struct WorkingMemory {
  WorkingMemory(PrepareContext& context, const BatchMatMulGeometry& g)
      : row(context.AddScratch(static_cast<uint64_t>(g.depth) * sizeof(Row))),
        columns(context.AddScratch(g.w_transposed ? 0 : static_cast<uint64_t>(g.depth * g.columns) * sizeof(W))) {}
  Row* Row0(const RunContext& run) const { return reinterpret_cast<Row*>(run.Scratch(row).data()); }
  W* Columns(const RunContext& run) const { return reinterpret_cast<W*>(run.Scratch(columns).data()); }
  int row, columns;
};

RunFn PrepareFloat(PrepareContext& context, const BatchMatMulGeometry& g) {
  CheckType(context.Input(1), "second operand", {DType::kFloat32});
  if (auto run = PrepareVectorMatMulFloat(context, g)) return *std::move(run);
  return [g, memory = WorkingMemory<double, float>(context, g)](const RunContext& run) {
    kernels::ref::BatchMatMulFloat(g, run.In<float>(0).data(), run.In<float>(1).data(), memory.Row0(run),
                                   memory.Columns(run), run.Out<float>(0).data());
  };
}

// Where matrices find their ranges and sums. The built-in kernels count every batch dimension that does not broadcast
// as if it were the innermost; they fold the innermost one of x into its rows where w has 1 there.
BatchMatMulHybridRule MakeHybridRule(const PrepareContext& context, const BatchMatMulGeometry& g,
                                     const BatchMatMulAttributes& a) {
  const TensorRef &x = context.Input(0), &w = context.Input(1);
  const auto matrices = [](const Shape& shape) {
    return Shape(shape.dims().first(static_cast<size_t>(shape.rank()) - 2)).NumElements();
  };
  BatchMatMulHybridRule rule = {};
  rule.x_matrices = matrices(x.shape), rule.w_matrices = matrices(w.shape);
  if (context.engine() == Engine::kXnnpack) {
    rule.quantizer = DynamicQuantizer::kXnnpack, rule.scaling = HybridScaling::kFused;
  } else {
    rule.quantizer = a.asymmetric_quantize_inputs ? DynamicQuantizer::kAsymmetric : DynamicQuantizer::kSymmetric;
    rule.scaling = HybridScaling::kScalesFirst;
  }
  const bool folded = !a.adj_x && x.shape.rank() > 2 && w.shape.rank() > 2 && w.shape.FromEnd(3) == 1;
  const int64_t folded_rows = folded ? g.rows * x.shape.FromEnd(3) : g.rows;
  for (int d = 0; d < g.batch_dims; ++d) {
    rule.range_step[d] = g.x_step[d] * g.rows, rule.sum_step[d] = g.w_step[d] * g.columns;
    if (context.engine() == Engine::kXnnpack) continue;
    if (d < g.batch_dims - 1 && g.x_step[d] != 0) rule.range_step[d] = folded_rows;
    if (g.w_step[d] != 0) rule.sum_step[d] = g.columns;
  }
  return rule;
}

RunFn PrepareHybrid(PrepareContext& context, const BatchMatMulGeometry& g, const BatchMatMulAttributes& a) {
  const TensorRef &x = context.Input(0), &w = context.Input(1);
  CheckQuantizedAlong(w, "second operand", w.shape.rank() - (a.adj_y ? 2 : 1), /*symmetric=*/true);
  const BatchMatMulHybridRule rule = MakeHybridRule(context, g, a);
  const std::vector<float> scales = SpreadScales(w, g.columns);
  if (auto run = PrepareVectorMatMulHybrid(context, g, rule, scales)) return *std::move(run);
  const auto depth = static_cast<uint64_t>(g.depth);
  const int values = context.AddScratch(depth * sizeof(float));
  const int codes = context.AddScratch(static_cast<uint64_t>(x.size()));
  const int ranges = context.AddScratch(static_cast<uint64_t>(rule.x_matrices * g.rows) * sizeof(DynamicRange));
  const int sums = context.AddScratch(static_cast<uint64_t>(rule.w_matrices * g.columns) * sizeof(int32_t));
  return [g, rule, values, codes, ranges, sums, scales,
          memory = WorkingMemory<int16_t, int8_t>(context, g)](const RunContext& run) {
    kernels::ref::BatchMatMulHybrid(g, rule, run.In<float>(0).data(), run.In<int8_t>(1).data(), scales.data(),
                                    {.values = reinterpret_cast<float*>(run.Scratch(values).data()),
                                     .codes = reinterpret_cast<int8_t*>(run.Scratch(codes).data()),
                                     .ranges = reinterpret_cast<DynamicRange*>(run.Scratch(ranges).data()),
                                     .column_sums = reinterpret_cast<int32_t*>(run.Scratch(sums).data()),
                                     .row = memory.Row0(run),
                                     .columns = memory.Columns(run)},
                                    run.Out<float>(0).data());
  };
}

struct Requantization {
  OutputStage stage;
  ChannelScale scale;
};

Requantization Requantize(const PrepareContext& context, bool symmetric) {
  const TensorRef &x = context.Input(0), &w = context.Input(1), &y = context.Output(0);
  CheckPerTensorQuantized(x, "first operand", symmetric);
  CheckPerTensorQuantized(w, "second operand", symmetric);
  CheckPerTensorQuantized(y, "output", symmetric);
  const MatrixRule& rule = FindMatrixRule(context, kRules, x.dtype);
  const IntRange range = TypeRange(y.dtype);
  return {.stage = {.rounding = rule.rounding, .zero_point = y.zero_point(), .low = range.low, .high = range.high},
          .scale = CombineChannelScales(rule, x, w, y, 1)[0]};
}

RunFn PrepareInt8(PrepareContext& context, const BatchMatMulGeometry& g) {
  const TensorRef &x = context.Input(0), &w = context.Input(1), &y = context.Output(0);
  CheckType(w, "second operand", {DType::kInt8});
  CheckType(y, "output", {DType::kInt8, DType::kInt32});
  if (y.dtype == DType::kInt32) {
    if (auto run = PrepareVectorMatMulInt8ToInt32(context, g)) return *std::move(run);
    return [g, memory = WorkingMemory<int16_t, int8_t>(context, g)](const RunContext& run) {
      kernels::ref::BatchMatMulInt8ToInt32(g, run.In<int8_t>(0).data(), run.In<int8_t>(1).data(), memory.Row0(run),
                                           memory.Columns(run), run.Out<int32_t>(0).data());
    };
  }
  const Requantization requantization = Requantize(context, /*symmetric=*/false);
  if (auto run = PrepareVectorMatMul8Bit(context, g, requantization.scale, requantization.stage)) {
    return *std::move(run);
  }
  return [g, memory = WorkingMemory<int16_t, int8_t>(context, g), requantization, x_zero = x.zero_point(),
          w_zero = w.zero_point()](const RunContext& run) {
    kernels::ref::BatchMatMulInt8(g, run.In<int8_t>(0).data(), x_zero, run.In<int8_t>(1).data(), w_zero,
                                  requantization.scale, requantization.stage, memory.Row0(run), memory.Columns(run),
                                  run.Out<int8_t>(0).data());
  };
}

template <typename W>
RunFn PrepareInt16(PrepareContext& context, const BatchMatMulGeometry& g) {
  CheckType(context.Output(0), "output", {DType::kInt16});
  const Requantization requantization = Requantize(context, /*symmetric=*/true);
  if (auto run = PrepareVectorMatMulInt16(context, g, requantization.scale, requantization.stage)) {
    return *std::move(run);
  }
  return [g, requantization, memory = WorkingMemory<int16_t, W>(context, g)](const RunContext& run) {
    kernels::ref::BatchMatMulInt16<W>(g, run.In<int16_t>(0).data(), run.In<W>(1).data(), requantization.scale,
                                      requantization.stage, memory.Row0(run), memory.Columns(run),
                                      run.Out<int16_t>(0).data());
  };
}

}  // namespace

RunFn PrepareBatchMatMul(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const auto a = context.op().attributes.As<BatchMatMulAttributes>();
  const BatchMatMulGeometry g = CheckShapes(context, a);
  const DType x = context.Input(0).dtype, w = context.Input(1).dtype;
  switch (x) {
    case DType::kFloat32:
      CheckType(context.Output(0), "output", {DType::kFloat32});
      return w == DType::kInt8 ? PrepareHybrid(context, g, a) : PrepareFloat(context, g);
    case DType::kInt8:
      return PrepareInt8(context, g);
    case DType::kInt16:
      CheckType(context.Input(1), "second operand", {DType::kInt16, DType::kInt8});
      return w == DType::kInt8 ? PrepareInt16<int8_t>(context, g) : PrepareInt16<int16_t>(context, g);
    default:
      UnsupportedTypes(context);
  }
}

bool XnnpackTakesBatchMatMul(const PrepareContext& context) {
  if (context.num_inputs() != 2 || !context.HasInput(0) || !context.HasInput(1) || context.num_outputs() != 1) {
    return false;
  }
  const TensorRef &x = context.Input(0), &w = context.Input(1), &y = context.Output(0);
  if (x.dtype != y.dtype || !XnnpackTakesActivation(x) || !XnnpackTakesActivation(y)) return false;
  if (x.dtype == DType::kUInt8) return false;
  if (x.dtype == DType::kFloat32 && w.dtype == DType::kFloat32) return true;
  if (w.dtype != DType::kInt8) return false;
  if (x.dtype == DType::kInt8) return XnnpackTakesActivation(w) && w.zero_point() == 0;
  const auto a = context.op().attributes.As<BatchMatMulAttributes>();
  return XnnpackTakesWeights(context, 1, w.shape.rank() - (a.adj_y ? 2 : 1));
}

}  // namespace assay::ops
