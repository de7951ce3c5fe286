// TOPK_V2: values and indices of the k largest entries of the last dimension.
#include <limits>

#include "kernels/ref/top_k.h"
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

template <typename T, typename Index>
RunFn RunTopK(int64_t rows, int64_t row, int64_t k, int scratch) {
  return [rows, row, k, scratch](const RunContext& run) {
    kernels::ref::TopK(run.In<T>(0).data(), rows, row, k, reinterpret_cast<int32_t*>(run.Scratch(scratch).data()),
                       run.Out<T>(0).data(), run.Out<Index>(1).data());
  };
}

}  // namespace

RunFn PrepareTopkV2(PrepareContext& context) {
  CheckArity(context, 2, 2, 2);
  const TensorRef &input = context.Input(0), &indices = context.Output(1);
  CheckSameType(input, "input", context.Output(0), "values");
  CheckType(indices, "indices", {DType::kInt32, DType::kInt16});
  CheckRank(input, "input", 1, kMaxMovedRank);
  const int64_t row = input.shape.FromEnd(1);
  const int64_t k = std::max<int64_t>(IntegerValue(context, 1, "k", {DType::kInt16}), 0);
  if (k > row) throw InputError("k is {}, the last dimension of input {}", k, input.shape.ToString());
  const bool narrow = indices.dtype == DType::kInt16;
  if (narrow && row > std::numeric_limits<int16_t>::max() + 1) {
    throw InputError("indices of rows of {} do not fit into int16", row);
  }
  Shape shape = input.shape;
  shape[shape.rank() - 1] = static_cast<int32_t>(k);
  context.SetOutputShape(0, shape);
  context.SetOutputShape(1, shape);
  const int64_t rows = Product(input.shape, 0, input.shape.rank() - 1);
  const int scratch = context.AddScratch(static_cast<uint64_t>(row) * sizeof(int32_t));
  const auto with = [&]<typename T>(T) -> RunFn {
    if (narrow) return RunTopK<T, int16_t>(rows, row, k, scratch);
    return RunTopK<T, int32_t>(rows, row, k, scratch);
  };
  switch (input.dtype) {
    case DType::kFloat32:
      return with(float{});
    case DType::kInt8:
      return with(int8_t{});
    case DType::kUInt8:
      return with(uint8_t{});
    case DType::kInt16:
      return with(int16_t{});
    case DType::kInt32:
      return with(int32_t{});
    case DType::kInt64:
      return with(int64_t{});
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace assay::ops
