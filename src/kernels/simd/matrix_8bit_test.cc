// The way from sums of 32 bits to codes, on every instruction set of this machine, against numerics::Requantize.
#include "kernels/simd/matrix_8bit.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "kernels/simd/test_scales.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

using numerics::ChannelScale;
using numerics::OutputStage;
using numerics::Rounding;

constexpr size_t kOutputs = 1003, kRows = 14;

// kUsual, kUsualPowers: none is tiny or reaches one.
enum class ScaleKind : uint8_t { kUsual, kUsualPowers, kAny, kPowers, kSmall, kNextToOne, kLarge };

double DrawScale(Random& random, ScaleKind kind) {
  switch (kind) {
    case ScaleKind::kUsual:
      return std::ldexp(0.5 + random.Uniform() / 2, random.Between(-14, 0)) * 0.9998;
    case ScaleKind::kUsualPowers:
      return std::ldexp(1.0, random.Between(-16, -1));
    case ScaleKind::kAny:
      return std::ldexp(0.5 + random.Uniform() / 2, random.Between(-20, 0)) * 0.999;
    case ScaleKind::kPowers:
      return std::ldexp(1.0, random.Between(-31, -1));
    case ScaleKind::kSmall:
      return random.Chance(0.1) ? 0 : std::ldexp(0.5 + random.Uniform() / 2, random.Between(-35, -22));
    case ScaleKind::kNextToOne:
      return kAlmostOne + std::ldexp(random.Uniform(-1, 1), random.Between(-40, -13));
    case ScaleKind::kLarge:
      return random.Chance(0.3) ? std::ldexp(1.0, random.Between(0, 12)) : std::exp2(random.Uniform(-0.001, 31));
  }
  return 0;
}

// Sums that come to the middle between two codes, or next to it; some are anything.
int32_t DrawSum(Random& random, double scale) {
  constexpr int32_t kEnds[] = {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(), 0, 1, -1};
  if (random.Chance(0.05)) return kEnds[random.Below(std::size(kEnds))];
  const double middle = (random.Between(-300, 300) + 0.5) / scale;
  if (random.Chance(0.2) || !(std::abs(middle) < 2147483600.0)) return static_cast<int32_t>(random.Next() >> 32);
  return static_cast<int32_t>(std::llround(middle)) + random.Between(-2, 2);
}

// Weights are 0, so that the sums are what `offsets` and `row_offsets` say.
void CheckCodes(Random& random, ScaleKind kind, const OutputStage& stage) {
  std::vector<ChannelScale> scales;
  std::vector<int32_t> offsets(PaddedOutputs(kOutputs)), row_offsets(kRows);
  for (size_t o = 0; o < kOutputs; ++o) {
    scales.emplace_back(DrawScale(random, kind));
    offsets[o] = DrawSum(random, scales.back().real);
  }
  for (size_t r = 1; r < kRows; ++r) {
    row_offsets[r] = r % 3 == 0 ? static_cast<int32_t>(random.Next() >> 32) : random.Between(-9, 9) * (1 << r);
  }
  const std::vector<int8_t> weights(PaddedOutputs(kOutputs) * kDepthGroup);
  const std::vector<uint8_t> x(kRows * kDepthGroup, 0x5A);
  const ScaleArrays arrays(scales);
  const Matrix8Bit matrix = {kOutputs, 1,       kDepthGroup,   weights.data(), offsets.data(),
                             nullptr,  nullptr, arrays.view(), stage};
  const Rows8Bit rows = {x.data(), kRows, kDepthGroup, kDepthGroup, false, row_offsets.data()};
  OnEveryTarget([&](const std::string& target) {
    std::vector<uint8_t> codes(kRows * kOutputs);
    Multiply8Bit(matrix, rows, codes.data(), kOutputs);
    for (size_t i = 0; i < codes.size(); ++i) {
      const size_t o = i % kOutputs;
      const auto sum =
          static_cast<int32_t>(static_cast<uint32_t>(offsets[o]) + static_cast<uint32_t>(row_offsets[i / kOutputs]));
      const int32_t expected = numerics::Requantize(sum, scales[o], stage);
      ASSERT_EQ(static_cast<uint8_t>(expected), codes[i])
          << fmt::format("{}: {} * {:a}, rounding {}, zero point {}, [{}, {}]", target, sum, scales[o].real,
                         static_cast<int>(stage.rounding), stage.zero_point, stage.low, stage.high);
    }
  });
}

TEST(Multiply8Bit, CodesEqualRequantizeOnEveryInstructionSet) {
  Random random(51);
  for (const auto kind : {ScaleKind::kUsual, ScaleKind::kUsualPowers, ScaleKind::kAny, ScaleKind::kPowers,
                          ScaleKind::kSmall, ScaleKind::kNextToOne, ScaleKind::kLarge}) {
    for (const auto rounding :
         {Rounding::kFixedHalfAway, Rounding::kFixedHalfUp, Rounding::kFloatHalfEven, Rounding::kDoubleHalfAway}) {
      for (const int32_t low : {-128, 0}) {
        const int32_t high = low + 255, zero = random.Between(low, high), top = random.Between(zero, high);
        for (const int32_t end : {low, high, zero}) CheckCodes(random, kind, {rounding, end, low, high});
        CheckCodes(random, kind, {rounding, zero, zero, high});
        CheckCodes(random, kind, {rounding, low, low, top});
        CheckCodes(random, kind, {rounding, zero, random.Between(low, zero), top});
      }
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd
