#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct OneHotAttributes {
  int32_t axis = 0;  // of the output; -1: behind the indices' dimensions

  template <class V>
  void Visit(V& v) {
    v("axis", axis);
  }
};

}  // namespace assay::graph
