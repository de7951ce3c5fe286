// SEGMENT_SUM (ids ascend by steps of at most one from 0) and UNSORTED_SEGMENT_SUM, _PROD, _MAX, _MIN (ids in any
// order, negative ones dropped): float32, int32.
#include "kernels/ref/segment.h"

#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::ReduceKind;

RunFn RunSegments(PrepareContext& context, ReduceKind kind, int32_t segments) {
  const TensorRef &data = context.Input(0), &ids = context.Input(1);
  std::vector<int32_t> dims = {segments};
  int64_t width = 1;
  for (int d = ids.shape.rank(); d < data.shape.rank(); ++d) {
    dims.push_back(data.shape[d]);
    width *= data.shape[d];
  }
  context.SetOutputShape(0, Shape(std::move(dims)));
  const auto run_as = [&]<typename T>(T) -> RunFn {
    return [kind, width, segments, rows = ids.size()](const RunContext& run) {
      kernels::ref::ReduceSegments<T>(kind, rows, width, segments, run.In<int32_t>(1).data(), run.In<T>(0).data(),
                                      run.Out<T>(0).data());
    };
  };
  return data.dtype == DType::kFloat32 ? run_as(float{}) : run_as(int32_t{});
}

void CheckOperands(const PrepareContext& context) {
  const TensorRef &data = context.Input(0), &ids = context.Input(1);
  CheckType(data, "data", {DType::kFloat32, DType::kInt32});
  CheckSameType(data, "data", context.Output(0), "output");
  CheckType(ids, "segment_ids", {DType::kInt32});
  bool is_prefix = ids.shape.rank() <= data.shape.rank();
  for (int d = 0; is_prefix && d < ids.shape.rank(); ++d) is_prefix = ids.shape[d] == data.shape[d];
  if (!is_prefix) {
    throw InputError("segment_ids have the shape {}, which the data's {} does not begin with", ids.shape.ToString(),
                     data.shape.ToString());
  }
}

template <ReduceKind kind>
RunFn PrepareUnsorted(PrepareContext& context) {
  CheckArity(context, 3, 3, 1);
  CheckOperands(context);
  if (context.Input(2).size() != 1) throw InputError("num_segments has {} values", context.Input(2).size());
  const int32_t segments = context.Values<int32_t>(2)[0];
  if (segments < 0) throw InputError("num_segments is {}", segments);
  for (const int32_t id : context.Values<int32_t>(1)) {
    if (id >= segments) throw InputError("segment id {} is not below num_segments, {}", id, segments);
  }
  return RunSegments(context, kind, segments);
}

}  // namespace

RunFn PrepareSegmentSum(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  CheckOperands(context);
  CheckRank(context.Input(1), "segment_ids", 1, 1);
  int32_t last = -1;
  for (const int32_t id : context.Values<int32_t>(1)) {
    if (id < 0 || (id != last && id != last + 1)) throw InputError("segment id {} follows {}", id, last);
    last = id;
  }
  return RunSegments(context, ReduceKind::kSum, last + 1);
}

RunFn PrepareUnsortedSegmentSum(PrepareContext& context) { return PrepareUnsorted<ReduceKind::kSum>(context); }
RunFn PrepareUnsortedSegmentProd(PrepareContext& context) { return PrepareUnsorted<ReduceKind::kProd>(context); }
RunFn PrepareUnsortedSegmentMax(PrepareContext& context) { return PrepareUnsorted<ReduceKind::kMax>(context); }
RunFn PrepareUnsortedSegmentMin(PrepareContext& context) { return PrepareUnsorted<ReduceKind::kMin>(context); }

}  // namespace assay::ops
