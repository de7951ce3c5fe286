// Options of ADD, SUB, MUL and DIV.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct AddAttributes {  // and SUB
  Activation fused_activation_function = Activation::kNone;
  bool pot_scale_int16 = true;

  template <class V>
  void Visit(V& v) {
    v("fused_activation_function", fused_activation_function);
    v("pot_scale_int16", pot_scale_int16);
  }
};

struct MulAttributes {  // and DIV
  Activation fused_activation_function = Activation::kNone;

  template <class V>
  void Visit(V& v) {
    v("fused_activation_function", fused_activation_function);
  }
};

}  // namespace assay::graph
