// RESIZE_NEAREST_NEIGHBOR: float32, int8, uint8, int16.
#include "kernels/ref/resize_nearest_neighbor.h"

#include "graph/ops/resize.h"
#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {

RunFn PrepareResizeNearestNeighbor(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &input = context.Input(0), &size = context.Input(1);
  CheckRank(input, "input", 4, 4);
  CheckType(input, "input", {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16});
  CheckSameType(input, "input", context.Output(0), "output");
  CheckType(size, "size", {DType::kInt32});
  if (size.shape.rank() != 1 || size.size() != 2) {
    throw InputError("size has the shape {}, expected [2]", size.shape.ToString());
  }
  const auto a = context.op().attributes.As<graph::ResizeAttributes>();
  const std::span<const int32_t> sizes = context.Values<int32_t>(1);
  if (sizes[0] < 1 || sizes[1] < 1) throw InputError("size is {} x {}, expected at least 1 x 1", sizes[0], sizes[1]);
  if (input.shape[1] < 1 || input.shape[2] < 1) throw InputError("input {} has no pixels", input.shape.ToString());
  const kernels::ref::NearestGeometry g = {
      .batches = input.shape[0],
      .pixel_bytes = static_cast<size_t>(DTypeBytes(input.dtype, static_cast<uint64_t>(input.shape[3]))),
      .y = {input.shape[1], sizes[0], a.align_corners, a.half_pixel_centers},
      .x = {input.shape[2], sizes[1], a.align_corners, a.half_pixel_centers}};
  context.SetOutputShape(0, {g.batches, g.y.output, g.x.output, input.shape[3]});
  if (context.Output(0).size() == 0) return [](const RunContext&) {};
  return [g](const RunContext& run) { kernels::ref::ResizeNearestNeighbor(g, run.Input(0).data, run.Output(0).data); };
}

}  // namespace assay::ops
