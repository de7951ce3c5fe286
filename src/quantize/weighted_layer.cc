#include "quantize/weighted_layer.h"

namespace assay::quantize {

bool IsWeightedOp(graph::BuiltinOp code) {
  return code == graph::BuiltinOp::kConv2D || code == graph::BuiltinOp::kDepthwiseConv2D ||
         code == graph::BuiltinOp::kFullyConnected;
}

std::optional<WeightedLayer> WeightedLayerOf(const graph::Subgraph& graph, const passes::Uses& uses, int32_t index) {
  const graph::Operator& op = graph.operators[static_cast<size_t>(index)];
  if (!IsWeightedOp(op.code) || op.inputs.size() < 2 || op.outputs.size() != 1) return std::nullopt;
  WeightedLayer layer;
  layer.op = index;
  layer.weights = op.inputs[1];
  layer.result = op.outputs[0];
  if (op.inputs.size() > 2) layer.bias = op.inputs[2];
  if (!passes::IsFloatConstant(graph, layer.weights) || uses.readers(layer.weights) != 1) return std::nullopt;
  if (layer.bias != graph::kNoTensor &&
      (!passes::IsFloatConstant(graph, layer.bias) || uses.readers(layer.bias) != 1)) {
    return std::nullopt;
  }
  const Shape& shape = passes::TensorAt(graph, layer.weights).shape;
  const bool is_dense = op.code == graph::BuiltinOp::kFullyConnected;
  if (shape.rank() != (is_dense ? 2 : 4) || shape.NumElements() == 0) return std::nullopt;
  layer.depthwise = op.code == graph::BuiltinOp::kDepthwiseConv2D;
  layer.results = static_cast<size_t>(shape[layer.depthwise ? 3 : 0]);
  layer.operands = layer.depthwise ? layer.results : static_cast<size_t>(shape[shape.rank() - 1]);
  layer.values = *passes::FloatValues(graph, layer.weights);
  return layer;
}

}  // namespace assay::quantize
