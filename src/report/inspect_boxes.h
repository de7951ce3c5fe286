// What the boxes of a graph's picture say and which tensors join them. Where they stand is LayOutGraph's business.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "report/graph_layout.h"
#include "report/inspect_words.h"
#include "runtime/inspect_model.h"

namespace assay::report {

constexpr size_t kMaxBoxes = 700;  // of one graph; larger ones get several ops to a box

struct Box {
  std::string css;          // its classes
  bool is_end = false;      // an input or output of the graph
  std::string title, side;  // bold, and small at its right
  std::vector<std::string> lines, tooltip;
  double share = 0;            // of the MACs of the costliest op
  std::vector<int32_t> ports;  // the tensors that leave it
};

struct GraphBoxes {
  std::vector<Box> boxes;  // in an order in which every net goes forward
  std::vector<LayoutNet> nets;
  std::vector<int32_t> tensor_of_net;  // -1: several
  std::vector<std::string> notes;      // what is not drawn
  std::set<OpFamily> families;
  bool has_bars = false, has_builtin = false;
};

// `most_macs`: those of the model's costliest op.
GraphBoxes MakeGraphBoxes(const runtime::ModelFacts& facts, size_t subgraph, int64_t most_macs);

// Name, type, shape and quantization of a tensor.
std::string TensorLine(const graph::Tensor& tensor, const runtime::TensorFacts& facts);

}  // namespace assay::report
