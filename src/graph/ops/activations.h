// Options of SOFTMAX, LEAKY_RELU and GELU; the other activations have none.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct SoftmaxAttributes {
  float beta = 0;

  template <class V>
  void Visit(V& v) {
    v("beta", beta);
  }
};

struct LeakyReluAttributes {
  float alpha = 0;

  template <class V>
  void Visit(V& v) {
    v("alpha", alpha);
  }
};

struct GeluAttributes {
  bool approximate = false;

  template <class V>
  void Visit(V& v) {
    v("approximate", approximate);
  }
};

}  // namespace assay::graph
