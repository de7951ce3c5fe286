// IF, WHILE, CALL_ONCE, STABLEHLO_COMPOSITE: ops that run other subgraphs of the model.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct IfAttributes {
  int32_t then_subgraph_index = 0, else_subgraph_index = 0;

  template <class V>
  void Visit(V& v) {
    v("then_subgraph_index", then_subgraph_index), v("else_subgraph_index", else_subgraph_index);
  }
};

struct WhileAttributes {
  int32_t cond_subgraph_index = 0, body_subgraph_index = 0;

  template <class V>
  void Visit(V& v) {
    v("cond_subgraph_index", cond_subgraph_index), v("body_subgraph_index", body_subgraph_index);
  }
};

struct CallOnceAttributes {
  int32_t init_subgraph_index = 0;

  template <class V>
  void Visit(V& v) {
    v("init_subgraph_index", init_subgraph_index);
  }
};

struct StablehloCompositeAttributes {
  std::string name;
  int32_t decomposition_subgraph_index = 0;

  template <class V>
  void Visit(V& v) {
    v("name", name), v("decomposition_subgraph_index", decomposition_subgraph_index);
  }
};

}  // namespace assay::graph
