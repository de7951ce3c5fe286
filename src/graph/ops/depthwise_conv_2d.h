#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct DepthwiseConv2DAttributes {
  Padding padding = Padding::kSame;
  int32_t stride_w = 0, stride_h = 0;
  int32_t depth_multiplier = 0;  // informative: the shapes decide
  Activation fused_activation_function = Activation::kNone;
  int32_t dilation_w_factor = 1, dilation_h_factor = 1;

  template <class V>
  void Visit(V& v) {
    v("padding", padding), v("stride_w", stride_w), v("stride_h", stride_h);
    v("depth_multiplier", depth_multiplier);
    v("fused_activation_function", fused_activation_function);
    v("dilation_w_factor", dilation_w_factor), v("dilation_h_factor", dilation_h_factor);
  }
};

}  // namespace assay::graph
