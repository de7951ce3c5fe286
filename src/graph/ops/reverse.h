#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct ReverseSequenceAttributes {
  int32_t seq_dim = 0, batch_dim = 0;

  template <class V>
  void Visit(V& v) {
    v("seq_dim", seq_dim), v("batch_dim", batch_dim);
  }
};

}  // namespace assay::graph
