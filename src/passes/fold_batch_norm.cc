// MUL, DIV, ADD and SUB by a constant per channel, behind a linear op with constant weights: the factor goes into the
// weights and the bias, the offset into the bias. Batch norms are such a MUL and ADD. Reshapes that keep the channels
// may lie between.
#include <algorithm>
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::kNoTensor;
using graph::Operator;
using graph::Subgraph;

struct Linear {
  int weights = 1, bias = 2;
  int channel_dimension = 0;  // of the weights
};

bool LinearOp(const Operator& op, Linear* out) {
  switch (op.code) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kFullyConnected:
      *out = {1, 2, 0};
      return true;
    case BuiltinOp::kDepthwiseConv2D:
      *out = {1, 2, 3};
      return true;
    case BuiltinOp::kTransposeConv:
      *out = {1, 3, 0};
      return true;
    case BuiltinOp::kConv3D:
      *out = {1, 2, 4};
      return true;
    default:
      return false;
  }
}

// The constant's value for every channel, where it has one per channel of a tensor of this rank, or one for all.
std::optional<std::vector<double>> PerChannel(const Subgraph& graph, int32_t tensor, int32_t channels, int rank) {
  auto values = ExactValues(graph, tensor);
  if (!values.has_value()) return std::nullopt;
  const Shape& shape = TensorAt(graph, tensor).shape;
  if (shape.rank() > rank) return std::nullopt;
  if (values->size() == 1) return std::vector<double>(static_cast<size_t>(channels), (*values)[0]);
  if (shape.rank() < 1 || shape.FromEnd(1) != channels || values->size() != static_cast<size_t>(channels))
    return std::nullopt;
  return values;
}

class Folder {
 public:
  Folder(Subgraph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // True where the op `i` went into the linear op that feeds it.
  bool Fold(size_t i) {
    Operator& op = graph_.operators[i];
    const bool scales = op.code == BuiltinOp::kMul || op.code == BuiltinOp::kDiv;
    if (!scales && op.code != BuiltinOp::kAdd && op.code != BuiltinOp::kSub) return false;
    if (op.inputs.size() != 2) return false;
    const bool second = IsFloatConstant(graph_, op.inputs[1]);
    const bool commutes = op.code == BuiltinOp::kMul || op.code == BuiltinOp::kAdd;
    if (!second && !(commutes && IsFloatConstant(graph_, op.inputs[0]))) return false;
    const int32_t x = op.inputs[second ? 0 : 1], constant = op.inputs[second ? 1 : 0];
    if (IsConstant(graph_, x)) return false;
    // Through reshapes that leave the channels last.
    int32_t at = x;
    int32_t producer = -1;
    while (true) {
      if (uses_.readers(at) != 1 || uses_.IsOutput(at)) return false;
      producer = uses_.producer(at);
      if (producer < 0) return false;
      const Operator& before = graph_.operators[static_cast<size_t>(producer)];
      if (before.code != BuiltinOp::kReshape) break;
      const Shape &from = TensorAt(graph_, before.inputs[0]).shape, &to = TensorAt(graph_, at).shape;
      if (from.rank() < 1 || to.rank() < 1 || from.FromEnd(1) != to.FromEnd(1)) return false;
      at = before.inputs[0];
    }
    Operator& linear = graph_.operators[static_cast<size_t>(producer)];
    Linear form;
    if (!LinearOp(linear, &form) || FusedActivation(linear) != graph::Activation::kNone) return false;
    if (TensorAt(graph_, at).dtype != DType::kFloat32) return false;
    // A constant that makes the result larger than x is no factor per channel.
    if (TensorAt(graph_, op.outputs[0]).shape != TensorAt(graph_, x).shape) return false;
    const int32_t weights = linear.inputs[static_cast<size_t>(form.weights)];
    if (!IsFloatConstant(graph_, weights)) return false;
    const int32_t channels = TensorAt(graph_, at).shape.FromEnd(1);
    const auto values = PerChannel(graph_, constant, channels, TensorAt(graph_, x).shape.rank());
    if (!values.has_value() || TensorAt(graph_, weights).shape[form.channel_dimension] != channels) return false;
    const auto bias_at = static_cast<size_t>(form.bias);
    const int32_t bias = bias_at < linear.inputs.size() ? linear.inputs[bias_at] : kNoTensor;
    if (bias != kNoTensor && !IsFloatConstant(graph_, bias)) return false;
    const std::string name = TensorAt(graph_, op.outputs[0]).name;
    if (scales) {
      std::vector<double> factors = *values;
      if (op.code == BuiltinOp::kDiv) {
        for (double& f : factors) f = 1 / f;
      }
      for (const double f : factors) {
        if (!std::isfinite(f)) return false;
      }
      ScaleWeights(linear, form, factors);
      if (bias != kNoTensor) {
        std::vector<double> b = *ExactValues(graph_, bias);
        for (size_t c = 0; c < b.size(); ++c) b[c] *= factors[c];
        const Shape shape = TensorAt(graph_, bias).shape;
        linear.inputs[bias_at] = AddExactConstant(graph_, name + "/bias", shape, std::move(b));
      }
    } else {
      std::vector<double> b(static_cast<size_t>(channels), 0.0);
      if (bias != kNoTensor) b = *ExactValues(graph_, bias);
      for (size_t c = 0; c < b.size(); ++c) b[c] += op.code == BuiltinOp::kSub ? -(*values)[c] : (*values)[c];
      if (bias_at >= linear.inputs.size()) linear.inputs.resize(bias_at + 1, kNoTensor);
      linear.inputs[bias_at] = AddExactConstant(graph_, name + "/bias", {channels}, std::move(b));
      if (linear.code == BuiltinOp::kTransposeConv && linear.version < 3) linear.version = 3;
      if (linear.code == BuiltinOp::kFullyConnected && linear.version == 6) linear.version = 5;
    }
    // The activation that was fused into the op lands on the linear one.
    if (const graph::Activation activation = FusedActivation(op); activation != graph::Activation::kNone) {
      linear.attributes.Set("fused_activation_function", static_cast<int64_t>(activation));
      if (linear.code == BuiltinOp::kTransposeConv) linear.version = 4;
    }
    Rename(at, x, op.outputs[0]);
    return true;
  }

 private:
  bool IsRead(int32_t tensor) const {
    const auto names = [&](const std::vector<int32_t>& list) {
      return std::find(list.begin(), list.end(), tensor) != list.end();
    };
    return names(graph_.outputs) || std::any_of(graph_.operators.begin(), graph_.operators.end(),
                                                [&](const Operator& op) { return names(op.inputs); });
  }

  void ScaleWeights(Operator& linear, const Linear& form, const std::vector<double>& factors) {
    const int32_t weights = linear.inputs[static_cast<size_t>(form.weights)];
    std::vector<float> w = *FloatValues(graph_, weights);
    const Shape shape = TensorAt(graph_, weights).shape;
    int64_t inner = 1;
    for (int d = form.channel_dimension + 1; d < shape.rank(); ++d) inner *= shape[d];
    const auto channels = static_cast<int64_t>(factors.size());
    for (size_t k = 0; k < w.size(); ++k) {
      const auto c = static_cast<size_t>(static_cast<int64_t>(k) / inner % channels);
      w[k] = static_cast<float>(static_cast<double>(w[k]) * factors[c]);
    }
    linear.inputs[static_cast<size_t>(form.weights)] =
        AddFloatConstant(graph_, TensorAt(graph_, weights).name, shape, w);
    // Not kept until the dead are removed: a whole model would lie in memory twice.
    if (!IsRead(weights)) TensorAt(graph_, weights).data.reset();
  }

  // What the dropped op gave out is now what stood in front of it.
  void Rename(int32_t linear_output, int32_t x, int32_t result) {
    graph::Tensor& kept = TensorAt(graph_, result);
    kept.name = JoinNames(kept.name, TensorAt(graph_, linear_output).name);
    // What lies before a reshape is no longer what its name said.
    for (int32_t t = x; t != linear_output;) {
      t = graph_.operators[static_cast<size_t>(uses_.producer(t))].inputs[0];
      TensorAt(graph_, t).name = kept.name + "/unshaped";
    }
    const int32_t last = uses_.producer(x);
    for (int32_t& t : graph_.operators[static_cast<size_t>(last)].outputs) {
      if (t == x) t = result;
    }
  }

  Subgraph& graph_;
  const Uses& uses_;
};

}  // namespace

int FoldBatchNorm(PassContext& context) {
  int total = 0;
  while (true) {
    std::vector<bool> erase(context.graph.operators.size(), false), touched(context.graph.tensors.size(), false);
    const Uses uses(context.graph);
    Folder folder(context.graph, uses);
    int count = 0;
    for (size_t i = 0; i < context.graph.operators.size(); ++i) {
      // What this round gave a new producer waits for the next one, whose index is fresh.
      bool fresh = true;
      for (const int32_t t : context.graph.operators[i].inputs) {
        fresh &= t == kNoTensor || static_cast<size_t>(t) >= touched.size() || !touched[static_cast<size_t>(t)];
      }
      if (!fresh) {
        for (const int32_t t : context.graph.operators[i].outputs) touched[static_cast<size_t>(t)] = true;
        continue;
      }
      if (!folder.Fold(i)) continue;
      erase[i] = true;
      touched[static_cast<size_t>(context.graph.operators[i].outputs[0])] = true;
      ++count;
    }
    if (count == 0) return total;
    EraseOps(context.graph, erase);
    total += count;
  }
}

}  // namespace assay::passes
