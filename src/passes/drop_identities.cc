// x + 0, x - 0, x * 1 and x / 1, with constants that do not make the result larger, are x.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;

// The operand that the op gives out unchanged; -1: none.
int32_t UnchangedOperand(const graph::Subgraph& graph, const graph::Operator& op) {
  const bool sums = op.code == BuiltinOp::kAdd || op.code == BuiltinOp::kSub;
  const bool scales = op.code == BuiltinOp::kMul || op.code == BuiltinOp::kDiv;
  if ((!sums && !scales) || op.inputs.size() != 2 || FusedActivation(op) != graph::Activation::kNone) return -1;
  const float neutral = sums ? 0.0F : 1.0F;
  const bool commutes = op.code == BuiltinOp::kAdd || op.code == BuiltinOp::kMul;
  for (const size_t side : {size_t{1}, size_t{0}}) {
    if (side == 0 && !commutes) continue;
    const auto values = FloatValues(graph, op.inputs[side]);
    if (!values.has_value() || values->empty()) continue;
    if (!std::all_of(values->begin(), values->end(), [&](float value) { return value == neutral; })) continue;
    const int32_t x = op.inputs[1 - side];
    if (IsConstant(graph, x) || TensorAt(graph, x).shape != TensorAt(graph, op.outputs[0]).shape) continue;
    // Where only the batch of 1 makes them alike, they are not.
    if (DimsOf(TensorAt(graph, x)) != DimsOf(TensorAt(graph, op.outputs[0]))) continue;
    return x;
  }
  return -1;
}

}  // namespace

int DropIdentities(PassContext& context) {
  graph::Subgraph& graph = context.graph;
  int count = 0;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const int32_t x = UnchangedOperand(graph, graph.operators[i]);
    if (x < 0) continue;
    const Uses uses(graph);
    if (!Bypass(graph, uses, graph.operators[i].outputs[0], x)) continue;
    std::vector<bool> erase(graph.operators.size(), false);
    erase[i] = true;
    EraseOps(graph, erase);
    --i;
    ++count;
  }
  return count;
}

}  // namespace assay::passes
