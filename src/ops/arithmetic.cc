// ADD, SUB, MUL: float32, int8, uint8, int16 (quantized or plain), int32, int64; operands broadcast.
#include "graph/ops/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include "kernels/ref/elementwise_binary.h"
#include "kernels/simd/activations.h"
#include "ops/broadcast.h"
#include "ops/checks.h"
#include "ops/delegation.h"
#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using graph::Activation;
using graph::AddAttributes;
using graph::MulAttributes;
using kernels::ref::AddPowerOfTwo;
using kernels::ref::AddQuantized;
using kernels::ref::AddXnnpack;
using kernels::ref::Clamped;
using kernels::ref::FiveFold;
using kernels::ref::MultiplyQuantized;
using kernels::simd::AddCodes;
using kernels::simd::Combine;
using numerics::Engine;

// How the full blocks of the optimised kernels round, by type and by whether one operand is a single value.
struct AddBlockRule {
  DType type;
  int64_t row_block;
  AddQuantized::InputShift row_shift;
};
constexpr AddBlockRule kAddBlocks[] = {
    {DType::kInt8, 16, AddQuantized::InputShift::kBefore},
    {DType::kUInt8, 8, AddQuantized::InputShift::kFloor},
};
constexpr int64_t kScalarBlock = 8;     // 8-bit ADD of a single value: rounds as kFloor
constexpr int64_t kAddInt16Block = 16;  // equal shapes only
constexpr int64_t kMulInt8Block = 16, kMulUInt8Block = 8;

template <typename Op>
RunFn PreparePlain(PrepareContext& context, const BinaryOperands& operands, Activation activation) {
  const auto run_as = [&]<typename T>(T) -> RunFn {
    const auto range = PlainActivationRange<T>(activation, context.engine());
    return RunBinary<T, T>(operands, Clamped<Op, T>{range.low, range.high}, &context);
  };
  switch (operands.a.dtype) {
    case DType::kFloat32:
      return run_as(float{});
    case DType::kInt16:
      return run_as(int16_t{});
    case DType::kInt32:
      return run_as(int32_t{});
    case DType::kInt64:
      return run_as(int64_t{});
    default:
      UnsupportedTypes(context);
  }
}

AddQuantized MakeAdd(const BinaryOperands& o, const IntRange& clamp, bool subtract) {
  AddQuantized p;
  p.a_zero_point = o.a.zero_point(), p.b_zero_point = o.b.zero_point(), p.zero_point = o.output.zero_point();
  p.low = clamp.low, p.high = clamp.high;
  p.subtract = subtract;
  p.left_shift = o.a.dtype == DType::kInt16 ? 15 : 20;
  const double common = 2 * static_cast<double>(std::max(o.a.scale(), o.b.scale()));
  p.a = FixedPointOf(static_cast<double>(o.a.scale()) / common, "scale of input 0");
  p.b = FixedPointOf(static_cast<double>(o.b.scale()) / common, "scale of input 1");
  p.out = FixedPointOf(common / (static_cast<double>(1 << p.left_shift) * static_cast<double>(o.output.scale())),
                       "scale of the inputs over the output's");
  return p;
}

AddXnnpack MakeAddXnnpack(const BinaryOperands& o, const IntRange& clamp, bool subtract) {
  AddXnnpack p;
  p.a_zero_point = o.a.zero_point(), p.b_zero_point = o.b.zero_point(), p.zero_point = o.output.zero_point();
  p.low = clamp.low, p.high = clamp.high;
  const float a = ScaleRatio(o.a, o.output), b = ScaleRatio(o.b, o.output);
  p.shift = 20 - std::ilogb(std::max(a, b));
  p.a_multiplier = static_cast<int32_t>(std::nearbyint(std::ldexp(static_cast<double>(a), p.shift)));
  p.b_multiplier = static_cast<int32_t>(std::nearbyint(std::ldexp(static_cast<double>(b), p.shift)));
  if (subtract) p.b_multiplier = -p.b_multiplier;
  return p;
}

// One functor in the full blocks of every row, another one for what is left of it.
template <typename T, typename F>
RunFn RunRowsInBlocks(PrepareContext& context, const BinaryOperands& operands, size_t block, const F& inside,
                      const F& tail) {
  const BroadcastRows all(operands.plan);
  const size_t blocked = all.length() / block * block;
  if (blocked == all.length()) return RunBinary<T, T>(operands, inside, &context);
  if (blocked == 0) return RunBinary<T, T>(operands, tail, &context);
  return [rows = all, blocked, inside, tail](const RunContext& run) {
    const T* start = run.Out<T>(0).data();
    CombineRows<T>(run, rows, kVectorElementNs,
                   [&](const T* a, bool a_repeats, const T* b, bool b_repeats, T* out, size_t count) {
                     const size_t at = static_cast<size_t>(out - start) % rows.length();
                     const size_t whole = std::min(count, blocked - std::min(at, blocked));
                     Combine<T>(a, a_repeats, b, b_repeats, out, whole, inside);
                     Combine<T>(a + (a_repeats ? 0 : whole), a_repeats, b + (b_repeats ? 0 : whole), b_repeats,
                                out + whole, count - whole, tail);
                   });
  };
}

// On vectors, where they can.
template <typename T>
std::optional<RunFn> RunAddCodes(PrepareContext& context, const BinaryOperands& operands, const AddQuantized& p) {
  if (!kernels::simd::UsesVectors()) return std::nullopt;
  const auto f = AddCodes::Of<T>(p, AddQuantized::InputShift::kHalfAway);
  return f.has_value() ? std::optional(RunBinary<T, T>(operands, *f, &context)) : std::nullopt;
}
template <typename T>
std::optional<RunFn> RunAddCodesInBlocks(PrepareContext& context, const BinaryOperands& operands, const AddQuantized& p,
                                         int64_t block, AddQuantized::InputShift shift) {
  if (!kernels::simd::UsesVectors()) return std::nullopt;
  const auto inside = AddCodes::Of<T>(p, shift), tail = AddCodes::Of<T>(p, AddQuantized::InputShift::kHalfAway);
  if (!inside.has_value() || !tail.has_value()) return std::nullopt;
  return RunRowsInBlocks<T>(context, operands, static_cast<size_t>(block), *inside, *tail);
}

template <typename T>
RunFn RunAddOptimized(PrepareContext& context, const BinaryOperands& operands, const AddQuantized& p) {
  using Shift = AddQuantized::InputShift;
  const AddBlockRule* rule = kAddBlocks;
  while (rule->type != operands.a.dtype) ++rule;
  const FiveFold plan = PlanFiveFold(operands.a.shape, operands.b.shape);
  const bool scalars = plan.kind == FiveFold::Kind::kScalars;
  if (auto run = RunAddCodesInBlocks<T>(context, operands, p, scalars ? kScalarBlock : rule->row_block,
                                        scalars ? Shift::kFloor : rule->row_shift)) {
    return *std::move(run);
  }
  return [shape = plan, p, rule](const RunContext& run) {
    const auto scalar = [&](int32_t x, int32_t y) { return p.InBlock<Shift::kFloor>(x, y); };
    const auto with_row = [&](const auto& row) {
      kernels::ref::BinaryFiveFold(shape, run.In<T>(0).data(), run.In<T>(1).data(), run.Out<T>(0).data(),
                                   rule->row_block, row, kScalarBlock, scalar, p);
    };
    if (rule->row_shift == Shift::kBefore) {
      with_row([&](int32_t x, int32_t y) { return p.InBlock<Shift::kBefore>(x, y); });
    } else {
      with_row([&](int32_t x, int32_t y) { return p.InBlock<Shift::kFloor>(x, y); });
    }
  };
}

template <typename T>
RunFn PrepareAddEightBit(PrepareContext& context, const BinaryOperands& operands, const IntRange& clamp,
                         bool subtract) {
  if (context.engine() == Engine::kXnnpack) {
    return RunBinary<T, T>(operands, MakeAddXnnpack(operands, clamp, subtract), &context);
  }
  const AddQuantized p = MakeAdd(operands, clamp, subtract);
  const bool blocks = context.engine() == Engine::kBuiltin && !subtract &&
                      PlanFiveFold(operands.a.shape, operands.b.shape).kind != FiveFold::Kind::kGeneric;
  if (blocks) return RunAddOptimized<T>(context, operands, p);
  if (auto run = RunAddCodes<T>(context, operands, p)) return *std::move(run);
  return RunBinary<T, T>(operands, p);
}

RunFn PrepareAddInt16(PrepareContext& context, const BinaryOperands& operands, const IntRange& clamp,
                      bool power_of_two_wanted, bool subtract) {
  for (const TensorRef* t : {&operands.a, &operands.b, &operands.output}) {
    CheckPerTensorQuantized(*t, "a 16-bit operand", /*symmetric=*/true);
  }
  const auto a = PowerOfTwoExponent(operands.a.scale()), b = PowerOfTwoExponent(operands.b.scale()),
             out = PowerOfTwoExponent(operands.output.scale());
  if (power_of_two_wanted && a && b && out) {
    const int a_shift = *out - *a, b_shift = *out - *b;
    if (a_shift < 0 || b_shift < 0 || (a_shift > 0 && b_shift > 0)) {
      throw InputError(
          "power-of-two scales 2^{} and 2^{} do not fit the output's 2^{}: one must equal it, none exceed it", *a, *b,
          *out);
    }
    if (!subtract && operands.a.shape != operands.b.shape) {
      throw InputError("16-bit operands with power-of-two scales do not broadcast: {} and {}",
                       operands.a.shape.ToString(), operands.b.shape.ToString());
    }
    return RunBinary<int16_t, int16_t>(
        operands, AddPowerOfTwo{std::min(a_shift, 31), std::min(b_shift, 31), subtract, clamp.low, clamp.high});
  }
  const AddQuantized p = MakeAdd(operands, clamp, subtract);
  const FiveFold flat = PlanFiveFold(operands.a.shape, operands.b.shape);
  if (context.engine() == Engine::kReference || subtract || flat.kind != FiveFold::Kind::kFlat) {
    if (auto run = RunAddCodes<int16_t>(context, operands, p)) return *std::move(run);
    return RunBinary<int16_t, int16_t>(operands, p);
  }
  if (auto run =
          RunAddCodesInBlocks<int16_t>(context, operands, p, kAddInt16Block, AddQuantized::InputShift::kBefore)) {
    return *std::move(run);
  }
  return [p, size = flat.y[4]](const RunContext& run) {
    const auto inside = [&](int32_t x, int32_t y) { return p.InBlockInt16(x, y); };
    kernels::ref::RunInBlocks(size, kAddInt16Block, run.In<int16_t>(0).data(), 1, run.In<int16_t>(1).data(), 1,
                              run.Out<int16_t>(0).data(), inside, p);
  };
}

// XNNPACK runs the activation of 8-bit ops as an op of its own.
bool FoldsRank(const PrepareContext& context, Activation activation) {
  if (context.engine() != Engine::kXnnpack || activation == Activation::kNone) return false;
  return context.Output(0).dtype != DType::kFloat32;
}

RunFn PrepareAddOrSub(PrepareContext& context, bool subtract) {
  const auto attributes = context.op().attributes.As<AddAttributes>();
  const Activation activation = attributes.fused_activation_function;
  CheckArity(context, 2, 2, 1);
  const BinaryOperands operands = PrepareBinary(context, FoldsRank(context, activation));
  CheckSameType(operands.a, "input 0", operands.output, "output");
  const DType type = operands.a.dtype;
  const bool wide = type == DType::kInt16 && (operands.a.quantization().is_quantized() || subtract);
  if (type == DType::kInt8 || type == DType::kUInt8 || wide) {
    CheckPerTensorQuantized(operands.a, "input 0");
    CheckPerTensorQuantized(operands.b, "input 1");
    CheckPerTensorQuantized(operands.output, "output");
    const IntRange clamp = QuantizedActivationRange(activation, operands.output, context.engine());
    if (type == DType::kInt8) return PrepareAddEightBit<int8_t>(context, operands, clamp, subtract);
    if (type == DType::kUInt8) return PrepareAddEightBit<uint8_t>(context, operands, clamp, subtract);
    const bool power_of_two_wanted = attributes.pot_scale_int16 && !context.op().options_table.empty();
    return PrepareAddInt16(context, operands, clamp, power_of_two_wanted, subtract);
  }
  return subtract ? PreparePlain<kernels::ref::Subtract>(context, operands, activation)
                  : PreparePlain<kernels::ref::Add>(context, operands, activation);
}

RunFn RunSwish(PrepareContext& context) {
  context.OfferRows({.window = {}, .row_inputs = 2});
  return [](const RunContext& run) {
    constexpr double kElementNs = 1;
    const float* x = run.In<float>(0).data();
    float* y = run.Out<float>(0).data();
    run.Loop(run.In<float>(0).size(), GrainOf(kElementNs),
             [&](size_t begin, size_t end, int) { kernels::simd::SwishFloats(x + begin, y + begin, end - begin); });
  };
}

// f(x, table[x]) or f(table[x], x), where one operand is nothing but a function of the other, as in swish: a table
// again.
template <typename T, typename F>
std::optional<RunFn> RunWithItsForm(PrepareContext& context, const F& f) {
  for (const int i : {1, 0}) {
    const std::optional<ElementForm> form = context.TakeOver(i);
    if (!form.has_value()) continue;
    kernels::simd::ByteTable table;
    for (size_t code = 0; code < table.size(); ++code) {
      const auto x = static_cast<T>(code), y = static_cast<T>((*form->table)[code]);
      table[code] = static_cast<uint8_t>(static_cast<T>(i == 1 ? f(x, y) : f(y, x)));
    }
    return RunByteTable(table, &context);
  }
  return std::nullopt;
}

// Whether no product of codes leaves 16 bits once it is scaled, nor with the zero point: then full blocks of the
// optimised kernels compute as the reference.
template <typename T>
bool BlocksAreAsReference(const MultiplyQuantized& p) {
  constexpr int kLargestShift = 14;  // a product has 17 bits
  if (p.scale.fixed.shift > kLargestShift) return false;
  constexpr int32_t kEnds[] = {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  for (const int32_t a : kEnds) {
    for (const int32_t b : kEnds) {
      const int32_t y = numerics::MultiplyHalfAway(p.Product(a, b), p.scale.fixed), shifted = y + p.stage.zero_point;
      if (y != static_cast<int16_t>(y) || shifted != static_cast<int16_t>(shifted)) return false;
    }
  }
  return true;
}

template <typename T>
RunFn PrepareMulQuantized(PrepareContext& context, const BinaryOperands& operands, Activation activation) {
  const bool symmetric = sizeof(T) == 2;
  CheckPerTensorQuantized(operands.a, "input 0", symmetric);
  CheckPerTensorQuantized(operands.b, "input 1", symmetric);
  CheckPerTensorQuantized(operands.output, "output", symmetric);
  const Engine engine = context.engine();
  const IntRange clamp = QuantizedActivationRange(activation, operands.output, engine);
  const double scale = static_cast<double>(operands.a.scale() * operands.b.scale() / operands.output.scale());
  FixedPointOf(scale, "scale of the product over the output's");
  MultiplyQuantized p;
  p.a_zero_point = operands.a.zero_point(), p.b_zero_point = operands.b.zero_point();
  p.scale = numerics::ChannelScale(scale);
  p.stage = {
      .rounding = engine == Engine::kXnnpack ? numerics::Rounding::kFloatHalfEven : numerics::Rounding::kFixedHalfAway,
      .zero_point = operands.output.zero_point(),
      .low = clamp.low,
      .high = clamp.high};
  if constexpr (sizeof(T) == 1) {
    if (engine == Engine::kXnnpack) {
      const auto less_zero = [&](int32_t bound) { return static_cast<float>(bound - p.stage.zero_point); };
      const kernels::simd::MultiplyXnnpack f = {p, less_zero(p.stage.low), less_zero(p.stage.high)};
      if (auto run = RunWithItsForm<T>(context, f)) return *std::move(run);
      return RunBinary<T, T>(operands, f, &context);
    }
  }
  const FiveFold shape = PlanFiveFold(operands.a.shape, operands.b.shape);
  const bool blocks = engine == Engine::kBuiltin && sizeof(T) == 1 && shape.kind != FiveFold::Kind::kGeneric;
  if (!blocks || (kernels::simd::UsesVectors() && BlocksAreAsReference<T>(p))) {
    if constexpr (sizeof(T) == 1) {
      if (auto run = RunWithItsForm<T>(context, p)) return *std::move(run);
    }
    return RunBinary<T, T>(operands, p, &context);
  }
  return [p, shape](const RunContext& run) {
    constexpr int64_t kBlock = std::is_signed_v<T> ? kMulInt8Block : kMulUInt8Block;
    const auto row = [&](int32_t x, int32_t y) { return p.InBlock<true>(x, y); };
    const auto scalar = [&](int32_t x, int32_t y) { return p.InBlock<std::is_signed_v<T>>(x, y); };
    kernels::ref::BinaryFiveFold(shape, run.In<T>(0).data(), run.In<T>(1).data(), run.Out<T>(0).data(), kBlock, row,
                                 kBlock, scalar, p);
  };
}

bool TakesArithmetic(const PrepareContext& context) {
  if (!HasOperands(context, 2, 1)) return false;
  const TensorRef &a = context.Input(0), &b = context.Input(1), &output = context.Output(0);
  return XnnpackTakesShape(a) && XnnpackTakesShape(b) && XnnpackTakesFloatOr8Bit(a) && XnnpackTakesFloatOr8Bit(b) &&
         XnnpackTakesFloatOr8Bit(output) && a.dtype == b.dtype && a.dtype == output.dtype;
}

}  // namespace

RunFn PrepareAdd(PrepareContext& context) { return PrepareAddOrSub(context, /*subtract=*/false); }
RunFn PrepareSub(PrepareContext& context) { return PrepareAddOrSub(context, /*subtract=*/true); }

RunFn PrepareMul(PrepareContext& context) {
  const Activation activation = context.op().attributes.As<MulAttributes>().fused_activation_function;
  CheckArity(context, 2, 2, 1);
  const BinaryOperands operands = PrepareBinary(context, FoldsRank(context, activation));
  CheckSameType(operands.a, "input 0", operands.output, "output");
  switch (operands.a.dtype) {
    case DType::kInt8:
      return PrepareMulQuantized<int8_t>(context, operands, activation);
    case DType::kUInt8:
      return PrepareMulQuantized<uint8_t>(context, operands, activation);
    case DType::kInt16:
      if (operands.output.quantization().is_quantized()) {
        return PrepareMulQuantized<int16_t>(context, operands, activation);
      }
      [[fallthrough]];
    case DType::kFloat32:
      // Products of XNNPACK are not clamped.
      if (activation == Activation::kNone && context.engine() == Engine::kXnnpack &&
          (context.TakeOver(1).has_value() || context.TakeOver(0).has_value())) {
        return RunSwish(context);
      }
      [[fallthrough]];
    default:
      return PreparePlain<kernels::ref::Multiply>(context, operands, activation);
  }
}

bool XnnpackTakesAdd(const PrepareContext& context) {
  if (!TakesArithmetic(context)) return false;
  const TensorRef& output = context.Output(0);
  if (output.dtype == DType::kFloat32) return true;
  for (int i = 0; i < 2; ++i) {
    const float ratio = ScaleRatio(context.Input(i), output);
    if (!(ratio >= 1.0F / 1024 && ratio < 256)) return false;
  }
  return true;
}

bool XnnpackTakesMul(const PrepareContext& context) {
  if (!TakesArithmetic(context)) return false;
  const TensorRef& output = context.Output(0);
  if (output.dtype == DType::kFloat32) return true;
  const float ratio = context.Input(0).scale() * context.Input(1).scale() / output.scale();
  return ratio >= 1.0F / 65536 && ratio < 256;
}

}  // namespace assay::ops
