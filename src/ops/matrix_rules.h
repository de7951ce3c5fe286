// How the matrix ops (CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, ...) turn sums into codes: data, one row per type
// and engine.
#pragma once

#include <span>
#include <vector>

#include "numerics/requantize.h"
#include "ops/checks.h"

namespace assay::ops {

struct MatrixRule {
  DType activation;
  numerics::Engine engine;
  numerics::ScaleProduct scale;
  numerics::Rounding rounding;
};

// Throws UnsupportedTypes where no row fits.
const MatrixRule& FindMatrixRule(const PrepareContext& context, std::span<const MatrixRule> rules, DType activation);

// The rounding, output 0's zero point, and the clamp that its type and the fused activation give.
numerics::OutputStage MakeOutputStage(const PrepareContext& context, numerics::Rounding rounding,
                                      graph::Activation activation);

// One scale per output channel (or one for all when the weights have one). Throws InputError where a scale is beyond
// what the engine can take: XNNPACK refuses models with scales of 256 and above.
std::vector<numerics::ChannelScale> CombineChannelScales(const MatrixRule& rule, const TensorRef& input,
                                                         const TensorRef& weights, const TensorRef& output,
                                                         int64_t channels);

}  // namespace assay::ops
