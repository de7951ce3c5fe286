#include "ops/copy_plan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "ops/checks.h"

namespace assay::ops {
namespace {

template <typename T>
std::vector<int64_t> Widened(const PrepareContext& context, int input) {
  const std::span<const T> values = context.Values<T>(input);
  return {values.begin(), values.end()};
}

}  // namespace

int ElementBits(const TensorRef& tensor, const char* what) {
  const int bits = DTypeBits(tensor.dtype);
  if (bits == 0) throw InputError("{} is {}, which has no kernel here", what, DTypeName(tensor.dtype));
  return bits;
}

int MovedBits(const PrepareContext& context, const TensorRef& input, const char* what) {
  const int bits = ElementBits(input, what);
  for (int i = 0; i < context.num_outputs(); ++i) CheckSameType(input, what, context.Output(i), "output");
  return bits;
}

std::vector<int64_t> IntegerValues(const PrepareContext& context, int input, const char* what,
                                   std::initializer_list<DType> also) {
  const DType dtype = context.Input(input).dtype;
  const bool allowed =
      dtype == DType::kInt32 || dtype == DType::kInt64 || std::find(also.begin(), also.end(), dtype) != also.end();
  if (allowed && dtype == DType::kInt32) return Widened<int32_t>(context, input);
  if (allowed && dtype == DType::kInt64) return Widened<int64_t>(context, input);
  if (allowed && dtype == DType::kInt16) return Widened<int16_t>(context, input);
  if (allowed && dtype == DType::kInt8) return Widened<int8_t>(context, input);
  throw InputError("{} is {}, expected int32 or int64", what, DTypeName(dtype));
}

int64_t IntegerValue(const PrepareContext& context, int input, const char* what, std::initializer_list<DType> also) {
  if (context.Input(input).size() != 1) {
    throw InputError("{} has the shape {}, expected one value", what, context.Input(input).shape.ToString());
  }
  return IntegerValues(context, input, what, also)[0];
}

Shape ShapeFrom(std::span<const int64_t> dims, const char* what) {
  std::vector<int32_t> narrow;
  narrow.reserve(dims.size());
  for (const int64_t d : dims) {
    if (d < 0 || d > std::numeric_limits<int32_t>::max()) throw InputError("{} has a dimension of {}", what, d);
    narrow.push_back(static_cast<int32_t>(d));
  }
  return Shape(std::move(narrow));
}

std::vector<int64_t> RowMajorStrides(const Shape& shape) {
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()));
  int64_t stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[static_cast<size_t>(d)] = stride;
    stride *= std::max(shape[d], 1);
  }
  return strides;
}

int64_t Product(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int d = begin; d < end; ++d) {
    product *= shape[d];
  }
  return product;
}

kernels::ref::StridedCopy PlanCopy(std::span<const CopyAxis> axes, int64_t in_offset, int64_t out_offset) {
  kernels::ref::StridedCopy copy;
  copy.in_offset = in_offset, copy.out_offset = out_offset;
  for (const CopyAxis& axis : axes) {
    if (axis.size == 1) continue;
    const int last = copy.rank - 1;
    if (last >= 0 && copy.in_stride[last] == axis.in_stride * axis.size &&
        copy.out_stride[last] == axis.out_stride * axis.size) {
      copy.size[last] *= axis.size;
      copy.in_stride[last] = axis.in_stride, copy.out_stride[last] = axis.out_stride;
      continue;
    }
    ASSAY_CHECK(copy.rank < kernels::ref::kMaxCopyRank);
    copy.size[copy.rank] = axis.size;
    copy.in_stride[copy.rank] = axis.in_stride, copy.out_stride[copy.rank] = axis.out_stride;
    ++copy.rank;
  }
  return copy;
}

void* RawOutput(const RunContext& run, int output) {
  const TensorRef& tensor = run.Output(output);
  ASSAY_CHECK(!tensor.is_constant);
  const int64_t spare = static_cast<int64_t>(tensor.bytes * 8) - tensor.size() * DTypeBits(tensor.dtype);
  if (spare > 0 && spare < 8) tensor.data[tensor.bytes - 1] &= static_cast<uint8_t>(0xFF >> spare);
  return tensor.data;
}

void CopyPlanned(const RunContext& run, const kernels::ref::StridedCopy& copy, int bits, int input, int output) {
  kernels::ref::CopyStrided(copy, bits, run.Input(input).data, RawOutput(run, output));
}

void CheckSameQuantization(const TensorRef& a, const char* a_name, const TensorRef& b, const char* b_name) {
  if (SingleScale(a) != SingleScale(b) || SingleZeroPoint(a) != SingleZeroPoint(b)) {
    throw InputError("{} is quantized by {} (zero point {}) but {} by {} (zero point {})", a_name, SingleScale(a),
                     SingleZeroPoint(a), b_name, SingleScale(b), SingleZeroPoint(b));
  }
}

}  // namespace assay::ops
