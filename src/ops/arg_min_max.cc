// ARG_MAX, ARG_MIN: float32, int8, uint8, int32, bool; indices int32 or int64.
#include "graph/ops/arg_min_max.h"

#include "kernels/ref/arg_min_max.h"
#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

struct ArgGeometry {
  int64_t outer = 1, inner = 1;
  int32_t size = 0;
};

template <typename T>
RunFn RunArg(const PrepareContext& context, const ArgGeometry& g, bool largest) {
  if (context.Output(0).dtype == DType::kInt32) {
    return [g, largest](const RunContext& run) {
      kernels::ref::ArgMinMax(g.outer, g.size, g.inner, largest, reinterpret_cast<const T*>(run.Input(0).data),
                              run.Out<int32_t>(0).data());
    };
  }
  return [g, largest](const RunContext& run) {
    kernels::ref::ArgMinMax(g.outer, g.size, g.inner, largest, reinterpret_cast<const T*>(run.Input(0).data),
                            run.Out<int64_t>(0).data());
  };
}

RunFn PrepareArg(PrepareContext& context, bool largest) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &input = context.Input(0), &axis_tensor = context.Input(1), &output = context.Output(0);
  CheckType(axis_tensor, "axis", {DType::kInt32, DType::kInt64});
  CheckType(output, "output", {DType::kInt32, DType::kInt64});
  const auto a = context.op().attributes.As<graph::ArgMinMaxAttributes>();
  if (a.output_type != static_cast<int32_t>(output.dtype)) {
    throw InputError("option output_type is {}, the output is {}", a.output_type, DTypeName(output.dtype));
  }
  if (axis_tensor.size() != 1) throw InputError("axis has {} values, expected 1", axis_tensor.size());
  const int64_t given =
      axis_tensor.dtype == DType::kInt64 ? context.Values<int64_t>(1)[0] : int64_t{context.Values<int32_t>(1)[0]};
  const int axis = NormalizeAxis(given, input.shape.rank(), "axis");
  ArgGeometry g;
  std::vector<int32_t> dims;
  for (int d = 0; d < input.shape.rank(); ++d) {
    if (d == axis) {
      g.size = input.shape[d];
      continue;
    }
    (d < axis ? g.outer : g.inner) *= input.shape[d];
    dims.push_back(input.shape[d]);
  }
  if (g.size < 1) throw InputError("input {} is empty along axis {}", input.shape.ToString(), axis);
  context.SetOutputShape(0, Shape(std::move(dims)));
  switch (input.dtype) {
    case DType::kFloat32:
      return RunArg<float>(context, g, largest);
    case DType::kInt8:
      return RunArg<int8_t>(context, g, largest);
    case DType::kUInt8:
    case DType::kBool:
      return RunArg<uint8_t>(context, g, largest);
    case DType::kInt32:
      return RunArg<int32_t>(context, g, largest);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace

RunFn PrepareArgMax(PrepareContext& context) { return PrepareArg(context, true); }
RunFn PrepareArgMin(PrepareContext& context) { return PrepareArg(context, false); }

}  // namespace assay::ops
