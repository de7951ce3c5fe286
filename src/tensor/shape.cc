#include "tensor/shape.h"

#include <algorithm>

namespace assay {

bool Shape::IsValid(int64_t limit) const {
  int64_t n = 1;
  for (const int32_t d : dims_) {
    if (d < 0) return false;
  }
  for (const int32_t d : dims_) {
    if (d == 0) continue;
    if (n > limit / d) return false;
    n *= d;
  }
  return true;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (size_t i = 0; i < dims_.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(dims_[i]);
  }
  return text + "]";
}

bool BroadcastShapes(const Shape& a, const Shape& b, Shape* out) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int32_t> dims(static_cast<size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const int32_t da = i <= a.rank() ? a.FromEnd(i) : 1;
    const int32_t db = i <= b.rank() ? b.FromEnd(i) : 1;
    if (da != db && da != 1 && db != 1) return false;
    dims[static_cast<size_t>(rank - i)] = da == 1 ? db : da;
  }
  *out = Shape(std::move(dims));
  return true;
}

}  // namespace assay
