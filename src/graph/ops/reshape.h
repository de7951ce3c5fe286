#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct ReshapeAttributes {
  std::vector<int64_t> new_shape;  // used where the op has no shape operand

  template <class V>
  void Visit(V& v) {
    v("new_shape", new_shape);
  }
};

struct SqueezeAttributes {
  std::vector<int64_t> squeeze_dims;  // empty: every dimension of 1

  template <class V>
  void Visit(V& v) {
    v("squeeze_dims", squeeze_dims);
  }
};

}  // namespace assay::graph
