#include "kernels/ref/dot.h"

#include <gtest/gtest.h>

#include <vector>

namespace assay::kernels::ref {
namespace {

TEST(Dot, EightBitSumsWrapModulo32Bits) {
  // 255 * -128 = -32640; 70000 of them are below -2^31.
  constexpr int64_t kCount = 70000;
  const std::vector<int16_t> x(kCount, 255);
  const std::vector<int8_t> w(kCount, -128);
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{16384}, int64_t{16385}, kCount}) {
    EXPECT_EQ(Dot(x.data(), w.data(), count), static_cast<uint32_t>(-32640 * count)) << count;
  }
}

TEST(Dot, SixteenBitSumsAreExact) {
  constexpr int64_t kCount = 1000;
  const std::vector<int16_t> x(kCount, -32768);
  const std::vector<int8_t> w(kCount, -128);
  for (const int64_t count : {int64_t{0}, int64_t{127}, int64_t{128}, int64_t{129}, kCount}) {
    EXPECT_EQ(DotWide(x.data(), w.data(), count), int64_t{4194304} * count) << count;
  }
}

TEST(Dot, FloatSumsKeepWhatFloatWouldLose) {
  const std::vector<double> x = {1, 1, 1, 1, 1};
  const std::vector<float> w = {1e8F, 1, -1e8F, 1, 1};
  EXPECT_EQ(Dot(x.data(), w.data(), 5), 3);
  EXPECT_EQ(Dot(x.data(), w.data(), 2), 100000001);
}

}  // namespace
}  // namespace assay::kernels::ref
