// SELECT and SELECT_V2: output = condition ? x : y for elements of 1, 2, 4 or 8 bytes.
#include <utility>
#include <vector>

#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::Broadcast;

template <typename T>
RunFn RunSelect(const Broadcast<3>& plan) {
  return [plan](const RunContext& run) {
    const uint8_t* condition = run.Input(0).data;
    const auto* x = reinterpret_cast<const T*>(run.Input(1).data);
    const auto* y = reinterpret_cast<const T*>(run.Input(2).data);
    auto* out = reinterpret_cast<T*>(MutableBytes(run.Output(0)).data());
    kernels::ref::ForEachBroadcast(plan, [&](int64_t at, const std::array<int64_t, 3>& in) {
      out[at] = condition[in[0]] != 0 ? x[in[1]] : y[in[2]];
    });
  };
}

struct SelectShapes {
  Shape condition, x, y, output;
};

// One value, to which the operands give different ranks: the output's shape in the file stands.
bool IsOneValue(const TensorRef& condition, const TensorRef& x, const TensorRef& y, const TensorRef& output) {
  return condition.size() == 1 && x.size() == 1 && y.size() == 1 && output.info->shape.NumElements() == 1;
}

// SELECT: all of one shape, or a condition that is a scalar or has one value per slice of the first dimension.
SelectShapes ShapesOfSelect(const Shape& condition, const Shape& x, const Shape& y) {
  if (x != y) throw InputError("input 1 has the shape {}, input 2 {}", x.ToString(), y.ToString());
  if (condition == x || condition.rank() == 0) return {condition, x, y, x};
  if (condition.rank() != 1 || x.rank() < 1 || condition[0] != x[0]) {
    throw InputError("a condition of the shape {} does not select from {}", condition.ToString(), x.ToString());
  }
  std::vector<int32_t> slices(static_cast<size_t>(x.rank()), 1);
  slices[0] = x[0];
  return {Shape(std::move(slices)), x, y, x};
}

RunFn PrepareSelectOf(PrepareContext& context, bool broadcast) {
  CheckArity(context, 3, 3, 1);
  const TensorRef &condition = context.Input(0), &x = context.Input(1), &y = context.Input(2);
  const TensorRef& output = context.Output(0);
  CheckType(condition, "condition", {DType::kBool});
  CheckSameType(x, "input 1", y, "input 2");
  CheckSameType(x, "input 1", output, "output");
  SelectShapes shapes;
  if (IsOneValue(condition, x, y, output)) {
    shapes.output = output.info->shape;
  } else if (broadcast) {
    shapes = {condition.shape, x.shape, y.shape, BroadcastShape({&condition.shape, &x.shape, &y.shape})};
  } else {
    shapes = ShapesOfSelect(condition.shape, x.shape, y.shape);
  }
  context.SetOutputShape(0, shapes.output);
  const auto plan = PlanBroadcast<3>({&shapes.condition, &shapes.x, &shapes.y}, shapes.output);
  switch (DTypeBits(x.dtype)) {
    case 8:
      return RunSelect<uint8_t>(plan);
    case 16:
      return RunSelect<uint16_t>(plan);
    case 32:
      return RunSelect<uint32_t>(plan);
    case 64:
      return RunSelect<uint64_t>(plan);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace

RunFn PrepareSelect(PrepareContext& context) { return PrepareSelectOf(context, /*broadcast=*/false); }
RunFn PrepareSelectV2(PrepareContext& context) { return PrepareSelectOf(context, /*broadcast=*/true); }

}  // namespace assay::ops
