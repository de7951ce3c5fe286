#include "kernels/simd/pair_sums.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

void ExpectSame(const numerics::PairSums& sums, const numerics::ErrorMeter& meter, const std::string& where) {
  numerics::ErrorMeter actual;
  actual.Add(sums);
  EXPECT_EQ(actual.count(), meter.count()) << where;
  EXPECT_EQ(actual.different(), meter.different()) << where;
  EXPECT_EQ(actual.mean(), meter.mean()) << where;
  EXPECT_EQ(actual.mean_abs(), meter.mean_abs()) << where;
  EXPECT_EQ(actual.mean_square(), meter.mean_square()) << where;
  EXPECT_EQ(actual.max_abs(), meter.max_abs()) << where;
  EXPECT_EQ(actual.reference_mean_square(), meter.reference_mean_square()) << where;
  EXPECT_EQ(actual.value_mean_square(), meter.value_mean_square()) << where;
  EXPECT_EQ(actual.cosine(), meter.cosine()) << where;
}

TEST(PairSumsTest, EveryLengthHasTheMetersBits) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(1, 5);
  for (size_t count = 0; count <= 200; ++count) {
    std::vector<float> reference(count), value(count);
    for (size_t i = 0; i < count; ++i) {
      reference[i] = normal(random);
      value[i] = i % 3 == 0 ? reference[i] : reference[i] + normal(random) * 1e-3F;
    }
    numerics::ErrorMeter meter;
    meter.Add(reference, value);
    OnEveryTarget([&](const std::string& target) {
      const numerics::PairSums sums = SumPairs(reference.data(), value.data(), count);
      EXPECT_TRUE(sums.is_finite());
      ExpectSame(sums, meter, target + ", " + std::to_string(count));
    });
  }
}

TEST(PairSumsTest, SaysWhereAValueIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (size_t at = 0; at < 40; ++at) {
      std::vector<float> good(40, 1.5F), spoiled(40, 2.5F);
      spoiled[at] = bad;
      OnEveryTarget([&](const std::string& target) {
        EXPECT_FALSE(SumPairs(good.data(), spoiled.data(), 40).is_finite()) << target << ", " << at;
        EXPECT_FALSE(SumPairs(spoiled.data(), good.data(), 40).is_finite()) << target << ", " << at;
      });
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd
