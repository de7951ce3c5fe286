// CONV_2D: float32, int8 (per tensor and per channel), uint8, int16x8, dynamic range; int4 weights. Input NHWC, filter
// OHWI, optional bias.
#include "graph/ops/conv_2d.h"

#include <limits>

#include "kernels/ref/conv_2d.h"
#include "ops/checks.h"
#include "ops/matrix_operands.h"
#include "ops/matrix_product.h"
#include "ops/matrix_rules.h"
#include "ops/ops.h"
#include "ops/packed_weights.h"

namespace assay::ops {
namespace {

using graph::Conv2DAttributes;
using kernels::ref::Conv2DGeometry;
using kernels::ref::DynamicQuantizer;
using kernels::ref::HybridRule;
using kernels::ref::HybridScaling;
using numerics::Engine;
using numerics::OutputStage;
using numerics::Rounding;
using numerics::ScaleProduct;

// docs/numerics.md, "Matrix ops".
constexpr MatrixRule kRules[] = {
    {DType::kInt8, Engine::kReference, ScaleProduct::kDouble, Rounding::kFixedHalfAway},
    {DType::kInt8, Engine::kBuiltin, ScaleProduct::kDouble, Rounding::kFixedHalfUp},
    {DType::kInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kUInt8, Engine::kReference, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kUInt8, Engine::kBuiltin, ScaleProduct::kFloatFirst, Rounding::kFixedHalfUp},
    {DType::kUInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kInt16, Engine::kReference, ScaleProduct::kDouble, Rounding::kFixedHalfAway},
    {DType::kInt16, Engine::kBuiltin, ScaleProduct::kDouble, Rounding::kFixedHalfUp},
};

Conv2DGeometry Geometry(const Conv2DAttributes& a, const TensorRef& input, const TensorRef& filter,
                        const InputPadding& padding) {
  CheckRank(input, "input", 4, 4);
  CheckRank(filter, "filter", 4, 4);
  Conv2DGeometry g = {};
  g.batches = input.shape[0];
  g.input_h = input.shape[1], g.input_w = input.shape[2], g.input_c = input.shape[3];
  g.output_c = filter.shape[0];
  g.filter_h = filter.shape[1], g.filter_w = filter.shape[2], g.filter_c = filter.shape[3];
  if (g.filter_c < 1 || g.input_c < 1 || g.input_c % g.filter_c != 0) {
    throw InputError("input has {} channels, which the filter's {} do not divide", g.input_c, g.filter_c);
  }
  const int32_t groups = g.input_c / g.filter_c;
  if (g.output_c < 1 || g.output_c % groups != 0) {
    throw InputError("filter has {} output channels, not a multiple of the {} groups", g.output_c, groups);
  }
  PlaceWindows(a, padding, g);
  return g;
}

// LiteRT's optimised kernels run grouped convolutions on the reference loops.
Rounding RoundingFor(const MatrixRule& rule, const Conv2DGeometry& g) {
  return rule.engine == Engine::kBuiltin && g.filter_c != g.input_c ? Rounding::kFixedHalfAway : rule.rounding;
}

RunFn PrepareFloat(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  CheckType(context.Input(1), "filter", {DType::kFloat32});
  if (context.HasInput(2)) CheckType(context.Input(2), "bias", {DType::kFloat32});
  return PrepareMatrixProduct(context, g, ActivationRange(activation));
}

// XNNPACK runs 1x1 convolutions without stride as FULLY_CONNECTED: every pixel gets a range of its own.
bool IsMatrixProduct(const Conv2DGeometry& g) {
  return g.filter_h == 1 && g.filter_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.filter_c == g.input_c &&
         g.input_c + g.output_c > 2;
}

RunFn PrepareHybrid(PrepareContext& context, Conv2DGeometry g, graph::Activation activation) {
  const TensorRef& filter = context.Input(1);
  const bool has_bias = context.HasInput(2);
  CheckHybrid(context, filter, 2, g.output_c, /*dimension=*/0);
  HybridRule rule = {DynamicQuantizer::kSymmetric, HybridScaling::kScalesFirst};
  if (context.engine() == Engine::kXnnpack) {
    rule = {DynamicQuantizer::kXnnpack, HybridScaling::kFused};
    if (IsMatrixProduct(g)) {
      const int64_t pixels = int64_t{g.batches} * g.input_h * g.input_w;
      if (pixels > std::numeric_limits<int32_t>::max()) throw InputError("input has too many pixels: {}", pixels);
      g.batches = static_cast<int32_t>(pixels);
      g.input_h = g.input_w = g.output_h = g.output_w = 1;
    }
  } else if (filter.quantization().is_per_channel()) {
    rule.quantizer = DynamicQuantizer::kAsymmetric;
    // Grouped ones run on the reference loops.
    const bool reference = context.engine() == Engine::kReference || g.filter_c != g.input_c;
    rule.scaling = reference ? HybridScaling::kWeightFirst : HybridScaling::kScalesFirst;
  }
  const FloatRange clamp = ActivationRange(activation);
  const std::vector<float> scales = SpreadScales(filter, g.output_c);
  if (auto run = PrepareVectorProduct(context, HybridProduct{Convolution(g), rule, clamp, scales}))
    return *std::move(run);
  const int codes = context.AddScratch(static_cast<uint64_t>(g.ImageSize()));
  const int patch = context.AddScratch(static_cast<uint64_t>(g.PatchSize()) * sizeof(int16_t));
  return [g, rule, clamp, has_bias, codes, patch, scales, weights = Int8Weights(context, 1)](const RunContext& run) {
    kernels::ref::Conv2DHybrid(g, rule, run.In<float>(0).data(), weights.Get(run), scales.data(),
                               has_bias ? run.In<float>(2).data() : nullptr, clamp.low, clamp.high,
                               reinterpret_cast<int8_t*>(run.Scratch(codes).data()),
                               reinterpret_cast<int16_t*>(run.Scratch(patch).data()), run.Out<float>(0).data());
  };
}

RunFn PrepareInt8(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckEightBit(context, input, 2);
  CheckQuantizedAlong(filter, "filter", 0, /*symmetric=*/true);
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kInt8);
  const OutputStage stage = MakeOutputStage(context, RoundingFor(rule, g), activation);
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  return PrepareMatrixProduct(context, g, stage, scales, /*weights_zero_point=*/0);
}

RunFn PrepareUInt8(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckEightBit(context, input, 2);
  CheckType(filter, "filter", {DType::kUInt8});
  CheckPerTensorQuantized(filter, "filter");
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kUInt8);
  const OutputStage stage = MakeOutputStage(context, RoundingFor(rule, g), activation);
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  return PrepareMatrixProduct(context, g, stage, scales, filter.zero_point());
}

RunFn PrepareInt16(PrepareContext& context, const Conv2DGeometry& g, const Conv2DAttributes& a) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckPerTensorQuantized(input, "input", /*symmetric=*/true);
  CheckPerTensorQuantized(output, "output", /*symmetric=*/true);
  CheckQuantizedAlong(filter, "filter", 0, /*symmetric=*/true);
  const bool has_bias = context.HasInput(2);
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kInt32, DType::kInt64});
  const bool narrow_bias =
      has_bias ? context.Input(2).dtype == DType::kInt32 : a.quantized_bias_type == static_cast<int32_t>(DType::kInt32);
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kInt16);
  const OutputStage stage = MakeOutputStage(context, RoundingFor(rule, g), a.fused_activation_function);
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  return PrepareMatrixProduct16Bit(context, g, stage, scales, /*wide_bias=*/!narrow_bias);
}

}  // namespace

RunFn PrepareConv2D(PrepareContext& context) {
  CheckArity(context, 2, 3, 1);
  const auto a = context.op().attributes.As<Conv2DAttributes>();
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  const Conv2DGeometry g = Geometry(a, input, filter, context.input_padding());
  CheckBiasSize(context, 2, g.output_c);
  CheckSameType(input, "input", output, "output");
  context.SetOutputShape(0, {g.batches, g.output_h, g.output_w, g.output_c});
  const graph::Activation activation = a.fused_activation_function;
  switch (input.dtype) {
    case DType::kFloat32:
      return filter.dtype == DType::kInt8 || filter.dtype == DType::kInt4 ? PrepareHybrid(context, g, activation)
                                                                          : PrepareFloat(context, g, activation);
    case DType::kInt8:
      return PrepareInt8(context, g, activation);
    case DType::kUInt8:
      return PrepareUInt8(context, g, activation);
    case DType::kInt16:
      return PrepareInt16(context, g, a);
    default:
      UnsupportedTypes(context);
  }
}

bool XnnpackTakesConv2D(const PrepareContext& context) {
  if (context.num_inputs() != 3 || !context.HasInput(0) || !context.HasInput(2) || context.num_outputs() != 1) {
    return false;
  }
  const auto a = context.op().attributes.As<Conv2DAttributes>();
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  return XnnpackTakesActivation(input) && XnnpackTakesActivation(output) && input.dtype == output.dtype &&
         XnnpackTakesWeights(context, 1, /*dimension=*/0) && XnnpackTakesBias(context, 2) &&
         (context.Input(1).dtype == input.dtype ||
          (input.dtype == DType::kFloat32 && context.Input(1).dtype == DType::kInt8)) &&
         XnnpackTakesFusedActivation(a.fused_activation_function);
}

}  // namespace assay::ops
