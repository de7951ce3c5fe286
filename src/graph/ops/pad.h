#pragma once

#include "graph/attributes.h"

namespace assay::graph {

enum class MirrorPadMode : uint8_t { kReflect = 0, kSymmetric = 1, kCount };

struct MirrorPadAttributes {
  MirrorPadMode mode = MirrorPadMode::kReflect;

  template <class V>
  void Visit(V& v) {
    v("mode", mode);
  }
};

}  // namespace assay::graph
