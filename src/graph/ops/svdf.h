// SVDF.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct SvdfAttributes {
  int32_t rank = 0;
  Activation fused_activation_function = Activation::kNone;
  bool asymmetric_quantize_inputs = false;

  template <class V>
  void Visit(V& v) {
    v("rank", rank), v("fused_activation_function", fused_activation_function);
    v("asymmetric_quantize_inputs", asymmetric_quantize_inputs);
  }
};

}  // namespace assay::graph
