// int8 matrices times float vectors that are quantized on the way, as recurrent ops use them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/ref/dynamic_range.h"

namespace assay::kernels::ref {

struct HybridMatrix {
  const int8_t* weights = nullptr;
  float scale = 0;
};

// Without codes: a vector of zeros, or none; its products are left out.
struct HybridVector {
  const int8_t* codes = nullptr;
  DynamicRange range;
};

// `values` may be null. `codes` has room for `count`.
inline HybridVector QuantizeHybridVector(DynamicQuantizer how, const float* values, int32_t count,
                                         int8_t* codes) noexcept {
  if (values == nullptr || std::all_of(values, values + count, [](float x) { return x == 0; })) return {};
  return {codes, QuantizeDynamically(how, {values, static_cast<size_t>(count)}, codes)};
}

// to[r] += (row r . (codes - zero point)) * (scale of the vector * scale of the matrix).
inline void AddProduct(const HybridMatrix& matrix, int32_t rows, int32_t columns, const HybridVector& x,
                       float* to) noexcept {
  if (x.codes == nullptr) return;
  const float scale = x.range.scale * matrix.scale;
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t* w = matrix.weights + int64_t{r} * columns;
    uint32_t sum = 0;  // wraps
    for (int32_t i = 0; i < columns; ++i) {
      sum += static_cast<uint32_t>(int32_t{w[i]} * (int32_t{x.codes[i]} - x.range.zero_point));
    }
    to[r] += static_cast<float>(static_cast<int32_t>(sum)) * scale;
  }
}

}  // namespace assay::kernels::ref
