#include "kernels/ref/pad.h"

#include <algorithm>

namespace assay::kernels::ref {
namespace {

int64_t Mirrored(int64_t i, int64_t before, int64_t size, int64_t border) {
  if (i < before) return before - 1 + border - i;
  i -= before;
  return i < size ? i : std::max<int64_t>(2 * size - 1 - border - i, 0);
}

}  // namespace

void MirrorPad(const MirrorPadGeometry& g, int bits, const void* input, void* output) noexcept {
  int64_t count = 1;
  for (int d = 0; d < g.rank; ++d) count *= g.output[d];
  int64_t index[kMaxCopyRank] = {};
  for (int64_t out = 0; out < count; ++out) {
    int64_t in = 0;
    for (int d = 0; d < g.rank; ++d) in = in * g.input[d] + Mirrored(index[d], g.before[d], g.input[d], g.border);
    CopyElements(bits, input, in, 1, output, out);
    for (int d = g.rank - 1; d >= 0; --d) {
      if (++index[d] < g.output[d]) break;
      index[d] = 0;
    }
  }
}

}  // namespace assay::kernels::ref
