#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct StridedSliceAttributes {
  int32_t begin_mask = 0, end_mask = 0, ellipsis_mask = 0, new_axis_mask = 0, shrink_axis_mask = 0;
  bool offset = false;  // `end` counts from `begin`

  template <class V>
  void Visit(V& v) {
    v("begin_mask", begin_mask), v("end_mask", end_mask), v("ellipsis_mask", ellipsis_mask);
    v("new_axis_mask", new_axis_mask), v("shrink_axis_mask", shrink_axis_mask), v("offset", offset);
  }
};

}  // namespace assay::graph
