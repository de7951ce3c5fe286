// RESHAPE of RESHAPE becomes one; a RESHAPE to the shape that its input has goes.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {

using graph::BuiltinOp;

int CancelReshapes(PassContext& context) {
  graph::Subgraph& graph = context.graph;
  int count = 0;
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
