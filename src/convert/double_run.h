// Runs a float graph in double precision, op by op: what the graph means, apart from the rounding of float32. Slow and
// plain; only the ops that importers build. Weights are widened op by op.
#pragma once

#include <functional>
#include <vector>

#include "graph/model.h"
#include "tensor/array.h"

namespace assay::convert {

struct DoubleValue {
  Shape shape;
  std::vector<double> real;  // of a float32 tensor
  std::vector<uint8_t> raw;  // of any other
};

// Called with every tensor that an op of the main subgraph computes.
using DoubleSink = std::function<void(int32_t tensor, const DoubleValue& value)>;

// `inputs` in the graph's order, of the tensors' own types; their batch decides the shapes. Throws InputError naming an
// op that it does not know.
void RunInDouble(const graph::Model& model, const std::vector<Array>& inputs, const DoubleSink& sink);

}  // namespace assay::convert
