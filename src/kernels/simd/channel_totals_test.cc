#include "kernels/simd/channel_totals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

std::vector<float> RandomValues(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(2, 3);
  std::vector<float> values(count);
  for (float& v : values) v = normal(random);
  return values;
}

// With room behind, where nothing may be written.
struct Results {
  static constexpr size_t kGuard = 32;
  explicit Results(size_t channels)
      : low(channels + kGuard, -77), high(low), sum(channels + kGuard, -77), square(sum), at_limit(sum.size(), -77) {}
  ref::ChannelTotals totals() { return {low.data(), high.data(), sum.data(), square.data(), at_limit.data()}; }
  bool operator==(const Results&) const = default;

  std::vector<float> low, high;
  std::vector<double> sum, square;
  std::vector<int32_t> at_limit;
};

TEST(ChannelTotalsTest, EveryChannelCountHasTheReferencesBits) {
  for (size_t channels = 1; channels <= 100; ++channels) {
    for (const size_t rows : {1, 2, 37}) {
      const std::vector<float> x = RandomValues(rows * channels, static_cast<uint32_t>(channels * 64 + rows));
      Results expected(channels);
      ref::TotalChannels(x.data(), rows, channels, 6, expected.totals());
      OnEveryTarget([&](const std::string& target) {
        Results actual(channels);
        simd::TotalChannels(x.data(), rows, channels, 6, actual.totals());
        EXPECT_TRUE(actual == expected) << target << ", " << rows << " rows of " << channels;
      });
    }
  }
}

TEST(ChannelTotalsTest, WhatIsNotFiniteShowsInTheSquareAndTheExtent) {
  constexpr size_t kRows = 5, kChannels = 41;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (size_t at = 0; at < kRows * kChannels; ++at) {
      std::vector<float> x = RandomValues(kRows * kChannels, 5);
      x[at] = bad;
      OnEveryTarget([&](const std::string& target) {
        Results actual(kChannels);
        simd::TotalChannels(x.data(), kRows, kChannels, 6, actual.totals());
        for (size_t c = 0; c < kChannels; ++c) {
          EXPECT_EQ(std::isfinite(actual.square[c]), c != at % kChannels) << target << ", " << at;
        }
        EXPECT_FALSE(ExtentOf(x.data(), x.size()).all_finite) << target << ", " << at;
      });
    }
  }
}

TEST(ChannelTotalsTest, ExtentsOfEveryLength) {
  for (size_t count = 1; count <= 300; ++count) {
    std::vector<float> x = RandomValues(count, static_cast<uint32_t>(count));
    for (const size_t at : {size_t{0}, count / 2, count - 1}) {
      x[at] *= 100;
      const float low = *std::min_element(x.begin(), x.end()), high = *std::max_element(x.begin(), x.end());
      OnEveryTarget([&](const std::string& target) {
        const ref::Extent actual = ExtentOf(x.data(), count);
        EXPECT_EQ(actual.low, low) << target << ", " << count;
        EXPECT_EQ(actual.high, high) << target << ", " << count;
        EXPECT_TRUE(actual.all_finite) << target << ", " << count;
      });
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd
