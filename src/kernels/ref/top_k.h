// TOPK_V2: the k largest of each row, in falling order; of equals the earlier comes first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace assay::kernels::ref {

// `order` is working memory for one row's indices. 0 <= k <= row. NaNs count as smaller than every number.
template <typename T, typename Index>
void TopK(const T* input, int64_t rows, int64_t row, int64_t k, int32_t* order, T* values, Index* indices) noexcept {
  for (int64_t r = 0; r < rows; ++r) {
    const T* x = input + r * row;
    for (int64_t i = 0; i < row; ++i) order[i] = static_cast<int32_t>(i);
    std::partial_sort(order, order + k, order + row, [x](int32_t a, int32_t b) {
      if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(x[a]) != std::isnan(x[b])) return std::isnan(x[b]);
      }
      return x[a] > x[b] || (!(x[a] < x[b]) && a < b);
    });
    for (int64_t i = 0; i < k; ++i) {
      values[r * k + i] = x[order[i]];
      indices[r * k + i] = static_cast<Index>(order[i]);
    }
  }
}

}  // namespace assay::kernels::ref
