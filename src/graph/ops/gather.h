#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct GatherAttributes {
  int32_t axis = 0;
  int32_t batch_dims = 0;  // dimensions that input and indices share

  template <class V>
  void Visit(V& v) {
    v("axis", axis), v("batch_dims", batch_dims);
  }
};

}  // namespace assay::graph
