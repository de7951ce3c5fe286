#pragma once

#include "graph/attributes.h"
#include "tensor/dtype.h"

namespace assay::graph {

// Informative: the tensors' types decide.
struct CastAttributes {
  int32_t in_data_type = 0, out_data_type = 0;

  template <class V>
  void Visit(V& v) {
    v("in_data_type", in_data_type), v("out_data_type", out_data_type);
  }
};

}  // namespace assay::graph
