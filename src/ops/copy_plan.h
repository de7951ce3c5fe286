// What the data movement ops share: operands that are lists of integers, row-major strides, plans of strided copies.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "kernels/ref/strided_copy.h"
#include "ops/op.h"

namespace assay::ops {

inline constexpr int kMaxMovedRank = 8;

// Bits of an element. Throws for types without a fixed size (strings, resources).
int ElementBits(const TensorRef& tensor, const char* what);
// The same for an op that moves `input` to its outputs: all of them must have the input's type.
int MovedBits(const PrepareContext& context, const TensorRef& input, const char* what);

// The values of an operand of type int32 or int64 (or one of `also`), of any rank. Throws ValueNotKnownYet.
std::vector<int64_t> IntegerValues(const PrepareContext& context, int input, const char* what,
                                   std::initializer_list<DType> also = {});
// The same for an operand of one element.
int64_t IntegerValue(const PrepareContext& context, int input, const char* what,
                     std::initializer_list<DType> also = {});
// A list of dimensions as a shape. Throws where one is negative or beyond int32.
Shape ShapeFrom(std::span<const int64_t> dims, const char* what);

std::vector<int64_t> RowMajorStrides(const Shape& shape);
// Elements of dimensions [begin, end).
int64_t Product(const Shape& shape, int begin, int end);

struct CopyAxis {
  int64_t size = 0, in_stride = 0, out_stride = 0;
};
// Drops axes of size 1 and joins those that follow each other without a gap in both arrays.
kernels::ref::StridedCopy PlanCopy(std::span<const CopyAxis> axes, int64_t in_offset = 0, int64_t out_offset = 0);

// An output's bytes, to write elements of any type. The spare bits behind a packed type's last element are set to 0.
void* RawOutput(const RunContext& run, int output);
void CopyPlanned(const RunContext& run, const kernels::ref::StridedCopy& copy, int bits, int input = 0, int output = 0);

// Quantization as LiteRT's older fields have it: zero unless there is exactly one scale.
inline float SingleScale(const TensorRef& tensor) {
  const auto& scale = tensor.quantization().scale;
  return scale.size() == 1 ? scale[0] : 0;
}
inline int64_t SingleZeroPoint(const TensorRef& tensor) {
  const Quantization& q = tensor.quantization();
  return q.scale.size() == 1 && !q.zero_point.empty() ? q.zero_point[0] : 0;
}
// Throws where the two differ in scale or zero point.
void CheckSameQuantization(const TensorRef& a, const char* a_name, const TensorRef& b, const char* b_name);

}  // namespace assay::ops
