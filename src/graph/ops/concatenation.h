#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct ConcatenationAttributes {
  int32_t axis = 0;
  Activation fused_activation_function = Activation::kNone;

  template <class V>
  void Visit(V& v) {
    v("axis", axis), v("fused_activation_function", fused_activation_function);
  }
};

struct PackAttributes {
  int32_t values_count = 0, axis = 0;

  template <class V>
  void Visit(V& v) {
    v("values_count", values_count), v("axis", axis);
  }
};

struct UnpackAttributes {
  int32_t num = 0, axis = 0;

  template <class V>
  void Visit(V& v) {
    v("num", num), v("axis", axis);
  }
};

struct SplitAttributes {  // of SPLIT and SPLIT_V
  int32_t num_splits = 0;

  template <class V>
  void Visit(V& v) {
    v("num_splits", num_splits);
  }
};

}  // namespace assay::graph
