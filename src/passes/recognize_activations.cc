// x * relu6(x + 3) / 6, in any order of the factors, as one HARD_SWISH; 0.5 * x * (1 + tanh(sqrt(2 / pi) *
// (x + 0.044715 * x^3))) as one GELU.
#include <cmath>

#include "graph/ops/activations.h"
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

// The factors of a product of plain MULs: the scalars multiplied, the others listed; squares and third powers too.
// `whole` is not taken apart.
struct Product {
  double scalar = 1;
  std::vector<int32_t> factors;
};

void CollectFactors(const Subgraph& graph, const Uses& uses, int32_t tensor, int32_t whole, int depth,
                    Product* product) {
  if (const auto values = FloatValues(graph, tensor); values.has_value() && values->size() == 1) {
    product->scalar *= static_cast<double>((*values)[0]);
    return;
  }
  const Operator* op = depth > 4 || tensor == whole ? nullptr : Producer(graph, uses, tensor);
  if (IsPlainMul(op)) {
    for (const int32_t t : op->inputs) CollectFactors(graph, uses, t, whole, depth + 1, product);
    return;
  }
  if (op != nullptr && op->code == BuiltinOp::kSquare) {
    for (int i = 0; i < 2; ++i) CollectFactors(graph, uses, op->inputs[0], whole, depth + 1, product);
    return;
  }
  if (op != nullptr && op->code == BuiltinOp::kPow && IsScalar(graph, op->inputs[1], 3)) {
    for (int i = 0; i < 3; ++i) CollectFactors(graph, uses, op->inputs[0], whole, depth + 1, product);
    return;
  }
  product->factors.push_back(tensor);
}

Product ProductOf(const Subgraph& graph, const Uses& uses, int32_t tensor, int32_t whole = -1) {
  Product product;
  CollectFactors(graph, uses, tensor, whole, 0, &product);
  return product;
}

bool IsAbout(double value, double wanted) { return std::abs(value - wanted) < 1e-5 * std::abs(wanted); }

const Operator* PlainAdd(const Subgraph& graph, const Uses& uses, int32_t tensor) {
  const Operator* op = Producer(graph, uses, tensor);
  const bool is_plain =
      op != nullptr && op->code == BuiltinOp::kAdd && FusedActivation(*op) == graph::Activation::kNone;
  return is_plain ? op : nullptr;
}

// x, where the tensor is 1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)).
int32_t GeluGateInput(const Subgraph& graph, const Uses& uses, int32_t gate) {
  const Operator* sum = PlainAdd(graph, uses, gate);
  if (sum == nullptr) return -1;
  const size_t one = IsScalar(graph, sum->inputs[1], 1) ? 1 : 0;
  if (!IsScalar(graph, sum->inputs[one], 1)) return -1;
  const Operator* tanh = Producer(graph, uses, sum->inputs[1 - one]);
  if (tanh == nullptr || tanh->code != BuiltinOp::kTanh) return -1;
  const Product inner = ProductOf(graph, uses, tanh->inputs[0]);
  if (inner.factors.size() != 1 || !IsAbout(inner.scalar, std::sqrt(2 / M_PI))) return -1;
  const Operator* polynomial = PlainAdd(graph, uses, inner.factors[0]);
  if (polynomial == nullptr) return -1;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    const int32_t x = polynomial->inputs[side];
    const Product cube = ProductOf(graph, uses, polynomial->inputs[1 - side], x);
    if (cube.factors == std::vector<int32_t>{x, x, x} && IsAbout(cube.scalar, 0.044715)) return x;
  }
  return -1;
}

// x, where the op computes 0.5 * x times that.
int32_t GeluInput(const Subgraph& graph, const Uses& uses, const Operator& op) {
  if (!IsPlainMul(&op)) return -1;
  for (const int32_t gate : ProductOf(graph, uses, op.outputs[0]).factors) {
    const int32_t x = GeluGateInput(graph, uses, gate);
    if (x < 0) continue;
    const Product outer = ProductOf(graph, uses, op.outputs[0], x);
    if (outer.factors.size() != 2 || !IsAbout(outer.scalar, 0.5)) continue;
    if (outer.factors == std::vector<int32_t>{x, gate} || outer.factors == std::vector<int32_t>{gate, x}) return x;
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
    const int32_t hard = HardSwishInput(graph, uses, op);
    const int32_t x = hard >= 0 ? hard : GeluInput(graph, uses, op);
    if (x < 0 || TensorAt(graph, x).dtype != DType::kFloat32) continue;
    op.code = hard >= 0 ? BuiltinOp::kHardSwish : BuiltinOp::kGelu;
    op.options_table = graph::BuiltinOpOptionsTable(op.code);
    op.attributes = hard >= 0 ? graph::Attributes() : graph::Attributes::From(graph::GeluAttributes{true});
    op.version = 1;
    op.inputs = {x};
    ++count;
  }
  return count;
}

}  // namespace assay::passes
