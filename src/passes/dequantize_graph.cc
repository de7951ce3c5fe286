#include "passes/dequantize_graph.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/real_values.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;
using graph::Tensor;

bool IsQuantized(const Tensor& tensor) {
  return IsQuantizedInteger(tensor.dtype) && tensor.quantization.is_quantized();
}

void MakeFloat(Tensor& tensor) {
  if (tensor.sparsity.has_value() && tensor.data.has_value()) {
    throw InputError("tensor '{}' is stored sparsely and quantized, which has no float form", tensor.name);
  }
  if (tensor.blockwise.has_value() || tensor.multi_axis.has_value()) {
    throw InputError("tensor '{}' is quantized blockwise, which has no float form", tensor.name);
  }
  if (tensor.data.has_value()) {
    tensor.data =
        graph::Constant::Own(RealValues(tensor.dtype, tensor.data->bytes(), tensor.shape, tensor.quantization));
  }
  tensor.dtype = DType::kFloat32;
  tensor.quantization = {};
}

// The operand that is the bias of an op whose accumulators are in units of input scale * weight scale, or -1.
int BiasOperand(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kFullyConnected:
    case BuiltinOp::kConv3D:
      return 2;
    case BuiltinOp::kTransposeConv:
      return 3;
    default:
      return -1;
  }
}

const Tensor* Operand(const Subgraph& subgraph, const Operator& op, int i) {
  if (i < 0 || static_cast<size_t>(i) >= op.inputs.size()) return nullptr;
  const int32_t tensor = op.inputs[static_cast<size_t>(i)];
  return tensor == graph::kNoTensor ? nullptr : &subgraph.tensors[static_cast<size_t>(tensor)];
}

bool IsIntegerBias(const Tensor* tensor) {
  return tensor != nullptr && (tensor->dtype == DType::kInt32 || tensor->dtype == DType::kInt64) &&
         tensor->data.has_value();
}

// A float copy of the bias as this op takes it; `before` is the subgraph with its quantization.
Tensor FloatBias(const Subgraph& before, const Operator& op, const Tensor& bias) {
  const Tensor* input = Operand(before, op, op.code == BuiltinOp::kTransposeConv ? 2 : 0);
  const Tensor* weights = Operand(before, op, 1);
  Tensor out = bias;
  std::vector<float> values = StoredValues(bias.dtype, bias.data->bytes(), bias.shape.NumElements());
  if (input != nullptr && weights != nullptr && IsQuantized(*input) && IsQuantized(*weights)) {
    const std::vector<float>& scales = weights->quantization.scale;
    for (size_t c = 0; c < values.size(); ++c) {
      const float scale = scales.size() == values.size() ? scales[c] : scales[0];
      values[c] = static_cast<float>(static_cast<double>(values[c]) * static_cast<double>(scale) *
                                     static_cast<double>(input->quantization.scale[0]));
    }
  } else {
    values = RealValues(bias.dtype, bias.data->bytes(), bias.shape, bias.quantization);
  }
  out.data = graph::Constant::Own(values);
  out.dtype = DType::kFloat32;
  out.quantization = {};
  return out;
}

// Codes that begin at 0 cut off what is negative, and codes that end at 6 what is above: models trained with
// quantization leave their activations to that. In float they need to be said.
void SayImpliedActivation(const Tensor& output, Operator& op) {
  if (output.quantization.scale.size() != 1 || op.options_table.empty()) return;
  switch (op.code) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kFullyConnected:
    case BuiltinOp::kAdd:
    case BuiltinOp::kSub:
    case BuiltinOp::kMul:
      break;
    default:
      return;
  }
  const graph::AttributeValue* value = op.attributes.Find("fused_activation_function");
  if (value != nullptr && *value != graph::AttributeValue(int64_t{0})) return;
  const RealRange range = RangeOf(output.dtype, output.quantization);
  if (range.low != 0) return;
  const bool ends_at_six = std::abs(range.high - 6) < 0.03;
  op.attributes.Set("fused_activation_function",
                    static_cast<int64_t>(ends_at_six ? graph::Activation::kRelu6 : graph::Activation::kRelu));
}

// Ops whose integer operands are biases with scales of their own.
bool TakesScaledBiases(BuiltinOp code) {
  return code == BuiltinOp::kLstm || code == BuiltinOp::kUnidirectionalSequenceLstm ||
         code == BuiltinOp::kBidirectionalSequenceLstm || code == BuiltinOp::kSvdf || code == BuiltinOp::kRnn ||
         code == BuiltinOp::kUnidirectionalSequenceRnn || code == BuiltinOp::kBidirectionalSequenceRnn;
}

// An op that hands its first operand on as it is.
void MakeIdentity(Operator& op, const Tensor& output) {
  op.attributes = {};
  op.version = 1;
  op.inputs.resize(1);
  if (output.shape.rank() == 0) {
    op.code = BuiltinOp::kReshape;
    op.attributes.Set("new_shape", std::vector<int64_t>{});
  } else {
    op.code = BuiltinOp::kConcatenation;
    op.attributes.Set("axis", int64_t{0});
  }
  op.options_table = graph::BuiltinOpOptionsTable(op.code);
}

void Convert(const Subgraph& before, Subgraph& after) {
  for (Tensor& tensor : after.tensors) {
    if (IsQuantized(tensor)) MakeFloat(tensor);
  }
  for (size_t i = 0; i < after.operators.size(); ++i) {
    Operator& op = after.operators[i];
    const auto was_quantized = [&](const std::vector<int32_t>& list) {
      for (const int32_t t : list) {
        if (t != graph::kNoTensor && IsQuantized(before.tensors[static_cast<size_t>(t)])) return true;
      }
      return false;
    };
    if (!was_quantized(op.inputs) && !was_quantized(op.outputs)) continue;
    switch (op.code) {
      case BuiltinOp::kCast:
      case BuiltinOp::kBitcast:
        throw InputError("op {} {} takes the codes of a quantized tensor as numbers", i, op.Name());
      case BuiltinOp::kQuantize:
      case BuiltinOp::kDequantize:
        MakeIdentity(op, after.tensors[static_cast<size_t>(op.outputs[0])]);
        continue;
      default:
        break;
    }
    op.intermediates.clear();
    if (!op.outputs.empty()) SayImpliedActivation(before.tensors[static_cast<size_t>(op.outputs[0])], op);
    const int bias_operand = BiasOperand(op.code);
    for (size_t k = 0; k < op.inputs.size(); ++k) {
      const Tensor* tensor = Operand(before, op, static_cast<int>(k));
      if (!IsIntegerBias(tensor)) continue;
      const bool is_bias = static_cast<int>(k) == bias_operand;
      if (!is_bias && !(TakesScaledBiases(op.code) && tensor->quantization.is_quantized())) continue;
      // A bias that several ops share has a value of its own for each of them.
      after.tensors.push_back(is_bias ? FloatBias(before, op, *tensor) : *tensor);
      Tensor& copy = after.tensors.back();
      if (!is_bias) {
        copy.data = graph::Constant::Own(RealValues(copy.dtype, copy.data->bytes(), copy.shape, copy.quantization));
        copy.dtype = DType::kFloat32;
        copy.quantization = {};
      }
      op.inputs[k] = static_cast<int32_t>(after.tensors.size()) - 1;
    }
  }
}

}  // namespace

graph::Model DequantizeGraph(const graph::Model& model) {
  graph::Model out = model;
  for (size_t s = 0; s < out.subgraphs.size(); ++s) {
    InContext([&] { return model.source; }, [&] { Convert(model.subgraphs[s], out.subgraphs[s]); });
  }
  return out;
}

bool HasQuantizedActivations(const graph::Model& model) {
  const Subgraph& main = model.subgraphs[0];
  for (const Operator& op : main.operators) {
    for (const int32_t output : op.outputs) {
      const Tensor& tensor = main.tensors[static_cast<size_t>(output)];
      if (IsQuantized(tensor) && !tensor.data.has_value()) return true;
    }
  }
  return false;
}

}  // namespace assay::passes
