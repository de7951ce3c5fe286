#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct Conv3DAttributes {
  Padding padding = Padding::kSame;
  int32_t stride_d = 0, stride_w = 0, stride_h = 0;
  Activation fused_activation_function = Activation::kNone;
  int32_t dilation_d_factor = 1, dilation_w_factor = 1, dilation_h_factor = 1;

  template <class V>
  void Visit(V& v) {
    v("padding", padding);
    v("stride_d", stride_d), v("stride_w", stride_w), v("stride_h", stride_h);
    v("fused_activation_function", fused_activation_function);
    v("dilation_d_factor", dilation_d_factor);
    v("dilation_w_factor", dilation_w_factor), v("dilation_h_factor", dilation_h_factor);
  }
};

}  // namespace assay::graph
