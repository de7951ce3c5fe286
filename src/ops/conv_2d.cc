// CONV_2D: float32, int8 (per tensor and per channel), uint8, int16x8. Input NHWC, filter OHWI, optional bias.
#include "graph/ops/conv_2d.h"

#include "kernels/ref/conv_2d.h"
#include "ops/checks.h"
#include "ops/matrix_rules.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using graph::Conv2DAttributes;
using kernels::ref::Conv2DGeometry;
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

Conv2DGeometry Geometry(const Conv2DAttributes& a, const TensorRef& input, const TensorRef& filter) {
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
  const WindowAxis h = ComputeWindow(a.padding, g.input_h, g.filter_h, a.stride_h, a.dilation_h_factor, "height");
  const WindowAxis w = ComputeWindow(a.padding, g.input_w, g.filter_w, a.stride_w, a.dilation_w_factor, "width");
  g.output_h = h.output, g.pad_h = h.pad_before;
  g.output_w = w.output, g.pad_w = w.pad_before;
  g.stride_h = a.stride_h, g.stride_w = a.stride_w;
  g.dilation_h = a.dilation_h_factor, g.dilation_w = a.dilation_w_factor;
  return g;
}

// LiteRT's optimised kernels run grouped convolutions on the reference loops.
Rounding RoundingFor(const MatrixRule& rule, const Conv2DGeometry& g) {
  return rule.engine == Engine::kBuiltin && g.filter_c != g.input_c ? Rounding::kFixedHalfAway : rule.rounding;
}

RunFn PrepareFloat(const Conv2DGeometry& g, graph::Activation activation, bool has_bias) {
  const FloatRange clamp = ActivationRange(activation);
  return [g, clamp, has_bias](const RunContext& run) {
    kernels::ref::Conv2DFloat(g, run.In<float>(0).data(), run.In<float>(1).data(),
                              has_bias ? run.In<float>(2).data() : nullptr, clamp.low, clamp.high,
                              run.Out<float>(0).data());
  };
}

template <typename T>
RunFn PrepareEightBit(const PrepareContext& context, const Conv2DGeometry& g, graph::Activation activation) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  const bool has_bias = context.HasInput(2);
  CheckType(filter, "filter", {input.dtype});
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kInt32});
  CheckPerTensorQuantized(input, "input");
  CheckPerTensorQuantized(output, "output");
  if (input.dtype == DType::kUInt8) {
    CheckPerTensorQuantized(filter, "filter");
  } else {
    CheckQuantizedAlong(filter, "filter", 0, /*symmetric=*/true);
  }
  const MatrixRule& rule = FindMatrixRule(context, kRules, input.dtype);
  OutputStage stage = {.rounding = RoundingFor(rule, g), .zero_point = output.zero_point()};
  const IntRange clamp = QuantizedActivationRange(activation, output, context.engine());
  stage.low = clamp.low, stage.high = clamp.high;
  return [g, stage, has_bias, scales = CombineChannelScales(rule, input, filter, output, g.output_c),
          x_zero = input.zero_point(), w_zero = filter.zero_point()](const RunContext& run) {
    kernels::ref::Conv2DQuantized<T, T>(g, run.In<T>(0).data(), x_zero, run.In<T>(1).data(), w_zero,
                                        has_bias ? run.In<int32_t>(2).data() : nullptr, scales.data(), stage,
                                        run.Out<T>(0).data());
  };
}

RunFn PrepareInt16(const PrepareContext& context, const Conv2DGeometry& g, const Conv2DAttributes& a) {
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  CheckType(filter, "filter", {DType::kInt8});
  CheckPerTensorQuantized(input, "input", /*symmetric=*/true);
  CheckPerTensorQuantized(output, "output", /*symmetric=*/true);
  CheckQuantizedAlong(filter, "filter", 0, /*symmetric=*/true);
  const bool has_bias = context.HasInput(2);
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kInt32, DType::kInt64});
  const bool narrow_bias =
      has_bias ? context.Input(2).dtype == DType::kInt32 : a.quantized_bias_type == static_cast<int32_t>(DType::kInt32);
  const MatrixRule& rule = FindMatrixRule(context, kRules, DType::kInt16);
  const IntRange clamp = QuantizedActivationRange(a.fused_activation_function, output, context.engine());
  const OutputStage stage = {.rounding = RoundingFor(rule, g), .zero_point = 0, .low = clamp.low, .high = clamp.high};
  return [g, stage, has_bias, narrow_bias,
          scales = CombineChannelScales(rule, input, filter, output, g.output_c)](const RunContext& run) {
    const auto with_bias = [&]<typename Bias>(Bias) {
      kernels::ref::Conv2DInt16<Bias>(g, run.In<int16_t>(0).data(), run.In<int8_t>(1).data(),
                                      has_bias ? run.In<Bias>(2).data() : nullptr, scales.data(), stage,
                                      run.Out<int16_t>(0).data());
    };
    narrow_bias ? with_bias(int32_t{}) : with_bias(int64_t{});
  };
}

}  // namespace

RunFn PrepareConv2D(PrepareContext& context) {
  CheckArity(context, 2, 3, 1);
  const auto a = context.op().attributes.As<Conv2DAttributes>();
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  const Conv2DGeometry g = Geometry(a, input, filter);
  if (context.HasInput(2) && context.Input(2).size() != g.output_c) {
    throw InputError("bias has {} values, expected {}", context.Input(2).size(), g.output_c);
  }
  CheckSameType(input, "input", output, "output");
  context.SetOutputShape(0, {g.batches, g.output_h, g.output_w, g.output_c});
  switch (input.dtype) {
    case DType::kFloat32:
      CheckType(filter, "filter", {DType::kFloat32});
      if (context.HasInput(2)) CheckType(context.Input(2), "bias", {DType::kFloat32});
      return PrepareFloat(g, a.fused_activation_function, context.HasInput(2));
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

bool XnnpackTakesConv2D(const PrepareContext& context) {
  if (!context.HasInput(0) || !context.HasInput(1) || context.num_outputs() != 1) return false;
  const DType type = context.Input(0).dtype;
  const bool typed = type == DType::kFloat32 || type == DType::kInt8 || type == DType::kUInt8;
  return typed && context.Input(1).is_constant && (!context.HasInput(2) || context.Input(2).is_constant);
}

}  // namespace assay::ops
