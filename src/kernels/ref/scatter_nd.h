// SCATTER_ND: adds slices of updates to an array of zeros. The caller has checked every index.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/ref/gather.h"

namespace assay::kernels::ref {

// a + b; integers wrap, bools (bytes of 0 and 1, T = bool) are or-ed.
template <typename T, typename Stored>
Stored Accumulated(Stored a, Stored b) noexcept {
  if constexpr (std::is_same_v<T, bool>) {
    return static_cast<Stored>(a | b);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<Stored>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <typename T, typename Stored, typename Index>
void ScatterNd(const TupleGeometry& g, const Index* indices, const Stored* updates, Stored* output) noexcept {
  for (int64_t i = 0; i < g.count; ++i) {
    Stored* to = output + TuplePosition(g, indices + i * g.depth);
    const Stored* from = updates + i * g.slice;
    for (int64_t j = 0; j < g.slice; ++j) to[j] = Accumulated<T>(to[j], from[j]);
  }
}

}  // namespace assay::kernels::ref
