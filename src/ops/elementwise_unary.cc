// ABS, CEIL, COS, EXP, FLOOR, LOG, LOGICAL_NOT, NEG, ROUND, RSQRT, SIGN, SIN, SQRT, SQUARE, ZEROS_LIKE: float32, and
// the integers and codes that TFLite has for each.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/ref/unary_math.h"
#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using numerics::CodeScale;

struct CodeRange {
  int32_t input_zero_point, zero_point, low, high;
};

CodeRange CheckCodes(const UnaryOperands& o) {
  const bool symmetric = o.input.dtype == DType::kInt16;
  CheckPerTensorQuantized(o.input, "input", symmetric);
  CheckPerTensorQuantized(o.output, "output", symmetric);
  const IntRange range = TypeRange(o.output.dtype);
  return {o.input.zero_point(), o.output.zero_point(), range.low, range.high};
}

// An op that has floats only.
template <typename F>
RunFn FloatOnly(PrepareContext& context, const F& f) {
  const UnaryOperands o = PrepareUnary(context);
  CheckType(o.input, "input", {DType::kFloat32});
  return RunMap<float, float>(f);
}

// A function of int8 or int16 codes by table.
template <typename F>
RunFn ByTable(const PrepareContext& context, const UnaryOperands& o, const F& f) {
  CheckCodes(o);
  const CodeScale in = {o.input.scale(), o.input.zero_point()}, out = {o.output.scale(), o.output.zero_point()};
  if (o.input.dtype == DType::kInt8) {
    const auto table = numerics::MakeTable8<int8_t>(in, out, numerics::TableRounding::kHalfAway, f);
    return RunCodeMap<int8_t, int8_t>([&](int8_t code) { return table[static_cast<uint8_t>(code)]; });
  }
  if (o.input.dtype == DType::kInt16) {
    const auto table = numerics::MakeTable16<float>(in.scale, in.zero_point, out.scale, out.zero_point, f);
    return [table](const RunContext& run) { kernels::ref::Lookup(run.In<int16_t>(0), run.Out<int16_t>(0), table); };
  }
  UnsupportedTypes(context);
}

// As `run`, but codes below the zero point are an error, as in TFLite.
template <typename T>
RunFn NotNegative(int32_t zero_point, RunFn run) {
  return [zero_point, inner = std::move(run)](const RunContext& context) {
    for (const T code : context.In<T>(0)) {
      if (code < zero_point) throw InputError("the input holds the code {}, a negative number", code);
    }
    inner(context);
  };
}

}  // namespace

RunFn PrepareAbs(PrepareContext& context) {
  using kernels::ref::AbsoluteValue;
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) return RunMap<float, float>(AbsoluteValue{});
  if (o.input.dtype == DType::kInt32) return RunMap<int32_t, int32_t>(AbsoluteValue{});
  if (o.input.dtype == DType::kInt16 && !o.input.quantization().is_quantized()) {
    return RunMap<int16_t, int16_t>(AbsoluteValue{});
  }
  CheckType(o.input, "input", {DType::kFloat32, DType::kInt32, DType::kInt16, DType::kInt8});
  const CodeRange range = CheckCodes(o);
  kernels::ref::AbsQuantized p;
  p.input_zero_point = range.input_zero_point, p.zero_point = range.zero_point;
  p.low = range.low, p.high = range.high;
  p.rescale = o.input.scale() != o.output.scale();
  p.scale =
      FixedPointOf(static_cast<double>(o.input.scale() / o.output.scale()), "scale of the input over the output's");
  return o.input.dtype == DType::kInt8 ? RunMap<int8_t, int8_t>(p) : RunMap<int16_t, int16_t>(p);
}

RunFn PrepareNeg(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  switch (o.input.dtype) {
    case DType::kFloat32:
      return RunMap<float, float>(kernels::ref::Negate{});
    case DType::kInt16:
      return RunMap<int16_t, int16_t>(kernels::ref::Negate{});
    case DType::kInt32:
      return RunMap<int32_t, int32_t>(kernels::ref::Negate{});
    case DType::kInt64:
      return RunMap<int64_t, int64_t>(kernels::ref::Negate{});
    default:
      UnsupportedTypes(context);
  }
}

RunFn PrepareSign(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  switch (o.input.dtype) {
    case DType::kFloat32:
      return RunMap<float, float>(kernels::ref::SignOf{});
    case DType::kFloat64:
      return RunMap<double, double>(kernels::ref::SignOf{});
    case DType::kInt32:
      return RunMap<int32_t, int32_t>(kernels::ref::SignOf{});
    default:
      UnsupportedTypes(context);
  }
}

RunFn PrepareCeil(PrepareContext& context) {
  return FloatOnly(context, [](float x) { return std::ceil(x); });
}
RunFn PrepareCos(PrepareContext& context) {
  return FloatOnly(context, [](float x) { return std::cos(x); });
}
RunFn PrepareFloor(PrepareContext& context) {
  return FloatOnly(context, [](float x) { return std::floor(x); });
}
RunFn PrepareRound(PrepareContext& context) {
  return FloatOnly(context, [](float x) { return std::nearbyint(x); });
}
RunFn PrepareSin(PrepareContext& context) {
  return FloatOnly(context, [](float x) { return std::sin(x); });
}
RunFn PrepareSquare(PrepareContext& context) {
  return FloatOnly(context, [](float x) { return x * x; });
}

RunFn PrepareExp(PrepareContext& context) {
  const auto f = [](float x) { return std::exp(x); };
  const UnaryOperands o = PrepareUnary(context);
  return o.input.dtype == DType::kFloat32 ? RunMap<float, float>(f) : ByTable(context, o, f);
}

RunFn PrepareLog(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) {
    return RunMap<float, float>([](float x) { return std::log(x); });
  }
  CheckType(o.input, "input", {DType::kFloat32, DType::kInt8, DType::kInt16});
  const CodeRange range = CheckCodes(o);
  const float least = static_cast<float>(range.low - range.zero_point) * o.output.scale();
  return ByTable(context, o, [least](float x) { return x <= 0 ? least : std::log(x); });
}

RunFn PrepareSqrt(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) {
    return RunMap<float, float>([](float x) { return std::sqrt(x); });
  }
  CheckType(o.input, "input", {DType::kFloat32, DType::kInt8, DType::kInt16});
  const CodeRange range = CheckCodes(o);
  const kernels::ref::SqrtQuantized p = {.input_scale = o.input.scale(),
                                         .output_scale = o.output.scale(),
                                         .input_zero_point = range.input_zero_point,
                                         .zero_point = range.zero_point,
                                         .low = range.low,
                                         .high = range.high};
  return o.input.dtype == DType::kInt8 ? NotNegative<int8_t>(range.input_zero_point, RunMap<int8_t, int8_t>(p))
                                       : NotNegative<int16_t>(range.input_zero_point, RunMap<int16_t, int16_t>(p));
}

RunFn PrepareRsqrt(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  if (o.input.dtype == DType::kFloat32) {
    return RunMap<float, float>([](float x) { return 1.0F / std::sqrt(x); });
  }
  CheckType(o.input, "input", {DType::kFloat32, DType::kInt8, DType::kInt16});
  const CodeRange range = CheckCodes(o);
  if (o.input.dtype == DType::kInt16) {
    const float largest = 32767 * o.output.scale();
    return NotNegative<int16_t>(
        0, ByTable(context, o, [largest](float x) { return x <= 0 ? largest : 1.0F / std::sqrt(x); }));
  }
  kernels::ref::RsqrtQuantized p;
  p.input_zero_point = range.input_zero_point, p.zero_point = range.zero_point;
  p.low = range.low, p.high = range.high;
  p.scale =
      FixedPointOf(1.0 / static_cast<double>(std::sqrt(o.input.scale()) * o.output.scale()), "scale of the output");
  return NotNegative<int8_t>(range.input_zero_point, RunMap<int8_t, int8_t>(p));
}

RunFn PrepareLogicalNot(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  CheckType(o.input, "input", {DType::kBool});
  return [](const RunContext& run) {
    kernels::ref::Map(Bytes(run.Input(0)), MutableBytes(run.Output(0)), [](uint8_t x) { return x == 0; });
  };
}

RunFn PrepareZerosLike(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context);
  CheckType(o.input, "input", {DType::kFloat32, DType::kInt32, DType::kInt64});
  return [](const RunContext& run) {
    const auto bytes = MutableBytes(run.Output(0));
    std::fill(bytes.begin(), bytes.end(), uint8_t{0});
  };
}

}  // namespace assay::ops
