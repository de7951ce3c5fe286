// The vector activations on every instruction set of this machine: their error over all floats, and the LSTM cells
// against kernels/ref's formula.
#include "kernels/simd/activations.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

// The distance of y from `exact`, in units of the last place of a float of that size.
double UlpError(float y, double exact) {
  const float nearest = static_cast<float>(exact);
  if (y == nearest) return 0;
  const double ulp = std::max(std::ldexp(1.0, std::ilogb(exact) - 23), std::ldexp(1.0, -149));
  return std::abs(static_cast<double>(y) - exact) / ulp;
}

// Every 997th float, of both signs.
std::vector<float> ManyFloats() {
  std::vector<float> values;
  for (uint32_t bits = 0; bits < 0x7F800000U; bits += 997) {
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(-std::bit_cast<float>(bits));
  }
  return values;
}

template <typename Exact>
void ExpectWithin(double most_ulp, void (*f)(const float*, float*, size_t) noexcept, const Exact& exact) {
  const std::vector<float> x = ManyFloats();
  OnEveryTarget([&](const std::string& target) {
    std::vector<float> y(x.size());
    f(x.data(), y.data(), x.size());
    double worst = 0;
    float at = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double error = UlpError(y[i], exact(static_cast<double>(x[i])));
      if (!(error <= worst)) worst = error, at = x[i];
    }
    EXPECT_LE(worst, most_ulp) << target << " at " << at;
    const float special[] = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::quiet_NaN()};
    float of_special[3];
    f(special, of_special, 3);
    EXPECT_EQ(of_special[0], 1) << target;
    EXPECT_EQ(of_special[1], static_cast<float>(exact(-1e30))) << target;
    EXPECT_TRUE(std::isnan(of_special[2])) << target;
  });
}

TEST(Activations, LogisticIsWithinFourUlp) {
  ExpectWithin(4, LogisticFloats,
               [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); });
}

TEST(Activations, TanhIsWithinSixUlp) {
  ExpectWithin(6, TanhFloats, [](double x) { return std::tanh(x); });
}

TEST(Activations, AValueDoesNotDependOnItsPlace) {
  Random random(31, 0);
  std::vector<float> x(67);
  for (float& v : x) v = static_cast<float>(random.Normal() * 3);
  OnEveryTarget([&](const std::string& target) {
    for (const auto f : {LogisticFloats, TanhFloats}) {
      std::vector<float> whole(x.size());
      f(x.data(), whole.data(), x.size());
      for (size_t i = 0; i < x.size(); ++i) {
        float one[2] = {0, 77};
        f(x.data() + i, one, 1);
        EXPECT_EQ(one[0], whole[i]) << target << " " << i;
        EXPECT_EQ(one[1], 77);
      }
    }
  });
}

TEST(Activations, SoftmaxIsWithinRoundingOfDoublePrecision) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(32, seed);
    std::vector<float> x(static_cast<size_t>(random.Between(1, 90)));
    const double spread = random.Between(1, 60);
    for (float& v : x) v = static_cast<float>(random.Normal() * spread);
    const float beta = random.Chance(0.5) ? 1 : 0.25F;
    const float maximum = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (const float v : x) sum += std::exp(static_cast<double>((v - maximum) * beta));
    OnEveryTarget([&](const std::string& target) {
      std::vector<float> y(x.size() + 1, 77);
      SoftmaxFloats(x.data(), y.data(), x.size(), beta);
      EXPECT_EQ(y.back(), 77);
      for (size_t i = 0; i < x.size(); ++i) {
        const double exact = std::exp(static_cast<double>((x[i] - maximum) * beta)) / sum;
        EXPECT_LE(UlpError(y[i], exact), 4) << fmt::format("{}, seed {}, {} of {}", target, seed, i, x.size());
      }
    });
  }
}

TEST(Activations, LstmCellsFollowTheFormula) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(33, seed);
    const auto cells = static_cast<size_t>(random.Between(1, 70));
    std::vector<float> sums(4 * cells), before(cells);
    for (float& v : sums) v = static_cast<float>(random.Normal() * 3);
    for (float& v : before) v = static_cast<float>(random.Normal());
    const float clip = random.Chance(0.3) ? 0.5F : 0;
    OnEveryTarget([&](const std::string& target) {
      std::vector<float> state = before, h(cells + 1, 77);
      const float* const gates[] = {sums.data(), sums.data() + cells, sums.data() + 2 * cells, sums.data() + 3 * cells};
      LstmCells(gates, cells, clip, state.data(), h.data());
      EXPECT_EQ(h.back(), 77);
      for (size_t i = 0; i < cells; ++i) {
        const auto logistic = [&](size_t gate) { return 1 / (1 + std::exp(-static_cast<double>(gates[gate][i]))); };
        double c =
            logistic(1) * static_cast<double>(before[i]) + logistic(0) * std::tanh(static_cast<double>(gates[2][i]));
        if (clip > 0) c = std::clamp(c, -static_cast<double>(clip), static_cast<double>(clip));
        EXPECT_NEAR(state[i], c, 1e-6 * (1 + std::abs(c))) << target << ", seed " << seed;
        EXPECT_NEAR(h[i], logistic(3) * std::tanh(c), 1e-6) << target << ", seed " << seed;
      }
    });
  }
}

}  // namespace
}  // namespace assay::kernels::simd
