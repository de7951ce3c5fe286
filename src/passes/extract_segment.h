// Cuts the ops out of a model that compute some of its tensors from others: one layer alone, or all that follows one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/model.h"

namespace assay::passes {

struct Segment {
  // The main subgraph has the same tensors under the same indices, its inputs and outputs are those below. Constants
  // are shared with the model that was cut. Other subgraphs stay.
  graph::Model model;
  std::vector<int32_t> inputs;   // tensors to be given, ascending
  std::vector<int32_t> outputs;  // the wanted ones
  std::vector<int32_t> ops;      // of the main subgraph that was cut, in order
};

// `given[t]` marks tensors of the main subgraph whose values are at hand; a wanted tensor is computed even where it is
// marked. Throws InputError where a tensor is needed that nothing computes (an input that is not given), or an op that
// depends on state outside of its operands (resource variables).
Segment ExtractSegment(const graph::Model& model, std::span<const int32_t> wanted, const std::vector<bool>& given);

}  // namespace assay::passes
