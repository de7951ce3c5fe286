// GATHER and GATHER_ND: slices of the input picked by indices. The caller has checked every index.
#pragma once

#include <cstdint>

#include "kernels/ref/strided_copy.h"

namespace assay::kernels::ref {

// input [batches, outer, size, inner], indices [batches, count], output [batches, outer, count, inner]
struct GatherGeometry {
  int64_t batches = 0, outer = 0, size = 0, inner = 0, count = 0;
};
template <typename Index>
void Gather(const GatherGeometry& g, int bits, const void* input, const Index* indices, void* output) noexcept {
  int64_t out = 0;
  for (int64_t b = 0; b < g.batches; ++b) {
    for (int64_t o = 0; o < g.outer; ++o) {
      const int64_t line = (b * g.outer + o) * g.size;
      for (int64_t i = 0; i < g.count; ++i, out += g.inner) {
        CopyElements(bits, input, (line + static_cast<int64_t>(indices[b * g.count + i])) * g.inner, g.inner, output,
                     out);
      }
    }
  }
}

// Where tuples of `depth` indices point to: the position sum(index[d] * stride[d]) of a slice's first element.
struct TupleGeometry {
  int64_t count = 0, depth = 0, slice = 0;
  int64_t stride[kMaxCopyRank] = {};
};
template <typename Index>
int64_t TuplePosition(const TupleGeometry& g, const Index* tuple) noexcept {
  int64_t position = 0;
  for (int64_t d = 0; d < g.depth; ++d) position += static_cast<int64_t>(tuple[d]) * g.stride[d];
  return position;
}
template <typename Index>
void GatherNd(const TupleGeometry& g, int bits, const void* input, const Index* indices, void* output) noexcept {
  for (int64_t i = 0; i < g.count; ++i) {
    CopyElements(bits, input, TuplePosition(g, indices + i * g.depth), g.slice, output, i * g.slice);
  }
}

}  // namespace assay::kernels::ref
