#include "numerics/fixed_point.h"

#include <gtest/gtest.h>

#include <cmath>

#include "numerics/lookup_table.h"

namespace assay::numerics {
namespace {

// Every function against double precision, over its domain.
TEST(FixedPoint, ExpTanhLogisticAreAccurate) {
  for (int32_t raw = -(1 << 30); raw <= 0; raw += 1234567) {
    const double x = raw / std::ldexp(1.0, 26);
    EXPECT_NEAR(ExpOnNegative(Fixed<int32_t, 5>{raw}).raw / std::ldexp(1.0, 31), std::exp(x), 3e-7) << x;
  }
  for (int32_t raw = -32768; raw < 32768; raw += 7) {
    const auto code = static_cast<int16_t>(raw);
    const double x = raw / 4096.0;
    EXPECT_NEAR(Tanh(Fixed<int16_t, 3>{code}).raw / 32768.0, std::tanh(x), 4e-4) << x;
    EXPECT_NEAR(Logistic(Fixed<int16_t, 3>{code}).raw / 32768.0, 1 / (1 + std::exp(-x)), 4e-4) << x;
  }
}

TEST(FixedPoint, LogAndReciprocalsAreAccurate) {
  for (int32_t raw = 1 << 19; raw > 0 && raw < 2000000000; raw += 7654321) {
    const double x = raw / std::ldexp(1.0, 19);
    EXPECT_NEAR((Log<5>(Fixed<int32_t, 12>{raw}).raw / std::ldexp(1.0, 26)), std::log(x), 2e-6) << x;
    int bits_over_unit = 0;
    const int32_t r = Reciprocal(raw, 12, &bits_over_unit);
    EXPECT_NEAR(std::ldexp(r, -31 - bits_over_unit) * x, 1, 1e-6) << x;
  }
  for (const int32_t x : {1, 2, 3, 10, 255, 65535, 1 << 20, (1 << 30) + 12345, INT32_MAX}) {
    const FixedPointScale s = ReciprocalSqrt(x);
    EXPECT_NEAR(std::ldexp(s.multiplier, s.shift - 31) * std::sqrt(x), 1, 3e-6) << x;
  }
}

TEST(FixedPoint, SaturatesAndRounds) {
  EXPECT_EQ(SaturatingShift<int16_t>(20000, 1), 32767);
  EXPECT_EQ(SaturatingShift<int16_t>(-20000, 1), -32768);
  EXPECT_EQ(SaturatingShift<int16_t>(-3, -1), -2);
  EXPECT_EQ(SaturatingShift<int32_t>(1, 31), INT32_MAX);
  EXPECT_EQ(SaturatingShift<int32_t>(0, 31), 0);
  EXPECT_EQ(SaturatingRoundingDoublingHighMul(int16_t{-32768}, int16_t{-32768}), 32767);
}

TEST(LookupTable, SigmoidTableHasItsKnownEntries) {
  const SigmoidTable table = MakeSigmoidTable();
  const std::array<uint16_t, 8> start = {32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513};
  EXPECT_TRUE(std::equal(start.begin(), start.end(), table.begin()));
  EXPECT_EQ(table[100], 64536);
  EXPECT_EQ(table[254], 65534);
  EXPECT_EQ(table[255], 65535);
}

TEST(LookupTable, InterpolatesBetweenEntries) {
  const Table16 table = MakeTable16<float>(1.0F / 4096, 0, 1.0F / 4096, 0, [](float x) { return x; });
  for (const int16_t code : {-32768, -32767, -129, -1, 0, 1, 63, 64, 12345, 32767}) {
    EXPECT_NEAR(Lookup16(code, table), code, 1);
  }
}

TEST(LookupTable, OverflowSaturates) {
  const auto inf = [](float) { return 1e30F; };
  EXPECT_EQ((MakeTable8<int8_t>({1, 0}, {1, 0}, TableRounding::kHalfAway, inf)[5]), 127);
  EXPECT_EQ((MakeTable8<int8_t>({1, 0}, {1, 0}, TableRounding::kHalfEven, inf)[5]), 127);
}

}  // namespace
}  // namespace assay::numerics
