// A layer whose weights the corrections may change: CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED with constants of its
// own.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/model.h"
#include "passes/rewrite.h"

namespace assay::quantize {

struct WeightedLayer {
  int32_t op = -1, weights = -1, bias = graph::kNoTensor, result = -1;
  std::vector<float> values;         // of the weights
  size_t results = 0, operands = 0;  // channels
  bool depthwise = false;

  // Channels of the layer's result and of its operand that the i-th weight joins. A depthwise operand counts as many
  // channels as the result: with a multiplier of 1 they are the same.
  size_t ResultOf(size_t i) const { return depthwise ? i % results : i / (values.size() / results); }
  size_t OperandOf(size_t i) const { return depthwise ? i % results : i % operands; }
};

// Nothing where the op's weights or bias are computed, or read by others, too.
std::optional<WeightedLayer> WeightedLayerOf(const graph::Subgraph& graph, const passes::Uses& uses, int32_t op);

bool IsWeightedOp(graph::BuiltinOp code);

}  // namespace assay::quantize
