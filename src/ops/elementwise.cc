#include "ops/elementwise.h"

#include <cmath>

namespace assay::ops {

BinaryOperands PrepareBinary(PrepareContext& context, bool fold_rank) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &a = context.Input(0), &b = context.Input(1);
  CheckSameType(a, "input 0", b, "input 1");
  Shape output = BroadcastShape({&a.shape, &b.shape});
  if (fold_rank) {
    const auto repeats = [](const TensorRef& t) { return t.is_constant && t.size() == 1; };
    if (repeats(b) && b.shape.rank() > a.shape.rank()) output = a.shape;
    if (repeats(a) && a.shape.rank() > b.shape.rank()) output = b.shape;
  }
  context.SetOutputShape(0, output);
  if (context.Output(0).dtype == a.dtype) {
    if (a.shape == output) context.MayWriteOver(0);
    if (b.shape == output) context.MayWriteOver(1);
  }
  return {a, b, context.Output(0), PlanBroadcast<2>({&a.shape, &b.shape}, output)};
}

std::span<const uint8_t> Bytes(const TensorRef& tensor) { return {tensor.data, tensor.bytes}; }

std::span<uint8_t> MutableBytes(const TensorRef& tensor) {
  ASSAY_CHECK(!tensor.is_constant);
  return {tensor.data, tensor.bytes};
}

RunFn RunByteTable(const kernels::simd::ByteTable& table, PrepareContext* context) {
  if (context != nullptr) context->OfferRows({.window = {}, .row_inputs = context->num_inputs()});
  // On the heap: a std::function keeps no more than two words itself.
  return [shared = std::make_shared<const kernels::simd::ByteTable>(table)](const RunContext& run) {
    const auto x = Bytes(run.Input(0));
    uint8_t* y = MutableBytes(run.Output(0)).data();
    run.Loop(x.size(), GrainOf(kVectorElementNs), [&](size_t begin, size_t end, int) {
      kernels::simd::LookupBytes(*shared, x.data() + begin, y + begin, end - begin);
    });
  };
}

UnaryOperands PrepareUnary(PrepareContext& context, bool in_place) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  CheckSameType(input, "input", context.Output(0), "output");
  context.SetOutputShape(0, input.shape);
  if (in_place) context.MayWriteOver(0);
  return {input, context.Output(0)};
}

numerics::FixedPointScale FixedPointOf(double scale, const char* what) {
  if (!std::isfinite(scale) || scale < 0) throw InputError("the {} is {}, out of range", what, scale);
  return numerics::ToFixedPoint(scale);
}

kernels::ref::ChannelAxis ChannelAxisOf(const Shape& shape, int dimension) {
  kernels::ref::ChannelAxis axis;
  axis.channels = shape[dimension];
  for (int d = dimension + 1; d < shape.rank(); ++d) axis.inner *= shape[d];
  return axis;
}

std::optional<int> PowerOfTwoExponent(float scale) {
  const float exponent = std::log(scale) * (1.0F / std::log(2.0F));
  const float rounded = std::round(exponent);
  if (!(std::abs(exponent - rounded) < 1e-3F)) return std::nullopt;
  return static_cast<int>(rounded);
}

}  // namespace assay::ops
