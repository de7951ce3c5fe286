#include "ops/matrix_rules.h"

#include <cmath>

namespace assay::ops {

const MatrixRule& FindMatrixRule(const PrepareContext& context, std::span<const MatrixRule> rules, DType activation) {
  for (const MatrixRule& rule : rules) {
    if (rule.activation == activation && rule.engine == context.engine()) return rule;
  }
  UnsupportedTypes(context);
}

numerics::OutputStage MakeOutputStage(const PrepareContext& context, numerics::Rounding rounding,
                                      graph::Activation activation) {
  const TensorRef& output = context.Output(0);
  const IntRange clamp = QuantizedActivationRange(activation, output, context.engine());
  return {.rounding = rounding, .zero_point = output.zero_point(), .low = clamp.low, .high = clamp.high};
}

std::vector<numerics::ChannelScale> CombineChannelScales(const MatrixRule& rule, const TensorRef& input,
                                                         const TensorRef& weights, const TensorRef& output,
                                                         int64_t channels) {
  constexpr double kXnnpackLimit = 256;
  constexpr double kFixedPointLimit = 1 << 30;
  std::vector<numerics::ChannelScale> scales;
  scales.reserve(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    const double scale = numerics::CombineScales(rule.scale, input.scale(), ScaleAt(weights, c), output.scale());
    if (rule.engine == numerics::Engine::kXnnpack && scale >= kXnnpackLimit) {
      throw InputError("channel {}: input scale * weight scale / output scale is {}; XNNPACK refuses 256 and above", c,
                       scale);
    }
    if (!std::isfinite(scale) || scale >= kFixedPointLimit) {
      throw InputError("channel {}: input scale * weight scale / output scale is {}", c, scale);
    }
    scales.emplace_back(scale);
  }
  return scales;
}

}  // namespace assay::ops
