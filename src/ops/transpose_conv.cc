// TRANSPOSE_CONV: float32, int8 (per tensor and per channel), uint8, int16x8, dynamic range. Operands:
// output shape, filter OHWI, input NHWC, optional bias.
#include "graph/ops/transpose_conv.h"

#include <limits>
#include <optional>

#include "kernels/ref/transpose_conv.h"
#include "kernels/simd/transpose_conv.h"
#include "ops/checks.h"
#include "ops/matrix_operands.h"
#include "ops/matrix_rules.h"
#include "ops/ops.h"
#include "ops/packed_weights.h"

namespace assay::ops {
namespace {

using graph::TransposeConvAttributes;
using kernels::ref::DynamicQuantizer;
using kernels::ref::HybridRule;
using kernels::ref::HybridScaling;
using kernels::ref::TransposeConvGeometry;
using kernels::ref::TransposeConvStages;
using numerics::Engine;
using numerics::OutputStage;
using numerics::Rounding;
using numerics::ScaleProduct;

constexpr int kShape = 0, kFilter = 1, kImage = 2, kBiasOperand = 3;

// docs/numerics.md, "Matrix ops". The optimised kernels take 8 channels at a time, or 16 outputs of uint8, and the
// rest one by one as the reference does. The int16 rows hold where the bias is int32.
constexpr int64_t kChannelBlock = 8, kOutputBlock = 16;
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

// How much of the full product is cut off in front: the padding of the convolution from output to input.
int32_t PadBefore(graph::Padding padding, int64_t output, int64_t filter, int64_t stride) {
  if (padding == graph::Padding::kValid) return 0;
  const int64_t input = (output + stride - 1) / stride;
  return static_cast<int32_t>(std::max<int64_t>((input - 1) * stride + filter - output, 0) / 2);
}

TransposeConvGeometry CheckShapes(PrepareContext& context, const TransposeConvAttributes& a) {
  const TensorRef &filter = context.Input(kFilter), &input = context.Input(kImage);
  CheckRank(filter, "filter", 4, 4);
  CheckRank(input, "input", 4, 4);
  const auto shape = context.Values<int32_t>(kShape);
  if (shape.size() != 4) throw InputError("output shape has {} values, expected 4", shape.size());
  TransposeConvGeometry g = {};
  g.batches = input.shape[0], g.input_h = input.shape[1], g.input_w = input.shape[2], g.input_c = input.shape[3];
  g.output_c = filter.shape[0], g.filter_h = filter.shape[1], g.filter_w = filter.shape[2];
  g.output_h = shape[1], g.output_w = shape[2];
  if (filter.shape[3] != g.input_c || g.input_c < 1) {
    throw InputError("input has {} channels, the filter {}", g.input_c, filter.shape[3]);
  }
  if (g.output_c < 1 || g.filter_h < 1 || g.filter_w < 1) {
    throw InputError("filter has the shape {}", filter.shape.ToString());
  }
  if (shape[0] != g.batches || shape[3] != g.output_c || shape[1] < 1 || shape[2] < 1) {
    throw InputError("output shape is {}, expected {} images of at least 1x1 with {} channels", Shape(shape).ToString(),
                     g.batches, g.output_c);
  }
  if (a.stride_h < 1 || a.stride_w < 1) {
    throw InputError("strides are {} and {}, expected at least 1", a.stride_h, a.stride_w);
  }
  g.stride_h = a.stride_h, g.stride_w = a.stride_w;
  g.pad_h = PadBefore(a.padding, g.output_h, g.filter_h, g.stride_h);
  g.pad_w = PadBefore(a.padding, g.output_w, g.filter_w, g.stride_w);
  context.SetOutputShape(0, Shape(shape));
  return g;
}

// A part for every phase, or two where the last channels are rounded in a way of their own. None where vector kernels
// do not serve: very many phases, no values at all, outputs in mid-channel that are rounded in a way of their own.
std::optional<Convolution> AsConvolution(const TransposeConvGeometry& g, const TransposeConvStages& stages = {}) {
  constexpr int64_t kMostPhases = 4096;
  const auto [rows, columns] = kernels::simd::CountPhases(g);
  const bool has_tail = stages.stage.rounding != stages.tail.rounding;
  const int64_t blocked = has_tail ? std::min<int64_t>(stages.blocked_channels, g.output_c) : g.output_c;
  if (int64_t{rows} * columns > kMostPhases || g.batches * g.ImageSize() == 0 ||
      (has_tail && stages.blocked_outputs < g.batches * g.OutputImageSize())) {
    return std::nullopt;
  }
  Convolution convolution(kImage, kFilter, kBiasOperand);
  const auto add = [&](const kernels::simd::TransposeConvPhase& phase, int64_t first, int64_t last, Rounding rounding) {
    if (first == last) return;
    ConvolutionPart part = {
        .geometry = phase.geometry, .first_channel = static_cast<int32_t>(first), .phase = phase, .rounding = rounding};
    part.geometry.output_c = static_cast<int32_t>(last - first);
    convolution.parts.push_back(part);
  };
  for (int32_t y = 0; y < rows; ++y) {
    for (int32_t x = 0; x < columns; ++x) {
      const kernels::simd::TransposeConvPhase phase = kernels::simd::PhaseAt(g, y, x);
      add(phase, 0, blocked, stages.stage.rounding);
      add(phase, blocked, g.output_c, stages.tail.rounding);
    }
  }
  return convolution;
}

template <typename P>
struct WorkingMemory {
  WorkingMemory(PrepareContext& context, const TransposeConvGeometry& g)
      : patch(context.AddScratch(static_cast<uint64_t>(g.PatchSize()) * sizeof(P))),
        taps(context.AddScratch(static_cast<uint64_t>(int64_t{g.filter_h} * g.filter_w) * sizeof(int32_t))) {}
  P* Patch(const RunContext& run) const { return reinterpret_cast<P*>(run.Scratch(patch).data()); }
  int32_t* Taps(const RunContext& run) const { return reinterpret_cast<int32_t*>(run.Scratch(taps).data()); }
  int patch, taps;
};

RunFn PrepareFloat(PrepareContext& context, const TransposeConvGeometry& g, graph::Activation activation) {
  const bool has_bias = context.HasInput(kBiasOperand);
  CheckType(context.Input(kFilter), "filter", {DType::kFloat32});
  if (has_bias) CheckType(context.Input(kBiasOperand), "bias", {DType::kFloat32});
  if (const auto convolution = AsConvolution(g)) {
    if (auto run = PrepareVectorProduct(context, *convolution, ActivationRange(activation))) return *std::move(run);
  }
  return [g, clamp = ActivationRange(activation), has_bias,
          memory = WorkingMemory<double>(context, g)](const RunContext& run) {
    kernels::ref::TransposeConvFloat(g, run.In<float>(kImage).data(), run.In<float>(kFilter).data(),
                                     has_bias ? run.In<float>(kBiasOperand).data() : nullptr, clamp.low, clamp.high,
                                     memory.Patch(run), memory.Taps(run), run.Out<float>(0).data());
  };
}

RunFn PrepareHybrid(PrepareContext& context, const TransposeConvGeometry& g, graph::Activation activation) {
  const TensorRef& filter = context.Input(kFilter);
  const bool has_bias = context.HasInput(kBiasOperand), termwise = context.engine() != Engine::kXnnpack;
  CheckHybrid(context, filter, kBiasOperand, g.output_c, /*dimension=*/0);
  const FloatRange clamp = ActivationRange(activation);
  const std::vector<float> scales = SpreadScales(filter, g.output_c);
  if (const auto convolution = termwise ? std::nullopt : AsConvolution(g)) {
    const HybridRule rule = {DynamicQuantizer::kXnnpack, HybridScaling::kFused};
    if (auto run = PrepareVectorProduct(context, HybridProduct{*convolution, rule, clamp, scales})) {
      return *std::move(run);
    }
  }
  const int codes = context.AddScratch(static_cast<uint64_t>(g.ImageSize()));
  return [g, clamp, has_bias, termwise, codes, scales,
          memory = WorkingMemory<int16_t>(context, g)](const RunContext& run) {
    const float *x = run.In<float>(kImage).data(), *bias = has_bias ? run.In<float>(kBiasOperand).data() : nullptr;
    const int8_t* w = run.In<int8_t>(kFilter).data();
    auto* q = reinterpret_cast<int8_t*>(run.Scratch(codes).data());
    float* y = run.Out<float>(0).data();
    if (termwise) {
      kernels::ref::TransposeConvHybridTermwise(g, x, w, scales.data(), bias, clamp.low, clamp.high, q, y);
    } else {
      kernels::ref::TransposeConvHybrid(g, x, w, scales.data(), bias, clamp.low, clamp.high, q, memory.Patch(run),
                                        memory.Taps(run), y);
    }
  };
}

TransposeConvStages MakeStages(const PrepareContext& context, const MatrixRule& rule, const TransposeConvGeometry& g,
                               graph::Activation activation) {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  const DType type = context.Output(0).dtype;
  const OutputStage stage = MakeOutputStage(context, rule.rounding, activation);
  TransposeConvStages stages = {.stage = stage, .tail = stage, .blocked_channels = kAll, .blocked_outputs = kAll};
  if (context.engine() == Engine::kBuiltin) {
    stages.tail.rounding = Rounding::kFixedHalfAway;
    const int64_t outputs = int64_t{g.batches} * g.output_h * g.output_w * g.output_c;
    if (type == DType::kUInt8) {
      stages.blocked_outputs = outputs / kOutputBlock * kOutputBlock;
    } else {
      stages.blocked_channels = g.output_c / kChannelBlock * kChannelBlock;
    }
  }
  return stages;
}

template <typename T>
RunFn PrepareEightBit(PrepareContext& context, const TransposeConvGeometry& g, graph::Activation activation) {
  const TensorRef &input = context.Input(kImage), &filter = context.Input(kFilter), &output = context.Output(0);
  const bool has_bias = context.HasInput(kBiasOperand);
  CheckType(filter, "filter", {DTypeOf<T>()});
  CheckEightBit(context, input, kBiasOperand);
  if (input.dtype == DType::kUInt8) {
    CheckPerTensorQuantized(filter, "filter");
  } else {
    CheckQuantizedAlong(filter, "filter", 0, /*symmetric=*/true);
  }
  const MatrixRule& rule = FindMatrixRule(context, kRules, input.dtype);
  const TransposeConvStages stages = MakeStages(context, rule, g, activation);
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  const int32_t w_zero = filter.zero_point();
  if (const auto convolution = AsConvolution(g, stages)) {
    if (auto run = PrepareVectorProduct(context, Product8Bit{*convolution, stages.stage, scales, w_zero})) {
      return *std::move(run);
    }
  }
  return [g, stages, has_bias, x_zero = input.zero_point(), w_zero, scales,
          memory = WorkingMemory<int16_t>(context, g)](const RunContext& run) {
    kernels::ref::TransposeConvQuantized<T>(g, run.In<T>(kImage).data(), x_zero, run.In<T>(kFilter).data(), w_zero,
                                            has_bias ? run.In<int32_t>(kBiasOperand).data() : nullptr, scales.data(),
                                            stages, memory.Patch(run), memory.Taps(run), run.Out<T>(0).data());
  };
}

RunFn PrepareInt16(PrepareContext& context, const TransposeConvGeometry& g, const TransposeConvAttributes& a) {
  const TensorRef &input = context.Input(kImage), &filter = context.Input(kFilter), &output = context.Output(0);
  const bool has_bias = context.HasInput(kBiasOperand);
  CheckType(filter, "filter", {DType::kInt8});
  if (has_bias) CheckType(context.Input(kBiasOperand), "bias", {DType::kInt32, DType::kInt64});
  CheckPerTensorQuantized(input, "input", /*symmetric=*/true);
  CheckPerTensorQuantized(output, "output", /*symmetric=*/true);
  CheckQuantizedAlong(filter, "filter", 0, /*symmetric=*/true);
  const bool narrow_bias = has_bias ? context.Input(kBiasOperand).dtype == DType::kInt32
                                    : a.quantized_bias_type == static_cast<int32_t>(DType::kInt32);
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kInt16);
  const TransposeConvStages stages = MakeStages(context, rule, g, a.fused_activation_function);
  const auto scales = CombineChannelScales(rule, input, filter, output, g.output_c);
  if (const auto convolution = AsConvolution(g, stages)) {
    if (auto run = PrepareVectorProduct(context, Product16Bit{*convolution, stages.stage, scales, !narrow_bias})) {
      return *std::move(run);
    }
  }
  return [g, stages, has_bias, narrow_bias, scales,
          memory = WorkingMemory<int16_t>(context, g)](const RunContext& run) {
    const auto with_bias = [&]<typename Bias>(Bias) {
      kernels::ref::TransposeConvInt16<Bias>(g, run.In<int16_t>(kImage).data(), run.In<int8_t>(kFilter).data(),
                                             has_bias ? run.In<Bias>(kBiasOperand).data() : nullptr, scales.data(),
                                             stages, memory.Patch(run), memory.Taps(run), run.Out<int16_t>(0).data());
    };
    narrow_bias ? with_bias(int32_t{}) : with_bias(int64_t{});
  };
}

}  // namespace

RunFn PrepareTransposeConv(PrepareContext& context) {
  CheckArity(context, 3, 4, 1);
  const auto a = context.op().attributes.As<TransposeConvAttributes>();
  const TensorRef &input = context.Input(kImage), &output = context.Output(0);
  const TransposeConvGeometry g = CheckShapes(context, a);
  CheckBiasSize(context, kBiasOperand, g.output_c);
  CheckSameType(input, "input", output, "output");
  switch (input.dtype) {
    case DType::kFloat32:
      return context.Input(kFilter).dtype == DType::kInt8 ? PrepareHybrid(context, g, a.fused_activation_function)
                                                          : PrepareFloat(context, g, a.fused_activation_function);
    case DType::kInt8:
      return PrepareEightBit<int8_t>(context, g, a.fused_activation_function);
    case DType::kUInt8:
      return PrepareEightBit<uint8_t>(context, g, a.fused_activation_function);
    case DType::kInt16:
      return PrepareInt16(context, g, a);
    default:
      UnsupportedTypes(context);
  }
}

bool XnnpackTakesTransposeConv(const PrepareContext& context) {
  if (context.num_inputs() < 3 || context.num_inputs() > 4 || !context.HasInput(kShape) || !context.HasInput(kFilter) ||
      !context.HasInput(kImage) || context.num_outputs() != 1 || !context.Input(kShape).is_constant) {
    return false;
  }
  const auto a = context.op().attributes.As<TransposeConvAttributes>();
  const TensorRef &input = context.Input(kImage), &filter = context.Input(kFilter), &output = context.Output(0);
  if (!XnnpackTakesActivation(input) || !XnnpackTakesActivation(output) || input.dtype != output.dtype ||
      !XnnpackTakesWeights(context, kFilter, /*dimension=*/0) ||
      (context.HasInput(kBiasOperand) && !XnnpackTakesBias(context, kBiasOperand)) ||
      !XnnpackTakesFusedActivation(a.fused_activation_function) ||
      (filter.dtype != input.dtype && (input.dtype != DType::kFloat32 || filter.dtype != DType::kInt8)) ||
      input.shape.rank() != 4 || filter.shape.rank() != 4 || a.stride_h < 1 || a.stride_w < 1) {
    return false;
  }
  const auto shape = context.Values<int32_t>(kShape);
  if (shape.size() != 4) return false;
  const auto fits = [&](int axis, int64_t stride) {
    const int64_t kernel = filter.shape[axis], out = shape[static_cast<size_t>(axis)];
    if (a.padding == graph::Padding::kValid) return kernel <= out;
    return kernel >= stride && (out + stride - 1) / stride == input.shape[axis];
  };
  return fits(1, a.stride_h) && fits(2, a.stride_w);
}

}  // namespace assay::ops
