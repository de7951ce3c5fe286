// Where the largest or smallest value along one axis is; the first of equal ones.
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

// input [outer, size, inner] -> output [outer, inner]; size >= 1.
template <typename T, typename Index>
void ArgMinMax(int64_t outer, int32_t size, int64_t inner, bool largest, const T* input, Index* output) noexcept {
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < inner; ++i) {
      const T* x = input + o * size * inner + i;
      int32_t best = 0;
      for (int32_t k = 1; k < size; ++k) {
        const T candidate = x[k * inner], current = x[best * inner];
        if (largest ? candidate > current : candidate < current) best = k;
      }
      output[o * inner + i] = best;
    }
  }
}

}  // namespace assay::kernels::ref
