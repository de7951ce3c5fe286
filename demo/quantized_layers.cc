#include "demo/quantized_layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace assay::demo {
namespace {

using graph::BuiltinOp;
using graph::kNoTensor;

graph::Subgraph& Main(graph::Model& model) { return model.subgraphs[0]; }
graph::Tensor& At(graph::Model& model, int32_t tensor) { return Main(model).tensors[static_cast<size_t>(tensor)]; }
const graph::Tensor& At(const graph::Model& model, int32_t tensor) {
  return model.subgraphs[0].tensors[static_cast<size_t>(tensor)];
}

template <typename T>
std::vector<T> Values(const graph::Tensor& tensor) {
  ASSAY_CHECK(tensor.data.has_value() && tensor.dtype == DTypeOf<T>());
  const auto bytes = tensor.data->bytes();
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

template <typename T>
void SetValues(graph::Tensor& tensor, const std::vector<T>& values) {
  ASSAY_CHECK(tensor.dtype == DTypeOf<T>());
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  tensor.data = graph::Constant::Own(std::move(bytes));
}

// Ops whose result has its operand's codes, so that both must have the same quantization.
bool PassesCodesOn(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kMaxPool2D:
    case BuiltinOp::kAveragePool2D:
    case BuiltinOp::kReshape:
    case BuiltinOp::kTranspose:
    case BuiltinOp::kReverseV2:
    case BuiltinOp::kPad:
      return true;
    default:
      return false;
  }
}

// The bias of one layer in the scales that its input and weights have now, its real values as they were.
void RequantizeBias(graph::Model& model, const WeightedLayer& layer) {
  if (layer.bias == kNoTensor) return;
  graph::Tensor& bias = At(model, layer.bias);
  const float input_scale = At(model, layer.input).quantization.scale[0];
  const std::vector<float> weight_scales = At(model, layer.weights).quantization.scale;
  const std::vector<float> old_scales = bias.quantization.scale;
  std::vector<int32_t> codes = Values<int32_t>(bias);
  std::vector<float> scales;
  scales.reserve(weight_scales.size());
  for (const float w : weight_scales) scales.push_back(input_scale * w);
  for (size_t c = 0; c < codes.size(); ++c) {
    const double real = static_cast<double>(codes[c]) * static_cast<double>(old_scales[old_scales.size() > 1 ? c : 0]);
    const double code = std::nearbyint(real / static_cast<double>(scales[scales.size() > 1 ? c : 0]));
    codes[c] = static_cast<int32_t>(std::clamp(code, -2147483647.0, 2147483647.0));
  }
  SetValues(bias, codes);
  bias.quantization.scale = scales;
  bias.quantization.zero_point.assign(scales.size(), 0);
  bias.quantization.quantized_dimension = 0;
}

int32_t AddTensor(graph::Model& model, std::string name, DType dtype, Shape shape, Quantization quantization) {
  graph::Tensor tensor;
  tensor.name = std::move(name);
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.quantization = std::move(quantization);
  Main(model).tensors.push_back(std::move(tensor));
  return static_cast<int32_t>(Main(model).tensors.size()) - 1;
}

int32_t AddConstant(graph::Model& model, std::string name, Shape shape, const std::vector<int32_t>& values) {
  const int32_t index = AddTensor(model, std::move(name), DType::kInt32, std::move(shape), {});
  SetValues(At(model, index), values);
  return index;
}

graph::Operator MakeOp(BuiltinOp code, std::vector<int32_t> inputs, int32_t output, int32_t version) {
  graph::Operator op;
  op.code = code;
  op.version = version;
  op.inputs = std::move(inputs);
  op.outputs = {output};
  op.options_table = graph::BuiltinOpOptionsTable(code);
  return op;
}

}  // namespace

std::vector<WeightedLayer> WeightedLayers(const graph::Model& model) {
  std::vector<WeightedLayer> layers;
  const auto& operators = model.subgraphs[0].operators;
  for (size_t i = 0; i < operators.size(); ++i) {
    const graph::Operator& op = operators[i];
    if (op.code != BuiltinOp::kConv2D && op.code != BuiltinOp::kDepthwiseConv2D &&
        op.code != BuiltinOp::kFullyConnected) {
      continue;
    }
    WeightedLayer layer;
    layer.op = i;
    layer.input = op.inputs[0];
    layer.weights = op.inputs[1];
    layer.bias = op.inputs.size() > 2 ? op.inputs[2] : kNoTensor;
    layer.output = op.outputs[0];
    const graph::Tensor& weights = At(model, layer.weights);
    if (weights.dtype != DType::kInt8 || !weights.data.has_value() || !weights.quantization.is_quantized() ||
        !At(model, layer.input).quantization.is_quantized()) {
      continue;
    }
    layer.channels_innermost = op.code == BuiltinOp::kDepthwiseConv2D;
    layer.channels = static_cast<size_t>(layer.channels_innermost ? weights.shape.FromEnd(1) : weights.shape[0]);
    layer.per_channel = static_cast<size_t>(weights.shape.NumElements()) / layer.channels;
    layers.push_back(layer);
  }
  return layers;
}

std::vector<int8_t> Weights(const graph::Model& model, const WeightedLayer& layer) {
  return Values<int8_t>(At(model, layer.weights));
}

void SetWeights(graph::Model& model, const WeightedLayer& layer, const std::vector<int8_t>& weights) {
  ASSAY_CHECK(weights.size() == layer.channels * layer.per_channel);
  SetValues(At(model, layer.weights), weights);
}

std::vector<float> WeightScales(const graph::Model& model, const WeightedLayer& layer) {
  std::vector<float> scales = At(model, layer.weights).quantization.scale;
  if (scales.size() == 1) scales.resize(layer.channels, scales[0]);
  return scales;
}

void SetWeightScales(graph::Model& model, const WeightedLayer& layer, std::vector<float> scales) {
  ASSAY_CHECK(scales.size() == 1 || scales.size() == layer.channels);
  Quantization& quantization = At(model, layer.weights).quantization;
  quantization.zero_point.assign(scales.size(), 0);
  quantization.quantized_dimension = layer.channels_innermost && scales.size() > 1 ? 3 : 0;
  quantization.scale = std::move(scales);
  RequantizeBias(model, layer);
}

void ZeroBias(graph::Model& model, const WeightedLayer& layer) {
  ASSAY_CHECK(layer.bias != kNoTensor);
  SetValues(At(model, layer.bias), std::vector<int32_t>(layer.channels, 0));
}

void RotateRows(graph::Model& model, const WeightedLayer& layer, size_t by) {
  ASSAY_CHECK(!layer.channels_innermost);
  const auto rotate = [&](auto values, size_t row) {
    auto moved = values;
    for (size_t c = 0; c < layer.channels; ++c) {
      std::copy_n(values.begin() + static_cast<int64_t>(c * row), row,
                  moved.begin() + static_cast<int64_t>((c + by) % layer.channels * row));
    }
    return moved;
  };
  SetWeights(model, layer, rotate(Weights(model, layer), layer.per_channel));
  graph::Tensor& weights = At(model, layer.weights);
  if (weights.quantization.is_per_channel()) weights.quantization.scale = rotate(weights.quantization.scale, 1);
  if (layer.bias == kNoTensor) return;
  graph::Tensor& bias = At(model, layer.bias);
  SetValues(bias, rotate(Values<int32_t>(bias), 1));
  if (bias.quantization.is_per_channel()) bias.quantization.scale = rotate(bias.quantization.scale, 1);
}

void SetActivationQuantization(graph::Model& model, int32_t tensor, float scale, int64_t zero_point) {
  std::vector<bool> same(Main(model).tensors.size(), false);
  same[static_cast<size_t>(tensor)] = true;
  for (bool grew = true; grew;) {
    grew = false;
    for (const graph::Operator& op : Main(model).operators) {
      if (!PassesCodesOn(op.code)) continue;
      const auto in = static_cast<size_t>(op.inputs[0]), out = static_cast<size_t>(op.outputs[0]);
      if (same[in] == same[out]) continue;
      same[in] = same[out] = true;
      grew = true;
    }
  }
  for (size_t i = 0; i < same.size(); ++i) {
    if (!same[i]) continue;
    Quantization& quantization = Main(model).tensors[i].quantization;
    quantization.scale.assign(1, scale);
    quantization.zero_point.assign(1, zero_point);
    quantization.min.clear(), quantization.max.clear();
  }
  for (const WeightedLayer& layer : WeightedLayers(model)) {
    if (same[static_cast<size_t>(layer.input)]) RequantizeBias(model, layer);
  }
}

std::vector<int32_t> RangedTensors(const graph::Model& model) {
  std::vector<int32_t> tensors;
  for (const graph::Operator& op : model.subgraphs[0].operators) {
    if (PassesCodesOn(op.code) || op.code == BuiltinOp::kSoftmax || op.code == BuiltinOp::kLogistic) continue;
    const graph::Tensor& output = At(model, op.outputs[0]);
    if (output.dtype == DType::kInt8 && output.quantization.scale.size() == 1) tensors.push_back(op.outputs[0]);
  }
  return tensors;
}

void PrependPictureOp(graph::Model& model, PictureOp picture) {
  const int32_t input = Main(model).inputs[0];
  const graph::Tensor image = At(model, input);
  ASSAY_CHECK(image.shape.rank() == 4 && image.shape[1] == image.shape[2]);
  const int32_t changed = AddTensor(model, image.name + "/changed", image.dtype, image.shape, image.quantization);
  graph::Operator op;
  if (picture == PictureOp::kTranspose) {
    const int32_t order = AddConstant(model, image.name + "/order", {4}, {0, 2, 1, 3});
    op = MakeOp(BuiltinOp::kTranspose, {input, order}, changed, 2);
  } else {
    const int32_t axis = AddConstant(model, image.name + "/axis", {1}, {picture == PictureOp::kFlipVertical ? 1 : 2});
    op = MakeOp(BuiltinOp::kReverseV2, {input, axis}, changed, 3);
  }
  auto& operators = Main(model).operators;
  for (graph::Operator& reader : operators) std::replace(reader.inputs.begin(), reader.inputs.end(), input, changed);
  operators.insert(operators.begin(), std::move(op));
}

}  // namespace assay::demo
