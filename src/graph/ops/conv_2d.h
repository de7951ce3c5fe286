#pragma once

#include "graph/attributes.h"
#include "tensor/dtype.h"

namespace assay::graph {

struct Conv2DAttributes {
  Padding padding = Padding::kSame;
  int32_t stride_w = 0, stride_h = 0;
  Activation fused_activation_function = Activation::kNone;
  int32_t dilation_w_factor = 1, dilation_h_factor = 1;
  int32_t quantized_bias_type = 0;  // a DType; float32 means: not set

  template <class V>
  void Visit(V& v) {
    v("padding", padding), v("stride_w", stride_w), v("stride_h", stride_h);
    v("fused_activation_function", fused_activation_function);
    v("dilation_w_factor", dilation_w_factor), v("dilation_h_factor", dilation_h_factor);
    v("quantized_bias_type", quantized_bias_type);
  }
};

}  // namespace assay::graph
