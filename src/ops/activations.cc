// RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, LOGISTIC, TANH, HARD_SWISH, ELU, GELU, LEAKY_RELU: float32 and the quantized
// types that TFLite has for each.
#include "kernels/ref/activations.h"

#include <cmath>
#include <limits>

#include "graph/ops/activations.h"
#include "kernels/simd/activations.h"
#include "ops/delegation.h"
#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::HardSwishQuantized;
using kernels::ref::LeakyReluQuantized;
using kernels::ref::ReluQuantized;
using kernels::ref::RescaleXnnpack;
using numerics::CodeScale;
using numerics::Engine;
using numerics::TableRounding;

bool Is8Bit(DType type) { return type == DType::kInt8 || type == DType::kUInt8; }

// Runs body(T{}) for the code type.
template <typename Body>
RunFn WithCodes(const PrepareContext& context, DType type, const Body& body) {
  switch (type) {
    case DType::kInt8:
      return body(int8_t{});
    case DType::kUInt8:
      return body(uint8_t{});
    case DType::kInt16:
      return body(int16_t{});
    default:
      UnsupportedTypes(context);
  }
}

void CheckQuantizedUnary(const UnaryOperands& o) {
  const bool symmetric = o.input.dtype == DType::kInt16;
  CheckPerTensorQuantized(o.input, "input", symmetric);
  CheckPerTensorQuantized(o.output, "output", symmetric);
}

CodeScale ScaleOf(const TensorRef& tensor) { return {tensor.scale(), tensor.zero_point()}; }

// A function of 8-bit codes, computed once per code.
template <typename F>
RunFn RunTable8(PrepareContext& context, const UnaryOperands& o, TableRounding rounding, const F& f) {
  const auto run_as = [&]<typename T>(T) -> RunFn {
    const auto codes = numerics::MakeTable8<T>(ScaleOf(o.input), ScaleOf(o.output), rounding, f);
    kernels::simd::ByteTable table;
    std::transform(codes.begin(), codes.end(), table.begin(), [](T code) { return static_cast<uint8_t>(code); });
    context.OfferForm({std::make_shared<const kernels::simd::ByteTable>(table)});
    return RunByteTable(table);
  };
  if (o.input.dtype == DType::kInt8) return run_as(int8_t{});
  if (o.input.dtype == DType::kUInt8) return run_as(uint8_t{});
  UnsupportedTypes(context);
}

TableRounding TableRoundingOf(const PrepareContext& context) {
  return context.engine() == Engine::kXnnpack ? TableRounding::kHalfEven : TableRounding::kHalfAway;
}

RunFn PrepareClamp(PrepareContext& context, float low, float high) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) return RunMap<float, float>(kernels::ref::ClampFloat{low, high});
  CheckQuantizedUnary(o);
  ReluQuantized p;
  p.input_zero_point = o.input.zero_point(), p.zero_point = o.output.zero_point();
  p.scale =
      FixedPointOf(static_cast<double>(o.input.scale() / o.output.scale()), "scale of the input over the output's");
  const IntRange type = TypeRange(o.output.dtype);
  const auto code = [&](float bound) {
    const int64_t q = int64_t{p.zero_point} + numerics::RoundHalfAway(static_cast<double>(bound / o.output.scale()));
    return static_cast<int32_t>(std::clamp<int64_t>(q, type.low, type.high));
  };
  p.low = code(low);
  p.high = std::isinf(high) ? type.high : code(high);
  return WithCodes(context, o.input.dtype, [&]<typename T>(T) { return RunCodeMap<T, T>(p); });
}

// A function of floats that has a vector kernel of its own.
template <typename F>
RunFn RunFloatVectors(PrepareContext& context, void (*vectors)(const float*, float*, size_t) noexcept, const F& f) {
  if (!kernels::simd::UsesVectors()) return RunMap<float, float>(f);
  context.OfferRows({});
  return [vectors](const RunContext& run) {
    constexpr double kElementNs = 1;
    const auto x = run.In<float>(0);
    float* y = run.Out<float>(0).data();
    run.Loop(x.size(), GrainOf(kElementNs),
             [&](size_t begin, size_t end, int) { vectors(x.data() + begin, y + begin, end - begin); });
  };
}

// The multiplier and shift that bring a 16-bit input to 1/12288, as TFLite computes them.
kernels::ref::SigmoidTableInput ToSigmoidTable(float scale) {
  kernels::ref::SigmoidTableInput input;
  double multiplier = static_cast<double>(scale) * 4096.0 * 3.0;
  while (multiplier <= 32767.0 / 2.0 && input.shift <= 30) {
    ++input.shift;
    multiplier *= 2;
  }
  if (multiplier < 1 || multiplier >= 2147483648.0) throw InputError("input has the scale {}, out of range", scale);
  input.multiplier = static_cast<int32_t>(multiplier);
  return input;
}

void CheckSigmoidInt16(const UnaryOperands& o) {
  CheckQuantizedUnary(o);
  if (PowerOfTwoExponent(o.output.scale()) != -15) {
    throw InputError("output has the scale {}, expected 1/32768", o.output.scale());
  }
}

RunFn PrepareLogisticInt16(const PrepareContext& context, const UnaryOperands& o) {
  CheckSigmoidInt16(o);
  const auto size = static_cast<size_t>(o.input.size());
  if (PowerOfTwoExponent(o.input.scale()) == -12) {
    if (context.engine() != Engine::kReference) {
      return RunInt16Map(context, size, kernels::ref::LogisticInt16FixedPoint{});
    }
    return RunInt16Map(context, size, kernels::ref::LogisticInt16{numerics::MakeSigmoidTable(), {3, 0}});
  }
  return RunInt16Map(context, size,
                     kernels::ref::LogisticInt16{numerics::MakeSigmoidTable(), ToSigmoidTable(o.input.scale())});
}

RunFn PrepareTanhInt16(const PrepareContext& context, const UnaryOperands& o) {
  CheckSigmoidInt16(o);
  const auto size = static_cast<size_t>(o.input.size());
  const auto exponent = PowerOfTwoExponent(o.input.scale());
  if (exponent == -12 || exponent == -11) {
    const int shift = *exponent + 12;
    if (context.engine() != Engine::kReference) {
      return RunInt16Map(context, size, kernels::ref::TanhInt16FixedPoint{shift});
    }
    return RunInt16Map(context, size, kernels::ref::TanhInt16{numerics::MakeSigmoidTable(), {3 << shift, 0}});
  }
  return RunInt16Map(context, size,
                     kernels::ref::TanhInt16{numerics::MakeSigmoidTable(), ToSigmoidTable(o.input.scale())});
}

RunFn PrepareLeakyReluQuantized(const PrepareContext& context, const UnaryOperands& o, float alpha) {
  CheckQuantizedUnary(o);
  const IntRange type = TypeRange(o.output.dtype);
  if (!std::isfinite(alpha)) throw InputError("alpha is {}", alpha);
  const float ratio = ScaleRatio(o.input, o.output);
  if (context.engine() == Engine::kXnnpack) {
    RescaleXnnpack p;
    p.input_zero_point = o.input.zero_point(), p.zero_point = o.output.zero_point();
    p.low = type.low, p.high = type.high;
    p.positive = static_cast<int32_t>(std::nearbyintf(256 * ratio));
    p.negative = static_cast<int32_t>(std::nearbyintf(256 * (ratio * alpha)));
    return WithCodes(context, o.input.dtype, [&]<typename T>(T) { return RunCodeMap<T, T>(p); });
  }
  LeakyReluQuantized p;
  p.input_zero_point = o.input.zero_point(), p.zero_point = o.output.zero_point();
  p.low = type.low, p.high = type.high;
  p.identity = FixedPointOf(static_cast<double>(ratio), "scale of the input over the output's");
  const float scaled_alpha = o.input.scale() * alpha / o.output.scale();
  p.alpha =
      FixedPointOf(static_cast<double>(std::abs(scaled_alpha)), "scale of the input times alpha over the output's");
  if (alpha < 0) (context.engine() == Engine::kReference ? p.negate_after : p.negate_before) = true;
  return WithCodes(context, o.input.dtype, [&]<typename T>(T) { return RunCodeMap<T, T>(p); });
}

bool TakesUnary(const PrepareContext& context) {
  return HasOperands(context, 1, 1) && XnnpackTakesShape(context.Input(0)) &&
         context.Input(0).dtype == context.Output(0).dtype;
}

}  // namespace

RunFn PrepareRelu(PrepareContext& context) { return PrepareClamp(context, 0, std::numeric_limits<float>::infinity()); }
RunFn PrepareRelu6(PrepareContext& context) { return PrepareClamp(context, 0, 6); }
RunFn PrepareReluN1To1(PrepareContext& context) { return PrepareClamp(context, -1, 1); }
RunFn PrepareRelu0To1(PrepareContext& context) { return PrepareClamp(context, 0, 1); }

RunFn PrepareLogistic(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) {
    if (kernels::simd::UsesVectors()) context.OfferForm({});
    return RunFloatVectors(context, kernels::simd::LogisticFloats, kernels::ref::LogisticFloat{});
  }
  if (o.input.dtype == DType::kInt16) return PrepareLogisticInt16(context, o);
  CheckQuantizedUnary(o);
  if (context.engine() == Engine::kXnnpack) {
    return RunTable8(context, o, TableRounding::kHalfEven, [](float x) {
      if (x > 100) return 1.0F;
      if (x < -100) return 0.0F;
      const double e = std::exp(static_cast<double>(x));
      return static_cast<float>(e / (1 + e));
    });
  }
  if (o.output.scale() != 1.0F / 256) throw InputError("output has the scale {}, expected 1/256", o.output.scale());
  return RunTable8(context, o, TableRounding::kHalfAway, kernels::ref::LogisticFloat{});
}

RunFn PrepareTanh(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32)
    return RunFloatVectors(context, kernels::simd::TanhFloats, kernels::ref::TanhFloat{});
  if (o.input.dtype == DType::kInt16) return PrepareTanhInt16(context, o);
  CheckQuantizedUnary(o);
  return RunTable8(context, o, TableRoundingOf(context), kernels::ref::TanhFloat{});
}

RunFn PrepareElu(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) return RunMap<float, float>(kernels::ref::EluFloat{});
  CheckType(o.input, "input", {DType::kFloat32, DType::kInt8});
  CheckQuantizedUnary(o);
  return RunTable8(context, o, TableRoundingOf(context), kernels::ref::EluFloat{});
}

RunFn PrepareGelu(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  const bool approximate = context.op().attributes.As<graph::GeluAttributes>().approximate;
  if (o.input.dtype == DType::kFloat32) {
    return approximate ? RunMap<float, float>(kernels::ref::GeluApproximateFloat{})
                       : RunMap<float, float>(kernels::ref::GeluFloat{});
  }
  CheckQuantizedUnary(o);
  return approximate ? RunTable8(context, o, TableRounding::kHalfAway, kernels::ref::GeluApproximateFloat{})
                     : RunTable8(context, o, TableRounding::kHalfAway, kernels::ref::GeluFloat{});
}

RunFn PrepareHardSwish(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) {
    return context.engine() == Engine::kXnnpack ? RunMap<float, float>(kernels::ref::HardSwishXnnpack{}, &context)
                                                : RunMap<float, float>(kernels::ref::HardSwishFloat{}, &context);
  }
  CheckType(o.input, "input", {DType::kFloat32, DType::kInt8, DType::kUInt8});
  CheckQuantizedUnary(o);
  const auto reduce = [](int32_t multiplier) {
    return static_cast<int16_t>(multiplier >= 0x7FFF7FFF ? 0x7FFF : (int64_t{multiplier} + (1 << 15)) >> 16);
  };
  HardSwishQuantized p;
  p.input_zero_point = o.input.zero_point(), p.zero_point = o.output.zero_point();
  const IntRange type = TypeRange(o.output.dtype);
  p.low = type.low, p.high = type.high;
  const float fine_scale = (1.0F / 128) * o.input.scale();
  const auto output =
      FixedPointOf(static_cast<double>(fine_scale / o.output.scale()), "scale of the input over the output's");
  if (output.shift > 0) {
    throw InputError("scale of the input, {}, is 128 times that of the output, {}, or more", o.input.scale(),
                     o.output.scale());
  }
  const auto relu = FixedPointOf(static_cast<double>(fine_scale / (3.0F / 32768)), "scale of the input");
  p.output_multiplier = reduce(output.multiplier), p.output_shift = -output.shift;
  p.relu_multiplier = reduce(relu.multiplier), p.relu_exponent = relu.shift;
  return WithCodes(context, o.input.dtype, [&]<typename T>(T) { return RunCodeMap<T, T>(p); });
}

RunFn PrepareLeakyRelu(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  const float alpha = context.op().attributes.As<graph::LeakyReluAttributes>().alpha;
  if (o.input.dtype == DType::kFloat32) return RunMap<float, float>(kernels::ref::LeakyReluFloat{alpha});
  return PrepareLeakyReluQuantized(context, o, alpha);
}

bool XnnpackTakesFloatUnary(const PrepareContext& context) {
  return TakesUnary(context) && context.Input(0).dtype == DType::kFloat32;
}

bool XnnpackTakesSigmoid(const PrepareContext& context) {
  return TakesUnary(context) && XnnpackTakesFloatOr8Bit(context.Input(0)) && XnnpackTakesFloatOr8Bit(context.Output(0));
}

bool XnnpackTakesElu(const PrepareContext& context) {
  return XnnpackTakesSigmoid(context) && context.Input(0).dtype != DType::kUInt8;
}

bool XnnpackTakesLeakyRelu(const PrepareContext& context) {
  if (!XnnpackTakesSigmoid(context)) return false;
  const float alpha = context.op().attributes.As<graph::LeakyReluAttributes>().alpha;
  if (!std::isnormal(alpha)) return false;
  if (!Is8Bit(context.Input(0).dtype)) return true;
  const float positive = ScaleRatio(context.Input(0), context.Output(0));
  const float negative = positive * alpha;
  return positive >= 1.0F / 256 && positive <= 128 && negative >= -127.99609375F && negative <= 128 &&
         std::abs(negative) >= 1.0F / 256;
}

}  // namespace assay::ops
