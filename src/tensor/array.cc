#include "tensor/array.h"

#include <bit>
#include <cstring>

#include "tensor/float16.h"

namespace assay {

Array::Array(DType dtype, Shape shape)
    : dtype_(dtype), shape_(std::move(shape)), bytes_(DTypeBytes(dtype, static_cast<uint64_t>(shape_.NumElements()))) {}

void Array::Reset(DType dtype, Shape shape) {
  dtype_ = dtype;
  shape_ = std::move(shape);
  bytes_.resize(DTypeBytes(dtype, static_cast<uint64_t>(shape_.NumElements())));
}

Array Array::Reshaped(Shape shape) const {
  ASSAY_CHECK(shape.NumElements() == size());
  Array out = *this;
  out.shape_ = std::move(shape);
  return out;
}

double ElementAsDouble(const Array& array, int64_t i) {
  const auto at = [&]<typename T>(T) {
    T value;
    std::memcpy(&value, array.bytes().data() + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    return static_cast<double>(value);
  };
  switch (array.dtype()) {
    case DType::kFloat32:
      return at(float{});
    case DType::kFloat64:
      return at(double{});
    case DType::kInt8:
      return at(int8_t{});
    case DType::kUInt8:
      return at(uint8_t{});
    case DType::kBool:
      return at(uint8_t{}) != 0 ? 1 : 0;
    case DType::kInt16:
      return at(int16_t{});
    case DType::kUInt16:
      return at(uint16_t{});
    case DType::kInt32:
      return at(int32_t{});
    case DType::kUInt32:
      return at(uint32_t{});
    case DType::kInt64:
      return at(int64_t{});
    case DType::kUInt64:
      return at(uint64_t{});
    case DType::kFloat16:
      return static_cast<double>(HalfToFloat(static_cast<uint16_t>(at(uint16_t{}))));
    case DType::kBFloat16:
      return static_cast<double>(BFloat16ToFloat(static_cast<uint16_t>(at(uint16_t{}))));
    default:
      throw InputError("elements of type {} have no value as a number", DTypeName(array.dtype()));
  }
}

}  // namespace assay
