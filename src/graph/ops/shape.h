#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct ShapeAttributes {
  int32_t out_type = 0;  // a DType; float32 means: not set

  template <class V>
  void Visit(V& v) {
    v("out_type", out_type);
  }
};

}  // namespace assay::graph
