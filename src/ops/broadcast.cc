#include "ops/broadcast.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"

namespace assay::ops {
namespace {

using kernels::ref::FiveFold;
using kernels::ref::kMaxBroadcastRank;

// Dimension d of a shape seen as having `rank` dimensions.
int64_t DimAt(const Shape& shape, int rank, int d) {
  const int own = d - (rank - shape.rank());
  return own < 0 ? 1 : shape[own];
}

}  // namespace

Shape BroadcastShape(std::initializer_list<const Shape*> shapes) {
  Shape result;
  for (const Shape* shape : shapes) {
    Shape next;
    if (!BroadcastShapes(result, *shape, &next)) {
      std::string all;
      for (const Shape* s : shapes) all += (all.empty() ? "" : ", ") + s->ToString();
      throw InputError("the shapes {} do not broadcast together", all);
    }
    result = std::move(next);
  }
  return result;
}

int internal::PlanBroadcast(std::span<const Shape* const> shapes, const Shape& output, int64_t* extent,
                            std::array<int64_t, kMaxBroadcastRank>* stride) {
  const int rank = output.rank();
  std::vector<int64_t> step(shapes.size(), 1);               // of the next dimension outwards, in elements
  std::vector<std::vector<int64_t>> strides(shapes.size());  // innermost first while building
  std::vector<int64_t> extents;
  for (int d = rank - 1; d >= 0; --d) {
    const int64_t size = output[d];
    if (size == 1) continue;
    std::vector<int64_t> here(shapes.size());
    for (size_t k = 0; k < shapes.size(); ++k) {
      const int64_t own = DimAt(*shapes[k], rank, d);
      ASSAY_CHECK(own == size || own == 1);
      here[k] = own == 1 ? 0 : step[k];
      step[k] *= own;
    }
    bool merges = !extents.empty();
    for (size_t k = 0; merges && k < shapes.size(); ++k) {
      merges = here[k] == strides[k].back() * extents.back() && (here[k] == 0) == (strides[k].back() == 0);
    }
    if (merges) {
      extents.back() *= size;
      continue;
    }
    extents.push_back(size);
    for (size_t k = 0; k < shapes.size(); ++k) strides[k].push_back(here[k]);
  }
  if (extents.empty()) {
    extents.push_back(1);
    for (auto& s : strides) s.push_back(0);
  }
  if (extents.size() > static_cast<size_t>(kMaxBroadcastRank)) {
    throw InputError("broadcasting to {} takes {} loops; the limit is {}", output.ToString(), extents.size(),
                     kMaxBroadcastRank);
  }
  std::reverse_copy(extents.begin(), extents.end(), extent);
  for (size_t k = 0; k < shapes.size(); ++k) std::reverse_copy(strides[k].begin(), strides[k].end(), stride[k].begin());
  return static_cast<int>(extents.size());
}

FiveFold PlanFiveFold(const Shape& a, const Shape& b) {
  FiveFold plan;
  const int rank = std::max(a.rank(), b.rank());
  const auto dim = [&](const Shape& shape, int d) { return DimAt(shape, rank, d); };
  int first_difference = rank - 1;
  while (first_difference >= 0 && dim(a, first_difference) == dim(b, first_difference)) --first_difference;
  if (first_difference < 0) {
    plan.kind = FiveFold::Kind::kFlat;
    plan.y[4] = a.NumElements();
    return plan;
  }
  plan.second_is_fast = dim(a, first_difference) != 1;
  const Shape& fast = plan.second_is_fast ? b : a;
  const Shape& slow = plan.second_is_fast ? a : b;
  int d = rank - 1;
  for (; d >= 0 && dim(fast, d) == dim(slow, d); --d) plan.y[4] *= dim(slow, d);
  for (; d >= 0 && dim(fast, d) == 1; --d) plan.y[3] *= dim(slow, d);
  for (; d >= 0 && dim(fast, d) == dim(slow, d); --d) plan.y[2] *= dim(fast, d);
  for (; d >= 0 && dim(slow, d) == 1; --d) plan.y[1] *= dim(fast, d);
  for (; d >= 0 && dim(fast, d) == dim(slow, d); --d) plan.y[0] *= dim(slow, d);
  if (std::count(plan.y.begin(), plan.y.end(), 0) > 0) {
    plan.kind = FiveFold::Kind::kFlat;
    plan.y[4] = 0;
  } else if (d < 0) {
    plan.kind = plan.y[4] > 1 ? FiveFold::Kind::kRows : FiveFold::Kind::kScalars;
  }
  return plan;
}

}  // namespace assay::ops
