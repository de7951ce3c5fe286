// The dimensions of a tensor, outermost first. A scalar has rank 0.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace assay {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int32_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<int32_t> dims) : dims_(std::move(dims)) {}
  explicit Shape(std::span<const int32_t> dims) : dims_(dims.begin(), dims.end()) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  int32_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int32_t& operator[](int i) { return dims_[static_cast<size_t>(i)]; }
  // Dimension counted from the back: FromEnd(1) is the innermost.
  int32_t FromEnd(int i) const { return dims_[dims_.size() - static_cast<size_t>(i)]; }
  std::span<const int32_t> dims() const { return dims_; }

  // Product of all dimensions; the dimensions must be known (>= 0) and their product must have been checked to fit.
  int64_t NumElements() const {
    int64_t n = 1;
    for (const int32_t d : dims_) n *= d;
    return n;
  }
  // False where a dimension is negative or the product (zeros left out, so that no order of multiplying overflows)
  // exceeds `limit`.
  bool IsValid(int64_t limit) const;

  std::string ToString() const;  // "[1,224,224,3]"
  bool operator==(const Shape&) const = default;

 private:
  std::vector<int32_t> dims_;
};

// The shape that numpy broadcasting gives, or false where the two do not fit.
bool BroadcastShapes(const Shape& a, const Shape& b, Shape* out);

}  // namespace assay
