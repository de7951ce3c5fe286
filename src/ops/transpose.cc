// TRANSPOSE: output dimension d is input dimension perm[d].
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {

RunFn PrepareTranspose(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 0, kMaxMovedRank);
  const int rank = input.shape.rank();
  if (context.Input(1).shape != Shape{rank}) {
    throw InputError("perm has the shape {}, expected [{}]", context.Input(1).shape.ToString(), rank);
  }
  const std::vector<int64_t> in_strides = RowMajorStrides(input.shape);
  std::vector<bool> seen(static_cast<size_t>(rank), false);
  std::vector<int32_t> dims;
  std::vector<CopyAxis> axes;
  for (const int64_t value : IntegerValues(context, 1, "perm")) {
    const int d = NormalizeAxis(value, rank, "an entry of perm");
    if (seen[static_cast<size_t>(d)]) throw InputError("perm has the entry {} twice", d);
    seen[static_cast<size_t>(d)] = true;
    dims.push_back(input.shape[d]);
    axes.push_back({input.shape[d], in_strides[static_cast<size_t>(d)], 0});
  }
  const Shape shape{std::move(dims)};
  context.SetOutputShape(0, shape);
  const std::vector<int64_t> out_strides = RowMajorStrides(shape);
  for (size_t d = 0; d < axes.size(); ++d) axes[d].out_stride = out_strides[d];
  return [bits, copy = PlanCopy(axes)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

}  // namespace assay::ops
