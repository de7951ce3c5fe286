// The model's weights and biases against the reference's, in real numbers.
#pragma once

#include <memory>
#include <optional>

#include "compare/study.h"

namespace assay::compare {

// The dimension of an op's weights that its output channels lie along, or -1 where the op has no such weights.
int ChannelDimension(graph::BuiltinOp code);

// Rounding is no excuse for weights that are more than this many steps off, in a channel that keeps less than this.
inline constexpr double kWrongQuanta = 2, kWrongChannelDb = 20;

// Compares the constants of the model's op with those of the op that computes the reference's matching tensor. None
// where either has no constant weights, or they differ in kind or shape. Needs the float forms.
std::optional<WeightComparison> CompareWeights(const Study& study, int32_t model_op);

// The op of the reference that corresponds to the model's: the one that computes the matching tensor, or stands before
// an activation that does. -1: none.
int32_t MatchingOp(const Study& study, int32_t model_op);

// A copy of a float model whose weights are rounded as a faultless converter would: symmetric 8-bit, a scale per
// channel.
std::shared_ptr<const graph::Model> WithEightBitWeights(const graph::Model& model);

}  // namespace assay::compare
