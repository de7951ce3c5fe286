// GATHER, GATHER_ND, SCATTER_ND. Indices are data: each Run checks them before it copies.
#include "kernels/ref/gather.h"

#include <limits>

#include "graph/ops/gather.h"
#include "kernels/ref/scatter_nd.h"
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::GatherGeometry;
using kernels::ref::TupleGeometry;

// Calls body(Index{}) with the C++ type of an int16, int32 or int64 tensor.
template <typename Body>
auto WithIndexType(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kInt16:
      return body(int16_t{});
    case DType::kInt32:
      return body(int32_t{});
    case DType::kInt64:
      return body(int64_t{});
    default:
      throw InputError("indices are {}, expected int16, int32 or int64", DTypeName(dtype));
  }
}

// The slices that tuples of indices, the last dimension of `indices`, pick from an array of this shape.
TupleGeometry Tuples(const Shape& indices, const Shape& array) {
  TupleGeometry g;
  const int last = indices.rank() - 1;
  g.depth = indices[last];
  if (g.depth > array.rank()) {
    throw InputError("indices of shape {} pick from rank {}", indices.ToString(), array.rank());
  }
  g.count = Product(indices, 0, last);
  const std::vector<int64_t> strides = RowMajorStrides(array);
  for (int d = 0; d < static_cast<int>(g.depth); ++d) g.stride[d] = strides[static_cast<size_t>(d)];
  g.slice = Product(array, static_cast<int>(g.depth), array.rank());
  return g;
}

// LiteRT looks at the position that a whole tuple gives, not at each index.
template <typename Index>
void CheckTuples(const TupleGeometry& g, std::span<const Index> indices, int64_t elements) {
  for (int64_t i = 0; i < g.count; ++i) {
    int64_t position = 0;
    for (int64_t d = 0; d < g.depth; ++d) {
      const auto index = static_cast<int64_t>(indices[static_cast<size_t>(i * g.depth + d)]);
      // Strides and elements are below 2^40: what passes cannot overflow.
      if (index < 0 || index > elements / g.stride[d]) {
        throw InputError("index {} of tuple {} is {}, out of range", d, i, index);
      }
      position += index * g.stride[d];
    }
    if (position > elements - g.slice) throw InputError("tuple {} of the indices points out of range", i);
  }
}

template <typename T, typename Stored>
RunFn RunScatterNd(const TupleGeometry& g, int64_t elements) {
  return [g, elements](const RunContext& run) {
    const auto indices = run.In<int32_t>(0);
    CheckTuples(g, indices, elements);
    constexpr Stored kZero = {};
    void* output = RawOutput(run, 0);
    kernels::ref::FillElements(static_cast<int>(sizeof(Stored) * 8), &kZero, elements, output);
    kernels::ref::ScatterNd<T>(g, indices.data(), reinterpret_cast<const Stored*>(run.Input(1).data),
                               static_cast<Stored*>(output));
  };
}

}  // namespace

RunFn PrepareGather(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const auto a = context.op().attributes.As<graph::GatherAttributes>();
  const TensorRef &input = context.Input(0), &indices = context.Input(1);
  const int bits = MovedBits(context, input, "input");
  const int rank = input.shape.rank();
  const int axis = NormalizeAxis(a.axis, rank, "axis");
  const int batch_dims = a.batch_dims == indices.shape.rank()
                             ? a.batch_dims
                             : NormalizeAxis(a.batch_dims, indices.shape.rank(), "batch_dims");
  if (batch_dims > axis) throw InputError("batch_dims is {}, beyond axis {}", batch_dims, axis);
  for (int d = 0; d < batch_dims; ++d) {
    if (input.shape[d] != indices.shape[d]) {
      throw InputError("input {} and indices {} differ in batch dimension {}", input.shape.ToString(),
                       indices.shape.ToString(), d);
    }
  }
  std::vector<int32_t> dims(input.shape.dims().begin(), input.shape.dims().begin() + axis);
  for (int d = batch_dims; d < indices.shape.rank(); ++d) dims.push_back(indices.shape[d]);
  for (int d = axis + 1; d < rank; ++d) dims.push_back(input.shape[d]);
  context.SetOutputShape(0, Shape(std::move(dims)));
  const GatherGeometry g = {.batches = Product(input.shape, 0, batch_dims),
                            .outer = Product(input.shape, batch_dims, axis),
                            .size = input.shape[axis],
                            .inner = Product(input.shape, axis + 1, rank),
                            .count = Product(indices.shape, batch_dims, indices.shape.rank())};
  return WithIndexType(indices.dtype, [&]<typename Index>(Index) -> RunFn {
    return [g, bits](const RunContext& run) {
      const auto values = run.In<Index>(1);
      for (const Index i : values) {
        if (i < 0 || i >= g.size) throw InputError("index {} is out of range for a dimension of {}", i, g.size);
      }
      kernels::ref::Gather(g, bits, run.Input(0).data, values.data(), RawOutput(run, 0));
    };
  });
}

RunFn PrepareGatherNd(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &input = context.Input(0), &indices = context.Input(1);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 1, kMaxMovedRank);
  CheckRank(indices, "indices", 1, kMaxMovedRank);
  const TupleGeometry g = Tuples(indices.shape, input.shape);
  std::vector<int32_t> dims;
  for (int d = 0; d + 1 < indices.shape.rank(); ++d) dims.push_back(indices.shape[d]);
  for (int d = static_cast<int>(g.depth); d < input.shape.rank(); ++d) dims.push_back(input.shape[d]);
  context.SetOutputShape(0, Shape(std::move(dims)));
  return WithIndexType(indices.dtype, [&]<typename Index>(Index) -> RunFn {
    return [g, bits, elements = input.size()](const RunContext& run) {
      const auto values = run.In<Index>(1);
      CheckTuples(g, values, elements);
      kernels::ref::GatherNd(g, bits, run.Input(0).data, values.data(), RawOutput(run, 0));
    };
  });
}

RunFn PrepareScatterNd(PrepareContext& context) {
  CheckArity(context, 3, 3, 1);
  const TensorRef &indices = context.Input(0), &updates = context.Input(1), &shape = context.Input(2);
  MovedBits(context, updates, "updates");
  CheckType(indices, "indices", {DType::kInt32});
  CheckType(shape, "shape", {DType::kInt32});
  CheckRank(indices, "indices", 1, kMaxMovedRank);
  CheckRank(shape, "shape", 1, 1);
  const Shape array = ShapeFrom(IntegerValues(context, 2, "shape"), "shape");
  if (array.rank() > kMaxMovedRank) throw InputError("shape has rank {}", array.rank());
  context.SetOutputShape(0, array);
  const TupleGeometry g = Tuples(indices.shape, array);
  std::vector<int32_t> dims;
  for (int d = 0; d + 1 < indices.shape.rank(); ++d) dims.push_back(indices.shape[d]);
  for (int d = static_cast<int>(g.depth); d < array.rank(); ++d) dims.push_back(array[d]);
  if (updates.shape != Shape(dims)) {
    throw InputError("updates have the shape {}, expected {}", updates.shape.ToString(), Shape(dims).ToString());
  }
  const int64_t elements = array.NumElements();
  switch (updates.dtype) {
    case DType::kFloat32:
      return RunScatterNd<float, float>(g, elements);
    case DType::kBool:
      return RunScatterNd<bool, uint8_t>(g, elements);
    case DType::kInt8:
      return RunScatterNd<int8_t, int8_t>(g, elements);
    case DType::kUInt8:
      return RunScatterNd<uint8_t, uint8_t>(g, elements);
    case DType::kInt16:
      return RunScatterNd<int16_t, int16_t>(g, elements);
    case DType::kInt32:
      return RunScatterNd<int32_t, int32_t>(g, elements);
    case DType::kInt64:
      return RunScatterNd<int64_t, int64_t>(g, elements);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace assay::ops
