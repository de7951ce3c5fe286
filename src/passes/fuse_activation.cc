// RELU, RELU6 and RELU_N1_TO_1 become the fused activation of the op before them; reshapes may lie between.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;

graph::Activation ActivationOf(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kRelu:
      return graph::Activation::kRelu;
    case BuiltinOp::kRelu6:
      return graph::Activation::kRelu6;
    case BuiltinOp::kReluN1To1:
      return graph::Activation::kReluN1To1;
    default:
      return graph::Activation::kNone;
  }
}

bool TakesActivation(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kFullyConnected:
    case BuiltinOp::kTransposeConv:
    case BuiltinOp::kConv3D:
    case BuiltinOp::kAdd:
    case BuiltinOp::kSub:
    case BuiltinOp::kMul:
    case BuiltinOp::kDiv:
    case BuiltinOp::kAveragePool2D:
    case BuiltinOp::kMaxPool2D:
      return true;
    default:
      return false;
  }
}

bool Fuse(Subgraph& graph, const Uses& uses, size_t i) {
  const Operator& op = graph.operators[i];
  const graph::Activation activation = ActivationOf(op.code);
  if (activation == graph::Activation::kNone) return false;
  const int32_t x = op.inputs[0];
  if (TensorAt(graph, x).dtype != DType::kFloat32) return false;
  int32_t at = x, producer = -1;
  while (true) {
    if (uses.readers(at) != 1 || uses.IsOutput(at)) return false;
    producer = uses.producer(at);
    if (producer < 0) return false;
    if (graph.operators[static_cast<size_t>(producer)].code != BuiltinOp::kReshape) break;
    at = graph.operators[static_cast<size_t>(producer)].inputs[0];
  }
  Operator& before = graph.operators[static_cast<size_t>(producer)];
  if (!TakesActivation(before.code) || FusedActivation(before) != graph::Activation::kNone) return false;
  before.attributes.Set("fused_activation_function", static_cast<int64_t>(activation));
  if (before.code == BuiltinOp::kTransposeConv) before.version = 4;
  graph::Tensor& kept = TensorAt(graph, op.outputs[0]);
  kept.name = JoinNames(kept.name, TensorAt(graph, at).name);
  // What lies before a reshape is no longer what its name said.
  for (int32_t t = x; t != at;) {
    t = graph.operators[static_cast<size_t>(uses.producer(t))].inputs[0];
    TensorAt(graph, t).name = kept.name + "/unshaped";
  }
  for (int32_t& t : graph.operators[static_cast<size_t>(uses.producer(x))].outputs) {
    if (t == x) t = op.outputs[0];
  }
  return true;
}

}  // namespace

int FuseActivation(PassContext& context) {
  int count = 0;
  const Uses uses(context.graph);
  std::vector<bool> erase(context.graph.operators.size(), false), touched(context.graph.tensors.size(), false);
  for (size_t i = 0; i < context.graph.operators.size(); ++i) {
    if (ActivationOf(context.graph.operators[i].code) == graph::Activation::kNone) continue;
    if (touched[static_cast<size_t>(context.graph.operators[i].inputs[0])]) continue;
    if (!Fuse(context.graph, uses, i)) continue;
    touched[static_cast<size_t>(context.graph.operators[i].outputs[0])] = true;
    erase[i] = true;
    ++count;
  }
  EraseOps(context.graph, erase);
  return count;
}

}  // namespace assay::passes
