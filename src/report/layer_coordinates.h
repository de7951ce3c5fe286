// Horizontal coordinates for ordered layers: every box gets the median of its neighbours' places as far as the order
// and the distances allow, and edges that pass several layers are straight. Brandes and Köpf, 2001, with widths.
#pragma once

#include <vector>

namespace assay::report {

struct LayerItem {
  double width = 0;
  bool is_track = false;   // an edge that passes the layer, no box
  std::vector<int> above;  // neighbours in the layer before, as indices of items
};

struct LayerSpacing {
  double node_gap = 0, track_gap = 0;
};

// `layers` holds items in order from left to right. Returns the x of every item's middle; the smallest left side is 0.
std::vector<double> LayerCoordinates(const std::vector<std::vector<int>>& layers, const std::vector<LayerItem>& items,
                                     const LayerSpacing& spacing);

}  // namespace assay::report
