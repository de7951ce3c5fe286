// ONE_HOT: along a new axis, on_value where the index says and off_value elsewhere.
#include "graph/ops/one_hot.h"

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {

RunFn PrepareOneHot(PrepareContext& context) {
  CheckArity(context, 4, 4, 1);
  const int32_t option = context.op().attributes.As<graph::OneHotAttributes>().axis;
  const TensorRef &indices = context.Input(0), &on = context.Input(2), &off = context.Input(3);
  CheckType(indices, "indices", {DType::kInt32, DType::kInt64});
  CheckType(context.Input(1), "depth", {DType::kInt32});
  const int bits = MovedBits(context, on, "on_value");
  CheckSameType(on, "on_value", off, "off_value");
  if (on.size() != 1 || off.size() != 1) {
    throw InputError("on_value has the shape {}, off_value {}, expected one value each", on.shape.ToString(),
                     off.shape.ToString());
  }
  const int rank = indices.shape.rank();
  const int axis = option == -1 ? rank : option;
  if (axis < 0 || axis > rank) throw InputError("axis is {} for indices of shape {}", option, indices.shape.ToString());
  const int64_t depth = IntegerValue(context, 1, "depth");
  if (depth < 0) throw InputError("depth is {}", depth);
  std::vector<int32_t> dims(indices.shape.dims().begin(), indices.shape.dims().end());
  dims.insert(dims.begin() + axis, static_cast<int32_t>(depth));
  context.SetOutputShape(0, Shape(std::move(dims)));
  return [bits, depth, outer = Product(indices.shape, 0, axis), inner = Product(indices.shape, axis, rank),
          wide = indices.dtype == DType::kInt64](const RunContext& run) {
    void* output = RawOutput(run, 0);
    kernels::ref::FillElements(bits, run.Input(3).data, outer * depth * inner, output);
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t i = 0; i < inner; ++i) {
        const auto at = static_cast<size_t>(o * inner + i);
        // LiteRT cuts 64-bit indices to 32 bits.
        const int32_t index = wide ? static_cast<int32_t>(run.In<int64_t>(0)[at]) : run.In<int32_t>(0)[at];
        if (index < 0 || index >= depth) continue;
        kernels::ref::CopyElements(bits, run.Input(2).data, 0, 1, output, (o * depth + index) * inner + i);
      }
    }
  };
}

}  // namespace assay::ops
