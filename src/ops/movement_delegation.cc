// Which data movement ops XNNPACK's delegate takes. Their results are the same either way; what runs where is reported.
#include <algorithm>

#include "graph/ops/concatenation.h"
#include "graph/ops/reshape.h"
#include "graph/ops/space_to_depth.h"
#include "graph/ops/strided_slice.h"
#include "ops/copy_plan.h"
#include "ops/delegation.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

// The moved tensor and the outputs have types and shapes that XNNPACK knows, as far as they are known by now.
bool TakesMoved(const PrepareContext& context, int moved) {
  const TensorRef& input = context.Input(moved);
  if (!XnnpackTakesFloatOr8Bit(input) || !XnnpackTakesShape(input)) return false;
  for (int i = 0; i < context.num_outputs(); ++i) {
    if (context.Output(i).dtype != input.dtype || !XnnpackTakesFloatOr8Bit(context.Output(i))) return false;
  }
  return true;
}

bool IsStatic(const PrepareContext& context, int i, std::initializer_list<DType> types) {
  const TensorRef& tensor = context.Input(i);
  return tensor.is_constant && std::find(types.begin(), types.end(), tensor.dtype) != types.end();
}

bool AllPositive(const std::vector<int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](int64_t v) { return v > 0; });
}

}  // namespace

// A shape of -1 alone is left to LiteRT's own kernel.
bool XnnpackTakesReshape(const PrepareContext& context) {
  const bool by_operand = HasOperands(context, 2, 1) && IsStatic(context, 1, {DType::kInt32});
  if (!by_operand && !HasOperands(context, 1, 1)) return false;
  const std::vector<int64_t> dims = by_operand ? IntegerValues(context, 1, "shape")
                                               : context.op().attributes.As<graph::ReshapeAttributes>().new_shape;
  return dims != std::vector<int64_t>{-1} && TakesMoved(context, 0);
}

bool XnnpackTakesPad(const PrepareContext& context) {
  return HasOperands(context, 2, 1) && IsStatic(context, 1, {DType::kInt32}) && TakesMoved(context, 0);
}

bool XnnpackTakesTranspose(const PrepareContext& context) {
  return HasOperands(context, 2, 1) && IsStatic(context, 1, {DType::kInt32}) && TakesMoved(context, 0);
}

bool XnnpackTakesConcatenation(const PrepareContext& context) {
  const int count = context.num_inputs();
  if (count < 2 || count > 5 || !HasOperands(context, count, 1)) return false;
  for (int i = 0; i < count; ++i) {
    const TensorRef& input = context.Input(i);
    if (!TakesMoved(context, i)) return false;
    if (input.dtype == DType::kUInt8 && (SingleScale(input) != SingleScale(context.Output(0)) ||
                                         SingleZeroPoint(input) != SingleZeroPoint(context.Output(0)))) {
      return false;
    }
  }
  return true;
}

bool XnnpackTakesSplit(const PrepareContext& context) {
  const int count = context.num_outputs();
  return count >= 2 && count <= 4 && HasOperands(context, 2, count) && IsStatic(context, 0, {DType::kInt32}) &&
         TakesMoved(context, 1);
}

bool XnnpackTakesSlice(const PrepareContext& context) {
  if (!HasOperands(context, 3, 1) || !TakesMoved(context, 0)) return false;
  if (!IsStatic(context, 1, {DType::kInt32, DType::kInt64}) || !IsStatic(context, 2, {context.Input(1).dtype})) {
    return false;
  }
  return AllPositive(IntegerValues(context, 2, "size"));
}

bool XnnpackTakesStridedSlice(const PrepareContext& context) {
  if (!HasOperands(context, 4, 1) || !TakesMoved(context, 0)) return false;
  const auto a = context.op().attributes.As<graph::StridedSliceAttributes>();
  if (a.ellipsis_mask != 0 || a.new_axis_mask != 0 || a.shrink_axis_mask != 0) return false;
  for (int i = 1; i <= 3; ++i) {
    if (!IsStatic(context, i, {DType::kInt32}) || context.Input(i).shape != Shape{context.Input(0).shape.rank()}) {
      return false;
    }
  }
  const std::vector<int64_t> strides = IntegerValues(context, 3, "strides");
  return std::all_of(strides.begin(), strides.end(), [](int64_t stride) { return stride == 1; });
}

bool XnnpackTakesSpaceToDepth(const PrepareContext& context) {
  return HasOperands(context, 1, 1) && TakesMoved(context, 0) &&
         context.op().attributes.As<graph::SpaceToDepthAttributes>().block_size > 1;
}

}  // namespace assay::ops
