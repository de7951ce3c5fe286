// What the Prepare functions of elementwise ops share.
#pragma once

#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/ref/elementwise_binary.h"
#include "kernels/ref/elementwise_unary.h"
#include "kernels/ref/quantize.h"
#include "ops/broadcast.h"
#include "ops/checks.h"

namespace assay::ops {

struct BinaryOperands {
  const TensorRef& a;
  const TensorRef& b;
  const TensorRef& output;
  kernels::ref::Broadcast<2> plan;
};

// Checks the arity and that both inputs have one type, sets the output's shape. With `fold_rank` a constant of one
// element does not raise the output's rank: what XNNPACK does with 8-bit operands and a fused activation.
BinaryOperands PrepareBinary(PrepareContext& context, bool fold_rank = false);

// output = f(a, b) over the broadcast shape; T is the type of both inputs.
template <typename T, typename Out, typename F>
RunFn RunBinary(const BinaryOperands& operands, const F& f) {
  return [plan = operands.plan, f](const RunContext& run) {
    kernels::ref::BinaryElementwise(plan, run.In<T>(0).data(), run.In<T>(1).data(), run.Out<Out>(0).data(), f);
  };
}

// A tensor as bytes. Bools are read this way: a file may hold any byte for them.
std::span<const uint8_t> Bytes(const TensorRef& tensor);
std::span<uint8_t> MutableBytes(const TensorRef& tensor);

struct UnaryOperands {
  const TensorRef& input;
  const TensorRef& output;
};

// Checks the arity and that input and output have one type, sets the output's shape to the input's.
UnaryOperands PrepareUnary(PrepareContext& context);

// output[i] = f(input[i])
template <typename In, typename Out, typename F>
RunFn RunMap(const F& f) {
  return [f](const RunContext& run) { kernels::ref::Map(run.In<In>(0), run.Out<Out>(0), f); };
}

// numerics::ToFixedPoint of a scale that came from a model. Throws InputError naming `what` where it is not finite.
numerics::FixedPointScale FixedPointOf(double scale, const char* what);

// Which scale belongs to an element of a tensor quantized along `dimension` (in range).
kernels::ref::ChannelAxis ChannelAxisOf(const Shape& shape, int dimension);

// The exponent of a scale that is a power of two, none where it is not. TFLite compares the logarithm, with a
// tolerance.
std::optional<int> PowerOfTwoExponent(float scale);

template <typename T>
struct PlainRange {
  T low, high;
};

// The clamp of a fused activation on values that are not quantized. TFLite's own kernels clamp floats to the finite
// range even without one; XNNPACK does not.
template <typename T>
PlainRange<T> PlainActivationRange(graph::Activation activation, numerics::Engine engine) {
  using Limits = std::numeric_limits<T>;
  const FloatRange real = ActivationRange(activation);
  if constexpr (std::is_floating_point_v<T>) {
    if (engine == numerics::Engine::kXnnpack) return {real.low, real.high};
  }
  return {real.low < -1 ? Limits::lowest() : static_cast<T>(real.low),
          real.high > 6 ? Limits::max() : static_cast<T>(real.high)};
}

}  // namespace assay::ops
