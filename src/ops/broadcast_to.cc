// BROADCAST_TO and TILE repeat the input, FILL one value.
#include <limits>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {

RunFn PrepareBroadcastTo(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(context.Input(1), "shape", 1, 1);
  const Shape shape = ShapeFrom(IntegerValues(context, 1, "shape"), "shape");
  if (shape.rank() > kMaxMovedRank || input.shape.rank() > shape.rank()) {
    throw InputError("input {} does not broadcast to {}", input.shape.ToString(), shape.ToString());
  }
  const int added = shape.rank() - input.shape.rank();
  context.SetOutputShape(0, shape);
  const std::vector<int64_t> in_strides = RowMajorStrides(input.shape), out_strides = RowMajorStrides(shape);
  std::vector<CopyAxis> axes;
  for (int d = 0; d < shape.rank(); ++d) {
    const bool repeated = d < added || (input.shape[d - added] == 1 && shape[d] != 1);
    if (!repeated && input.shape[d - added] != shape[d]) {
      throw InputError("input {} does not broadcast to {}", input.shape.ToString(), shape.ToString());
    }
    axes.push_back(
        {shape[d], repeated ? 0 : in_strides[static_cast<size_t>(d - added)], out_strides[static_cast<size_t>(d)]});
  }
  return [bits, copy = PlanCopy(axes)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

RunFn PrepareTile(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 0, kMaxMovedRank);
  const int rank = input.shape.rank();
  if (context.Input(1).shape != Shape{rank}) {
    throw InputError("multiples has the shape {}, expected [{}]", context.Input(1).shape.ToString(), rank);
  }
  const std::vector<int64_t> multiples = IntegerValues(context, 1, "multiples");
  std::vector<int64_t> dims;
  for (int d = 0; d < rank; ++d) {
    const int64_t multiple = multiples[static_cast<size_t>(d)];
    if (multiple < 0 || multiple > std::numeric_limits<int32_t>::max()) {
      throw InputError("dimension {} is repeated {} times", d, multiple);
    }
    dims.push_back(multiple * input.shape[d]);
  }
  const Shape shape = ShapeFrom(dims, "output");
  context.SetOutputShape(0, shape);
  if (shape.NumElements() == 0) return [](const RunContext&) {};
  const std::vector<int64_t> in_strides = RowMajorStrides(input.shape), out_strides = RowMajorStrides(shape);
  std::vector<CopyAxis> axes;
  for (size_t d = 0; d < dims.size(); ++d) {
    const int64_t size = input.shape[static_cast<int>(d)];
    axes.push_back({multiples[d], 0, size * out_strides[d]});
    axes.push_back({size, in_strides[d], out_strides[d]});
  }
  return [bits, copy = PlanCopy(axes)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

RunFn PrepareFill(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& value = context.Input(1);
  const int bits = MovedBits(context, value, "value");
  if (value.size() != 1) throw InputError("value has the shape {}, expected a scalar", value.shape.ToString());
  CheckSameQuantization(value, "value", context.Output(0), "output");
  CheckRank(context.Input(0), "dims", 1, 1);
  const Shape shape = ShapeFrom(IntegerValues(context, 0, "dims"), "dims");
  context.SetOutputShape(0, shape);
  return [bits, count = shape.NumElements()](const RunContext& run) {
    kernels::ref::FillElements(bits, run.Input(1).data, count, RawOutput(run, 0));
  };
}

}  // namespace assay::ops
