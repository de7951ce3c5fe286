#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct BatchMatMulAttributes {
  bool adj_x = false, adj_y = false;
  bool asymmetric_quantize_inputs = false;

  template <class V>
  void Visit(V& v) {
    v("adj_x", adj_x), v("adj_y", adj_y);
    v("asymmetric_quantize_inputs", asymmetric_quantize_inputs);
  }
};

}  // namespace assay::graph
