#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct CumsumAttributes {
  bool exclusive = false;  // each sum leaves its own entry out
  bool reverse = false;    // from the end

  template <class V>
  void Visit(V& v) {
    v("exclusive", exclusive), v("reverse", reverse);
  }
};

}  // namespace assay::graph
