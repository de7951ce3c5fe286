// A WHILE that goes through a sequence with the cells of an LSTM becomes UNIDIRECTIONAL_SEQUENCE_LSTM. Where s is
// LOGISTIC, z the sum of the products with x[t] and with h and of the bias, and z_k its quarters in any order:
//
//   c' = s(z_f) * c + s(z_i) * TANH(z_g)        h' = s(z_o) * TANH(c')
//
// The op keeps h and c from one inference to the next until its variables are reset; the loop began with zeros each
// time. Its variables have the batch's size, so a model whose batch is open keeps the loop.
#include <algorithm>
#include <array>
#include <optional>

#include "graph/ops/control_flow.h"
#include "graph/ops/fully_connected.h"
#include "graph/ops/gather.h"
#include "graph/ops/lstm.h"
#include "graph/ops/strided_slice.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::kNoTensor;
using graph::Operator;
using graph::Subgraph;

constexpr int kGates = 4;
enum Gate { kInputGate, kForgetGate, kCellGate, kOutputGate };  // in the order of the op's operands

// Matrices [kGates * units, depth] and what is added, both in the order of z.
struct Sum {
  std::vector<double> input, recurrent, bias;
  int32_t depth = 0;      // of x; 0: z's part of x is read as it is
  int32_t sequence = -1;  // the loop's variable that holds x, or z's part of it
  int axis = 0;           // along which it is read
};

// The loop's variables, by their place in the lists of WHILE's operands and results.
struct Match {
  int32_t units = 0, steps = 0;
  int hidden = -1, cell = -1;
  std::array<int, kGates> quarter = {};  // where each gate is in z
  Sum sum;
  int rows = -1;      // holds every h, or the last one alone; -1: there is none
  int rows_axis = 0;  // along which they lie
  bool all_rows = false;
};

class Loop {
 public:
  Loop(const Subgraph& main, const Operator& op, const Subgraph& cond, const Subgraph& body)
      : main_(main), op_(op), cond_(cond), body_(body), cond_uses_(cond), uses_(body) {}

  std::optional<Match> Find() {
    for (size_t k = 0; k < body_.outputs.size(); ++k) {
      match_ = {};
      match_.hidden = static_cast<int>(k);
      if (CellOf() && SumOf(sum_tensor_) && IsWhole() && Rows()) return match_;
    }
    return std::nullopt;
  }

 private:
  const Operator* Producer(int32_t tensor, BuiltinOp code) const {
    const int32_t op = tensor == kNoTensor ? -1 : uses_.producer(tensor);
    if (op < 0 || body_.operators[static_cast<size_t>(op)].code != code) return nullptr;
    return &body_.operators[static_cast<size_t>(op)];
  }
  // A binary op without an activation.
  const Operator* Plain(int32_t tensor, BuiltinOp code) const {
    const Operator* op = Producer(tensor, code);
    return op != nullptr && op->inputs.size() == 2 && FusedActivation(*op) == graph::Activation::kNone ? op : nullptr;
  }
  int VariableAt(int32_t tensor) const {
    const auto found = std::find(body_.inputs.begin(), body_.inputs.end(), tensor);
    return found == body_.inputs.end() ? -1 : static_cast<int>(found - body_.inputs.begin());
  }
  int32_t Initial(int variable) const { return op_.inputs[static_cast<size_t>(variable)]; }
  int32_t Next(int variable) const { return body_.outputs[static_cast<size_t>(variable)]; }
  bool IsInvariant(int variable) const { return Next(variable) == body_.inputs[static_cast<size_t>(variable)]; }
  bool StartsWithZeros(int variable) const {
    const auto values = FloatValues(main_, Initial(variable));
    return values.has_value() && std::all_of(values->begin(), values->end(), [](float v) { return v == 0; });
  }
  // 0, 1, 2, ...
  bool IsCounter(int variable) const {
    if (variable < 0 || IntValues(main_, Initial(variable)) != std::vector<int32_t>{0}) return false;
    const Operator* next = Plain(Next(variable), BuiltinOp::kAdd);
    if (next == nullptr) return false;
    const int32_t here = body_.inputs[static_cast<size_t>(variable)];
    const std::vector<int32_t> one = {1};
    return (next->inputs[0] == here && IntValues(body_, next->inputs[1]) == one) ||
           (next->inputs[1] == here && IntValues(body_, next->inputs[0]) == one);
  }

  // How often the loop runs: counters below a limit.
  std::optional<int32_t> StepsOf(int32_t condition) const {
    const int32_t at = cond_uses_.producer(condition);
    if (at < 0) return std::nullopt;
    const Operator& op = cond_.operators[static_cast<size_t>(at)];
    if (op.inputs.size() != 2) return std::nullopt;
    if (op.code == BuiltinOp::kLogicalAnd) {
      const auto a = StepsOf(op.inputs[0]), b = StepsOf(op.inputs[1]);
      if (!a.has_value() || !b.has_value()) return std::nullopt;
      return std::min(*a, *b);
    }
    if (op.code != BuiltinOp::kLess) return std::nullopt;
    const auto variable = [&](int32_t tensor) {
      const auto found = std::find(cond_.inputs.begin(), cond_.inputs.end(), tensor);
      return found == cond_.inputs.end() ? -1 : static_cast<int>(found - cond_.inputs.begin());
    };
    auto limit = IntValues(cond_, op.inputs[1]);
    if (const int v = variable(op.inputs[1]); v >= 0 && IsInvariant(v)) limit = IntValues(main_, Initial(v));
    if (!IsCounter(variable(op.inputs[0])) || !limit.has_value() || limit->size() != 1) return std::nullopt;
    return (*limit)[0];
  }

  // Which quarter of which tensor this is.
  std::optional<std::pair<int32_t, int>> QuarterOf(int32_t tensor) const {
    const int32_t units = match_.units;
    if (const Operator* slice = Producer(tensor, BuiltinOp::kSlice)) {
      const auto begin = IntValues(body_, slice->inputs[1]), size = IntValues(body_, slice->inputs[2]);
      if (!begin.has_value() || !size.has_value() || begin->size() != 2 || size->size() != 2) return std::nullopt;
      if ((*begin)[0] != 0 || (*begin)[1] % units != 0 || (*size)[1] != units) return std::nullopt;
      return std::pair(slice->inputs[0], (*begin)[1] / units);
    }
    if (const Operator* split = Producer(tensor, BuiltinOp::kSplit)) {
      const auto axis = IntValues(body_, split->inputs[0]);
      if (!axis.has_value() || axis->size() != 1 || ((*axis)[0] != 1 && (*axis)[0] != -1)) return std::nullopt;
      const auto found = std::find(split->outputs.begin(), split->outputs.end(), tensor);
      return std::pair(split->inputs[1], static_cast<int>(found - split->outputs.begin()));
    }
    return std::nullopt;
  }

  // The gate behind an activation: all read the same z.
  bool SetGate(Gate gate, int32_t tensor, BuiltinOp activation) {
    const Operator* op = Producer(tensor, activation);
    if (op == nullptr) return false;
    const auto quarter = QuarterOf(op->inputs[0]);
    if (!quarter.has_value() || (sum_tensor_ != kNoTensor && sum_tensor_ != quarter->first)) return false;
    sum_tensor_ = quarter->first;
    match_.quarter[gate] = quarter->second;
    return true;
  }

  // From h' back to z.
  bool CellOf() {
    const Operator* output = Plain(Next(match_.hidden), BuiltinOp::kMul);
    if (output == nullptr) return false;
    const graph::Tensor& hidden = TensorAt(body_, output->outputs[0]);
    if (hidden.shape.rank() != 2 || hidden.dtype != DType::kFloat32 || !IsStatic(hidden)) return false;
    match_.units = hidden.shape[1];
    for (const int side : {0, 1}) {
      const Operator* tanh = Producer(output->inputs[static_cast<size_t>(side)], BuiltinOp::kTanh);
      if (tanh == nullptr) continue;
      sum_tensor_ = kNoTensor;
      const auto cell = std::find(body_.outputs.begin(), body_.outputs.end(), tanh->inputs[0]);
      if (cell == body_.outputs.end()) continue;
      match_.cell = static_cast<int>(cell - body_.outputs.begin());
      if (SetGate(kOutputGate, output->inputs[static_cast<size_t>(1 - side)], BuiltinOp::kLogistic) && CarryOf()) {
        return true;
      }
    }
    return false;
  }

  bool CarryOf() {
    const Operator* carry = Plain(Next(match_.cell), BuiltinOp::kAdd);
    if (carry == nullptr) return false;
    const int32_t old = body_.inputs[static_cast<size_t>(match_.cell)];
    bool is_kept = false, is_added = false;
    for (const int32_t term : carry->inputs) {
      const Operator* product = Plain(term, BuiltinOp::kMul);
      if (product == nullptr) return false;
      const int32_t a = product->inputs[0], b = product->inputs[1];
      if (a == old || b == old) {
        is_kept = SetGate(kForgetGate, a == old ? b : a, BuiltinOp::kLogistic);
      } else {
        const bool first = Producer(a, BuiltinOp::kTanh) != nullptr;
        is_added = SetGate(kCellGate, first ? a : b, BuiltinOp::kTanh) &&
                   SetGate(kInputGate, first ? b : a, BuiltinOp::kLogistic);
      }
    }
    return is_kept && is_added;
  }

  bool AddBias(int32_t tensor) {
    const auto values = ExactValues(body_, tensor);
    if (!values.has_value() || values->size() != static_cast<size_t>(kGates) * static_cast<size_t>(match_.units))
      return false;
    match_.sum.bias.resize(values->size());
    for (size_t i = 0; i < values->size(); ++i) match_.sum.bias[i] += (*values)[i];
    return true;
  }

  // x[t], read along an axis of a variable that stays as it is.
  bool SetSequence(int32_t tensor) {
    const Operator* gather = Producer(tensor, BuiltinOp::kGather);
    if (gather == nullptr || match_.sum.sequence >= 0) return false;
    const auto a = gather->attributes.As<graph::GatherAttributes>();
    const int sequence = VariableAt(gather->inputs[0]);
    if (a.batch_dims != 0 || a.axis < 0 || a.axis > 1 || sequence < 0 || !IsInvariant(sequence)) return false;
    if (!IsCounter(VariableAt(gather->inputs[1])) || TensorAt(body_, gather->inputs[1]).shape.rank() != 0) return false;
    match_.sum.sequence = sequence;
    match_.sum.axis = a.axis;
    return true;
  }

  bool SumOf(int32_t tensor) {
    if (const Operator* add = Plain(tensor, BuiltinOp::kAdd)) return SumOf(add->inputs[0]) && SumOf(add->inputs[1]);
    if (IsConstant(body_, tensor)) return AddBias(tensor);
    const Operator* product = Producer(tensor, BuiltinOp::kFullyConnected);
    if (product == nullptr) return SetSequence(tensor);
    const auto a = product->attributes.As<graph::FullyConnectedAttributes>();
    const auto weights = ExactValues(body_, product->inputs[1]);
    const graph::Tensor& matrix = TensorAt(body_, product->inputs[1]);
    if (a.fused_activation_function != graph::Activation::kNone || !weights.has_value() || matrix.shape.rank() != 2 ||
        matrix.shape[0] != kGates * match_.units) {
      return false;
    }
    if (product->inputs.size() > 2 && product->inputs[2] != kNoTensor && !AddBias(product->inputs[2])) return false;
    if (product->inputs[0] == body_.inputs[static_cast<size_t>(match_.hidden)]) {
      if (!match_.sum.recurrent.empty() || matrix.shape[1] != match_.units) return false;
      match_.sum.recurrent = *weights;
      return true;
    }
    match_.sum.input = *weights;
    match_.sum.depth = matrix.shape[1];
    return SetSequence(product->inputs[0]);
  }

  // Every gate once, both states from zero, a step for each place of the sequence.
  bool IsWhole() {
    std::array<bool, kGates> seen = {};
    for (const int quarter : match_.quarter) {
      if (quarter < 0 || quarter >= kGates) return false;
      seen[static_cast<size_t>(quarter)] = true;
    }
    if (std::count(seen.begin(), seen.end(), true) != kGates || match_.sum.recurrent.empty() ||
        match_.sum.sequence < 0 || !StartsWithZeros(match_.hidden) || !StartsWithZeros(match_.cell) ||
        cond_.outputs.size() != 1) {
      return false;
    }
    const graph::Tensor& sequence = TensorAt(main_, Initial(match_.sum.sequence));
    const auto steps = StepsOf(cond_.outputs[0]);
    if (!steps.has_value() || sequence.shape.rank() != 3 || !IsStatic(sequence)) return false;
    match_.steps = *steps;
    return *steps > 0 && *steps == sequence.shape[match_.sum.axis];
  }

  // Where every h is written, if anywhere: DYNAMIC_UPDATE_SLICE at [t, 0, 0] or [0, t, 0], or of one row at 0.
  bool Rows() {
    for (size_t k = 0; k < body_.outputs.size(); ++k) {
      const Operator* update = Producer(body_.outputs[k], BuiltinOp::kDynamicUpdateSlice);
      if (update == nullptr) continue;
      const Operator* row = Producer(update->inputs[1], BuiltinOp::kReshape);
      const graph::Tensor& buffer = TensorAt(body_, update->outputs[0]);
      if (match_.rows >= 0 || row == nullptr || row->inputs[0] != Next(match_.hidden) || buffer.shape.rank() != 3 ||
          VariableAt(update->inputs[0]) != static_cast<int>(k)) {
        return false;
      }
      const Shape& shape = TensorAt(body_, update->inputs[1]).shape;
      match_.rows = static_cast<int>(k);
      match_.rows_axis = buffer.shape[0] == shape[0] && shape[1] == 1 ? 1 : 0;
      if (shape.rank() != 3 || shape[match_.rows_axis] != 1 || buffer.shape[2] != match_.units) return false;
      const int32_t rows = buffer.shape[match_.rows_axis];
      match_.all_rows = rows == match_.steps;
      if (rows != 1 && (!match_.all_rows || !StartsAtCounter(update->inputs[2]))) return false;
    }
    return true;
  }

  bool StartsAtCounter(int32_t start) const {
    const Operator* concat = Producer(start, BuiltinOp::kConcatenation);
    if (concat == nullptr) return false;
    int place = 0;
    bool counts = false;
    for (const int32_t part : concat->inputs) {
      if (const auto values = IntValues(body_, part)) {
        if (!std::all_of(values->begin(), values->end(), [](int32_t v) { return v == 0; })) return false;
        place += static_cast<int>(values->size());
        continue;
      }
      const Operator* reshape = Producer(part, BuiltinOp::kReshape);
      if (counts || reshape == nullptr || !IsCounter(VariableAt(reshape->inputs[0])) || place != match_.rows_axis) {
        return false;
      }
      counts = true;
      ++place;
    }
    return counts && place == 3;
  }

  const Subgraph& main_;
  const Operator& op_;
  const Subgraph &cond_, &body_;
  const Uses cond_uses_, uses_;
  Match match_;
  int32_t sum_tensor_ = kNoTensor;
};

// What the loop reads, as x [batch, steps, depth] and the matrix of its product.
struct Input {
  int32_t x = kNoTensor;
  bool is_time_major = false;
  std::vector<double> weights, bias;
  int32_t depth = 0;
};

std::optional<Input> InputOf(const Subgraph& graph, const Uses& uses, const Operator& op, const Match& match) {
  Input input;
  input.x = op.inputs[static_cast<size_t>(match.sum.sequence)];
  input.is_time_major = match.sum.axis == 0;
  const auto producer = [&](BuiltinOp code) -> const Operator* {
    const int32_t at = uses.producer(input.x);
    if (at < 0 || graph.operators[static_cast<size_t>(at)].code != code) return nullptr;
    return &graph.operators[static_cast<size_t>(at)];
  };
  if (input.is_time_major) {
    const Operator* transpose = producer(BuiltinOp::kTranspose);
    if (transpose != nullptr && IntValues(graph, transpose->inputs[1]) == std::vector<int32_t>{1, 0, 2}) {
      input.x = transpose->inputs[0];
      input.is_time_major = false;
    }
  }
  input.weights = match.sum.input;
  input.bias = match.sum.bias;
  input.depth = match.sum.depth;
  const size_t width = static_cast<size_t>(kGates) * static_cast<size_t>(match.units);
  input.bias.resize(width);
  if (input.depth == 0) {  // all steps are multiplied in front of the loop
    const Operator* product = producer(BuiltinOp::kFullyConnected);
    if (product == nullptr || TensorAt(graph, product->inputs[0]).shape.rank() != 3 ||
        FusedActivation(*product) != graph::Activation::kNone) {
      return std::nullopt;
    }
    const auto weights = ExactValues(graph, product->inputs[1]);
    if (!weights.has_value() || weights->size() % width != 0) return std::nullopt;
    input.weights = *weights;
    if (product->inputs.size() > 2 && product->inputs[2] != kNoTensor) {
      const auto bias = ExactValues(graph, product->inputs[2]);
      if (!bias.has_value() || bias->size() != width) return std::nullopt;
      for (size_t i = 0; i < width; ++i) input.bias[i] += (*bias)[i];
    }
    input.x = product->inputs[0];
    input.depth = static_cast<int32_t>(weights->size() / width);
  }
  const graph::Tensor& x = TensorAt(graph, input.x);
  if (x.dtype != DType::kFloat32 || x.shape.rank() != 3 || x.shape[2] != input.depth || !IsStatic(x)) {
    return std::nullopt;
  }
  return input;
}

int32_t AddTensor(Subgraph& graph, const std::string& name, Shape shape) {
  graph::Tensor& tensor = graph.tensors.emplace_back();
  tensor.name = name;
  tensor.shape = std::move(shape);
  tensor.has_rank = true;
  return static_cast<int32_t>(graph.tensors.size()) - 1;
}

Operator Make(BuiltinOp code, std::vector<int32_t> inputs, int32_t output, graph::Attributes attributes = {}) {
  Operator op;
  op.code = code;
  op.inputs = std::move(inputs);
  op.outputs = {output};
  op.attributes = std::move(attributes);
  op.options_table = graph::BuiltinOpOptionsTable(code);
  return op;
}

// The ops that take WHILE's place.
std::vector<Operator> Fused(Subgraph& graph, const Uses& uses, const Operator& loop, const Match& match,
                            const Input& input) {
  static constexpr const char* kNames[kGates] = {"input", "forget", "cell", "output"};
  const std::string scope = TensorAt(graph, loop.outputs[static_cast<size_t>(match.hidden)]).name;
  const int32_t units = match.units;
  const Shape x = TensorAt(graph, input.x).shape;  // a copy: the list of tensors grows
  const int32_t batch = x[input.is_time_major ? 1 : 0];
  const auto quarter = [&](const std::vector<double>& all, int gate, int32_t columns) {
    const auto count = static_cast<std::ptrdiff_t>(units) * columns;
    const auto begin = all.begin() + match.quarter[static_cast<size_t>(gate)] * count;
    return std::vector<double>(begin, begin + count);
  };
  std::vector<int32_t> inputs = {input.x};
  for (int gate = 0; gate < kGates; ++gate) {
    inputs.push_back(AddExactConstant(graph, scope + "/input_to_" + kNames[gate] + "_weights", {units, input.depth},
                                      quarter(input.weights, gate, input.depth)));
  }
  for (int gate = 0; gate < kGates; ++gate) {
    inputs.push_back(AddExactConstant(graph, scope + "/recurrent_to_" + kNames[gate] + "_weights", {units, units},
                                      quarter(match.sum.recurrent, gate, units)));
  }
  inputs.insert(inputs.end(), 3, kNoTensor);  // peepholes
  for (int gate = 0; gate < kGates; ++gate) {
    inputs.push_back(
        AddExactConstant(graph, scope + "/" + kNames[gate] + "_gate_bias", {units}, quarter(input.bias, gate, 1)));
  }
  inputs.insert(inputs.end(), 2, kNoTensor);  // projection
  for (const char* state : {"/output_state", "/cell_state"}) {
    inputs.push_back(AddTensor(graph, scope + state, {batch, units}));
    TensorAt(graph, inputs.back()).is_variable = true;
  }
  inputs.insert(inputs.end(), 4, kNoTensor);  // layer normalisation
  std::vector<Operator> ops;
  const auto result = [&](int variable) { return loop.outputs[static_cast<size_t>(variable)]; };
  const bool wants_rows = match.rows >= 0 && uses.readers(result(match.rows)) > 0;
  const bool as_it_lies = wants_rows && match.all_rows && (match.rows_axis == 0) == input.is_time_major;
  const int32_t sequence = as_it_lies ? result(match.rows) : AddTensor(graph, scope + "/sequence", {x[0], x[1], units});
  ops.push_back(Make(BuiltinOp::kUnidirectionalSequenceLstm, std::move(inputs), sequence,
                     graph::Attributes::From(graph::UnidirectionalSequenceLstmAttributes{
                         .fused_activation_function = graph::Activation::kTanh, .time_major = input.is_time_major})));
  if (wants_rows && match.all_rows && !as_it_lies) {
    const std::vector<int32_t> order = {1, 0, 2};
    ops.push_back(Make(BuiltinOp::kTranspose, {sequence, AddIntConstant(graph, scope + "/order", {3}, order)},
                       result(match.rows)));
  }
  const bool wants_last_row = wants_rows && !match.all_rows;
  if (wants_last_row || uses.readers(result(match.hidden)) > 0) {
    const int axis = input.is_time_major ? 0 : 1;
    std::vector<int32_t> begin = {0, 0, 0}, end = {0, 0, 0};
    const std::vector<int32_t> strides = {1, 1, 1};
    begin[static_cast<size_t>(axis)] = match.steps - 1;
    end[static_cast<size_t>(axis)] = match.steps;
    const int32_t whole = 7 & ~(1 << axis);
    ops.push_back(
        Make(BuiltinOp::kStridedSlice,
             {sequence, AddIntConstant(graph, scope + "/last", {3}, begin),
              AddIntConstant(graph, scope + "/end", {3}, end), AddIntConstant(graph, scope + "/strides", {3}, strides)},
             result(match.hidden),
             graph::Attributes::From(graph::StridedSliceAttributes{
                 .begin_mask = whole, .end_mask = whole, .shrink_axis_mask = 1 << axis})));
  }
  if (wants_last_row) {
    const std::vector<int32_t> dims = DimsOf(TensorAt(graph, result(match.rows)));
    Operator reshape =
        Make(BuiltinOp::kReshape, {result(match.hidden), AddIntConstant(graph, scope + "/row", {3}, dims)},
             result(match.rows));
    reshape.attributes.Set("new_shape", std::vector<int64_t>(dims.begin(), dims.end()));
    ops.push_back(std::move(reshape));
  }
  return ops;
}

bool Fuse(PassContext& context, size_t index) {
  Subgraph& graph = context.graph;
  const Operator loop = graph.operators[index];  // a copy: the list grows
  const auto a = loop.attributes.As<graph::WhileAttributes>();
  const Subgraph& cond = context.model.subgraphs[static_cast<size_t>(a.cond_subgraph_index)];
  const Subgraph& body = context.model.subgraphs[static_cast<size_t>(a.body_subgraph_index)];
  const std::optional<Match> match = Loop(graph, loop, cond, body).Find();
  if (!match.has_value()) return false;
  const Uses uses(graph);
  for (size_t k = 0; k < loop.outputs.size(); ++k) {
    const bool is_known = static_cast<int>(k) == match->hidden || static_cast<int>(k) == match->rows;
    if (!is_known && uses.readers(loop.outputs[k]) > 0) return false;
  }
  const std::optional<Input> input = InputOf(graph, uses, loop, *match);
  if (!input.has_value()) return false;
  std::vector<Operator> ops = Fused(graph, uses, loop, *match, *input);
  const auto at = graph.operators.erase(graph.operators.begin() + static_cast<std::ptrdiff_t>(index));
  graph.operators.insert(at, std::make_move_iterator(ops.begin()), std::make_move_iterator(ops.end()));
  return true;
}

}  // namespace

int FuseLstm(PassContext& context) {
  int count = 0;
  for (size_t i = 0; i < context.graph.operators.size(); ++i) {
    if (context.graph.operators[i].code == BuiltinOp::kWhile && Fuse(context, i)) ++count;
  }
  return count;
}

}  // namespace assay::passes
