// WHERE: the coordinates of all entries that are not zero, in row-major order.
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

template <typename T>
RunFn RunWhere(const Shape& shape) {
  return [shape](const RunContext& run) {
    const auto* x = reinterpret_cast<const T*>(run.Input(0).data);
    const int64_t size = shape.NumElements();
    int64_t found = 0;
    for (int64_t i = 0; i < size; ++i) found += x[i] != T{0} ? 1 : 0;
    const int64_t dims[] = {found, shape.rank()};
    run.ResizeOutput(0, ShapeFrom(dims, "output"));
    int64_t* to = run.Out<int64_t>(0).data();
    for (int64_t i = 0; i < size; ++i) {
      if (x[i] == T{0}) continue;
      int64_t rest = i;
      for (int d = shape.rank() - 1; d >= 0; --d) {
        to[d] = rest % shape[d];
        rest /= shape[d];
      }
      to += shape.rank();
    }
  };
}

}  // namespace

RunFn PrepareWhere(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  CheckType(context.Output(0), "output", {DType::kInt64});
  CheckRank(input, "condition", 1, kMaxMovedRank);
  context.SetOutputDynamic(0);
  switch (input.dtype) {
    case DType::kBool:
    case DType::kUInt8:
      return RunWhere<uint8_t>(input.shape);
    case DType::kInt8:
      return RunWhere<int8_t>(input.shape);
    case DType::kInt32:
      return RunWhere<int32_t>(input.shape);
    case DType::kUInt32:
      return RunWhere<uint32_t>(input.shape);
    case DType::kInt64:
      return RunWhere<int64_t>(input.shape);
    case DType::kFloat32:
      return RunWhere<float>(input.shape);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace assay::ops
