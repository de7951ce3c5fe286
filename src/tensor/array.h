// An owning n-dimensional array of one dtype, row-major: what npy files, images and samples are read into.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace assay {

class Array {
 public:
  Array() = default;
  // Zero-filled. The shape must be valid (Shape::IsValid).
  Array(DType dtype, Shape shape);

  // Becomes an array of another type and shape in the memory that it has, as far as it reaches. The elements' values
  // are then whatever lay there.
  void Reset(DType dtype, Shape shape);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t size() const { return shape_.NumElements(); }
  std::span<const uint8_t> bytes() const { return bytes_; }
  std::span<uint8_t> bytes() { return bytes_; }

  template <typename T>
  std::span<const T> values() const {
    ASSAY_CHECK(dtype_ == DTypeOf<T>());
    return {reinterpret_cast<const T*>(bytes_.data()), static_cast<size_t>(size())};
  }
  template <typename T>
  std::span<T> values() {
    ASSAY_CHECK(dtype_ == DTypeOf<T>());
    return {reinterpret_cast<T*>(bytes_.data()), static_cast<size_t>(size())};
  }
  // The same bytes under another shape of as many elements.
  Array Reshaped(Shape shape) const;

 private:
  DType dtype_ = DType::kFloat32;
  Shape shape_{0};
  std::vector<uint8_t> bytes_;
};

// Element i as a double, whatever the (fixed-size, real) dtype.
double ElementAsDouble(const Array& array, int64_t i);

}  // namespace assay
