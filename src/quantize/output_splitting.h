// Outputs that would starve in a scale that they share with much larger ones: boxes beside scores, in one tensor.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/model.h"
#include "quantize/calibration.h"

namespace assay::quantize {

struct SplitOutputs {
  int joins = 0;                // CONCATENATION or PACK that stay float
  int layers = 0, parts = 0;    // layers that were split, and into how many
  std::vector<int32_t> origin;  // by op: which one of the graph before it is (a part of)
  std::vector<bool> stays_float;
};

// Where a tensor leads to outputs alone, through ops that move values and compute nothing, its parts need not share a
// scale: those ops can work on floats. So
// - a CONCATENATION or PACK of operands of which one has a quarter or less of all their range, and what follows, stays
//   float, and its operands keep scales of their own;
// - a CONV_2D or FULLY_CONNECTED with results of which some have a quarter or less of the range of others becomes one
//   for each factor of four or more (up to four layers), whose results are joined as floats.
// `keep_float` by op: those that stay float anyway. Ranges of new tensors are added to `calibration`, which has to know
// channels.
SplitOutputs SplitStarvedOutputs(graph::Subgraph& graph, Calibration& calibration, const std::vector<bool>& keep_float);

}  // namespace assay::quantize
