// MIRROR_PAD as one loop over the output: each coordinate is folded back into the input.
#pragma once

#include <cstdint>

#include "kernels/ref/strided_copy.h"

namespace assay::kernels::ref {

struct PadGeometry {
  int rank = 0;
  int64_t input[kMaxCopyRank] = {}, before[kMaxCopyRank] = {}, after[kMaxCopyRank] = {};
};

// Puts elements of whole bytes equal to `value` around the input.
void Pad(const PadGeometry& g, int bits, const void* value, const void* input, void* output) noexcept;

struct MirrorPadGeometry {
  int rank = 0;
  int border = 0;  // 1: the outermost element is not repeated (REFLECT), 0: it is (SYMMETRIC)
  int64_t input[kMaxCopyRank] = {}, output[kMaxCopyRank] = {}, before[kMaxCopyRank] = {};
};

// before[d] <= input[d] - border. Behind the input the image ends at element 0, which then repeats, as in LiteRT.
void MirrorPad(const MirrorPadGeometry& g, int bits, const void* input, void* output) noexcept;

}  // namespace assay::kernels::ref
