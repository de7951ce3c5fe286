#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct TransposeConvAttributes {
  Padding padding = Padding::kSame;
  int32_t stride_w = 0, stride_h = 0;
  Activation fused_activation_function = Activation::kNone;
  int32_t quantized_bias_type = 0;  // a DType; float32 means: not set

  template <class V>
  void Visit(V& v) {
    v("padding", padding), v("stride_w", stride_w), v("stride_h", stride_h);
    v("fused_activation_function", fused_activation_function);
    v("quantized_bias_type", quantized_bias_type);
  }
};

}  // namespace assay::graph
