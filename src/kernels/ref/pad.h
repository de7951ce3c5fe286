// MIRROR_PAD as one loop over the output: each coordinate is folded back into the input.
#pragma once

#include <cstdint>

#include "kernels/ref/strided_copy.h"

namespace assay::kernels::ref {

struct MirrorPadGeometry {
  int rank = 0;
  int border = 0;  // 1: the outermost element is not repeated (REFLECT), 0: it is (SYMMETRIC)
  int64_t input[kMaxCopyRank] = {}, output[kMaxCopyRank] = {}, before[kMaxCopyRank] = {};
};

// before[d] <= input[d] - border. Behind the input the image ends at element 0, which then repeats, as in LiteRT.
void MirrorPad(const MirrorPadGeometry& g, int bits, const void* input, void* output) noexcept;

}  // namespace assay::kernels::ref
