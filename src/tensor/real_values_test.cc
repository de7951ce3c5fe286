#include "tensor/real_values.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace assay
