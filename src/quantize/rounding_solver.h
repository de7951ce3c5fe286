// Rounds the weights of one channel together, so that their errors cancel in what the layer computes.
//
// With d = rounded - real weights and x the layer's operand, the mean squared error of a result is d'Hd + 2 d'g +
// const, where H is the covariance of x (the bias takes the mean). This is AdaRound's objective (Nagel et al., "Up or
// down? Adaptive rounding for post-training quantization", 2020); a quadratic form of integers is searched directly
// here, code by code and pair by pair, instead of by gradients through a soft rounding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace assay::quantize {

struct RoundingProblem {
  size_t depth = 0;                // weights of a channel
  std::span<const float> moments;  // H, depth x depth, symmetric, with a positive diagonal
  float most = 127;                // codes lie in [-most, most]
};

struct RoundedRow {
  std::vector<int8_t> codes;
  double error = 0;  // d'Hd + 2 d'g
};

// `pull` is g, empty for zeros. From the nearest codes on, changes one code at a time while that helps; `pairs` also
// changes two at once where one alone does not help, which takes depth^2 steps a round.
RoundedRow RoundTogether(const RoundingProblem& problem, std::span<const float> weights, std::span<const float> pull,
                         float scale, bool pairs);

}  // namespace assay::quantize
