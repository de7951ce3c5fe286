// SLICE, STRIDED_SLICE, DYNAMIC_UPDATE_SLICE.
#include <algorithm>

#include "graph/ops/strided_slice.h"
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

void CheckListOf(const TensorRef& list, int64_t size, const char* what) {
  if (list.shape.rank() != 1 || list.size() != size) {
    throw InputError("{} has the shape {}, expected [{}]", what, list.shape.ToString(), size);
  }
}

// What STRIDED_SLICE does along one dimension of the input, new axes included.
struct SliceAxis {
  int64_t input_size = 1;
  int64_t begin = 0, end = 0, stride = 1;
  bool masked_begin = true, masked_end = true;
  bool shrink = false;
};

// The masks speak of entries of begin/end/strides; an ellipsis stands for as many dimensions as the others leave over.
// As in LiteRT it stands for at least one: where nothing is left over, the last entries fall out at the end.
std::vector<SliceAxis> ExpandMasks(const graph::StridedSliceAttributes& a, const Shape& input,
                                   std::span<const int64_t> begin, std::span<const int64_t> end,
                                   std::span<const int64_t> strides) {
  const int entries = static_cast<int>(begin.size());
  const auto has = [](int32_t mask, int bit) { return (static_cast<uint32_t>(mask) >> bit & 1U) != 0; };
  int ellipsis = entries, added = 0;
  for (int i = 0; i < entries; ++i) {
    if (has(a.ellipsis_mask, i)) {
      if (ellipsis != entries) throw InputError("ellipsis_mask is {}, expected at most one bit", a.ellipsis_mask);
      ellipsis = i;
    } else if (has(a.new_axis_mask, i)) {
      ++added;
    }
  }
  const int total = input.rank() + added;
  std::vector<SliceAxis> axes;
  int next = 0;
  const auto take = [&](SliceAxis axis) {
    if (next >= input.rank()) throw InputError("{} entries of begin and end for input {}", entries, input.ToString());
    axis.input_size = input[next++];
    axes.push_back(axis);
  };
  const auto full = [&] { return static_cast<int>(axes.size()) >= total; };
  for (int i = 0; i < entries && !full(); ++i) {
    const auto at = static_cast<size_t>(i);
    if (i == ellipsis) {
      for (int count = std::max(1, total - entries + 1); count > 0 && !full(); --count) take({});
    } else if (has(a.new_axis_mask, i)) {
      axes.push_back({});
    } else {
      take({.begin = begin[at],
            .end = end[at],
            .stride = strides[at],
            .masked_begin = has(a.begin_mask, i),
            .masked_end = has(a.end_mask, i),
            .shrink = has(a.shrink_axis_mask, i)});
    }
  }
  while (!full()) take({});
  return axes;
}

struct Interval {
  int64_t start = 0, count = 0;
};

Interval Resolve(const SliceAxis& axis, bool offset) {
  const bool forward = axis.stride > 0;
  const int64_t size = axis.input_size;
  const auto clamped = [&](int64_t i) {
    return forward ? std::clamp<int64_t>(i, 0, size) : std::clamp<int64_t>(i, -1, size - 1);
  };
  const int64_t start =
      axis.masked_begin ? (forward ? 0 : size - 1) : clamped(axis.begin < 0 ? axis.begin + size : axis.begin);
  if (axis.shrink) {
    if (start < 0 || start >= size) {
      throw InputError("index {} of a dimension of {} is out of range", axis.begin, size);
    }
    return {start, 1};
  }
  const int64_t step = forward ? axis.stride : -axis.stride;
  int64_t distance = 0;
  if (offset && !axis.masked_end) {
    // `end` is the extent itself: the output's shape does not hang on `begin`, so the slice has to fit.
    distance = forward ? axis.end : -axis.end;
    if (distance > 0 && (start < 0 || start >= size || distance > (forward ? size - start : start + 1))) {
      throw InputError("a slice of {} at {} does not fit into a dimension of {}", axis.end, axis.begin, size);
    }
  } else {
    const int64_t end = axis.masked_end ? (forward ? size : -1) : clamped(axis.end < 0 ? axis.end + size : axis.end);
    distance = forward ? end - start : start - end;
  }
  return {start, distance <= 0 ? 0 : (distance + step - 1) / step};
}

}  // namespace

RunFn PrepareStridedSlice(PrepareContext& context) {
  CheckArity(context, 4, 4, 1);
  const auto a = context.op().attributes.As<graph::StridedSliceAttributes>();
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 0, kMaxMovedRank);
  const int64_t entries = context.Input(1).size();
  if (entries > 31) throw InputError("begin has {} values, expected at most 31", entries);
  constexpr const char* kNames[] = {"", "begin", "end", "strides"};
  for (int i = 1; i <= 3; ++i) {
    CheckType(context.Input(i), kNames[i], {DType::kInt32});
    CheckListOf(context.Input(i), entries, kNames[i]);
  }
  const std::vector<int64_t> begin = IntegerValues(context, 1, "begin"), end = IntegerValues(context, 2, "end"),
                             strides = IntegerValues(context, 3, "strides");
  for (const int64_t stride : strides) {
    if (stride == 0) throw InputError("a stride is 0");
  }
  const std::vector<SliceAxis> axes = ExpandMasks(a, input.shape, begin, end, strides);
  std::vector<Interval> intervals;
  std::vector<int64_t> dims;
  for (const SliceAxis& axis : axes) {
    intervals.push_back(Resolve(axis, a.offset));
    if (!axis.shrink) dims.push_back(intervals.back().count);
  }
  const Shape shape = ShapeFrom(dims, "output");
  context.SetOutputShape(0, shape);
  if (shape.NumElements() == 0) return [](const RunContext&) {};
  std::vector<CopyAxis> copy_axes(axes.size());
  int64_t in_stride = 1, out_stride = 1, in_offset = 0;
  for (size_t d = axes.size(); d-- > 0;) {
    const Interval& interval = intervals[d];
    // One element needs no step, and a step beyond the array's size could overflow.
    const int64_t step = interval.count > 1 ? axes[d].stride * in_stride : 0;
    copy_axes[d] = {interval.count, step, out_stride};
    in_offset += interval.start * in_stride;
    in_stride *= axes[d].input_size, out_stride *= interval.count;
  }
  return [bits, copy = PlanCopy(copy_axes, in_offset)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

RunFn PrepareSlice(PrepareContext& context) {
  CheckArity(context, 3, 3, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 0, kMaxMovedRank);
  const int rank = input.shape.rank();
  CheckListOf(context.Input(1), rank, "begin");
  CheckListOf(context.Input(2), rank, "size");
  CheckSameType(context.Input(1), "begin", context.Input(2), "size");
  const std::vector<int64_t> begin = IntegerValues(context, 1, "begin"), size = IntegerValues(context, 2, "size");
  const std::vector<int64_t> in_strides = RowMajorStrides(input.shape);
  std::vector<CopyAxis> axes;
  std::vector<int64_t> dims;
  int64_t in_offset = 0;
  for (int d = 0; d < rank; ++d) {
    const auto at = static_cast<size_t>(d);
    const int64_t whole = input.shape[d];
    if (begin[at] < 0 || begin[at] > whole || size[at] < -1 || size[at] > whole - begin[at]) {
      throw InputError("begin {} and size {} do not fit into dimension {} of input {}", begin[at], size[at], d,
                       input.shape.ToString());
    }
    dims.push_back(size[at] == -1 ? whole - begin[at] : size[at]);
    in_offset += begin[at] * in_strides[at];
  }
  const Shape shape = ShapeFrom(dims, "output");
  context.SetOutputShape(0, shape);
  const std::vector<int64_t> out_strides = RowMajorStrides(shape);
  for (size_t d = 0; d < dims.size(); ++d) axes.push_back({dims[d], in_strides[d], out_strides[d]});
  return [bits, copy = PlanCopy(axes, in_offset)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

// The start is moved back to where the update fits into the operand.
RunFn PrepareDynamicUpdateSlice(PrepareContext& context) {
  CheckArity(context, 3, 3, 1);
  const TensorRef &operand = context.Input(0), &update = context.Input(1), &start = context.Input(2);
  const int bits = MovedBits(context, operand, "operand");
  CheckSameType(operand, "operand", update, "update");
  CheckType(start, "start_indices", {DType::kInt32, DType::kInt64});
  CheckRank(operand, "operand", 0, kMaxMovedRank);
  const int rank = operand.shape.rank();
  CheckListOf(start, rank, "start_indices");
  if (update.shape.rank() != rank) {
    throw InputError("update has the shape {}, operand {}", update.shape.ToString(), operand.shape.ToString());
  }
  context.SetOutputShape(0, operand.shape);
  const std::vector<int64_t> in_strides = RowMajorStrides(update.shape), out_strides = RowMajorStrides(operand.shape);
  std::vector<CopyAxis> axes;
  std::vector<int64_t> last_start;
  for (int d = 0; d < rank; ++d) {
    if (update.shape[d] > operand.shape[d]) {
      throw InputError("update of shape {} does not fit into operand {}", update.shape.ToString(),
                       operand.shape.ToString());
    }
    axes.push_back({update.shape[d], in_strides[static_cast<size_t>(d)], out_strides[static_cast<size_t>(d)]});
    last_start.push_back(operand.shape[d] - update.shape[d]);
  }
  return [bits, copy = PlanCopy(axes), last_start, out_strides, wide = start.dtype == DType::kInt64,
          bytes = static_cast<int64_t>(operand.bytes)](const RunContext& run) {
    auto* output = RawOutput(run, 0);
    kernels::ref::CopyElements(8, run.Input(0).data, 0, bytes, output, 0);
    kernels::ref::StridedCopy at = copy;
    for (size_t d = 0; d < last_start.size(); ++d) {
      const int64_t begin = wide ? run.In<int64_t>(2)[d] : run.In<int32_t>(2)[d];
      at.out_offset += std::clamp<int64_t>(begin, 0, last_start[d]) * out_strides[d];
    }
    kernels::ref::CopyStrided(at, bits, run.Input(1).data, output);
  };
}

}  // namespace assay::ops
