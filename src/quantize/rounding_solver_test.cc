#include "quantize/rounding_solver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace assay::quantize {
namespace {

struct Case {
  size_t depth;
  std::vector<float> moments, weights, pull;
  RoundingProblem problem() const { return {depth, moments, 7}; }
};

// The covariance of `depth` values that have few causes in common.
Case Correlated(size_t depth, uint64_t seed) {
  Random random(seed);
  Case c{depth, std::vector<float>(depth * depth), {}, {}};
  std::vector<float> causes(depth * 3);
  for (float& v : causes) v = static_cast<float>(random.Normal());
  for (size_t i = 0; i < depth; ++i) {
    for (size_t j = 0; j < depth; ++j) {
      for (size_t k = 0; k < 3; ++k) c.moments[i * depth + j] += causes[i * 3 + k] * causes[j * 3 + k];
    }
    c.moments[i * depth + i] += 0.1F;
    c.weights.push_back(static_cast<float>(random.Normal()) * 0.3F);
    c.pull.push_back(static_cast<float>(random.Normal()) * 0.01F);
  }
  return c;
}

double ErrorOf(const Case& c, const std::vector<int8_t>& codes, float scale) {
  double error = 0;
  std::vector<double> d;
  for (size_t k = 0; k < c.depth; ++k) d.push_back(static_cast<double>(codes[k] * scale - c.weights[k]));
  for (size_t i = 0; i < c.depth; ++i) {
    for (size_t j = 0; j < c.depth; ++j) error += d[i] * d[j] * static_cast<double>(c.moments[i * c.depth + j]);
    if (!c.pull.empty()) error += 2 * d[i] * static_cast<double>(c.pull[i]);
  }
  return error;
}

std::vector<int8_t> Nearest(const Case& c, float scale) {
  std::vector<int8_t> codes;
  for (const float w : c.weights) codes.push_back(static_cast<int8_t>(std::clamp(std::round(w / scale), -7.0F, 7.0F)));
  return codes;
}

// The best of all combinations of the two codes next to each weight.
double BestUpOrDown(const Case& c, float scale) {
  double best = HUGE_VAL;
  for (uint32_t bits = 0; bits < (1U << c.depth); ++bits) {
    std::vector<int8_t> codes;
    for (size_t k = 0; k < c.depth; ++k) {
      const float code = std::floor(c.weights[k] / scale) + static_cast<float>(bits >> k & 1);
      codes.push_back(static_cast<int8_t>(std::clamp(code, -7.0F, 7.0F)));
    }
    best = std::min(best, ErrorOf(c, codes, scale));
  }
  return best;
}

TEST(RoundTogetherTest, SaysTheErrorOfItsCodes) {
  const Case c = Correlated(12, 1);
  const RoundedRow row = RoundTogether(c.problem(), c.weights, c.pull, 0.1F, true);
  EXPECT_NEAR(row.error, ErrorOf(c, row.codes, 0.1F), 1e-5 * std::abs(row.error) + 1e-7);
}

TEST(RoundTogetherTest, NeverWorseThanTheNearestAndCloseToTheBest) {
  double nearest = 0, together = 0, best = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const Case c = Correlated(10, seed);
    const RoundedRow row = RoundTogether(c.problem(), c.weights, c.pull, 0.12F, true);
    const double of_nearest = ErrorOf(c, Nearest(c, 0.12F), 0.12F);
    EXPECT_LE(row.error, of_nearest + 1e-6);
    nearest += of_nearest;
    together += row.error;
    best += BestUpOrDown(c, 0.12F);
  }
  // 40 cases, each a sum that the nearest codes leave to chance.
  EXPECT_LT(together - best, 0.15 * (nearest - best));
}

TEST(RoundTogetherTest, WithoutCorrelationTheNearestIsBest) {
  Case c = Correlated(20, 3);
  c.pull.clear();
  for (size_t i = 0; i < 20; ++i) {
    for (size_t j = 0; j < 20; ++j) c.moments[i * 20 + j] = i == j ? 1.0F : 0.0F;
  }
  EXPECT_EQ(RoundTogether(c.problem(), c.weights, c.pull, 0.1F, true).codes, Nearest(c, 0.1F));
}

TEST(RoundTogetherTest, CodesStayInsideTheirRange) {
  Case c = Correlated(8, 4);
  for (float& w : c.weights) w *= 100;
  for (const int8_t code : RoundTogether(c.problem(), c.weights, c.pull, 0.1F, true).codes) {
    EXPECT_LE(std::abs(code), 7);
  }
}

}  // namespace
}  // namespace assay::quantize
