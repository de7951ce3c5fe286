#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct SpaceToDepthAttributes {  // of DEPTH_TO_SPACE too
  int32_t block_size = 0;

  template <class V>
  void Visit(V& v) {
    v("block_size", block_size);
  }
};

}  // namespace assay::graph
