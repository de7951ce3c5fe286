// VAR_HANDLE.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct VarHandleAttributes {
  std::string container, shared_name;

  template <class V>
  void Visit(V& v) {
    v("container", container), v("shared_name", shared_name);
  }
};

}  // namespace assay::graph
