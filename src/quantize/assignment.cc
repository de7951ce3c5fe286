#include "quantize/assignment.h"

#include <fmt/core.h>

#include <algorithm>

#include "passes/rewrite.h"
#include "quantize/integer_lstm.h"
#include "quantize/op_rules.h"

namespace assay::quantize {
namespace {

using graph::Operator;
using graph::Subgraph;

bool IsFloat(const Subgraph& graph, int32_t tensor) {
  return tensor != graph::kNoTensor && graph.tensors[static_cast<size_t>(tensor)].dtype == DType::kFloat32;
}

int FloatOperands(const Subgraph& graph, const Operator& op) {
  return static_cast<int>(
      std::count_if(op.inputs.begin(), op.inputs.end(), [&](int32_t t) { return IsFloat(graph, t); }));
}

bool TouchesFloat(const Subgraph& graph, const Operator& op) {
  const auto is_float = [&](int32_t t) { return IsFloat(graph, t); };
  return std::any_of(op.inputs.begin(), op.inputs.end(), is_float) ||
         std::any_of(op.outputs.begin(), op.outputs.end(), is_float);
}

class Solver {
 public:
  Solver(const Subgraph& graph, std::span<const std::optional<Range>> ranges, const AssignmentOptions& options)
      : graph_(graph),
        options_(options),
        ranges_(ranges),
        states_(graph.tensors.size()),
        done_(graph.operators.size()) {
    producer_.assign(graph.tensors.size(), -1);
    readers_.resize(graph.tensors.size());
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      const Operator& op = graph.operators[i];
      rules_.push_back(RuleFor(static_cast<int32_t>(i)));
      for (const int32_t t : op.outputs) {
        if (t != graph::kNoTensor) producer_[static_cast<size_t>(t)] = static_cast<int32_t>(i);
      }
      for (size_t k = 0; k < op.inputs.size(); ++k) {
        if (op.inputs[k] == graph::kNoTensor) continue;
        readers_[static_cast<size_t>(op.inputs[k])].push_back({static_cast<int32_t>(i), static_cast<int32_t>(k)});
      }
    }
    SetRanges(ranges);
  }

  Assignment Solve() {
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      if (rules_[i] != nullptr) work_.push_back(static_cast<int32_t>(i));
    }
    SetWeights();
    while (!work_.empty()) {
      const int32_t op = work_.back();
      work_.pop_back();
      if (done_[static_cast<size_t>(op)] || rules_[static_cast<size_t>(op)] == nullptr) continue;
      done_[static_cast<size_t>(op)] = Settle(op);
    }
    return Result();
  }

 private:
  // `is_fixed`: a calibrated range stands behind it, so that neighbours give way.
  struct State {
    std::optional<Codes> codes, produced;
    bool is_fixed = false;
    std::vector<TensorCodes::Other> others;
  };

  const OpRule* RuleFor(int32_t index) const {
    const auto i = static_cast<size_t>(index);
    if (i < options_.keep_float.size() && options_.keep_float[i]) return nullptr;
    const Operator& op = graph_.operators[i];
    return TouchesFloat(graph_, op) && WhyNotInteger(graph_, op, options_.activations).empty() ? FindOpRule(op)
                                                                                               : nullptr;
  }
  const OpRule* ProducerRule(int32_t tensor) const {
    const int32_t op = producer_[static_cast<size_t>(tensor)];
    return op < 0 ? nullptr : rules_[static_cast<size_t>(op)];
  }
  State& At(int32_t tensor) { return states_[static_cast<size_t>(tensor)]; }
  const Operator& Op(int32_t op) const { return graph_.operators[static_cast<size_t>(op)]; }
  bool IsConstant(int32_t tensor) const { return graph_.tensors[static_cast<size_t>(tensor)].data.has_value(); }

  // Of the calibrated ranges, those count that no rule overrules: a result with a prescribed scale has none of its own,
  // nor has the result of a same-scale op with one operand (it takes the operand's), nor the operands of a same-scale
  // op with several (they take the result's).
  void SetRanges(std::span<const std::optional<Range>> ranges) {
    const size_t count = std::min(ranges.size(), graph_.tensors.size());
    std::vector<bool> has(graph_.tensors.size()), redundant(graph_.tensors.size());
    std::vector<int32_t> work;
    for (size_t t = 0; t < count; ++t) {
      // Variables are an LSTM's states, whose codes follow from it.
      has[t] = ranges[t].has_value() && IsFloat(graph_, static_cast<int32_t>(t)) &&
               !graph_.tensors[t].data.has_value() && !graph_.tensors[t].is_variable;
    }
    for (size_t t = 0; t < count; ++t) {
      if (!has[t]) continue;
      const OpRule* rule = ProducerRule(static_cast<int32_t>(t));
      if (rule != nullptr && rule->output == OutputScale::kFixed) redundant[t] = true;
      work.push_back(static_cast<int32_t>(t));
    }
    while (!work.empty()) {
      const int32_t tensor = work.back();
      work.pop_back();
      for (const Use& use : readers_[static_cast<size_t>(tensor)]) {
        const OpRule* rule = rules_[static_cast<size_t>(use.op)];
        if (rule == nullptr || rule->output != OutputScale::kSame || FloatOperands(graph_, Op(use.op)) > 1) continue;
        for (const int32_t result : Op(use.op).outputs) {
          if (result == graph::kNoTensor || !has[static_cast<size_t>(result)] || redundant[static_cast<size_t>(result)])
            continue;
          redundant[static_cast<size_t>(result)] = true;
          work.push_back(result);
        }
      }
    }
    for (size_t t = 0; t < count; ++t) {
      if (has[t] && !redundant[t]) work.push_back(static_cast<int32_t>(t));
    }
    while (!work.empty()) {
      const int32_t tensor = work.back();
      work.pop_back();
      const OpRule* rule = ProducerRule(tensor);
      if (rule == nullptr || rule->output != OutputScale::kSame) continue;
      for (const int32_t operand : Op(producer_[static_cast<size_t>(tensor)]).inputs) {
        if (operand == graph::kNoTensor || !has[static_cast<size_t>(operand)] ||
            redundant[static_cast<size_t>(operand)])
          continue;
        redundant[static_cast<size_t>(operand)] = true;
        work.push_back(operand);
      }
    }
    for (size_t t = 0; t < count; ++t) {
      if (!has[t] || redundant[t]) continue;
      states_[t].codes = ActivationCodes(*ranges[t], options_.activations);
      states_[t].is_fixed = true;
    }
  }

  // Constants whose parameters follow from their own values: weights, and operands of ops like ADD.
  void SetWeights() {
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      const OpRule* rule = rules_[i];
      if (rule == nullptr || rule->output == OutputScale::kSame) continue;
      const Operator& op = graph_.operators[i];
      for (size_t k = 0; k < op.inputs.size(); ++k) {
        const int32_t t = op.inputs[k];
        if (!IsFloat(graph_, t) || !IsConstant(t) || static_cast<int8_t>(k) == rule->bias) continue;
        if (At(t).codes.has_value() || (IsLstm(op) && !IsLstmWeights(k))) continue;
        const std::vector<float> values = *passes::FloatValues(graph_, t);
        if (IsLstm(op)) {
          At(t).codes = WeightCodes(values);
          if (options_.clip_weights)
            narrowed_ += ClipWeightScales(values, passes::TensorAt(graph_, t).shape, *At(t).codes);
          continue;
        }
        if (static_cast<int8_t>(k) != rule->weights) {
          At(t).codes = options_.activations == DType::kInt8
                            ? ConstantCodes(values)
                            : ActivationCodes(ExtentWithZero(values), options_.activations);
          continue;
        }
        if (static_cast<size_t>(t) < options_.chosen.size() && options_.chosen[static_cast<size_t>(t)].has_value()) {
          At(t).codes = options_.chosen[static_cast<size_t>(t)];
          continue;
        }
        const Shape& shape = graph_.tensors[static_cast<size_t>(t)].shape;
        const bool is_dense = op.code == graph::BuiltinOp::kFullyConnected;
        const bool per_channel =
            (is_dense ? options_.per_channel_dense : options_.per_channel) && rule->channel_dim < shape.rank();
        const bool narrow = options_.weights == DType::kInt4 || (i < options_.int4_ops.size() && options_.int4_ops[i]);
        const DType dtype = rule->int4_version > 0 && narrow ? DType::kInt4 : DType::kInt8;
        At(t).codes =
            per_channel ? WeightCodesPerChannel(values, shape, rule->channel_dim, dtype) : WeightCodes(values, dtype);
        if (options_.clip_weights) narrowed_ += ClipWeightScales(values, shape, *At(t).codes);
      }
    }
  }

  // The parameters that a same-scale op imposes: a fixed one first, then that of the only operand or result, then the
  // first known.
  const Codes* SharedCodes(const Operator& op) {
    std::vector<const State*> fixed, free;
    const auto collect = [&](const std::vector<int32_t>& tensors) {
      for (const int32_t t : tensors) {
        if (!IsFloat(graph_, t)) continue;
        const State& state = At(t);
        if (state.is_fixed) {
          fixed.push_back(&state);
        } else if (state.codes.has_value()) {
          free.push_back(&state);
        }
      }
    };
    collect(op.inputs);
    const size_t fixed_operands = fixed.size(), free_operands = free.size();
    if (op.inputs.size() == 1 && fixed_operands == 1) return &*fixed.front()->codes;
    collect(op.outputs);
    if (op.outputs.size() == 1 && fixed.size() - fixed_operands == 1) return &*fixed.back()->codes;
    if (!fixed.empty()) return &*fixed.front()->codes;
    if (op.inputs.size() == 1 && free_operands == 1) return &*free.front()->codes;
    if (op.outputs.size() == 1 && free.size() - free_operands == 1) return &*free.back()->codes;
    return free.empty() ? nullptr : &*free.front()->codes;
  }

  void WakeReaders(int32_t tensor) {
    for (const Use& use : readers_[static_cast<size_t>(tensor)]) work_.push_back(use.op);
  }

  void SetOperand(Use use, const Codes& codes) {
    const int32_t tensor = Op(use.op).inputs[static_cast<size_t>(use.operand)];
    State& state = At(tensor);
    if (!state.codes.has_value()) {
      state.codes = codes;
      WakeReaders(tensor);
      if (producer_[static_cast<size_t>(tensor)] >= 0) work_.push_back(producer_[static_cast<size_t>(tensor)]);
      return;
    }
    if (*state.codes == codes) return;
    for (TensorCodes::Other& other : state.others) {
      if (other.codes == codes) {
        other.readers.push_back(use);
        return;
      }
    }
    state.others.push_back({codes, {use}});
  }

  void SetResult(int32_t tensor, const Codes& codes) {
    State& state = At(tensor);
    if (!state.codes.has_value()) {
      state.codes = codes;
      WakeReaders(tensor);
    } else if (*state.codes != codes) {
      state.produced = codes;
    }
  }

  // False where something that the op needs is not known yet.
  bool Settle(int32_t index) {
    const Operator& op = Op(index);
    const OpRule& rule = *rules_[static_cast<size_t>(index)];
    if (rule.output == OutputScale::kSame) {
      const Codes* shared = SharedCodes(op);
      if (shared == nullptr) return false;
      const Codes codes = *shared;
      for (size_t k = 0; k < op.inputs.size(); ++k) {
        if (IsFloat(graph_, op.inputs[k])) SetOperand({index, static_cast<int32_t>(k)}, codes);
      }
      for (const int32_t result : op.outputs) {
        if (IsFloat(graph_, result)) SetResult(result, codes);
      }
      return true;
    }
    if (rule.output == OutputScale::kFixed) {
      const Codes codes = FixedCodes(rule);
      for (const int32_t result : op.outputs) {
        if (IsFloat(graph_, result)) SetResult(result, codes);
      }
    }
    return IsLstm(op) ? SettleLstm(op) : SettleBias(op, rule);
  }

  // The output state is the output, one step earlier.
  bool SettleLstm(const Operator& op) {
    using Lstm = LstmOperands;
    const State &input = At(op.inputs[0]), &result = At(op.outputs[0]);
    const auto cell = static_cast<size_t>(op.inputs[Lstm::kCellState]);
    if (!input.codes.has_value() || !result.codes.has_value() || cell >= ranges_.size() || !ranges_[cell].has_value()) {
      return false;
    }
    At(op.inputs[Lstm::kOutputState]).codes = result.produced.has_value() ? result.produced : result.codes;
    states_[cell].codes = LstmCellCodes(*ranges_[cell]);
    for (size_t gate = 0; gate < Lstm::kGates; ++gate) {
      const int32_t bias = op.inputs[Lstm::kBiases + gate], weights = op.inputs[Lstm::kInputWeights + gate];
      if (bias != graph::kNoTensor && weights != graph::kNoTensor) ScaleBias(bias, *input.codes, weights);
    }
    return true;
  }

  Codes FixedCodes(const OpRule& rule) const {
    if (options_.activations == DType::kInt16) return {DType::kInt16, {{0x1p-15F}, {0}, 0, {}, {}}};
    return {DType::kInt8, {{rule.fixed_scale}, {rule.fixed_zero_point}, 0, {}, {}}};
  }

  bool SettleBias(const Operator& op, const OpRule& rule) {
    const int32_t bias = OperandOf(op, rule.bias);
    if (bias == graph::kNoTensor || !IsConstant(bias)) return true;
    const int32_t input = OperandOf(op, rule.input), weights = OperandOf(op, rule.weights);
    if (At(bias).codes.has_value()) return true;
    if (!At(input).codes.has_value() || !At(weights).codes.has_value()) return false;
    ScaleBias(bias, *At(input).codes, weights);
    return true;
  }

  void ScaleBias(int32_t bias, const Codes& input, int32_t weights) {
    Codes weight_codes = *At(weights).codes;
    Codes bias_codes = BiasCodes(input, weight_codes);
    if (IsConstant(weights) && readers_[static_cast<size_t>(weights)].size() == 1) {
      widened_ += MakeRoomForBias(*passes::FloatValues(graph_, bias), input, weight_codes, bias_codes);
      At(weights).codes = weight_codes;
    }
    At(bias).codes = bias_codes;
  }

  static int32_t OperandOf(const Operator& op, int8_t operand) {
    return operand < 0 || static_cast<size_t>(operand) >= op.inputs.size() ? graph::kNoTensor
                                                                           : op.inputs[static_cast<size_t>(operand)];
  }

  Assignment Result() {
    Assignment result;
    result.widened_for_bias = widened_;
    result.narrowed = narrowed_;
    result.is_integer.resize(graph_.operators.size());
    result.float_reason.resize(graph_.operators.size());
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      const Operator& op = graph_.operators[i];
      if (!TouchesFloat(graph_, op)) continue;
      result.float_reason[i] = FloatReason(static_cast<int32_t>(i));
      result.is_integer[i] = result.float_reason[i].empty();
    }
    for (State& state : states_) {
      result.tensors.push_back({std::move(state.codes), std::move(state.produced), std::move(state.others)});
    }
    return result;
  }

  std::string FloatReason(int32_t index) {
    const auto i = static_cast<size_t>(index);
    const Operator& op = Op(index);
    if (i < options_.keep_float.size() && options_.keep_float[i]) return "was asked to stay float";
    if (rules_[i] == nullptr) return std::string(WhyNotInteger(graph_, op, options_.activations));
    const OpRule& rule = *rules_[i];
    for (size_t k = 0; k < op.inputs.size(); ++k) {
      const int32_t t = op.inputs[k];
      if (!IsFloat(graph_, t)) continue;
      const std::string& name = graph_.tensors[static_cast<size_t>(t)].name;
      if (static_cast<int8_t>(k) == rule.bias && !IsConstant(t))
        return fmt::format("has the bias '{}', which is computed", name);
      if (static_cast<int8_t>(k) == rule.weights && !IsConstant(t) && rule.weights == 1 &&
          op.code != graph::BuiltinOp::kFullyConnected) {
        return fmt::format("has the weights '{}', which are computed", name);
      }
      if (!At(t).codes.has_value()) return fmt::format("reads '{}', whose range no sample showed", name);
    }
    for (const int32_t t : op.outputs) {
      if (IsFloat(graph_, t) && !At(t).codes.has_value()) {
        return fmt::format("gives '{}', whose range no sample showed", graph_.tensors[static_cast<size_t>(t)].name);
      }
    }
    return {};
  }

  const Subgraph& graph_;
  const AssignmentOptions& options_;
  const std::span<const std::optional<Range>> ranges_;
  std::vector<State> states_;
  std::vector<bool> done_;
  std::vector<int32_t> producer_;
  std::vector<std::vector<Use>> readers_;
  std::vector<const OpRule*> rules_;
  std::vector<int32_t> work_;
  int widened_ = 0, narrowed_ = 0;
};

}  // namespace

std::string_view WhyNotInteger(const Subgraph& graph, const Operator& op, DType activations) {
  if (!TouchesFloat(graph, op)) return "";
  const OpRule* rule = FindOpRule(op);
  if (rule == nullptr) return "has no integer form";
  if (IsLstm(op)) {
    if (const std::string_view reason = WhyLstmNotInteger(graph, op); !reason.empty()) return reason;
  }
  return activations == DType::kInt16 && !rule->int16 ? "takes no int16" : "";
}

void SeparateConstants(Subgraph& graph) {
  std::vector<int> uses(graph.tensors.size());
  for (const Operator& op : graph.operators) {
    for (const int32_t t : op.inputs) {
      if (t != graph::kNoTensor) ++uses[static_cast<size_t>(t)];
    }
  }
  std::vector<bool> taken(graph.tensors.size());
  for (Operator& op : graph.operators) {
    for (size_t k = 0; k < op.inputs.size(); ++k) {
      const int32_t t = op.inputs[k];
      if (!IsFloat(graph, t) || !graph.tensors[static_cast<size_t>(t)].data.has_value()) continue;
      if (static_cast<size_t>(t) >= uses.size() || uses[static_cast<size_t>(t)] < 2) continue;
      if (!taken[static_cast<size_t>(t)]) {  // the first reader keeps the tensor
        taken[static_cast<size_t>(t)] = true;
        continue;
      }
      graph.tensors.push_back(graph.tensors[static_cast<size_t>(t)]);
      op.inputs[k] = static_cast<int32_t>(graph.tensors.size()) - 1;
    }
  }
}

Assignment Assign(const Subgraph& graph, std::span<const std::optional<Range>> ranges,
                  const AssignmentOptions& options) {
  return Solver(graph, ranges, options).Solve();
}

}  // namespace assay::quantize
