// L2_NORMALIZATION, LOCAL_RESPONSE_NORMALIZATION.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct L2NormAttributes {
  Activation fused_activation_function = Activation::kNone;

  template <class V>
  void Visit(V& v) {
    v("fused_activation_function", fused_activation_function);
  }
};

struct LocalResponseNormalizationAttributes {
  int32_t radius = 0;
  float bias = 0, alpha = 0, beta = 0;

  template <class V>
  void Visit(V& v) {
    v("radius", radius), v("bias", bias), v("alpha", alpha), v("beta", beta);
  }
};

}  // namespace assay::graph
