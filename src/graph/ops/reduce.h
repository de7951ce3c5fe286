// MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_ANY, REDUCE_ALL.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct ReducerAttributes {
  bool keep_dims = false;

  template <class V>
  void Visit(V& v) {
    v("keep_dims", keep_dims);
  }
};

}  // namespace assay::graph
