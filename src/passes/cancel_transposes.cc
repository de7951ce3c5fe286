// Transposes move towards the outputs, through elementwise ops, concatenations, paddings, means and reversals, until
// two of them meet; the two become one, or none.
#include <algorithm>
#include <numeric>

#include "graph/ops/concatenation.h"
#include "graph/ops/lstm.h"
#include "graph/ops/reduce.h"
#include "graph/ops/strided_slice.h"
#include "ops/single_op.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;
using Permutation = std::vector<int32_t>;

bool IsIdentity(const Permutation& p) {
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] != static_cast<int32_t>(i)) return false;
  }
  return true;
}

Permutation Inverse(const Permutation& p) {
  Permutation inverse(p.size());
  for (size_t i = 0; i < p.size(); ++i) inverse[static_cast<size_t>(p[i])] = static_cast<int32_t>(i);
  return inverse;
}

std::optional<Permutation> PermutationOf(const Subgraph& graph, const Operator& op) {
  if (op.code != BuiltinOp::kTranspose || op.inputs.size() != 2) return std::nullopt;
  auto p = IntValues(graph, op.inputs[1]);
  if (!p.has_value() || static_cast<int>(p->size()) != TensorAt(graph, op.inputs[0]).shape.rank()) return std::nullopt;
  for (int32_t& axis : *p) {
    if (axis < 0) axis += static_cast<int32_t>(p->size());
    if (axis < 0 || axis >= static_cast<int32_t>(p->size())) return std::nullopt;
  }
  return p;
}

void SetPermutation(Subgraph& graph, Operator& op, const Permutation& p) {
  const std::string name = TensorAt(graph, op.outputs[0]).name + "/perm";
  op.inputs[1] = AddIntConstant(graph, name, {static_cast<int32_t>(p.size())}, p);
}

bool IsElementwiseBinary(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kAdd:
    case BuiltinOp::kSub:
    case BuiltinOp::kMul:
    case BuiltinOp::kDiv:
    case BuiltinOp::kMaximum:
    case BuiltinOp::kMinimum:
    case BuiltinOp::kSquaredDifference:
    case BuiltinOp::kPow:
    case BuiltinOp::kPrelu:
      return true;
    default:
      return false;
  }
}

template <typename T>
std::vector<T> Permuted(const std::vector<T>& values, const Permutation& p) {
  std::vector<T> out;
  for (const int32_t axis : p) out.push_back(values[static_cast<size_t>(axis)]);
  return out;
}

// Moves the transposes in front of `op` behind it.
class Sinker {
 public:
  Sinker(Subgraph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  bool Sink(size_t i) {
    Operator op = graph_.operators[i];
    if (op.outputs.size() != 1) return false;
    const bool unary = IsElementwiseUnary(op.code) && op.inputs.size() == 1;
    const bool binary = IsElementwiseBinary(op.code) && op.inputs.size() == 2;
    const bool concat = op.code == BuiltinOp::kConcatenation;
    const bool pad = op.code == BuiltinOp::kPad && op.inputs.size() == 2;
    const bool reduce =
        (op.code == BuiltinOp::kMean || op.code == BuiltinOp::kReduceMax || op.code == BuiltinOp::kSum) &&
        op.inputs.size() == 2;
    const bool reverse = op.code == BuiltinOp::kReverseV2 && op.inputs.size() == 2;
    const bool slice = op.code == BuiltinOp::kStridedSlice && op.inputs.size() == 4;
    const bool lstm = op.code == BuiltinOp::kUnidirectionalSequenceLstm;
    if (!unary && !binary && !concat && !pad && !reduce && !reverse && !slice && !lstm) return false;
    const size_t data_inputs = unary || binary || concat ? op.inputs.size() : 1;
    std::optional<Permutation> common;
    for (size_t k = 0; k < data_inputs; ++k) {
      const int32_t t = op.inputs[k];
      if (IsConstant(graph_, t)) {
        if (!binary) return false;
        continue;
      }
      const int32_t producer = uses_.producer(t);
      if (producer < 0 || uses_.readers(t) != 1) return false;
      const auto p = PermutationOf(graph_, graph_.operators[static_cast<size_t>(producer)]);
      if (!p.has_value() || (common.has_value() && *common != *p)) return false;
      common = p;
    }
    if (!common.has_value()) return false;
    const Permutation& p = *common;
    const auto rank = static_cast<int32_t>(p.size());
    if (TensorAt(graph_, op.outputs[0]).shape.rank() != rank && !reduce && !slice) return false;
    if (lstm && p != Permutation{1, 0, 2}) return false;
    for (size_t k = 0; k < data_inputs; ++k) {
      int32_t& t = op.inputs[k];
      if (IsConstant(graph_, t)) {
        const auto moved = MoveConstant(t, p);
        if (!moved.has_value()) return false;
        t = *moved;
      } else {
        t = graph_.operators[static_cast<size_t>(uses_.producer(t))].inputs[0];
      }
    }
    Permutation after = p;
    if (concat) {
      auto a = op.attributes.As<graph::ConcatenationAttributes>();
      const int32_t axis = a.axis < 0 ? a.axis + rank : a.axis;
      if (axis < 0 || axis >= rank) return false;
      op.attributes.Set("axis", static_cast<int64_t>(p[static_cast<size_t>(axis)]));
    }
    if (pad) {
      const auto amounts = IntValues(graph_, op.inputs[1]);
      if (!amounts.has_value() || static_cast<int32_t>(amounts->size()) != 2 * rank) return false;
      std::vector<int32_t> moved(amounts->size());
      for (size_t d = 0; d < p.size(); ++d) {
        moved[2 * static_cast<size_t>(p[d])] = (*amounts)[2 * d];
        moved[2 * static_cast<size_t>(p[d]) + 1] = (*amounts)[2 * d + 1];
      }
      op.inputs[1] = AddIntConstant(graph_, TensorAt(graph_, op.inputs[1]).name, {rank, 2}, moved);
    }
    if (reduce || reverse) {
      auto axes = IntValues(graph_, op.inputs[1]);
      if (!axes.has_value()) return false;
      std::vector<bool> reduced(p.size(), false);
      for (int32_t& axis : *axes) {
        if (axis < 0) axis += rank;
        if (axis < 0 || axis >= rank) return false;
        axis = p[static_cast<size_t>(axis)];
        reduced[static_cast<size_t>(axis)] = true;
      }
      std::sort(axes->begin(), axes->end());
      op.inputs[1] =
          AddIntConstant(graph_, TensorAt(graph_, op.inputs[1]).name, {static_cast<int32_t>(axes->size())}, *axes);
      if (reduce && !op.attributes.As<graph::ReducerAttributes>().keep_dims) after = Without(p, reduced);
    }
    if (lstm) {
      op.attributes.Set("time_major",
                        int64_t{!op.attributes.As<graph::UnidirectionalSequenceLstmAttributes>().time_major});
    }
    if (slice) {
      const auto dropped = MoveSlice(op, p);
      if (!dropped.has_value()) return false;
      after = Without(p, *dropped);
    }
    const int32_t result = op.outputs[0];
    if (IsIdentity(after)) {
      graph_.operators[i] = op;
      return true;
    }
    // The op now gives the value before the transpose, which then makes what was asked for.
    graph::Tensor before = TensorAt(graph_, result);
    const Permutation back = Inverse(after);
    std::vector<int32_t> dims(before.shape.dims().begin(), before.shape.dims().end());
    before.shape = Shape(Permuted(dims, back));
    if (before.shape_signature.has_value()) before.shape_signature = Permuted(*before.shape_signature, back);
    before.name += "/moved";
    graph_.tensors.push_back(before);
    op.outputs[0] = static_cast<int32_t>(graph_.tensors.size()) - 1;
    Operator transpose;
    transpose.code = BuiltinOp::kTranspose;
    transpose.options_table = graph::BuiltinOpOptionsTable(transpose.code);
    transpose.inputs = {op.outputs[0], 0};
    transpose.outputs = {result};
    SetPermutation(graph_, transpose, after);
    graph_.operators[i] = op;
    graph_.operators.insert(graph_.operators.begin() + static_cast<std::ptrdiff_t>(i) + 1, transpose);
    return true;
  }

 private:
  // What is left of p without some of its dimensions, marked before it applies.
  static Permutation Without(const Permutation& p, const std::vector<bool>& dropped) {
    std::vector<int32_t> new_index(p.size(), -1);
    int32_t next = 0;
    for (size_t d = 0; d < p.size(); ++d) {
      if (!dropped[d]) new_index[d] = next++;
    }
    Permutation left;
    for (const int32_t axis : p) {
      if (!dropped[static_cast<size_t>(axis)]) left.push_back(new_index[static_cast<size_t>(axis)]);
    }
    return left;
  }

  // STRIDED_SLICE for an operand that p has not transposed yet; which of its dimensions go.
  std::optional<std::vector<bool>> MoveSlice(Operator& op, const Permutation& p) {
    auto a = op.attributes.As<graph::StridedSliceAttributes>();
    if (a.ellipsis_mask != 0 || a.new_axis_mask != 0) return std::nullopt;
    for (size_t k = 1; k < 4; ++k) {
      const auto values = IntValues(graph_, op.inputs[k]);
      if (!values.has_value() || values->size() != p.size()) return std::nullopt;
      std::vector<int32_t> moved(p.size());
      for (size_t d = 0; d < p.size(); ++d) moved[static_cast<size_t>(p[d])] = (*values)[d];
      op.inputs[k] =
          AddIntConstant(graph_, TensorAt(graph_, op.inputs[k]).name, {static_cast<int32_t>(p.size())}, moved);
    }
    for (int32_t* mask : {&a.begin_mask, &a.end_mask, &a.shrink_axis_mask}) {
      int32_t moved = 0;
      for (size_t d = 0; d < p.size(); ++d) moved |= (*mask >> d & 1) << p[d];
      *mask = moved;
    }
    op.attributes = graph::Attributes::From(a);
    std::vector<bool> dropped(p.size());
    for (size_t d = 0; d < p.size(); ++d) dropped[d] = (a.shrink_axis_mask >> d & 1) != 0;
    return dropped;
  }

  // The constant that, transposed by p, is this one.
  std::optional<int32_t> MoveConstant(int32_t tensor, const Permutation& p) {
    const graph::Tensor constant = TensorAt(graph_, tensor);
    if (constant.shape.NumElements() == 1 && constant.shape.rank() <= 1) return tensor;
    const auto values = FloatValues(graph_, tensor);
    if (!values.has_value() || constant.shape.rank() > static_cast<int>(p.size())) return std::nullopt;
    std::vector<int32_t> dims(p.size() - static_cast<size_t>(constant.shape.rank()), 1);
    dims.insert(dims.end(), constant.shape.dims().begin(), constant.shape.dims().end());
    const Permutation back = Inverse(p);
    std::vector<int64_t> strides(p.size(), 1);
    for (size_t d = p.size() - 1; d > 0; --d) strides[d - 1] = strides[d] * dims[d];
    const std::vector<int32_t> new_dims = Permuted(dims, back);
    std::vector<float> out;
    std::vector<int32_t> at(p.size(), 0);
    for (size_t k = 0; k < values->size(); ++k) {
      int64_t from = 0;
      for (size_t d = 0; d < p.size(); ++d) from += at[d] * strides[static_cast<size_t>(back[d])];
      out.push_back((*values)[static_cast<size_t>(from)]);
      for (size_t d = p.size(); d-- > 0;) {
        if (++at[d] < new_dims[d]) break;
        at[d] = 0;
      }
    }
    // Leading ones say nothing.
    size_t first = 0;
    while (first < new_dims.size() && new_dims[first] == 1) ++first;
    return AddFloatConstant(
        graph_, constant.name,
        Shape(std::vector<int32_t>(new_dims.begin() + static_cast<std::ptrdiff_t>(first), new_dims.end())), out);
  }

  Subgraph& graph_;
  const Uses& uses_;
};

// One change; false where there is nothing left to do.
bool Step(Subgraph& graph) {
  const Uses uses(graph);
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    Operator& op = graph.operators[i];
    if (const auto p = PermutationOf(graph, op)) {
      if (IsIdentity(*p)) {
        if (!Bypass(graph, uses, op.outputs[0], op.inputs[0])) continue;
        graph.operators.erase(graph.operators.begin() + static_cast<std::ptrdiff_t>(i));
        return true;
      }
      const int32_t producer = uses.producer(op.inputs[0]);
      if (producer < 0) continue;
      const auto before = PermutationOf(graph, graph.operators[static_cast<size_t>(producer)]);
      if (!before.has_value()) continue;
      op.inputs[0] = graph.operators[static_cast<size_t>(producer)].inputs[0];
      SetPermutation(graph, op, Permuted(*before, *p));
      return true;
    }
    if (Sinker(graph, uses).Sink(i)) return true;
  }
  return false;
}

}  // namespace

int CancelTransposes(PassContext& context) {
  const bool any = std::any_of(context.graph.operators.begin(), context.graph.operators.end(),
                               [](const Operator& op) { return op.code == BuiltinOp::kTranspose; });
  if (!any) return 0;
  int count = 0;
  // Each step moves a transpose towards the end or takes one away.
  const size_t limit = 100 * context.graph.operators.size() + 1000;
  while (static_cast<size_t>(count) < limit && Step(context.graph)) ++count;
  return count;
}

}  // namespace assay::passes
