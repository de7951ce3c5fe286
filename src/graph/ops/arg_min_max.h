// ARG_MAX, ARG_MIN.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct ArgMinMaxAttributes {
  int32_t output_type = 0;  // a DType: int32 or int64

  template <class V>
  void Visit(V& v) {
    v("output_type", output_type);
  }
};

}  // namespace assay::graph
