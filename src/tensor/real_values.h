// Stored elements as real numbers and back, by a tensor's quantization parameters.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/quantization.h"
#include "tensor/shape.h"

namespace assay {

// True for types whose elements are numbers: floats, integers (packed ones too) and bool.
bool HasRealValues(DType dtype);

// Elements as stored: codes of integers (packed ones unpacked), floats as they are. `bytes` must hold `count` elements
// of `dtype`, for which HasRealValues is true.
std::vector<float> StoredValues(DType dtype, std::span<const uint8_t> bytes, int64_t count);
void StoredValues(DType dtype, std::span<const uint8_t> bytes, std::span<float> out);  // as many as `out` holds

// The same with integers taken through scale * (code - zero_point), along quantized_dimension where there are several
// scales. Tensors without scales keep their stored values, and so do those whose scales do not fit the shape.
std::vector<float> RealValues(DType dtype, std::span<const uint8_t> bytes, const Shape& shape,
                              const Quantization& quantization);
void RealValues(DType dtype, std::span<const uint8_t> bytes, const Shape& shape, const Quantization& quantization,
                std::span<float> out);  // out: as many as the shape's elements

// The least and the greatest code of an integer type.
struct CodeRange {
  int64_t low = 0, high = 0;
  int64_t levels() const { return high - low + 1; }
};
CodeRange CodesOf(DType dtype);

// The real numbers that a tensor with one scale can hold.
struct RealRange {
  double low = 0, high = 0;
};
RealRange RangeOf(DType dtype, const Quantization& quantization);

// Rounds half to even and saturates, in place: each value becomes the real number that its code stands for. Needs one
// scale.
void FakeQuantize(std::span<float> values, float scale, int64_t zero_point, CodeRange codes);

}  // namespace assay
