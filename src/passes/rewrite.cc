#include "passes/rewrite.h"

#include <cstring>

namespace assay::passes {

using graph::Subgraph;

Uses::Uses(const Subgraph& graph)
    : producer_(graph.tensors.size(), -1), readers_(graph.tensors.size(), 0), is_output_(graph.tensors.size(), false) {
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    for (const int32_t t : graph.operators[i].outputs) producer_[static_cast<size_t>(t)] = static_cast<int32_t>(i);
    for (const int32_t t : graph.operators[i].inputs) {
      if (t != graph::kNoTensor) ++readers_[static_cast<size_t>(t)];
    }
  }
  for (const int32_t t : graph.outputs) {
    ++readers_[static_cast<size_t>(t)];
    is_output_[static_cast<size_t>(t)] = true;
  }
}

bool IsConstant(const Subgraph& graph, int32_t tensor) {
  return tensor != graph::kNoTensor && TensorAt(graph, tensor).data.has_value();
}

bool IsFloatConstant(const Subgraph& graph, int32_t tensor) {
  return IsConstant(graph, tensor) && TensorAt(graph, tensor).dtype == DType::kFloat32 &&
         !TensorAt(graph, tensor).sparsity.has_value();
}

std::optional<std::vector<float>> FloatValues(const Subgraph& graph, int32_t tensor) {
  if (!IsFloatConstant(graph, tensor)) return std::nullopt;
  const auto bytes = TensorAt(graph, tensor).data->bytes();
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::optional<std::vector<double>> ExactValues(const Subgraph& graph, int32_t tensor) {
  const auto rounded = FloatValues(graph, tensor);
  if (!rounded.has_value()) return std::nullopt;
  const std::vector<double>* exact = TensorAt(graph, tensor).data->exact();
  if (exact != nullptr && exact->size() == rounded->size()) return *exact;
  return std::vector<double>(rounded->begin(), rounded->end());
}

std::optional<std::vector<int32_t>> IntValues(const Subgraph& graph, int32_t tensor) {
  if (!IsConstant(graph, tensor) || TensorAt(graph, tensor).dtype != DType::kInt32) return std::nullopt;
  const auto bytes = TensorAt(graph, tensor).data->bytes();
  std::vector<int32_t> values(bytes.size() / sizeof(int32_t));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(int32_t));
  return values;
}

namespace {

template <typename T>
int32_t AddConstant(Subgraph& graph, std::string name, DType dtype, Shape shape, std::span<const T> values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  graph::Tensor& tensor = graph.tensors.emplace_back();
  tensor.name = std::move(name);
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.has_rank = true;
  tensor.data = graph::Constant::Own(std::move(bytes));
  return static_cast<int32_t>(graph.tensors.size()) - 1;
}

}  // namespace

int32_t AddFloatConstant(Subgraph& graph, std::string name, Shape shape, std::span<const float> values) {
  return AddConstant<float>(graph, std::move(name), DType::kFloat32, std::move(shape), values);
}

int32_t AddExactConstant(Subgraph& graph, std::string name, Shape shape, std::vector<double> values) {
  const std::vector<float> rounded(values.begin(), values.end());
  const int32_t tensor = AddConstant<float>(graph, std::move(name), DType::kFloat32, std::move(shape), rounded);
  TensorAt(graph, tensor).data = TensorAt(graph, tensor).data->WithExact(std::move(values));
  return tensor;
}

int32_t AddIntConstant(Subgraph& graph, std::string name, Shape shape, std::span<const int32_t> values) {
  return AddConstant<int32_t>(graph, std::move(name), DType::kInt32, std::move(shape), values);
}

graph::Activation FusedActivation(const graph::Operator& op) {
  const graph::AttributeValue* value = op.attributes.Find("fused_activation_function");
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number == nullptr ? graph::Activation::kNone : static_cast<graph::Activation>(*number);
}

void ReplaceTensor(Subgraph& graph, int32_t from, int32_t to) {
  for (graph::Operator& op : graph.operators) {
    for (int32_t& t : op.inputs) {
      if (t == from) t = to;
    }
  }
  for (int32_t& t : graph.outputs) {
    if (t == from) t = to;
  }
}

bool Bypass(Subgraph& graph, const Uses& uses, int32_t tensor, int32_t stand_in) {
  if (!uses.IsOutput(tensor)) {
    ReplaceTensor(graph, tensor, stand_in);
    return true;
  }
  const int32_t producer = uses.producer(stand_in);
  if (producer < 0 || uses.IsOutput(stand_in)) return false;
  for (int32_t& t : graph.operators[static_cast<size_t>(producer)].outputs) {
    if (t == stand_in) t = tensor;
  }
  for (graph::Operator& op : graph.operators) {
    for (int32_t& t : op.inputs) {
      if (t == stand_in) t = tensor;
    }
  }
  return true;
}

bool IsElementwiseUnary(graph::BuiltinOp code) {
  using graph::BuiltinOp;
  switch (code) {
    case BuiltinOp::kAbs:
    case BuiltinOp::kCast:
    case BuiltinOp::kCeil:
    case BuiltinOp::kCos:
    case BuiltinOp::kElu:
    case BuiltinOp::kExp:
    case BuiltinOp::kFloor:
    case BuiltinOp::kGelu:
    case BuiltinOp::kHardSwish:
    case BuiltinOp::kLeakyRelu:
    case BuiltinOp::kLog:
    case BuiltinOp::kLogistic:
    case BuiltinOp::kNeg:
    case BuiltinOp::kRelu:
    case BuiltinOp::kRelu0To1:
    case BuiltinOp::kRelu6:
    case BuiltinOp::kReluN1To1:
    case BuiltinOp::kRound:
    case BuiltinOp::kRsqrt:
    case BuiltinOp::kSign:
    case BuiltinOp::kSin:
    case BuiltinOp::kSqrt:
    case BuiltinOp::kSquare:
    case BuiltinOp::kTanh:
      return true;
    default:
      return false;
  }
}

bool HasSideEffects(graph::BuiltinOp code) {
  using graph::BuiltinOp;
  switch (code) {
    case BuiltinOp::kIf:
    case BuiltinOp::kWhile:
    case BuiltinOp::kCall:
    case BuiltinOp::kCallOnce:
    case BuiltinOp::kVarHandle:
    case BuiltinOp::kReadVariable:
    case BuiltinOp::kAssignVariable:
    case BuiltinOp::kHashtable:
    case BuiltinOp::kHashtableFind:
    case BuiltinOp::kHashtableImport:
    case BuiltinOp::kHashtableSize:
    case BuiltinOp::kRandomUniform:
    case BuiltinOp::kRandomStandardNormal:
    case BuiltinOp::kMultinomial:
    case BuiltinOp::kLstm:
    case BuiltinOp::kUnidirectionalSequenceLstm:
    case BuiltinOp::kBidirectionalSequenceLstm:
    case BuiltinOp::kRnn:
    case BuiltinOp::kUnidirectionalSequenceRnn:
    case BuiltinOp::kBidirectionalSequenceRnn:
    case BuiltinOp::kSvdf:
    case BuiltinOp::kStablehloComposite:
    case BuiltinOp::kStablehloRngBitGenerator:
    case BuiltinOp::kCustom:
      return true;
    default:
      return false;
  }
}

std::vector<int32_t> DimsOf(const graph::Tensor& tensor) {
  if (tensor.shape_signature.has_value()) return *tensor.shape_signature;
  const auto dims = tensor.shape.dims();
  return {dims.begin(), dims.end()};
}

void EraseOps(Subgraph& graph, const std::vector<bool>& erase) {
  std::vector<graph::Operator> kept;
  kept.reserve(graph.operators.size());
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    if (i >= erase.size() || !erase[i]) kept.push_back(std::move(graph.operators[i]));
  }
  graph.operators = std::move(kept);
}

std::string JoinNames(const std::string& later, const std::string& earlier) {
  // Long chains stay readable: what a name cannot hold any more is the least interesting part.
  constexpr size_t kMaxName = 400;
  if (later.size() + earlier.size() + 1 > kMaxName) return later;
  return later + ";" + earlier;
}

}  // namespace assay::passes
