#pragma once

#include "graph/attributes.h"
#include "tensor/dtype.h"

namespace assay::graph {

struct UniqueAttributes {
  int32_t idx_out_type = static_cast<int32_t>(DType::kInt32);

  template <class V>
  void Visit(V& v) {
    v("idx_out_type", idx_out_type);
  }
};

}  // namespace assay::graph
