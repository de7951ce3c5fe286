// What is computed from a tensor's shape, where the batch is open and the rest is not: every number that does not
// depend on what is open becomes a constant, and a RESHAPE to a size with one open number takes that as -1.
#include <map>

#include "graph/ops/concatenation.h"
#include "graph/ops/gather.h"
#include "graph/ops/strided_slice.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;

constexpr size_t kMaxNumbers = 64;

// Numbers of an int32 vector or scalar; nothing where one depends on an open dimension.
using Numbers = std::vector<std::optional<int32_t>>;

class Known {
 public:
  explicit Known(const Subgraph& graph) : graph_(graph) {}

  const Numbers* Find(int32_t tensor) {
    if (const auto found = numbers_.find(tensor); found != numbers_.end()) return &found->second;
    if (tensor == graph::kNoTensor || TensorAt(graph_, tensor).shape.rank() > 1) return nullptr;
    const auto values = IntValues(graph_, tensor);
    if (!values.has_value() || values->size() > kMaxNumbers) return nullptr;
    return &numbers_.emplace(tensor, Numbers(values->begin(), values->end())).first->second;
  }

  // What the op gives out, where it can be followed.
  void Follow(const Operator& op) {
    if (op.outputs.size() != 1) return;
    const graph::Tensor& result = TensorAt(graph_, op.outputs[0]);
    if (result.dtype != DType::kInt32 || result.shape.rank() > 1 || !IsStatic(result)) return;
    std::optional<Numbers> numbers = Compute(op);
    if (numbers.has_value() && numbers->size() == static_cast<size_t>(result.shape.NumElements())) {
      numbers_[op.outputs[0]] = std::move(*numbers);
    }
  }

 private:
  std::optional<Numbers> Compute(const Operator& op) {
    switch (op.code) {
      case BuiltinOp::kShape: {
        if (!TensorAt(graph_, op.inputs[0]).has_rank) return std::nullopt;
        Numbers numbers;
        for (const int32_t d : DimsOf(TensorAt(graph_, op.inputs[0]))) {
          numbers.push_back(d < 0 ? std::nullopt : std::optional<int32_t>(d));
        }
        return numbers;
      }
      case BuiltinOp::kStridedSlice:
        return Slice(op);
      case BuiltinOp::kGather: {
        const Numbers *from = Find(op.inputs[0]), *indices = Find(op.inputs[1]);
        const auto a = op.attributes.As<graph::GatherAttributes>();
        if (from == nullptr || indices == nullptr || a.axis != 0 || a.batch_dims != 0) return std::nullopt;
        Numbers numbers;
        for (const auto& index : *indices) {
          if (!index.has_value() || *index < 0 || static_cast<size_t>(*index) >= from->size()) return std::nullopt;
          numbers.push_back((*from)[static_cast<size_t>(*index)]);
        }
        return numbers;
      }
      case BuiltinOp::kPack:
      case BuiltinOp::kConcatenation: {
        Numbers numbers;
        for (const int32_t t : op.inputs) {
          const Numbers* part = Find(t);
          if (part == nullptr) return std::nullopt;
          numbers.insert(numbers.end(), part->begin(), part->end());
        }
        return numbers.size() > kMaxNumbers ? std::nullopt : std::optional<Numbers>(numbers);
      }
      case BuiltinOp::kReshape:
      case BuiltinOp::kSqueeze:
      case BuiltinOp::kExpandDims: {
        const Numbers* from = Find(op.inputs[0]);
        return from == nullptr ? std::nullopt : std::optional<Numbers>(*from);
      }
      case BuiltinOp::kAdd:
      case BuiltinOp::kSub:
      case BuiltinOp::kMul:
        return Arithmetic(op);
      default:
        return std::nullopt;
    }
  }

  // vector[begin:end:stride], of one dimension.
  std::optional<Numbers> Slice(const Operator& op) {
    const Numbers* from = Find(op.inputs[0]);
    const auto begin = IntValues(graph_, op.inputs[1]), end = IntValues(graph_, op.inputs[2]),
               strides = IntValues(graph_, op.inputs[3]);
    const auto a = op.attributes.As<graph::StridedSliceAttributes>();
    if (from == nullptr || !begin || !end || !strides || begin->size() != 1 || end->size() != 1 ||
        strides->size() != 1 || (*strides)[0] < 1 || a.ellipsis_mask != 0 || a.new_axis_mask != 0 || a.offset) {
      return std::nullopt;
    }
    const auto size = static_cast<int64_t>(from->size());
    const auto place = [&](int64_t at) { return std::min(std::max<int64_t>(at < 0 ? at + size : at, 0), size); };
    const int64_t first = (a.begin_mask & 1) != 0 ? 0 : place((*begin)[0]);
    int64_t last = (a.end_mask & 1) != 0 ? size : place((*end)[0]);
    if ((a.shrink_axis_mask & 1) != 0) last = std::min(first + 1, size);
    Numbers numbers;
    for (int64_t i = first; i < last; i += (*strides)[0]) numbers.push_back((*from)[static_cast<size_t>(i)]);
    return numbers;
  }

  std::optional<Numbers> Arithmetic(const Operator& op) {
    const Numbers *a = Find(op.inputs[0]), *b = Find(op.inputs[1]);
    if (a == nullptr || b == nullptr || FusedActivation(op) != graph::Activation::kNone) return std::nullopt;
    if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return std::nullopt;
    Numbers numbers;
    for (size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
      const auto &x = (*a)[a->size() == 1 ? 0 : i], &y = (*b)[b->size() == 1 ? 0 : i];
      if (!x.has_value() || !y.has_value()) {
        numbers.emplace_back();
        continue;
      }
      const int64_t value = op.code == BuiltinOp::kAdd   ? int64_t{*x} + *y
                            : op.code == BuiltinOp::kSub ? int64_t{*x} - *y
                                                         : int64_t{*x} * *y;
      if (value < INT32_MIN || value > INT32_MAX) return std::nullopt;
      numbers.emplace_back(static_cast<int32_t>(value));
    }
    return numbers;
  }

  const Subgraph& graph_;
  std::map<int32_t, Numbers> numbers_;
};

}  // namespace

int FoldShapes(PassContext& context) {
  Subgraph& graph = context.graph;
  Known known(graph);
  std::vector<bool> erase(graph.operators.size(), false);
  int count = 0;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    Operator& op = graph.operators[i];
    // What stands here is known from the ops before: the order is that of execution.
    if (op.code == BuiltinOp::kReshape && op.inputs.size() == 2 && !IsConstant(graph, op.inputs[1])) {
      const Numbers* size = known.Find(op.inputs[1]);
      if (size != nullptr) {
        std::vector<int32_t> values;
        int open = 0;
        bool any_zero = false;
        for (const auto& number : *size) {
          open += number.has_value() ? 0 : 1;
          any_zero |= number.has_value() && *number <= 0;
          values.push_back(number.value_or(-1));
        }
        if (open == 1 && !any_zero) {
          const std::string name = TensorAt(graph, op.inputs[1]).name;
          op.inputs[1] = AddIntConstant(graph, name, {static_cast<int32_t>(values.size())}, values);
          op.attributes.Set("new_shape", std::vector<int64_t>(values.begin(), values.end()));
          ++count;
          continue;
        }
      }
    }
    known.Follow(op);
    if (op.outputs.size() != 1 || HasSideEffects(op.code)) continue;
    const Numbers* numbers = known.Find(op.outputs[0]);
    if (numbers == nullptr || IsConstant(graph, op.outputs[0])) continue;
    std::vector<int32_t> values;
    for (const auto& number : *numbers) {
      if (number.has_value()) values.push_back(*number);
    }
    if (values.size() != numbers->size()) continue;
    const int32_t output = op.outputs[0];
    const Shape shape = TensorAt(graph, output).shape;
    const int32_t constant = AddIntConstant(graph, TensorAt(graph, output).name, shape, values);
    TensorAt(graph, output).data = TensorAt(graph, constant).data;
    erase[i] = true;
    ++count;
  }
  EraseOps(graph, erase);
  return count;
}

}  // namespace assay::passes
