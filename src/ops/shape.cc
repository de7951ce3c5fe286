// SHAPE, RANK, BROADCAST_ARGS: what is known from shapes alone.
#include "graph/ops/shape.h"

#include <cstring>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

template <typename T>
void SetShapeValue(PrepareContext& context, const Shape& shape) {
  std::vector<T> dims(shape.dims().begin(), shape.dims().end());
  context.SetOutputValue(0, {shape.rank()}, {reinterpret_cast<const uint8_t*>(dims.data()), dims.size() * sizeof(T)});
}

template <typename T>
RunFn WriteDims(const Shape& shape) {
  return [shape](const RunContext& run) {
    const std::span<T> output = run.Out<T>(0);
    for (int d = 0; d < shape.rank(); ++d) output[static_cast<size_t>(d)] = shape[d];
  };
}

}  // namespace

RunFn PrepareShape(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& output = context.Output(0);
  CheckType(output, "output", {DType::kInt32, DType::kInt64});
  const int32_t out_type = context.op().attributes.As<graph::ShapeAttributes>().out_type;
  if (out_type != 0 && out_type != static_cast<int32_t>(output.dtype)) {
    throw InputError("option out_type is {}, but output is {}", out_type, DTypeName(output.dtype));
  }
  const Shape& shape = context.Input(0).shape;
  output.dtype == DType::kInt32 ? SetShapeValue<int32_t>(context, shape) : SetShapeValue<int64_t>(context, shape);
  return output.dtype == DType::kInt32 ? WriteDims<int32_t>(shape) : WriteDims<int64_t>(shape);
}

RunFn PrepareRank(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  CheckType(context.Output(0), "output", {DType::kInt32});
  const int32_t rank = context.Input(0).shape.rank();
  context.SetOutputValue(0, {}, {reinterpret_cast<const uint8_t*>(&rank), sizeof(rank)});
  return [rank](const RunContext& run) { run.Out<int32_t>(0)[0] = rank; };
}

RunFn PrepareBroadcastArgs(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &a = context.Input(0), &b = context.Input(1), &output = context.Output(0);
  CheckType(a, "shape 0", {DType::kInt32, DType::kInt64});
  CheckSameType(a, "shape 0", b, "shape 1");
  CheckSameType(a, "shape 0", output, "output");
  CheckRank(a, "shape 0", 1, 1);
  CheckRank(b, "shape 1", 1, 1);
  const std::vector<int64_t> dims_a = IntegerValues(context, 0, "shape 0");
  const std::vector<int64_t> dims_b = IntegerValues(context, 1, "shape 1");
  Shape shape;
  if (!BroadcastShapes(ShapeFrom(dims_a, "shape 0"), ShapeFrom(dims_b, "shape 1"), &shape)) {
    throw InputError("shapes {} and {} do not broadcast", ShapeFrom(dims_a, "shape 0").ToString(),
                     ShapeFrom(dims_b, "shape 1").ToString());
  }
  context.SetOutputShape(0, {shape.rank()});
  return output.dtype == DType::kInt32 ? WriteDims<int32_t>(shape) : WriteDims<int64_t>(shape);
}

}  // namespace assay::ops
