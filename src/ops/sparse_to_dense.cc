// SPARSE_TO_DENSE: values at given places of an array, a default elsewhere. DENSIFY: a constant stored compressed,
// which the runtime has expanded already.
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

template <typename Index>
RunFn RunSparseToDense(const Shape& shape, int bits, int64_t count, bool scalar) {
  return [shape, bits, count, scalar, strides = RowMajorStrides(shape)](const RunContext& run) {
    void* output = RawOutput(run, 0);
    kernels::ref::FillElements(bits, run.Input(3).data, shape.NumElements(), output);
    const auto indices = run.In<Index>(0);
    const size_t rank = strides.size();
    for (int64_t i = 0; i < count; ++i) {
      int64_t position = 0;
      for (size_t d = 0; d < rank; ++d) {
        const auto index = static_cast<int64_t>(indices[static_cast<size_t>(i) * rank + d]);
        const int64_t size = shape[static_cast<int>(d)];
        if (index < 0 || index >= size) {
          throw InputError("index {} of entry {} is {}, out of range for a dimension of {}", d, i, index, size);
        }
        position += index * strides[d];
      }
      kernels::ref::CopyElements(bits, run.Input(2).data, scalar ? 0 : i, 1, output, position);
    }
  };
}

}  // namespace

RunFn PrepareSparseToDense(PrepareContext& context) {
  CheckArity(context, 4, 4, 1);
  const TensorRef &indices = context.Input(0), &values = context.Input(2), &other = context.Input(3);
  const int bits = MovedBits(context, values, "values");
  CheckType(indices, "indices", {DType::kInt32, DType::kInt64});
  CheckRank(indices, "indices", 0, 2);
  CheckRank(context.Input(1), "output_shape", 1, 1);
  CheckRank(values, "values", 0, 1);
  CheckSameType(values, "values", other, "default_value");
  if (other.size() != 1) throw InputError("default_value has the shape {}, expected one value", other.shape.ToString());
  const Shape shape = ShapeFrom(IntegerValues(context, 1, "output_shape"), "output_shape");
  const bool tuples = indices.shape.rank() == 2;
  const int64_t count = indices.shape.rank() == 0 ? 1 : indices.shape[0];
  if ((tuples ? indices.shape[1] : 1) != shape.rank()) {
    throw InputError("indices have the shape {} for output_shape {}", indices.shape.ToString(), shape.ToString());
  }
  const bool scalar = values.shape.rank() == 0;
  if (!scalar && values.size() != count) throw InputError("{} values for {} places", values.size(), count);
  context.SetOutputShape(0, shape);
  return indices.dtype == DType::kInt32 ? RunSparseToDense<int32_t>(shape, bits, count, scalar)
                                        : RunSparseToDense<int64_t>(shape, bits, count, scalar);
}

RunFn PrepareDensify(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  MovedBits(context, input, "input");
  if (!input.info->sparsity.has_value()) throw InputError("input is not a sparse constant");
  context.SetOutputShape(0, input.shape);
  return [](const RunContext& run) {
    const TensorRef& dense = run.Input(0);
    kernels::ref::CopyElements(8, dense.data, 0, static_cast<int64_t>(dense.bytes), RawOutput(run, 0), 0);
  };
}

}  // namespace assay::ops
