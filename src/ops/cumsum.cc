// CUMSUM: running sums along one axis.
#include "kernels/ref/cumsum.h"

#include "graph/ops/cumsum.h"
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

template <typename T>
RunFn RunCumsum(const Shape& shape, const graph::CumsumAttributes& a) {
  return [shape, a](const RunContext& run) {
    const int axis = NormalizeAxis(run.In<int32_t>(1)[0], shape.rank(), "axis");
    const kernels::ref::CumsumGeometry g = {.outer = Product(shape, 0, axis),
                                            .size = shape[axis],
                                            .inner = Product(shape, axis + 1, shape.rank()),
                                            .exclusive = a.exclusive,
                                            .reverse = a.reverse};
    kernels::ref::Cumsum(g, run.In<T>(0).data(), run.Out<T>(0).data());
  };
}

}  // namespace

RunFn PrepareCumsum(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const auto a = context.op().attributes.As<graph::CumsumAttributes>();
  const TensorRef &input = context.Input(0), &axis = context.Input(1);
  CheckSameType(input, "input", context.Output(0), "output");
  CheckType(axis, "axis", {DType::kInt32});
  if (axis.size() != 1) throw InputError("axis has the shape {}, expected one value", axis.shape.ToString());
  CheckRank(input, "input", 1, kMaxMovedRank);
  context.SetOutputShape(0, input.shape);
  switch (input.dtype) {
    case DType::kFloat32:
      return RunCumsum<float>(input.shape, a);
    case DType::kInt32:
      return RunCumsum<int32_t>(input.shape, a);
    case DType::kInt64:
      return RunCumsum<int64_t>(input.shape, a);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace assay::ops
