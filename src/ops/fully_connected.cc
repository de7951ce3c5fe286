// FULLY_CONNECTED: float32, int8 (per tensor and per channel), uint8, int16x8, dynamic range; int4 weights. Weights
// [outputs, depth], optional bias.
#include "graph/ops/fully_connected.h"

#include <algorithm>
#include <limits>

#include "kernels/ref/conv_2d.h"
#include "kernels/ref/fully_connected.h"
#include "kernels/ref/fully_connected_blockwise.h"
#include "ops/blockwise_weights.h"
#include "ops/checks.h"
#include "ops/matrix_operands.h"
#include "ops/matrix_product.h"
#include "ops/matrix_rules.h"
#include "ops/ops.h"
#include "ops/packed_weights.h"

namespace assay::ops {
namespace {

using graph::FullyConnectedAttributes;
using kernels::ref::Conv2DGeometry;
using kernels::ref::DynamicQuantizer;
using kernels::ref::FullyConnectedShape;
using kernels::ref::HybridRule;
using kernels::ref::HybridScaling;
using numerics::Engine;
using numerics::OutputStage;
using numerics::Rounding;
using numerics::ScaleProduct;

// docs/numerics.md, "Matrix ops". The int16 rows of kBuiltin hold where the bias is int32 or absent.
constexpr MatrixRule kPerTensorRules[] = {
    {DType::kInt8, Engine::kReference, ScaleProduct::kDouble, Rounding::kDoubleHalfAway},
    {DType::kInt8, Engine::kBuiltin, ScaleProduct::kFloatFirst, Rounding::kFixedHalfUp},
    {DType::kInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kUInt8, Engine::kReference, ScaleProduct::kDouble, Rounding::kDoubleHalfAway},
    {DType::kUInt8, Engine::kBuiltin, ScaleProduct::kFloatFirst, Rounding::kFixedHalfUp},
    {DType::kUInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kInt16, Engine::kReference, ScaleProduct::kDouble, Rounding::kDoubleHalfAway},
    {DType::kInt16, Engine::kBuiltin, ScaleProduct::kFloatFirst, Rounding::kFixedHalfUp},
};
constexpr MatrixRule kPerChannelRules[] = {
    {DType::kInt8, Engine::kReference, ScaleProduct::kDouble, Rounding::kDoubleHalfAway},
    {DType::kInt8, Engine::kBuiltin, ScaleProduct::kDouble, Rounding::kFixedHalfUp},
    {DType::kInt8, Engine::kXnnpack, ScaleProduct::kFloat, Rounding::kFloatHalfEven},
    {DType::kInt16, Engine::kReference, ScaleProduct::kDouble, Rounding::kDoubleHalfAway},
    {DType::kInt16, Engine::kBuiltin, ScaleProduct::kDouble, Rounding::kFixedHalfUp},
};
// Before April 2025 the reference kernels worked in fixed point.
constexpr MatrixRule kPerTensorRules2024[] = {
    {DType::kInt8, Engine::kReference, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kUInt8, Engine::kReference, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
    {DType::kInt16, Engine::kReference, ScaleProduct::kFloatFirst, Rounding::kFixedHalfAway},
};
constexpr MatrixRule kPerChannelRules2024[] = {
    {DType::kInt8, Engine::kReference, ScaleProduct::kDouble, Rounding::kFixedHalfAway},
    {DType::kInt16, Engine::kReference, ScaleProduct::kDouble, Rounding::kFixedHalfAway},
};

MatrixRule FindRule(const PrepareContext& context, DType activation, bool wide_bias) {
  const bool per_channel = context.Input(1).quantization().is_per_channel();
  if (context.profile().litert_1_0 && context.engine() == Engine::kReference) {
    return per_channel ? FindMatrixRule(context, kPerChannelRules2024, activation)
                       : FindMatrixRule(context, kPerTensorRules2024, activation);
  }
  MatrixRule rule = per_channel ? FindMatrixRule(context, kPerChannelRules, activation)
                                : FindMatrixRule(context, kPerTensorRules, activation);
  // The optimised kernels leave sums that may need 64 bits to the reference loops.
  if (wide_bias) rule.scale = ScaleProduct::kDouble, rule.rounding = Rounding::kDoubleHalfAway;
  return rule;
}

// Every row of the input is an image of one pixel.
Conv2DGeometry OnePixelImages(const FullyConnectedShape& shape) {
  Conv2DGeometry g = {};
  g.batches = static_cast<int32_t>(shape.rows);
  g.input_h = g.input_w = g.filter_h = g.filter_w = g.output_h = g.output_w = 1;
  g.stride_h = g.stride_w = g.dilation_h = g.dilation_w = 1;
  g.input_c = g.filter_c = static_cast<int32_t>(shape.depth);
  g.output_c = static_cast<int32_t>(shape.outputs);
  return g;
}

RunFn PrepareFloat(PrepareContext& context, const FullyConnectedShape& shape, graph::Activation activation) {
  CheckType(context.Input(1), "weight matrix", {DType::kFloat32});
  if (context.HasInput(2)) CheckType(context.Input(2), "bias", {DType::kFloat32});
  return PrepareMatrixProduct(context, OnePixelImages(shape), ActivationRange(activation));
}

// The optimised kernels have a form of their own for int4 weights, from this size on.
bool HasInt4Form(const PrepareContext& context, const FullyConnectedShape& shape) {
  constexpr int64_t kMinOutputs = 4, kMinDepth = 32;
  return context.engine() == Engine::kBuiltin && context.Input(1).dtype == DType::kInt4 && context.IsKnown(1) &&
         shape.depth % 2 == 0 && shape.outputs >= kMinOutputs && shape.depth >= kMinDepth;
}

// Whether int8 weights may have this code: only those that are not constant, or do.
bool MayHold(const TensorRef& weights, int8_t code) {
  if (weights.dtype != DType::kInt8) return false;
  if (!weights.is_constant) return true;
  const auto codes = weights.values<int8_t>();
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

RunFn PrepareHybrid(PrepareContext& context, const FullyConnectedShape& shape, const FullyConnectedAttributes& a) {
  constexpr int kSignBlock = 16;
  const TensorRef& filter = context.Input(1);
  const bool has_bias = context.HasInput(2);
  CheckHybrid(context, filter, 2, shape.outputs, /*dimension=*/0);
  HybridRule rule = {DynamicQuantizer::kSymmetric, HybridScaling::kScalesFirst};
  int sign_block = kSignBlock;
  if (context.engine() == Engine::kXnnpack) {
    rule = {DynamicQuantizer::kXnnpack, HybridScaling::kFused};
    sign_block = 0;
  } else if (a.asymmetric_quantize_inputs) {
    rule.quantizer = DynamicQuantizer::kAsymmetric;
  }
  const FloatRange clamp = ActivationRange(a.fused_activation_function);
  const std::vector<float> scales = SpreadScales(filter, shape.outputs);
  if (!HasInt4Form(context, shape) && !(sign_block > 0 && MayHold(filter, -128))) {
    if (auto run =
            PrepareVectorProduct(context, HybridProduct{Convolution(OnePixelImages(shape)), rule, clamp, scales})) {
      return *std::move(run);
    }
  }
  const auto depth = static_cast<uint64_t>(shape.depth);
  const int codes = context.AddScratch(depth), differences = context.AddScratch(depth * sizeof(int16_t));
  return [shape, rule, sign_block, clamp, has_bias, codes, differences, int4_form = HasInt4Form(context, shape), scales,
          weights = Int8Weights(context, 1)](const RunContext& run) {
    const float *input = run.In<float>(0).data(), *bias = has_bias ? run.In<float>(2).data() : nullptr;
    auto* x = reinterpret_cast<int16_t*>(run.Scratch(differences).data());
    if (int4_form) {
      kernels::ref::FullyConnectedHybridInt4(shape, input, weights.Get(run), scales.data(), bias, clamp.low, clamp.high,
                                             x, run.Out<float>(0).data());
      return;
    }
    kernels::ref::FullyConnectedHybrid(shape, rule, sign_block, input, weights.Get(run), scales.data(), bias, clamp.low,
                                       clamp.high, reinterpret_cast<int8_t*>(run.Scratch(codes).data()), x,
                                       run.Out<float>(0).data());
  };
}

RunFn PrepareBlockwise(PrepareContext& context, const FullyConnectedShape& shape, const FullyConnectedAttributes& a) {
  const bool has_bias = context.HasInput(2), is_xnnpack = context.engine() == Engine::kXnnpack;
  CheckType(context.Input(0), "input", {DType::kFloat32});
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kFloat32});
  const auto rule = is_xnnpack ? kernels::ref::BlockwiseRule::kXnnpack : kernels::ref::BlockwiseRule::kBuiltin;
  // Of the other kernels only the form for int4 weights knows of blocks, and no activation. The rest takes the scale
  // that the weights themselves have, which is 0.
  const bool knows_blocks = is_xnnpack || HasInt4Form(context, shape);
  const FloatRange clamp =
      ActivationRange(is_xnnpack || !knows_blocks ? a.fused_activation_function : graph::Activation::kNone);
  BlockwiseWeights read = ReadBlockwise(context, 1);
  if (!knows_blocks) std::fill(read.scales.begin(), read.scales.end(), 0.0F);
  const auto weights = std::make_shared<const BlockwiseWeights>(std::move(read));
  const auto depth = static_cast<uint64_t>(shape.depth);
  const int codes = context.AddScratch(depth), x = context.AddScratch(depth * sizeof(int16_t));
  return [shape, rule, clamp, has_bias, weights, codes, x](const RunContext& run) {
    kernels::ref::FullyConnectedBlockwise(shape, rule, run.In<float>(0).data(),
                                          {weights->codes.data(), weights->scales.data(), weights->block},
                                          has_bias ? run.In<float>(2).data() : nullptr, clamp.low, clamp.high,
                                          reinterpret_cast<int8_t*>(run.Scratch(codes).data()),
                                          reinterpret_cast<int16_t*>(run.Scratch(x).data()), run.Out<float>(0).data());
  };
}

RunFn PrepareInt8(PrepareContext& context, const FullyConnectedShape& shape, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckEightBit(context, input, 2);
  CheckQuantizedAlong(filter, "weight matrix", 0, /*symmetric=*/filter.quantization().is_per_channel());
  const MatrixRule rule = FindRule(context, DType::kInt8, /*wide_bias=*/false);
  const OutputStage stage = MakeOutputStage(context, rule.rounding, activation);
  const auto scales = CombineChannelScales(rule, input, filter, output, shape.outputs);
  const int32_t w_zero = filter.quantization().is_per_channel() ? 0 : filter.zero_point();
  return PrepareMatrixProduct(context, OnePixelImages(shape), stage, scales, w_zero);
}

RunFn PrepareUInt8(PrepareContext& context, const FullyConnectedShape& shape, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckEightBit(context, input, 2);
  CheckType(filter, "weight matrix", {DType::kUInt8});
  CheckPerTensorQuantized(filter, "weight matrix");
  const MatrixRule rule = FindRule(context, DType::kUInt8, /*wide_bias=*/false);
  const OutputStage stage = MakeOutputStage(context, rule.rounding, activation);
  const auto scales = CombineChannelScales(rule, input, filter, output, shape.outputs);
  return PrepareMatrixProduct(context, OnePixelImages(shape), stage, scales, filter.zero_point());
}

RunFn PrepareInt16(PrepareContext& context, const FullyConnectedShape& shape, const FullyConnectedAttributes& a) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckPerTensorQuantized(input, "input", /*symmetric=*/true);
  CheckPerTensorQuantized(output, "output", /*symmetric=*/true);
  CheckQuantizedAlong(filter, "weight matrix", 0, /*symmetric=*/true);
  const bool has_bias = context.HasInput(2);
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kInt32, DType::kInt64});
  const auto declared = static_cast<DType>(a.quantized_bias_type);
  const bool wide_without_bias =
      context.engine() == Engine::kReference ? declared != DType::kInt32 : declared == DType::kInt64;
  const bool wide_bias = has_bias ? context.Input(2).dtype == DType::kInt64 : wide_without_bias;
  const MatrixRule rule = FindRule(context, DType::kInt16, wide_bias);
  const OutputStage stage = MakeOutputStage(context, rule.rounding, a.fused_activation_function);
  const auto scales = CombineChannelScales(rule, input, filter, output, shape.outputs);
  return PrepareMatrixProduct16Bit(context, OnePixelImages(shape), stage, scales, wide_bias);
}

FullyConnectedShape CheckShapes(PrepareContext& context, const FullyConnectedAttributes& a) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1);
  CheckRank(input, "input", 1, 8);
  CheckRank(filter, "weight matrix", 2, 2);
  FullyConnectedShape shape = {.rows = 0, .depth = filter.shape[1], .outputs = filter.shape[0]};
  if (shape.depth < 1 || shape.outputs < 1) throw InputError("weight matrix has the shape {}", filter.shape.ToString());
  if (input.size() % shape.depth != 0) {
    throw InputError("input has {} values, not a multiple of the weights' depth {}", input.size(), shape.depth);
  }
  shape.rows = input.size() / shape.depth;
  if (shape.rows > std::numeric_limits<int32_t>::max()) throw InputError("input has {} rows", shape.rows);
  if (a.keep_num_dims) {
    if (input.shape.FromEnd(1) != shape.depth) {
      throw InputError("input has the shape {}, its last dimension is not the weights' depth {}",
                       input.shape.ToString(), shape.depth);
    }
    Shape output = input.shape;
    output[output.rank() - 1] = filter.shape[0];
    context.SetOutputShape(0, output);
  } else {
    context.SetOutputShape(0, {static_cast<int32_t>(shape.rows), filter.shape[0]});
  }
  return shape;
}

}  // namespace

RunFn PrepareFullyConnected(PrepareContext& context) {
  CheckArity(context, 2, 3, 1);
  const auto a = context.op().attributes.As<FullyConnectedAttributes>();
  if (a.weights_format != graph::FullyConnectedWeightsFormat::kDefault) {
    throw InputError("weights_format SHUFFLED4x16INT8 has no kernel");
  }
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckSameType(input, "input", output, "output");
  const FullyConnectedShape shape = CheckShapes(context, a);
  CheckBiasSize(context, 2, shape.outputs);
  if (IsBlockwise(filter)) return PrepareBlockwise(context, shape, a);
  switch (input.dtype) {
    case DType::kFloat32:
      return filter.dtype == DType::kInt8 || filter.dtype == DType::kInt4
                 ? PrepareHybrid(context, shape, a)
                 : PrepareFloat(context, shape, a.fused_activation_function);
    case DType::kInt8:
      return PrepareInt8(context, shape, a.fused_activation_function);
    case DType::kUInt8:
      return PrepareUInt8(context, shape, a.fused_activation_function);
    case DType::kInt16:
      return PrepareInt16(context, shape, a);
    default:
      UnsupportedTypes(context);
  }
}

bool XnnpackTakesFullyConnected(const PrepareContext& context) {
  if (context.num_inputs() < 2 || context.num_inputs() > 3 || !context.HasInput(0) || context.num_outputs() != 1) {
    return false;
  }
  const auto a = context.op().attributes.As<FullyConnectedAttributes>();
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const bool is_blockwise = context.HasInput(1) && IsBlockwise(context.Input(1));
  if (!XnnpackTakesActivation(input) || !XnnpackTakesActivation(output) || input.dtype != output.dtype ||
      !(is_blockwise ? XnnpackTakesBlockwise(context, context.Input(1))
                     : XnnpackTakesWeights(context, 1, /*dimension=*/0)) ||
      (context.HasInput(2) && !XnnpackTakesBias(context, 2)) ||
      !XnnpackTakesFusedActivation(a.fused_activation_function)) {
    return false;
  }
  const TensorRef& filter = context.Input(1);
  if (filter.dtype == DType::kInt4 && (filter.shape.rank() != 2 || filter.shape[1] % 2 != 0)) return false;
  const bool narrow = filter.dtype == DType::kInt8 || filter.dtype == DType::kInt4;
  return narrow ? input.dtype == DType::kFloat32 || input.dtype == DType::kInt8 : filter.dtype == input.dtype;
}

}  // namespace assay::ops
