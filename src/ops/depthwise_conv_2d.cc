// DEPTHWISE_CONV_2D: float32, int8 (per tensor and per channel), uint8, int16x8, dynamic range; int4 weights. Input
// NHWC, filter [1, height, width, channels * multiplier], optional bias.
#include "graph/ops/depthwise_conv_2d.h"

#include "kernels/ref/depthwise_conv_2d.h"
#include "ops/checks.h"
#include "ops/matrix_operands.h"
#include "ops/matrix_rules.h"
#include "ops/ops.h"
#include "ops/packed_weights.h"

namespace assay::ops {
namespace {

using graph::DepthwiseConv2DAttributes;
using kernels::ref::Conv2DGeometry;
using kernels::ref::DepthwiseHybridRule;
using kernels::ref::DepthwiseStages;
using kernels::ref::DynamicQuantizer;
using kernels::ref::HybridScaling;
using numerics::Engine;
using numerics::OutputStage;
using numerics::Rounding;
using numerics::ScaleProduct;

constexpr int kChannelDimension = 3;

// docs/numerics.md, "Matrix ops". The optimised int8 kernel takes 8 channels at a time, the rest one by one.
constexpr int32_t kInt8Block = 8;
constexpr MatrixRule kRules[] = {
    {DType::kInt8, Engine::kReference, ScaleProduct::kDouble, Rounding::kFixedHalfAway},
    {DType::kInt8, Engine::kBuiltin, ScaleProduct::kDouble, Rounding::kFixedHalfUp},
    {DType::kInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kUInt8, Engine::kReference, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kUInt8, Engine::kBuiltin, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kUInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kInt16, Engine::kReference, ScaleProduct::kDouble, Rounding::kFixedHalfAway},
    {DType::kInt16, Engine::kBuiltin, ScaleProduct::kDouble, Rounding::kFixedHalfAway},
};

Conv2DGeometry Geometry(const DepthwiseConv2DAttributes& a, const TensorRef& input, const TensorRef& filter,
                        const InputPadding& padding) {
  CheckRank(input, "input", 4, 4);
  CheckRank(filter, "filter", 4, 4);
  if (filter.shape[0] != 1) throw InputError("filter has the shape {}, expected [1,...]", filter.shape.ToString());
  Conv2DGeometry g = {};
  g.batches = input.shape[0];
  g.input_h = input.shape[1], g.input_w = input.shape[2], g.input_c = input.shape[3];
  g.filter_h = filter.shape[1], g.filter_w = filter.shape[2], g.filter_c = 1;
  g.output_c = filter.shape[3];
  if (g.input_c < 1 || g.output_c < 1 || g.output_c % g.input_c != 0) {
    throw InputError("filter has {} channels, not a multiple of the input's {}", g.output_c, g.input_c);
  }
  PlaceWindows(a, padding, g);
  return g;
}

template <typename Sum>
int AddSums(PrepareContext& context, const Conv2DGeometry& g) {
  return context.AddScratch(static_cast<uint64_t>(g.output_c) * sizeof(Sum));
}
template <typename Sum>
Sum* Sums(const RunContext& run, int scratch) {
  return reinterpret_cast<Sum*>(run.Scratch(scratch).data());
}

RunFn PrepareFloat(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  const bool has_bias = context.HasInput(2);
  CheckType(context.Input(1), "filter", {DType::kFloat32});
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kFloat32});
  if (auto run = PrepareVectorDepthwise(context, g, ActivationRange(activation))) return *std::move(run);
  return [g, clamp = ActivationRange(activation), has_bias, sums = AddSums<double>(context, g)](const RunContext& run) {
    kernels::ref::DepthwiseConv2DFloat(g, run.In<float>(0).data(), run.In<float>(1).data(),
                                       has_bias ? run.In<float>(2).data() : nullptr, clamp.low, clamp.high,
                                       Sums<double>(run, sums), run.Out<float>(0).data());
  };
}

RunFn PrepareHybrid(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  constexpr int32_t kBlock = 4;
  const TensorRef& filter = context.Input(1);
  const bool has_bias = context.HasInput(2);
  CheckHybrid(context, filter, 2, g.output_c, kChannelDimension);
  DepthwiseHybridRule rule = {DynamicQuantizer::kAsymmetric, HybridScaling::kScalesFirst, HybridScaling::kScalesFirst,
                              0};
  if (context.engine() != Engine::kReference) {
    rule.blocks = HybridScaling::kWeightFirst;
    rule.tail = HybridScaling::kInputFirst;
    rule.blocked_channels = g.output_c / kBlock * kBlock;
  }
  const FloatRange clamp = ActivationRange(activation);
  const std::vector<float> scales = SpreadScales(filter, g.output_c);
  if (auto run = PrepareVectorDepthwise(context, HybridDepthwise{g, rule, clamp, scales})) return *std::move(run);
  const int codes = context.AddScratch(static_cast<uint64_t>(g.ImageSize()));
  return [g, rule, clamp, has_bias, codes, sums = AddSums<uint32_t>(context, g), scales,
          weights = Int8Weights(context, 1)](const RunContext& run) {
    kernels::ref::DepthwiseConv2DHybrid(g, rule, run.In<float>(0).data(), weights.Get(run), scales.data(),
                                        has_bias ? run.In<float>(2).data() : nullptr, clamp.low, clamp.high,
                                        reinterpret_cast<int8_t*>(run.Scratch(codes).data()), Sums<uint32_t>(run, sums),
                                        run.Out<float>(0).data());
  };
}

RunFn PrepareInt8(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  const bool has_bias = context.HasInput(2);
  CheckEightBit(context, input, 2);
  CheckQuantizedAlong(filter, "filter", kChannelDimension, /*symmetric=*/true);
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kInt8);
  const OutputStage stage = MakeOutputStage(context, rule.rounding, activation);
  DepthwiseStages stages = {.stage = stage, .tail = stage, .blocked_channels = g.output_c};
  if (context.engine() == Engine::kBuiltin) {
    stages.tail.rounding = Rounding::kFixedHalfAway;
    stages.blocked_channels = g.output_c / kInt8Block * kInt8Block;
  }
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  if (stages.blocked_channels == g.output_c) {
    if (auto run = PrepareVectorDepthwise(context, Product8Bit{Convolution(g), stage, scales, /*filter_zero_point=*/0}))
      return *std::move(run);
  }
  return [g, stages, has_bias, x_zero = input.zero_point(), sums = AddSums<uint32_t>(context, g), scales,
          weights = Int8Weights(context, 1)](const RunContext& run) {
    kernels::ref::DepthwiseConv2DQuantized<int8_t>(g, run.In<int8_t>(0).data(), x_zero, weights.Get(run), 0,
                                                   has_bias ? run.In<int32_t>(2).data() : nullptr, scales.data(),
                                                   stages, Sums<uint32_t>(run, sums), run.Out<int8_t>(0).data());
  };
}

RunFn PrepareUInt8(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  const bool has_bias = context.HasInput(2);
  CheckEightBit(context, input, 2);
  CheckType(filter, "filter", {DType::kUInt8});
  CheckPerTensorQuantized(filter, "filter");
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kUInt8);
  const OutputStage stage = MakeOutputStage(context, rule.rounding, activation);
  const DepthwiseStages stages = {.stage = stage, .tail = stage, .blocked_channels = g.output_c};
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  const int32_t w_zero = filter.zero_point();
  if (auto run = PrepareVectorDepthwise(context, Product8Bit{Convolution(g), stage, scales, w_zero}))
    return *std::move(run);
  return [g, stages, has_bias, x_zero = input.zero_point(), w_zero, sums = AddSums<uint32_t>(context, g),
          scales](const RunContext& run) {
    kernels::ref::DepthwiseConv2DQuantized<uint8_t>(g, run.In<uint8_t>(0).data(), x_zero, run.In<uint8_t>(1).data(),
                                                    w_zero, has_bias ? run.In<int32_t>(2).data() : nullptr,
                                                    scales.data(), stages, Sums<uint32_t>(run, sums),
                                                    run.Out<uint8_t>(0).data());
  };
}

RunFn PrepareInt16(PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  const bool has_bias = context.HasInput(2);
  CheckPerTensorQuantized(input, "input", /*symmetric=*/true);
  CheckPerTensorQuantized(output, "output", /*symmetric=*/true);
  CheckQuantizedAlong(filter, "filter", kChannelDimension, /*symmetric=*/true);
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kInt64});
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kInt16);
  const OutputStage stage = MakeOutputStage(context, rule.rounding, activation);
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  if (auto run = PrepareVectorDepthwise(context, Product16Bit{Convolution(g), stage, scales, /*wide_bias=*/true})) {
    return *std::move(run);
  }
  return [g, stage, has_bias, sums = AddSums<int64_t>(context, g), scales,
          weights = Int8Weights(context, 1)](const RunContext& run) {
    kernels::ref::DepthwiseConv2DInt16(g, run.In<int16_t>(0).data(), weights.Get(run),
                                       has_bias ? run.In<int64_t>(2).data() : nullptr, scales.data(), stage,
                                       Sums<int64_t>(run, sums), run.Out<int16_t>(0).data());
  };
}

}  // namespace

RunFn PrepareDepthwiseConv2D(PrepareContext& context) {
  CheckArity(context, 2, 3, 1);
  const auto a = context.op().attributes.As<DepthwiseConv2DAttributes>();
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
      return PrepareInt16(context, g, activation);
    default:
      UnsupportedTypes(context);
  }
}

bool XnnpackTakesDepthwiseConv2D(const PrepareContext& context) {
  if (context.num_inputs() != 3 || !context.HasInput(0) || !context.HasInput(2) || context.num_outputs() != 1) {
    return false;
  }
  const auto a = context.op().attributes.As<DepthwiseConv2DAttributes>();
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  return XnnpackTakesActivation(input) && XnnpackTakesActivation(output) && input.dtype == output.dtype &&
         XnnpackTakesWeights(context, 1, kChannelDimension) && XnnpackTakesBias(context, 2) &&
         context.Input(1).dtype == input.dtype && XnnpackTakesFusedActivation(a.fused_activation_function);
}

}  // namespace assay::ops
