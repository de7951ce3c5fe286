#include "kernels/ref/dynamic_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace assay::kernels::ref {
namespace {

using testing::ElementsAre;

struct Quantized {
  DynamicRange range;
  std::vector<int> codes;
};

Quantized Quantize(DynamicQuantizer how, const std::vector<float>& values) {
  std::vector<int8_t> codes(values.size());
  const DynamicRange range = QuantizeDynamically(how, values, codes.data());
  return {range, {codes.begin(), codes.end()}};
}

TEST(DynamicRange, SymmetricCodesUse127Steps) {
  const Quantized q = Quantize(DynamicQuantizer::kSymmetric, {-2, 1, 0.5F});
  EXPECT_EQ(q.range.scale, 2.0F / 127.0F);
  EXPECT_EQ(q.range.zero_point, 0);
  EXPECT_THAT(q.codes, ElementsAre(-127, 64, 32));  // 63.5 and 31.75
}

TEST(DynamicRange, AsymmetricCodesReachZeroExactly) {
  const Quantized q = Quantize(DynamicQuantizer::kAsymmetric, {-1, 0, 3});
  EXPECT_EQ(q.range.scale, static_cast<float>(4.0 / 255.0));
  EXPECT_EQ(q.range.zero_point, -64);  // -128 + 63.75
  EXPECT_THAT(q.codes, ElementsAre(-128, -64, 127));
}

TEST(DynamicRange, XnnpackScalesBeforeItAddsTheZeroPoint) {
  const Quantized q = Quantize(DynamicQuantizer::kXnnpack, {-1, 0, 3});
  EXPECT_EQ(q.range.scale, 1.0F / 63.75F);
  EXPECT_EQ(q.range.zero_point, -64);
  EXPECT_THAT(q.codes, ElementsAre(-128, -64, 127));
}

TEST(DynamicRange, BlocksOfEightAddHalfAndTruncate) {
  // The float just below a half: adding half gives 1, rounding gives 0. 127 keeps the scale at 1.
  const float below_half = 0.49999997F;
  std::vector<float> values(9, below_half);
  values[0] = 127;
  EXPECT_THAT(Quantize(DynamicQuantizer::kSymmetric, values).codes, ElementsAre(127, 1, 1, 1, 1, 1, 1, 1, 0));
}

TEST(DynamicRange, ZerosAndOddFloatsHaveCodesToo) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  for (const auto how : {DynamicQuantizer::kSymmetric, DynamicQuantizer::kAsymmetric, DynamicQuantizer::kXnnpack}) {
    const Quantized zeros = Quantize(how, {0, 0});
    EXPECT_EQ(zeros.codes[0], zeros.range.zero_point);
    EXPECT_EQ(zeros.range.scale, 1);
    for (const float odd : {kNan, kInf, -kInf, 3e38F, 1e-45F}) {
      EXPECT_EQ(Quantize(how, {odd, 1, -3e38F, odd}).codes.size(), 4U);
    }
    EXPECT_TRUE(Quantize(how, {}).codes.empty());
  }
}

}  // namespace
}  // namespace assay::kernels::ref
