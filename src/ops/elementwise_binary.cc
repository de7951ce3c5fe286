// ADD_N, ATAN2, BITWISE_XOR, DIV, FLOOR_DIV, FLOOR_MOD, LOGICAL_AND, LOGICAL_OR, MAXIMUM, MINIMUM, POW, PRELU,
// RIGHT_SHIFT, SQUARED_DIFFERENCE: the types that TFLite has for each; operands broadcast.
#include "kernels/ref/elementwise_binary.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "graph/ops/arithmetic.h"
#include "ops/delegation.h"
#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::Clamped;
using kernels::ref::DivideQuantized;
using kernels::ref::PreluQuantized;
using kernels::ref::SquaredDifferenceQuantized;

BinaryOperands PrepareSameTypes(PrepareContext& context) {
  const BinaryOperands o = PrepareBinary(context);
  CheckSameType(o.a, "input 0", o.output, "output");
  return o;
}

// Runs body(T{}) for the first of the types T that input 0 has.
template <typename... Types, typename Body>
RunFn WithTypes(const PrepareContext& context, const Body& body) {
  RunFn run;
  const auto try_one = [&]<typename T>(T value) {
    if (context.Input(0).dtype != DTypeOf<T>()) return false;
    run = body(value);
    return true;
  };
  if (!(try_one(Types{}) || ...)) UnsupportedTypes(context);
  return run;
}

template <typename... Types, typename Op>
RunFn PreparePlainBinary(PrepareContext& context, Op op) {
  const BinaryOperands o = PrepareSameTypes(context);
  return WithTypes<Types...>(context, [&]<typename T>(T) { return RunBinary<T, T>(o, op); });
}

// As `run`, once no element of input 1 equals `zero`.
template <typename T>
RunFn CheckDivisors(T zero, RunFn run) {
  return [zero, inner = std::move(run)](const RunContext& context) {
    const auto divisors = context.In<T>(1);
    if (std::find(divisors.begin(), divisors.end(), zero) != divisors.end()) throw InputError("division by 0");
    inner(context);
  };
}

void CheckQuantizedBinary(const BinaryOperands& o) {
  CheckPerTensorQuantized(o.a, "input 0");
  CheckPerTensorQuantized(o.b, "input 1");
  CheckPerTensorQuantized(o.output, "output");
}

template <typename T>
RunFn PrepareDivQuantized(const PrepareContext& context, const BinaryOperands& o, graph::Activation activation) {
  CheckQuantizedBinary(o);
  DivideQuantized p;
  p.a_zero_point = o.a.zero_point(), p.b_zero_point = o.b.zero_point(), p.zero_point = o.output.zero_point();
  p.scale = FixedPointOf(static_cast<double>(o.a.scale() / (o.b.scale() * o.output.scale())),
                         "scale of the quotient over the output's");
  const IntRange clamp = QuantizedActivationRange(activation, o.output, context.engine());
  p.low = clamp.low, p.high = clamp.high;
  return CheckDivisors(static_cast<T>(p.b_zero_point), RunBinary<T, T>(o, p));
}

// A byte as a bool.
template <typename F>
RunFn PrepareLogical(PrepareContext& context, const F& f) {
  const BinaryOperands o = PrepareSameTypes(context);
  CheckType(o.a, "input 0", {DType::kBool});
  return [plan = o.plan, f](const RunContext& run) {
    kernels::ref::BinaryElementwise(plan, Bytes(run.Input(0)).data(), Bytes(run.Input(1)).data(),
                                    MutableBytes(run.Output(0)).data(),
                                    [&](uint8_t a, uint8_t b) { return f(a != 0, b != 0); });
  };
}

bool TakesFloatBinary(const PrepareContext& context) {
  if (!HasOperands(context, 2, 1)) return false;
  return XnnpackTakesShape(context.Input(0)) && XnnpackTakesShape(context.Input(1)) &&
         context.Input(0).dtype == DType::kFloat32 && context.Input(1).dtype == DType::kFloat32 &&
         context.Output(0).dtype == DType::kFloat32;
}

}  // namespace

RunFn PrepareMaximum(PrepareContext& context) {
  return PreparePlainBinary<float, int8_t, uint8_t, int16_t, int32_t, int64_t>(context, kernels::ref::Larger{});
}
RunFn PrepareMinimum(PrepareContext& context) {
  return PreparePlainBinary<float, int8_t, uint8_t, int16_t, int32_t, int64_t>(context, kernels::ref::Smaller{});
}
RunFn PrepareAtan2(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  if (context.Input(0).shape != context.Input(1).shape) {
    throw InputError("the operands' shapes {} and {} differ", context.Input(0).shape.ToString(),
                     context.Input(1).shape.ToString());
  }
  return PreparePlainBinary<float, double>(context, kernels::ref::Atan2{});
}
RunFn PrepareRightShift(PrepareContext& context) {
  return PreparePlainBinary<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t>(context, kernels::ref::RightShift{});
}

RunFn PrepareBitwiseXor(PrepareContext& context) {
  return PreparePlainBinary<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t>(context, kernels::ref::BitwiseXor{});
}
RunFn PrepareLogicalAnd(PrepareContext& context) {
  return PrepareLogical(context, [](bool a, bool b) { return a && b; });
}
RunFn PrepareLogicalOr(PrepareContext& context) {
  return PrepareLogical(context, [](bool a, bool b) { return a || b; });
}

RunFn PrepareDiv(PrepareContext& context) {
  const BinaryOperands o = PrepareSameTypes(context);
  const auto activation = context.op().attributes.As<graph::MulAttributes>().fused_activation_function;
  switch (o.a.dtype) {
    case DType::kFloat32: {
      const auto range = PlainActivationRange<float>(activation, context.engine());
      return RunBinary<float, float>(o, Clamped<kernels::ref::Divide, float>{range.low, range.high});
    }
    case DType::kInt32: {
      const auto range = PlainActivationRange<int32_t>(activation, context.engine());
      return CheckDivisors<int32_t>(
          0, RunBinary<int32_t, int32_t>(o, Clamped<kernels::ref::Divide, int32_t>{range.low, range.high}));
    }
    case DType::kInt8:
      return PrepareDivQuantized<int8_t>(context, o, activation);
    case DType::kUInt8:
      return PrepareDivQuantized<uint8_t>(context, o, activation);
    case DType::kInt16:
      return PrepareDivQuantized<int16_t>(context, o, activation);
    default:
      UnsupportedTypes(context);
  }
}

RunFn PrepareFloorDiv(PrepareContext& context) {
  const BinaryOperands o = PrepareSameTypes(context);
  return WithTypes<float, int8_t, int16_t, int32_t>(
      context, [&]<typename T>(T) { return CheckDivisors<T>(0, RunBinary<T, T>(o, kernels::ref::FloorDivide{})); });
}

RunFn PrepareFloorMod(PrepareContext& context) {
  const BinaryOperands o = PrepareSameTypes(context);
  return WithTypes<float, int8_t, int16_t, int32_t, int64_t>(context, [&]<typename T>(T) -> RunFn {
    if constexpr (std::is_floating_point_v<T>) {
      return RunBinary<T, T>(o, kernels::ref::FloorModulo{});
    } else {
      return CheckDivisors<T>(0, RunBinary<T, T>(o, kernels::ref::FloorModulo{}));
    }
  });
}

RunFn PreparePow(PrepareContext& context) {
  const BinaryOperands o = PrepareSameTypes(context);
  return WithTypes<float, int32_t>(context, [&]<typename T>(T) -> RunFn {
    const bool one_exponent = o.a.shape != o.b.shape && o.b.size() == 1;
    return [plan = o.plan, one_exponent](const RunContext& run) {
      const auto base = run.In<T>(0), exponents = run.In<T>(1);
      if constexpr (std::is_integral_v<T>) {
        if (std::any_of(exponents.begin(), exponents.end(), [](T e) { return e < 0; })) {
          throw InputError("an exponent of an integer is negative");
        }
      }
      // TFLite's shortcut for one exponent that is a whole number (and shapes that differ).
      if (one_exponent) {
        const double exponent = static_cast<double>(exponents[0]);
        const double rounded = std::round(exponent);
        if (std::abs(exponent - rounded) < 1e-5 && rounded >= 1 && rounded <= 2147483647.0) {
          kernels::ref::Map(base, run.Out<T>(0),
                            [n = static_cast<int32_t>(rounded)](T x) { return kernels::ref::PowerBySquaring(x, n); });
          return;
        }
      }
      kernels::ref::BinaryElementwise(plan, base.data(), exponents.data(), run.Out<T>(0).data(), kernels::ref::Power{});
    };
  });
}

RunFn PrepareSquaredDifference(PrepareContext& context) {
  const BinaryOperands o = PrepareSameTypes(context);
  if (o.a.dtype == DType::kFloat32) return RunBinary<float, float>(o, kernels::ref::SquaredDifference{});
  if (o.a.dtype == DType::kInt32) return RunBinary<int32_t, int32_t>(o, kernels::ref::SquaredDifference{});
  CheckType(o.a, "input 0", {DType::kFloat32, DType::kInt32, DType::kInt8});
  CheckQuantizedBinary(o);
  SquaredDifferenceQuantized p;
  p.difference.a_zero_point = o.a.zero_point(), p.difference.b_zero_point = o.b.zero_point();
  p.difference.zero_point = o.output.zero_point();
  p.difference.low = -128, p.difference.high = 127;
  p.difference.left_shift = 7;
  const double common = 2 * static_cast<double>(std::max(o.a.scale(), o.b.scale()));
  p.difference.a = FixedPointOf(static_cast<double>(o.a.scale()) / common, "scale of input 0");
  p.difference.b = FixedPointOf(static_cast<double>(o.b.scale()) / common, "scale of input 1");
  p.difference.out = FixedPointOf(common * common / (16384.0 * static_cast<double>(o.output.scale())),
                                  "squared scale of the inputs over the output's");
  return RunBinary<int8_t, int8_t>(o, p);
}

RunFn PreparePrelu(PrepareContext& context) {
  const BinaryOperands o = PrepareSameTypes(context);
  if (o.output.shape != o.a.shape) {
    throw InputError("the slopes' shape {} does not broadcast to the input's {}", o.b.shape.ToString(),
                     o.a.shape.ToString());
  }
  if (o.a.dtype == DType::kFloat32) {
    return RunBinary<float, float>(o, [](float x, float slope) { return x >= 0 ? x : x * slope; });
  }
  CheckType(o.a, "input 0", {DType::kFloat32, DType::kInt8, DType::kUInt8});
  CheckQuantizedBinary(o);
  const IntRange range = TypeRange(o.output.dtype);
  PreluQuantized p;
  p.input_zero_point = o.a.zero_point(), p.slope_zero_point = o.b.zero_point(), p.zero_point = o.output.zero_point();
  p.low = range.low, p.high = range.high;
  p.positive =
      FixedPointOf(static_cast<double>(o.a.scale() / o.output.scale()), "scale of the input over the output's");
  p.negative = FixedPointOf(static_cast<double>(o.a.scale() * o.b.scale() / o.output.scale()),
                            "scale of input and slope over the output's");
  return o.a.dtype == DType::kInt8 ? RunBinary<int8_t, int8_t>(o, p) : RunBinary<uint8_t, uint8_t>(o, p);
}

RunFn PrepareAddN(PrepareContext& context) {
  if (context.num_inputs() < 1 || context.num_outputs() != 1) {
    throw InputError("has {} inputs and {} outputs, expected one or more and one", context.num_inputs(),
                     context.num_outputs());
  }
  const TensorRef& first = context.Input(0);
  for (int i = 1; i < context.num_inputs(); ++i) {
    CheckSameType(first, "input 0", context.Input(i), "another input");
    if (context.Input(i).shape != first.shape) {
      throw InputError("input {} has the shape {}, expected {} as the first", i, context.Input(i).shape.ToString(),
                       first.shape.ToString());
    }
  }
  CheckSameType(first, "input 0", context.Output(0), "output");
  context.SetOutputShape(0, first.shape);
  return WithTypes<float, int32_t>(context, [&]<typename T>(T) -> RunFn {
    return [count = context.num_inputs()](const RunContext& run) {
      const auto y = run.Out<T>(0);
      std::fill(y.begin(), y.end(), T{0});
      for (int k = 0; k < count; ++k) {
        const auto x = run.In<T>(k);
        for (size_t i = 0; i < y.size(); ++i) y[i] = kernels::ref::Add()(y[i], x[i]);
      }
    };
  });
}

bool XnnpackTakesFloatBinary(const PrepareContext& context) { return TakesFloatBinary(context); }
bool XnnpackTakesPrelu(const PrepareContext& context) {
  return TakesFloatBinary(context) && context.Input(1).is_constant;
}

}  // namespace assay::ops
