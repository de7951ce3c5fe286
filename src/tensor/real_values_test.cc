#include "tensor/real_values.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace assay {
namespace {

TEST(RealValuesTest, AlongAnyDimensionAndPacked) {
  const std::vector<uint8_t> codes = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(RealValues(DType::kUInt8, codes, {2, 3}, {{0.5F}, {1}, 0, {}, {}}),
            (std::vector<float>{0, 0.5F, 1, 1.5F, 2, 2.5F}));
  EXPECT_EQ(RealValues(DType::kUInt8, codes, {2, 3}, {{1, 10}, {0, 1}, 0, {}, {}}),
            (std::vector<float>{1, 2, 3, 30, 40, 50}));
  EXPECT_EQ(RealValues(DType::kUInt8, codes, {2, 3}, {{1, 10, 100}, {0, 0, 0}, 1, {}, {}}),
            (std::vector<float>{1, 20, 300, 4, 50, 600}));
  // Scales that do not fit the shape leave the codes as they are.
  EXPECT_EQ(RealValues(DType::kUInt8, codes, {6}, {{1, 10}, {0, 0}, 0, {}, {}})[5], 6);
  EXPECT_EQ(StoredValues(DType::kInt4, std::vector<uint8_t>{0x8F, 0x07}, 3), (std::vector<float>{-1, -8, 7}));
  EXPECT_EQ(StoredValues(DType::kInt2, std::vector<uint8_t>{0b11100100}, 4), (std::vector<float>{0, 1, -2, -1}));
}

TEST(RealValuesTest, FakeQuantizationRoundsHalfToEvenAndSaturates) {
  std::vector<float> values = {0.25F, 0.75F, -1000, 1000, 0.3F};
  FakeQuantize(values, 0.5F, 10, CodesOf(DType::kInt8));
  EXPECT_EQ(values, (std::vector<float>{0, 1, -69, 58.5F, 0.5F}));
}

TEST(RealValuesTest, FakeQuantizationIsTheSameForAllCodes) {
  struct Form {
    DType dtype;
    int64_t zero_point;
  };
  for (const Form& form :
       {Form{DType::kInt8, -128}, {DType::kInt8, 7}, {DType::kUInt8, 255}, {DType::kInt16, 0}, {DType::kInt32, 0}}) {
    const CodeRange codes = CodesOf(form.dtype);
    const auto low = static_cast<float>(codes.low), high = static_cast<float>(codes.high);
    const auto zero = static_cast<float>(form.zero_point);
    std::vector<float> values = {std::nanf(""), HUGE_VALF, -HUGE_VALF, -0.0F, 1e-40F};
    Random random(3, static_cast<uint64_t>(form.dtype));
    for (int i = 0; i < 5000; ++i) {
      // Many that lie in the middle between two codes.
      const double steps = random.Normal() * 300;
      values.push_back(static_cast<float>(random.Chance(0.5) ? (std::floor(steps) + 0.5) * 0.03125 : steps * 0.03));
    }
    const float scale = random.Chance(0.5) ? 0.03125F : 0.03F;
    std::vector<float> rounded = values;
    FakeQuantize(rounded, scale, form.zero_point, codes);
    EXPECT_TRUE(std::isnan(rounded[0]));
    for (size_t i = 1; i < values.size(); ++i) {
      const float code = std::clamp(std::nearbyintf(values[i] / scale) + zero, low, high);
      EXPECT_EQ(rounded[i], scale * (code - zero)) << values[i];
    }
  }
}

}  // namespace
}  // namespace assay
