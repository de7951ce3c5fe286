// AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct Pool2DAttributes {
  Padding padding = Padding::kSame;
  int32_t stride_w = 0, stride_h = 0;
  int32_t filter_width = 0, filter_height = 0;
  Activation fused_activation_function = Activation::kNone;

  template <class V>
  void Visit(V& v) {
    v("padding", padding), v("stride_w", stride_w), v("stride_h", stride_h);
    v("filter_width", filter_width), v("filter_height", filter_height);
    v("fused_activation_function", fused_activation_function);
  }
};

}  // namespace assay::graph
