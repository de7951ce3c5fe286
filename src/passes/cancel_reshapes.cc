// RESHAPE of RESHAPE becomes one; a RESHAPE to the shape that its input has goes. A STRIDED_SLICE that takes everything
// is a RESHAPE.
#include <algorithm>

#include "graph/builtin_op.h"
#include "graph/ops/strided_slice.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {

using graph::BuiltinOp;

namespace {

// As many values as its operand has, in their order.
bool TakesEverything(const graph::Subgraph& graph, const graph::Operator& op) {
  if (op.code != BuiltinOp::kStridedSlice || IsConstant(graph, op.inputs[0])) return false;
  const graph::Tensor &from = TensorAt(graph, op.inputs[0]), &to = TensorAt(graph, op.outputs[0]);
  const auto strides = IntValues(graph, op.inputs[3]);
  return IsStatic(from) && IsStatic(to) && from.shape.NumElements() == to.shape.NumElements() && strides.has_value() &&
         std::all_of(strides->begin(), strides->end(), [](int32_t s) { return s == 1; });
}

void MakeReshape(graph::Subgraph& graph, graph::Operator& op) {
  const std::vector<int32_t> dims = DimsOf(TensorAt(graph, op.outputs[0]));
  op.code = BuiltinOp::kReshape;
  op.version = 1;
  op.options_table = graph::BuiltinOpOptionsTable(op.code);
  op.attributes = {};
  op.attributes.Set("new_shape", std::vector<int64_t>(dims.begin(), dims.end()));
  op.inputs = {op.inputs[0], AddIntConstant(graph, TensorAt(graph, op.outputs[0]).name + "/shape",
                                            {static_cast<int32_t>(dims.size())}, dims)};
}

}  // namespace

int CancelReshapes(PassContext& context) {
  graph::Subgraph& graph = context.graph;
  int count = 0;
  for (graph::Operator& op : graph.operators) {
    if (!TakesEverything(graph, op)) continue;
    MakeReshape(graph, op);
    ++count;
  }
  bool changed = true;
  while (changed) {
    changed = false;
    const Uses uses(graph);
    for (size_t i = 0; i < graph.operators.size() && !changed; ++i) {
      graph::Operator& op = graph.operators[i];
      if (op.code != BuiltinOp::kReshape || op.outputs.size() != 1 || IsConstant(graph, op.inputs[0])) continue;
      const int32_t producer = uses.producer(op.inputs[0]);
      if (producer >= 0 && graph.operators[static_cast<size_t>(producer)].code == BuiltinOp::kReshape) {
        op.inputs[0] = graph.operators[static_cast<size_t>(producer)].inputs[0];
        ++count;
        changed = true;
      }
      const graph::Tensor &from = TensorAt(graph, op.inputs[0]), &to = TensorAt(graph, op.outputs[0]);
      const std::vector<int32_t> dims = DimsOf(from);
      // Two open dimensions may change places without a trace in the signature.
      if (dims != DimsOf(to) || std::count(dims.begin(), dims.end(), -1) > 1) continue;
      if (!Bypass(graph, Uses(graph), op.outputs[0], op.inputs[0])) continue;
      graph.operators.erase(graph.operators.begin() + static_cast<std::ptrdiff_t>(i));
      ++count;
      changed = true;
    }
  }
  return count;
}

}  // namespace assay::passes
