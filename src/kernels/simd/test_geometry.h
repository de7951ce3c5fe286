// For tests: random convolutions.
#pragma once

#include <algorithm>

#include "base/random.h"
#include "kernels/ref/conv_2d.h"

namespace assay::kernels::simd {

// The output that input, filter, strides and padding leave room for, at least one pixel.
inline void SetOutputSize(ref::Conv2DGeometry& g) {
  const auto outputs = [](int32_t in, int32_t pad, int32_t filter, int32_t dilation, int32_t stride) {
    return std::max((in + 2 * pad - (filter - 1) * dilation - 1) / stride + 1, 1);
  };
  g.output_h = outputs(g.input_h, g.pad_h, g.filter_h, g.dilation_h, g.stride_h);
  g.output_w = outputs(g.input_w, g.pad_w, g.filter_w, g.dilation_w, g.stride_w);
}

inline ref::Conv2DGeometry DrawGeometry(Random& random, bool depthwise) {
  ref::Conv2DGeometry g = {};
  g.batches = random.Between(1, 3);
  g.filter_h = random.Chance(0.4) ? 1 : random.Between(1, 3);
  g.filter_w = random.Chance(0.4) ? 1 : random.Between(1, 4);
  g.stride_h = random.Between(1, 2), g.stride_w = random.Between(1, 2);
  g.dilation_h = random.Between(1, 2), g.dilation_w = random.Between(1, 2);
  // Depthwise windows of these sizes have kernels of their own.
  if (depthwise && random.Chance(0.5)) g.filter_h = g.filter_w = random.Chance(0.5) ? 3 : 5, g.dilation_w = 1;
  g.input_c = g.filter_c = random.Chance(0.4) ? 4 * random.Between(1, 20) : random.Between(1, 60);
  g.output_c = random.Between(1, 90);
  if (depthwise) g.filter_c = 1, g.output_c = g.input_c;
  g.input_h = random.Between(1, 7), g.input_w = random.Between(1, random.Chance(0.3) ? 30 : 7);
  if (g.filter_h > 1 || g.filter_w > 1) g.pad_h = random.Between(0, 2), g.pad_w = random.Between(0, 2);
  SetOutputSize(g);
  return g;
}

}  // namespace assay::kernels::simd
