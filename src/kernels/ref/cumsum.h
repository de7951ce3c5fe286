// CUMSUM along the middle of [outer, size, inner], added one by one in the type itself; integers wrap.
#pragma once

#include <cstdint>
#include <type_traits>

namespace assay::kernels::ref {

struct CumsumGeometry {
  int64_t outer = 0, size = 0, inner = 0;
  bool exclusive = false, reverse = false;
};

template <typename T>
void Cumsum(const CumsumGeometry& g, const T* input, T* output) noexcept {
  for (int64_t o = 0; o < g.outer; ++o) {
    for (int64_t i = 0; i < g.inner; ++i) {
      T sum = 0;
      for (int64_t s = 0; s < g.size; ++s) {
        const int64_t at = (o * g.size + (g.reverse ? g.size - 1 - s : s)) * g.inner + i;
        const T before = sum;
        if constexpr (std::is_integral_v<T>) {
          sum = static_cast<T>(static_cast<uint64_t>(sum) + static_cast<uint64_t>(input[at]));
        } else {
          sum += input[at];
        }
        output[at] = g.exclusive ? before : sum;
      }
    }
  }
}

}  // namespace assay::kernels::ref
