// x * relu6(x + 3) / 6, in any order of the factors, as one HARD_SWISH.
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;

const Operator* Producer(const Subgraph& graph, const Uses& uses, int32_t tensor) {
  const int32_t op = uses.producer(tensor);
  return op < 0 ? nullptr : &graph.operators[static_cast<size_t>(op)];
}

bool IsScalar(const Subgraph& graph, int32_t tensor, double value) {
  const auto values = FloatValues(graph, tensor);
  return values.has_value() && values->size() == 1 && std::abs(static_cast<double>((*values)[0]) - value) < 1e-6;
}

// x, where the tensor is relu6(x + 3).
int32_t HardSigmoidInput(const Subgraph& graph, const Uses& uses, int32_t tensor) {
  const Operator* op = Producer(graph, uses, tensor);
  if (op == nullptr) return -1;
  if (op->code == BuiltinOp::kRelu6) {
    op = Producer(graph, uses, op->inputs[0]);
    if (op == nullptr || FusedActivation(*op) != graph::Activation::kNone) return -1;
  } else if (FusedActivation(*op) != graph::Activation::kRelu6) {
    return -1;
  }
  if (op->code != BuiltinOp::kAdd) return -1;
  if (IsScalar(graph, op->inputs[1], 3)) return op->inputs[0];
  return IsScalar(graph, op->inputs[0], 3) ? op->inputs[1] : -1;
}

bool IsPlainMul(const Operator* op) {
  return op != nullptr && op->code == BuiltinOp::kMul && FusedActivation(*op) == graph::Activation::kNone;
}

// x, where the op computes x * relu6(x + 3) / 6.
int32_t HardSwishInput(const Subgraph& graph, const Uses& uses, const Operator& op) {
  if (!IsPlainMul(&op)) return -1;
  for (const int side : {0, 1}) {
    const int32_t a = op.inputs[static_cast<size_t>(side)], b = op.inputs[static_cast<size_t>(1 - side)];
    // x * (relu6(x + 3) * 1/6)
    if (const Operator* inner = Producer(graph, uses, b); IsPlainMul(inner)) {
      for (const int k : {0, 1}) {
        const int32_t factor = inner->inputs[static_cast<size_t>(k)], gate = inner->inputs[static_cast<size_t>(1 - k)];
        if (IsScalar(graph, factor, 1.0 / 6) && HardSigmoidInput(graph, uses, gate) == a) return a;
      }
    }
    // (x * relu6(x + 3)) * 1/6
    if (!IsScalar(graph, b, 1.0 / 6)) continue;
    if (const Operator* inner = Producer(graph, uses, a); IsPlainMul(inner)) {
      for (const int k : {0, 1}) {
        const int32_t x = inner->inputs[static_cast<size_t>(k)];
        if (HardSigmoidInput(graph, uses, inner->inputs[static_cast<size_t>(1 - k)]) == x) return x;
      }
    }
  }
  return -1;
}

}  // namespace

int RecognizeActivations(PassContext& context) {
  Subgraph& graph = context.graph;
  const Uses uses(graph);
  int count = 0;
  for (Operator& op : graph.operators) {
    if (op.code != BuiltinOp::kMul) continue;
    const int32_t x = HardSwishInput(graph, uses, op);
    if (x < 0 || TensorAt(graph, x).dtype != DType::kFloat32) continue;
    op.code = BuiltinOp::kHardSwish;
    op.options_table = graph::BuiltinOpOptionsTable(op.code);
    op.attributes = {};
    op.version = 1;
    op.inputs = {x};
    ++count;
  }
  return count;
}

}  // namespace assay::passes
