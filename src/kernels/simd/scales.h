// Scales of output channels as vectors read them: one array per form, every array padded to whole blocks of channels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "numerics/requantize.h"

namespace assay::kernels::simd {

// Output channels come in blocks of this many; arrays per channel are padded to it.
inline constexpr size_t kChannelBlock = 16;

struct ChannelScales {
  const int32_t *multiplier, *left, *right;  // numerics::FixedPointScale, its shift split by direction
  const float* single;
  const double* real;
  bool shifts_left;  // any left shift is not 0
};

}  // namespace assay::kernels::simd
