// UNIQUE: the different values of a vector in the order of their first occurrence, and where each entry's value went.
#include "graph/ops/unique.h"

#include <cstring>
#include <map>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

template <typename T, typename Index>
RunFn RunUnique() {
  return [](const RunContext& run) {
    const std::span<const T> x = run.In<T>(0);
    const std::span<Index> places = run.Out<Index>(1);
    std::map<T, Index> seen;
    std::vector<T> values;
    for (size_t i = 0; i < x.size(); ++i) {
      const auto [entry, is_new] = seen.try_emplace(x[i], static_cast<Index>(values.size()));
      if (is_new) values.push_back(x[i]);
      places[i] = entry->second;
    }
    run.ResizeOutput(0, {static_cast<int32_t>(values.size())});
    if (!values.empty()) std::memcpy(run.Out<T>(0).data(), values.data(), values.size() * sizeof(T));
  };
}

}  // namespace

RunFn PrepareUnique(PrepareContext& context) {
  CheckArity(context, 1, 1, 2);
  const auto a = context.op().attributes.As<graph::UniqueAttributes>();
  const TensorRef &input = context.Input(0), &indices = context.Output(1);
  CheckSameType(input, "input", context.Output(0), "output 0");
  CheckType(indices, "output 1", {DType::kInt32, DType::kInt64});
  if (a.idx_out_type != static_cast<int32_t>(indices.dtype)) {
    throw InputError("option idx_out_type is {}, but output 1 is {}", a.idx_out_type, DTypeName(indices.dtype));
  }
  CheckRank(input, "input", 1, 1);
  context.SetOutputDynamic(0);
  context.SetOutputShape(1, input.shape);
  const auto with = [&]<typename T>(T) {
    return indices.dtype == DType::kInt32 ? RunUnique<T, int32_t>() : RunUnique<T, int64_t>();
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
