// RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR.
#pragma once

#include "graph/attributes.h"

namespace assay::graph {

struct ResizeAttributes {
  bool align_corners = false;
  bool half_pixel_centers = false;

  template <class V>
  void Visit(V& v) {
    v("align_corners", align_corners), v("half_pixel_centers", half_pixel_centers);
  }
};

}  // namespace assay::graph
