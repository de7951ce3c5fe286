#include "ops/matrix_operands.h"

#include <cmath>

namespace assay::ops {

void UnpackInt4(const uint8_t* packed, int64_t count, int8_t* values) {
  for (int64_t i = 0; i < count; ++i) {
    const int nibble = (packed[i / 2] >> (i % 2 * 4)) & 15;
    values[i] = static_cast<int8_t>((nibble ^ 8) - 8);
  }
}

Int8Weights::Int8Weights(PrepareContext& context, int input) : input_(input) {
  const TensorRef& tensor = context.Input(input);
  CheckType(tensor, "filter", {DType::kInt8, DType::kInt4});
  if (tensor.dtype == DType::kInt4) scratch_ = context.AddScratch(static_cast<uint64_t>(tensor.size()));
}

const int8_t* Int8Weights::Get(const RunContext& run) const {
  const TensorRef& tensor = run.Input(input_);
  if (scratch_ < 0) return tensor.values<int8_t>().data();
  auto* values = reinterpret_cast<int8_t*>(run.Scratch(scratch_).data());
  UnpackInt4(tensor.data, tensor.size(), values);
  return values;
}

std::vector<float> SpreadScales(const TensorRef& weights, int64_t channels) {
  std::vector<float> scales;
  scales.reserve(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) scales.push_back(ScaleAt(weights, c));
  return scales;
}

void CheckHybrid(const PrepareContext& context, const TensorRef& filter, int bias, int64_t channels, int dimension) {
  CheckType(filter, "filter", {DType::kInt8, DType::kInt4});
  CheckQuantizedAlong(filter, "filter", dimension, /*symmetric=*/true);
  if (context.HasInput(bias)) CheckType(context.Input(bias), "bias", {DType::kFloat32});
  CheckBiasSize(context, bias, channels);
}

void CheckEightBit(const PrepareContext& context, const TensorRef& input, int bias) {
  if (context.HasInput(bias)) CheckType(context.Input(bias), "bias", {DType::kInt32});
  CheckPerTensorQuantized(input, "input");
  CheckPerTensorQuantized(context.Output(0), "output");
}

void CheckBiasSize(const PrepareContext& context, int bias, int64_t count) {
  if (context.HasInput(bias) && context.Input(bias).size() != count) {
    throw InputError("bias has {} values, expected {}", context.Input(bias).size(), count);
  }
}

namespace {

bool HasNormalScales(const Quantization& q) {
  for (const float scale : q.scale) {
    if (!std::isnormal(scale) || scale <= 0) return false;
  }
  return !q.scale.empty();
}

bool HasNoEmptyDimension(const Shape& shape) {
  for (const int32_t d : shape.dims()) {
    if (d < 1) return false;
  }
  return true;
}

}  // namespace

bool XnnpackTakesActivation(const TensorRef& tensor) {
  if (tensor.dtype == DType::kFloat32) return true;
  const Quantization& q = tensor.quantization();
  return (tensor.dtype == DType::kInt8 || tensor.dtype == DType::kUInt8) && q.scale.size() == 1 &&
         q.quantized_dimension == 0 && HasNormalScales(q);
}

bool XnnpackTakesWeights(const PrepareContext& context, int input, int dimension) {
  if (!context.HasInput(input) || !context.IsKnown(input)) return false;
  const TensorRef& tensor = context.Input(input);
  const Quantization& q = tensor.quantization();
  if (!HasNoEmptyDimension(tensor.shape)) return false;
  if (tensor.dtype == DType::kFloat32) return true;
  if (!HasNormalScales(q)) return false;
  if (tensor.dtype == DType::kUInt8) return q.scale.size() == 1 && q.quantized_dimension == 0;
  if (tensor.dtype != DType::kInt8 && tensor.dtype != DType::kInt4) return false;
  if (q.scale.size() == 1 && tensor.zero_point() != 0) return false;
  return q.scale.size() == 1 || q.quantized_dimension == dimension;
}

bool XnnpackTakesBias(const PrepareContext& context, int input) {
  if (!context.IsKnown(input)) return false;
  const TensorRef& tensor = context.Input(input);
  if (tensor.shape.rank() != 1 || tensor.size() < 1) return false;
  if (tensor.dtype == DType::kFloat32) return true;
  const Quantization& q = tensor.quantization();
  if (tensor.dtype != DType::kInt32 || q.quantized_dimension != 0 || !HasNormalScales(q)) return false;
  return q.scale.size() == 1 || static_cast<int64_t>(q.scale.size()) == tensor.size();
}

bool XnnpackTakesFusedActivation(graph::Activation activation) {
  return activation == graph::Activation::kNone || activation == graph::Activation::kRelu ||
         activation == graph::Activation::kReluN1To1 || activation == graph::Activation::kRelu6;
}

}  // namespace assay::ops
