// CONCATENATION and PACK join inputs along an axis; SPLIT, SPLIT_V and UNPACK cut one up.
#include "graph/ops/concatenation.h"

#include <cmath>
#include <numeric>

#include "kernels/ref/concatenation.h"
#include "kernels/simd/elementwise.h"
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

// An array seen as [outer, size along the axis, inner]: one end of it is copied at a time.
struct Slab {
  int64_t rows = 0, row = 0;  // outer; this slab's size * inner
};

// Copies `slab` from or to an array whose rows have `whole` elements, `at` elements into each row.
kernels::ref::StridedCopy JoinCopy(const Slab& slab, int64_t whole, int64_t at) {
  const CopyAxis axes[] = {{slab.rows, slab.row, whole}, {slab.row, 1, 1}};
  return PlanCopy(axes, 0, at);
}
kernels::ref::StridedCopy CutCopy(const Slab& slab, int64_t whole, int64_t at) {
  const CopyAxis axes[] = {{slab.rows, whole, slab.row}, {slab.row, 1, 1}};
  return PlanCopy(axes, at, 0);
}

RunFn JoinInputs(int bits, const std::vector<Slab>& slabs) {
  int64_t whole = 0, at = 0;
  for (const Slab& slab : slabs) whole += slab.row;
  std::vector<kernels::ref::StridedCopy> copies;
  for (const Slab& slab : slabs) copies.push_back(JoinCopy(slab, whole, at)), at += slab.row;
  return [bits, copies = std::move(copies)](const RunContext& run) {
    for (size_t i = 0; i < copies.size(); ++i) CopyPlanned(run, copies[i], bits, static_cast<int>(i));
  };
}

RunFn CutInput(int bits, int input, const std::vector<Slab>& slabs) {
  int64_t whole = 0, at = 0;
  for (const Slab& slab : slabs) whole += slab.row;
  std::vector<kernels::ref::StridedCopy> copies;
  for (const Slab& slab : slabs) copies.push_back(CutCopy(slab, whole, at)), at += slab.row;
  return [bits, input, copies = std::move(copies)](const RunContext& run) {
    for (size_t i = 0; i < copies.size(); ++i) CopyPlanned(run, copies[i], bits, input, static_cast<int>(i));
  };
}

// uint8 inputs whose quantization is not the output's are rescaled; docs/numerics.md, "Concatenation".
RunFn JoinRescaled(const PrepareContext& context, const std::vector<Slab>& slabs) {
  const TensorRef& output = context.Output(0);
  CheckPerTensorQuantized(output, "output");
  const float inverse = 1.0F / output.scale();
  int64_t whole = 0;
  std::vector<kernels::simd::ByteTable> tables;
  std::vector<bool> same;
  for (int i = 0; i < context.num_inputs(); ++i) {
    const TensorRef& input = context.Input(i);
    CheckPerTensorQuantized(input, "input");
    whole += slabs[static_cast<size_t>(i)].row;
    same.push_back(input.scale() == output.scale() && input.zero_point() == output.zero_point());
    const float factor = input.scale() * inverse;
    const float offset = -static_cast<float>(input.zero_point()) * factor;
    if (!std::isfinite(factor * 255 + std::abs(offset))) {
      throw InputError("scale {} of input {} cannot be brought to {}", input.scale(), i, output.scale());
    }
    kernels::simd::ByteTable codes;
    std::iota(codes.begin(), codes.end(), uint8_t{0});
    const auto count = static_cast<int64_t>(codes.size());
    kernels::ref::CopyRescaled({factor, offset, output.zero_point()}, codes.data(), 1, count, count,
                               tables.emplace_back().data());
  }
  return [slabs, whole, tables = std::move(tables), same = std::move(same)](const RunContext& run) {
    uint8_t* output_codes = run.Out<uint8_t>(0).data();
    int64_t at = 0;
    for (size_t i = 0; i < slabs.size(); ++i) {
      if (same[i]) {
        CopyPlanned(run, JoinCopy(slabs[i], whole, at), 8, static_cast<int>(i));
      } else {
        const uint8_t* codes = run.In<uint8_t>(static_cast<int>(i)).data();
        for (int64_t r = 0; r < slabs[i].rows; ++r) {
          kernels::simd::LookupBytes(tables[i], codes + r * slabs[i].row, output_codes + at + r * whole,
                                     static_cast<size_t>(slabs[i].row));
        }
      }
      at += slabs[i].row;
    }
  };
}

int CheckOutputCount(const PrepareContext& context, int64_t expected, const char* option) {
  if (context.num_outputs() < 1 || context.num_outputs() != expected) {
    throw InputError("has {} outputs, but {} is {}", context.num_outputs(), option, expected);
  }
  return context.num_outputs();
}

}  // namespace

RunFn PrepareConcatenation(PrepareContext& context) {
  CheckArity(context, 1, INT32_MAX, 1);
  const auto a = context.op().attributes.As<graph::ConcatenationAttributes>();
  if (a.fused_activation_function != graph::Activation::kNone) {
    throw InputError("fused activation {} has no kernel", graph::ActivationName(a.fused_activation_function));
  }
  const TensorRef &first = context.Input(0), &output = context.Output(0);
  const int bits = MovedBits(context, first, "input 0");
  // Scalars join to a vector.
  const bool scalars = first.shape.rank() == 0 && a.axis == 0;
  const int axis = scalars ? 0 : NormalizeAxis(a.axis, first.shape.rank(), "axis");
  const int64_t rows = Product(first.shape, 0, axis);
  Shape joined = scalars ? Shape{1} : first.shape;
  int64_t along = 0;
  bool rescaled = false;
  std::vector<Slab> slabs;
  for (int i = 0; i < context.num_inputs(); ++i) {
    const TensorRef& input = context.Input(i);
    CheckSameType(first, "input 0", input, fmt::format("input {}", i).c_str());
    Shape other = scalars && input.shape.rank() == 0 ? Shape{1} : input.shape;
    if (other.rank() == joined.rank()) other[axis] = joined[axis];
    if (other != joined || (input.shape.rank() == 0) != scalars) {
      throw InputError("input {} has the shape {}, input 0 {}: they do not join along axis {}", i,
                       input.shape.ToString(), first.shape.ToString(), axis);
    }
    if (input.dtype == DType::kInt8) {
      CheckSameQuantization(input, fmt::format("input {}", i).c_str(), output, "output");
    } else if (input.dtype == DType::kInt16 && (SingleZeroPoint(input) != 0 || SingleZeroPoint(output) != 0)) {
      throw InputError("int16 tensors need the zero point 0");
    } else if (input.dtype == DType::kUInt8) {
      rescaled |= SingleScale(input) != SingleScale(output) || SingleZeroPoint(input) != SingleZeroPoint(output);
    }
    along += scalars ? 1 : input.shape[axis];
    slabs.push_back({rows, Product(input.shape, axis, input.shape.rank())});
  }
  joined[axis] = ShapeFrom({&along, 1}, "output")[0];
  context.SetOutputShape(0, joined);
  return rescaled ? JoinRescaled(context, slabs) : JoinInputs(bits, slabs);
}

RunFn PreparePack(PrepareContext& context) {
  CheckArity(context, 1, INT32_MAX, 1);
  const auto a = context.op().attributes.As<graph::PackAttributes>();
  const TensorRef& first = context.Input(0);
  const int bits = MovedBits(context, first, "input 0");
  if (a.values_count != context.num_inputs()) {
    throw InputError("has {} inputs, but values_count is {}", context.num_inputs(), a.values_count);
  }
  const int axis = NormalizeAxis(a.axis, first.shape.rank() + 1, "axis");
  std::vector<Slab> slabs;
  for (int i = 0; i < context.num_inputs(); ++i) {
    const TensorRef& input = context.Input(i);
    CheckSameType(first, "input 0", input, fmt::format("input {}", i).c_str());
    if (input.shape != first.shape) {
      throw InputError("input {} has the shape {}, input 0 {}", i, input.shape.ToString(), first.shape.ToString());
    }
    if (IsQuantizedInteger(input.dtype)) {
      CheckSameQuantization(input, fmt::format("input {}", i).c_str(), context.Output(0), "output");
    }
    slabs.push_back({Product(first.shape, 0, axis), Product(first.shape, axis, first.shape.rank())});
  }
  std::vector<int32_t> dims(first.shape.dims().begin(), first.shape.dims().end());
  dims.insert(dims.begin() + axis, context.num_inputs());
  context.SetOutputShape(0, Shape(std::move(dims)));
  return JoinInputs(bits, slabs);
}

RunFn PrepareUnpack(PrepareContext& context) {
  const auto a = context.op().attributes.As<graph::UnpackAttributes>();
  CheckArity(context, 1, 1, CheckOutputCount(context, a.num, "num"));
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  const int axis = NormalizeAxis(a.axis, input.shape.rank(), "axis");
  if (input.shape[axis] != a.num) {
    throw InputError("dimension {} of input {} is not num, which is {}", axis, input.shape.ToString(), a.num);
  }
  std::vector<int32_t> dims(input.shape.dims().begin(), input.shape.dims().end());
  dims.erase(dims.begin() + axis);
  const Slab slab = {Product(input.shape, 0, axis), Product(input.shape, axis + 1, input.shape.rank())};
  for (int i = 0; i < a.num; ++i) context.SetOutputShape(i, Shape(dims));
  return CutInput(bits, 0, std::vector<Slab>(static_cast<size_t>(a.num), slab));
}

RunFn PrepareSplit(PrepareContext& context) {
  const auto a = context.op().attributes.As<graph::SplitAttributes>();
  CheckArity(context, 2, 2, CheckOutputCount(context, a.num_splits, "num_splits"));
  const TensorRef& input = context.Input(1);
  const int bits = MovedBits(context, input, "input");
  const int axis = NormalizeAxis(IntegerValue(context, 0, "axis"), input.shape.rank(), "axis");
  if (input.shape[axis] % a.num_splits != 0) {
    throw InputError("dimension {} of input {} cannot be cut into {} equal parts", axis, input.shape.ToString(),
                     a.num_splits);
  }
  Shape part = input.shape;
  part[axis] /= a.num_splits;
  const Slab slab = {Product(input.shape, 0, axis), Product(part, axis, part.rank())};
  for (int i = 0; i < a.num_splits; ++i) context.SetOutputShape(i, part);
  return CutInput(bits, 1, std::vector<Slab>(static_cast<size_t>(a.num_splits), slab));
}

RunFn PrepareSplitV(PrepareContext& context) {
  const auto a = context.op().attributes.As<graph::SplitAttributes>();
  CheckArity(context, 3, 3, CheckOutputCount(context, a.num_splits, "num_splits"));
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  const int axis = NormalizeAxis(IntegerValue(context, 2, "axis"), input.shape.rank(), "axis");
  std::vector<int64_t> sizes = IntegerValues(context, 1, "size_splits");
  if (static_cast<int>(sizes.size()) != context.num_outputs()) {
    throw InputError("size_splits has {} values for {} outputs", sizes.size(), context.num_outputs());
  }
  int64_t sum = 0;
  size_t open = sizes.size();
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1) {
      if (open != sizes.size()) throw InputError("size_splits has -1 twice");
      open = i;
      continue;
    }
    if (sizes[i] < 0 || sizes[i] > INT32_MAX) throw InputError("value {} of size_splits is {}", i, sizes[i]);
    sum += sizes[i];
  }
  const int64_t whole = input.shape[axis];
  if (open != sizes.size() && sum <= whole) sizes[open] = whole - sum, sum = whole;
  if (sum != whole) {
    throw InputError("the sizes of the parts sum to {}, dimension {} of input {} does not", sum, axis,
                     input.shape.ToString());
  }
  std::vector<Slab> slabs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Shape part = input.shape;
    part[axis] = static_cast<int32_t>(sizes[i]);
    slabs.push_back({Product(input.shape, 0, axis), Product(part, axis, part.rank())});
    context.SetOutputShape(static_cast<int>(i), std::move(part));
  }
  return CutInput(bits, 0, slabs);
}

}  // namespace assay::ops
