// RESHAPE, SQUEEZE, EXPAND_DIMS, BITCAST: the input's bytes under another shape (or type).
#include "graph/ops/reshape.h"

#include <algorithm>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

RunFn CopyBytes() {
  return [](const RunContext& run) {
    const TensorRef& input = run.Input(0);
    if (input.data == run.Output(0).data) return;  // the runtime gave both the same memory
    kernels::ref::CopyElements(8, input.data, 0, static_cast<int64_t>(input.bytes), RawOutput(run, 0), 0);
  };
}

// One entry may be -1: whatever makes the number of elements fit. The rule for empty inputs is LiteRT's.
Shape Resolve(std::vector<int64_t> dims, const TensorRef& input) {
  if (dims.size() > 64) throw InputError("the new shape has {} dimensions", dims.size());
  int64_t known = 1, nonzero = 1, input_nonzero = 1;
  size_t open = dims.size();
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == -1) {
      if (open != dims.size()) throw InputError("the new shape has -1 twice");
      open = d;
      continue;
    }
    if (dims[d] < 0 || dims[d] > INT32_MAX) throw InputError("the new shape has a dimension of {}", dims[d]);
    known *= dims[d];
    nonzero *= std::max<int64_t>(dims[d], 1);
    if (nonzero > int64_t{1} << 40) throw InputError("the new shape has too many elements");
  }
  for (const int32_t d : input.shape.dims()) input_nonzero *= std::max(d, 1);
  if (open != dims.size()) {
    dims[open] = input.size() == 0 && known != 0 ? 0 : input_nonzero / nonzero;
    known *= dims[open];
  }
  Shape shape = ShapeFrom(dims, "the new shape");
  if (known != input.size()) {
    throw InputError("input of shape {} has {} elements, the new shape {} has {}", input.shape.ToString(), input.size(),
                     shape.ToString(), known);
  }
  return shape;
}

}  // namespace

RunFn PrepareReshape(PrepareContext& context) {
  CheckArity(context, 1, 2, 1);
  const TensorRef& input = context.Input(0);
  MovedBits(context, input, "input");
  std::vector<int64_t> dims;
  const bool by_operand =
      context.HasInput(1) && context.Input(1).dtype == DType::kInt32 && context.Input(1).shape.rank() == 1;
  if (by_operand) {
    dims = IntegerValues(context, 1, "shape");
  } else {
    dims = context.op().attributes.As<graph::ReshapeAttributes>().new_shape;
    // Old converters wrote [0] for a scalar.
    if (dims.size() == 1 && dims[0] == 0) dims.clear();
  }
  context.SetOutputShape(0, Resolve(std::move(dims), input));
  return CopyBytes();
}

RunFn PrepareSqueeze(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  MovedBits(context, input, "input");
  const auto attributes = context.op().attributes.As<graph::SqueezeAttributes>();
  const int rank = input.shape.rank();
  std::vector<bool> squeezed(static_cast<size_t>(rank), false);
  for (const int64_t dim : attributes.squeeze_dims) {
    const int d = NormalizeAxis(dim, rank, "squeezed dimension");
    if (input.shape[d] != 1) {
      throw InputError("squeezed dimension {} of input {} is not 1", d, input.shape.ToString());
    }
    squeezed[static_cast<size_t>(d)] = true;
  }
  std::vector<int32_t> dims;
  for (int d = 0; d < rank; ++d) {
    if (attributes.squeeze_dims.empty() ? input.shape[d] != 1 : !squeezed[static_cast<size_t>(d)]) {
      dims.push_back(input.shape[d]);
    }
  }
  context.SetOutputShape(0, Shape(std::move(dims)));
  return CopyBytes();
}

RunFn PrepareExpandDims(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& input = context.Input(0);
  MovedBits(context, input, "input");
  const int axis = NormalizeAxis(IntegerValue(context, 1, "axis"), input.shape.rank() + 1, "axis");
  std::vector<int32_t> dims(input.shape.dims().begin(), input.shape.dims().end());
  dims.insert(dims.begin() + axis, 1);
  context.SetOutputShape(0, Shape(std::move(dims)));
  return CopyBytes();
}

// Between types of different widths the innermost dimension comes or goes: [.., 2] of int16 is [..] of int32.
RunFn PrepareBitcast(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const int from = ElementBits(input, "input"), to = ElementBits(output, "output");
  if (from < 8 || to < 8) UnsupportedTypes(context);
  std::vector<int32_t> dims(input.shape.dims().begin(), input.shape.dims().end());
  if (from > to) {
    dims.push_back(from / to);
  } else if (from < to) {
    if (dims.empty() || dims.back() != to / from) {
      throw InputError("input of shape {} and type {} cannot become {}: its last dimension is not {}",
                       input.shape.ToString(), DTypeName(input.dtype), DTypeName(output.dtype), to / from);
    }
    dims.pop_back();
  }
  context.SetOutputShape(0, Shape(std::move(dims)));
  return CopyBytes();
}

}  // namespace assay::ops
