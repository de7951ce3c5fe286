// REVERSE_V2 turns whole axes around, REVERSE_SEQUENCE the first entries of one, as many as each batch says.
#include "graph/ops/reverse.h"

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {

RunFn PrepareReverseV2(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 0, kMaxMovedRank);
  CheckRank(context.Input(1), "axes", 1, 1);
  const int rank = input.shape.rank();
  context.SetOutputShape(0, input.shape);
  const std::vector<int64_t> strides = RowMajorStrides(input.shape);
  std::vector<CopyAxis> axes;
  axes.reserve(strides.size());
  for (int d = 0; d < rank; ++d) {
    axes.push_back({input.shape[d], strides[static_cast<size_t>(d)], strides[static_cast<size_t>(d)]});
  }
  int64_t in_offset = 0;
  for (const int64_t value : IntegerValues(context, 1, "axes")) {
    const int d = NormalizeAxis(value, rank, "an axis");
    CopyAxis& axis = axes[static_cast<size_t>(d)];
    if (axis.in_stride < 0) throw InputError("axis {} is given twice", d);
    in_offset += (axis.size - 1) * axis.in_stride;
    axis.in_stride = -axis.in_stride;
  }
  return [bits, copy = PlanCopy(axes, in_offset)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

RunFn PrepareReverseSequence(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const auto a = context.op().attributes.As<graph::ReverseSequenceAttributes>();
  const TensorRef &input = context.Input(0), &lengths = context.Input(1);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 2, kMaxMovedRank);
  CheckType(lengths, "seq_lengths", {DType::kInt32, DType::kInt64});
  const int rank = input.shape.rank();
  if (a.seq_dim < 0 || a.seq_dim >= rank || a.batch_dim < 0 || a.batch_dim >= rank || a.seq_dim == a.batch_dim) {
    throw InputError("seq_dim {} and batch_dim {} for input {}", a.seq_dim, a.batch_dim, input.shape.ToString());
  }
  if (lengths.shape != Shape{input.shape[a.batch_dim]}) {
    throw InputError("seq_lengths has the shape {}, expected [{}]", lengths.shape.ToString(), input.shape[a.batch_dim]);
  }
  context.SetOutputShape(0, input.shape);
  const std::vector<int64_t> strides = RowMajorStrides(input.shape);
  const int64_t batches = input.shape[a.batch_dim], steps = input.shape[a.seq_dim];
  const int64_t batch_stride = strides[static_cast<size_t>(a.batch_dim)];
  const int64_t step_stride = strides[static_cast<size_t>(a.seq_dim)];
  // One step of one batch: all other dimensions.
  std::vector<CopyAxis> axes;
  for (int d = 0; d < rank; ++d) {
    const int64_t stride = strides[static_cast<size_t>(d)];
    if (d != a.seq_dim && d != a.batch_dim) axes.push_back({input.shape[d], stride, stride});
  }
  return [bits, copy = PlanCopy(axes), batches, steps, batch_stride, step_stride,
          wide = lengths.dtype == DType::kInt64](const RunContext& run) {
    kernels::ref::StridedCopy step = copy;
    const void* from = run.Input(0).data;
    void* to = RawOutput(run, 0);
    for (int64_t b = 0; b < batches; ++b) {
      const int64_t length =
          wide ? run.In<int64_t>(1)[static_cast<size_t>(b)] : run.In<int32_t>(1)[static_cast<size_t>(b)];
      if (length < 0 || length > steps) throw InputError("seq_lengths has {} for {} steps", length, steps);
      for (int64_t s = 0; s < steps; ++s) {
        step.in_offset = b * batch_stride + (s < length ? length - 1 - s : s) * step_stride;
        step.out_offset = b * batch_stride + s * step_stride;
        kernels::ref::CopyStrided(step, bits, from, to);
      }
    }
  };
}

}  // namespace assay::ops
