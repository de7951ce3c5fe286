#include "kernels/simd/codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

constexpr float kScale = 0.05F;

// Values inside and outside of the codes, halfway between two, and what is no number.
std::vector<float> Values(size_t count) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float special[] = {kScale * 0.5F, kScale * 1.5F, -kScale * 2.5F, 0.0F,   -0.0F, 1e30F, -1e30F,
                           kInfinity,     -kInfinity,    std::nanf(""),  1e-40F, 6.4F,  -6.4F};
  std::mt19937 random(static_cast<uint32_t>(count));
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = i % 4 == 1 ? special[i / 4 % std::size(special)] : normal(random);
  return values;
}

template <typename T>
CodeSteps StepsOf(int zero_point) {
  constexpr int kLow = std::numeric_limits<T>::lowest(), kHigh = std::numeric_limits<T>::max();
  return {kScale, static_cast<float>(zero_point), static_cast<float>(kLow - zero_point),
          static_cast<float>(kHigh - zero_point)};
}

// The code before it saturates, in steps of the scale from 0.
double CodeOf(float value, int zero_point) { return std::nearbyint(static_cast<double>(value / kScale)) + zero_point; }

template <typename T>
void ExpectCodes(const std::string& target, int zero_point) {
  constexpr double kLow = std::numeric_limits<T>::lowest(), kHigh = std::numeric_limits<T>::max();
  for (size_t count = 0; count <= 100; ++count) {
    const std::vector<float> values = Values(count);
    std::vector<T> actual(count + 8, T{7});
    StoreCodes(StepsOf<T>(zero_point), values.data(), count, actual.data());
    for (size_t i = 0; i < count; ++i) {
      const double code = CodeOf(values[i], zero_point);
      const double stored = std::isnan(code) ? 0 : std::clamp(code, kLow, kHigh);
      EXPECT_EQ(static_cast<double>(actual[i]), stored) << target << ": " << values[i] << ", " << count;
    }
    for (size_t i = count; i < actual.size(); ++i) EXPECT_EQ(actual[i], T{7}) << target << ", " << count;
  }
}

TEST(CodesTest, RoundsHalfToEvenAndSaturates) {
  OnEveryTarget([](const std::string& target) {
    for (const int zero_point : {-128, -3, 0, 127}) ExpectCodes<int8_t>(target, zero_point);
    for (const int zero_point : {0, 128, 255}) ExpectCodes<uint8_t>(target, zero_point);
    ExpectCodes<int16_t>(target, 0);
  });
}

TEST(CodesTest, RoundsInPlaceToWhatTheCodesStandFor) {
  constexpr int kZero = 5;
  OnEveryTarget([](const std::string& target) {
    for (size_t count = 0; count <= 100; ++count) {
      const std::vector<float> values = Values(count);
      std::vector<float> actual = values;
      RoundToCodes(StepsOf<int8_t>(kZero), actual.data(), count, actual.data());
      for (size_t i = 0; i < count; ++i) {
        const double code = CodeOf(values[i], kZero);
        if (std::isnan(code)) {
          EXPECT_TRUE(std::isnan(actual[i])) << target << ", " << count;
        } else {
          EXPECT_EQ(actual[i], kScale * static_cast<float>(std::clamp(code, -128.0, 127.0) - kZero)) << target;
        }
      }
    }
  });
}

TEST(CodesTest, CountsEveryValueInItsBin) {
  constexpr size_t kBins = 64;
  constexpr int32_t kMiddle = 32;
  std::mt19937 random(9);
  std::normal_distribution<float> normal(0, 10);
  for (const size_t count : {0, 1, 15, 16, 17, 1023, 1024, 1025, 5000, 600000}) {
    std::vector<float> values(count);
    for (float& v : values) v = count > 5000 ? 1 : normal(random);  // one bin of very many
    std::vector<int64_t> expected(kBins, 3);
    for (const float v : values) {
      ++expected[static_cast<size_t>(std::clamp(static_cast<int>(std::floor(v * 2)) + kMiddle, 0, 63))];
    }
    OnEveryTarget([&](const std::string& target) {
      std::vector<int64_t> actual(kBins, 3);
      CountBins(values.data(), count, 2, kMiddle, kBins, actual.data());
      EXPECT_EQ(actual, expected) << target << ", " << count;
    });
  }
}

}  // namespace
}  // namespace assay::kernels::simd
