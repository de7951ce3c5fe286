// Ops whose operands are all constant, computed once by the ops' own kernels; SHAPE and RANK where no dimension is
// open.
#include <algorithm>

#include "base/error.h"
#include "ops/single_op.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

// What a constant may grow by: a FILL of a large size stays an op.
constexpr size_t kMaxGrowth = size_t{1} << 20;
// What all of them may be made from: a chain of ops behind a large constant of a hostile file stays one.
constexpr size_t kMaxBytes = size_t{4} << 30;

}  // namespace

int FoldConstants(PassContext& context) {
  graph::Subgraph& graph = context.graph;
  std::vector<bool> erase(graph.operators.size(), false);
  int count = 0;
  size_t budget = kMaxBytes;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    if (HasSideEffects(op.code) || op.inputs.empty() || op.code == graph::BuiltinOp::kDequantize) continue;
    const bool is_shape = op.code == graph::BuiltinOp::kShape || op.code == graph::BuiltinOp::kRank;
    bool ready = true;
    std::vector<ops::SingleOpInput> inputs;
    size_t input_bytes = 0;
    for (const int32_t t : op.inputs) {
      ops::SingleOpInput& input = inputs.emplace_back();
      if (t == graph::kNoTensor) continue;
      const graph::Tensor& tensor = TensorAt(graph, t);
      ready &= (tensor.data.has_value() && !tensor.sparsity.has_value()) || (is_shape && IsStatic(tensor));
      input.info = &tensor;
      input.shape = tensor.shape;
      if (tensor.data.has_value()) {
        input.value = tensor.data->bytes();
        input.is_known = true;
        input_bytes += input.value.size();
      }
    }
    if (!ready) continue;
    std::vector<const graph::Tensor*> outputs;
    for (const int32_t t : op.outputs) outputs.push_back(&TensorAt(graph, t));
    std::vector<ops::SingleOpOutput> results;
    try {
      const std::vector<ops::SingleOpOutput> shapes = ops::ApplySingleOp(op, inputs, outputs, false);
      if (!ops::IsQuick(op, inputs, shapes) || input_bytes > budget) continue;
      results = ops::ApplySingleOp(op, inputs, outputs, true);
    } catch (const Error&) {
      continue;  // running the model says what is wrong with the op
    }
    const bool known = std::all_of(results.begin(), results.end(), [&](const ops::SingleOpOutput& result) {
      return result.is_known && result.shape.has_value() && result.value.size() <= input_bytes + kMaxGrowth;
    });
    if (!known) continue;
    for (size_t k = 0; k < results.size(); ++k) {
      graph::Tensor& tensor = TensorAt(graph, op.outputs[k]);
      tensor.shape = *results[k].shape;
      tensor.shape_signature.reset();
      tensor.data = graph::Constant::Own(std::move(results[k].value));
    }
    budget -= std::min(budget, input_bytes);
    erase[i] = true;
    ++count;
  }
  EraseOps(graph, erase);
  return count;
}

}  // namespace assay::passes
