#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "numerics/profile.h"
#include "numerics/requantize.h"

namespace assay::numerics {
namespace {

TEST(Requantize, FixedPointScaleIsWithinHalfAStepOfTheRealOne) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const double scale = std::exp(std::uniform_real_distribution<double>(-15, 5)(random));
    const FixedPointScale q = ToFixedPoint(scale);
    EXPECT_GE(q.multiplier, 1 << 30);
    EXPECT_NEAR(std::ldexp(q.multiplier, q.shift - 31) / scale, 1, 0x1p-31);
  }
  EXPECT_EQ(ToFixedPoint(0).multiplier, 0);
  EXPECT_EQ(ToFixedPoint(0x1p-40).multiplier, 0);
  EXPECT_EQ(ToFixedPoint(1).multiplier, 1 << 30);
  EXPECT_EQ(ToFixedPoint(1).shift, 1);
}

// The closed form of rule D, derived apart from the code: see docs/numerics.md.
int32_t HalfAwayInOneStep(int32_t x, FixedPointScale s) {
  const int64_t shifted = s.shift > 0 ? WrappingShiftLeft(x, s.shift) : x;
  const int64_t ab = shifted * s.multiplier;
  const int rs = s.shift < 0 ? -s.shift : 0;
  if (rs == 0) return static_cast<int32_t>((ab + (1 << 30)) >> 31);
  const int n = ab + (1 << 30) < 0 ? 1 : 0;
  return static_cast<int32_t>((ab + (1 << 30) + ((int64_t{1} << (rs - 1)) - n) * (int64_t{1} << 31)) >> (31 + rs));
}

TEST(Requantize, HalfAwayEqualsItsClosedForm) {
  std::mt19937 random(2);
  for (int i = 0; i < 1000000; ++i) {
    const int32_t x = static_cast<int32_t>(random()) >> (random() % 32);
    const FixedPointScale s = {static_cast<int32_t>((1U << 30) + random() % (1U << 30)),
                               -static_cast<int32_t>(random() % 20)};
    ASSERT_EQ(MultiplyHalfAway(x, s), HalfAwayInOneStep(x, s)) << x << " " << s.multiplier << " " << s.shift;
  }
}

TEST(Requantize, TheRoundingsDifferOnlyAtTies) {
  const ChannelScale half(0.5);
  const auto at = [&](int32_t x, Rounding rounding) {
    return Requantize(x, half, {.rounding = rounding, .zero_point = 0, .low = -128, .high = 127});
  };
  EXPECT_EQ(at(3, Rounding::kFixedHalfAway), 2);
  EXPECT_EQ(at(3, Rounding::kFloatHalfEven), 2);
  EXPECT_EQ(at(5, Rounding::kFloatHalfEven), 2);
  EXPECT_EQ(at(5, Rounding::kDoubleHalfAway), 3);
  EXPECT_EQ(at(-5, Rounding::kDoubleHalfAway), -3);
  EXPECT_EQ(at(1000, Rounding::kFloatHalfEven), 127);
}

TEST(Profiles, AreFoundByAliasAndIdAndTyposAreAnswered) {
  EXPECT_EQ(FindProfile("reference").engine, Engine::kReference);
  EXPECT_EQ(FindProfile("xnnpack@2.3.0/x86").alias, "xnnpack");
  try {
    FindProfile("xnpack");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("'xnnpack'"), std::string::npos);
  }
}

}  // namespace
}  // namespace assay::numerics
