// BATCH_MATMUL's kernels on every instruction set of this machine, against kernels/ref: integers to the bit.
#include "kernels/simd/batch_matmul.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "kernels/ref/batch_matmul.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

using numerics::ChannelScale;
using numerics::OutputStage;
using numerics::Rounding;

constexpr size_t kGuard = 64;

ref::BatchMatMulGeometry Draw(Random& random) {
  ref::BatchMatMulGeometry g = {};
  const auto side = [&] { return random.Chance(0.2) ? 16 * random.Between(1, 8) : random.Between(1, 100); };
  g.rows = side(), g.depth = side(), g.columns = side();
  g.x_transposed = random.Chance(0.4), g.w_transposed = random.Chance(0.5);
  return g;
}

MatMulShape ShapeOf(const ref::BatchMatMulGeometry& g) {
  return {static_cast<size_t>(g.rows), static_cast<size_t>(g.depth), static_cast<size_t>(g.columns), g.x_transposed};
}

std::string Describe(const std::string& target, uint64_t seed, const ref::BatchMatMulGeometry& g) {
  return fmt::format("{}, seed {}, {}x{}x{}", target, seed, g.rows, g.depth, g.columns);
}

template <typename T>
std::vector<T> Codes(Random& random, int64_t count, bool extreme) {
  std::vector<T> codes(static_cast<size_t>(count));
  for (T& code : codes) {
    code = extreme ? (random.Chance(0.8) ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max())
                   : static_cast<T>(random.Next() >> 40);
  }
  return codes;
}

std::vector<float> Floats(Random& random, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = static_cast<float>(random.Normal() * (random.Chance(0.05) ? 100 : 1));
  return values;
}

// What compute(rows, scratch, y) writes in two parts; nothing may be written behind the output or the scratch.
template <typename T, typename Compute>
std::vector<T> InTwoParts(const MatMulShape& shape, size_t scratch_bytes, const Compute& compute) {
  std::vector<T> y(shape.rows * shape.columns + kGuard, T{77});
  std::vector<uint8_t> scratch(scratch_bytes + kGuard, 77);
  compute(Range{0, shape.rows / 3}, scratch.data(), y.data());
  compute(Range{shape.rows / 3, shape.rows}, scratch.data(), y.data());
  EXPECT_EQ(std::count(y.end() - kGuard, y.end(), T{77}), kGuard) << "written behind the output";
  EXPECT_EQ(std::count(scratch.end() - kGuard, scratch.end(), 77), kGuard) << "written behind the scratch";
  y.resize(y.size() - kGuard);
  return y;
}

// int8 codes packed, and the offsets that the zero points give.
struct Packed8Bit {
  Packed8Bit(const ref::BatchMatMulGeometry& g, const std::vector<int8_t>& w, int32_t x_zero, int32_t w_zero)
      : shape(ShapeOf(g)),
        codes(PaddedOutputs(shape.columns) * PaddedLine(shape.depth)),
        sums(PaddedOutputs(shape.columns)),
        offsets(sums.size()) {
    if (g.w_transposed) {
      PackWeights8Bit(shape.columns, 1, shape.depth, w.data(), codes.data());
    } else {
      PackColumns8Bit(shape.columns, shape.depth, shape.columns, w.data(), codes.data());
    }
    SumColumns8Bit(shape.columns, shape.depth, codes.data(), sums.data());
    for (size_t c = 0; c < offsets.size(); ++c) {
      offsets[c] = (x_zero + 128) * (static_cast<int32_t>(shape.depth) * w_zero - sums[c]);
    }
    matrix.outputs = shape.columns, matrix.lines = 1, matrix.line_depth = shape.depth;
    matrix.weights = codes.data(), matrix.offsets = offsets.data();
  }
  MatMulShape shape;
  std::vector<int8_t> codes;
  std::vector<int32_t> sums, offsets;
  Matrix8Bit matrix = {};
};

TEST(BatchMatMul8Bit, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(61, seed);
    const ref::BatchMatMulGeometry g = Draw(random);
    const bool extreme = random.Chance(0.2);
    const auto x = Codes<int8_t>(random, g.rows * g.depth, extreme);
    const auto w = Codes<int8_t>(random, g.columns * g.depth, extreme);
    const int32_t x_zero = random.Between(-128, 127), w_zero = random.Chance(0.3) ? 0 : random.Between(-128, 127);
    const ChannelScale scale(random.Chance(0.1) ? std::ldexp(1.0 + random.Uniform(), random.Between(-40, 7))
                                                : 0.02 / std::sqrt(static_cast<double>(g.depth)) * random.Uniform());
    const OutputStage stage = {static_cast<Rounding>(random.Below(4)), random.Between(-128, 127), -128, 127};
    std::vector<int16_t> row(static_cast<size_t>(g.depth));
    std::vector<int8_t> columns(w.size()), expected(static_cast<size_t>(g.rows * g.columns));
    std::vector<int32_t> expected_sums(expected.size());
    ref::BatchMatMulInt8(g, x.data(), x_zero, w.data(), w_zero, scale, stage, row.data(), columns.data(),
                         expected.data());
    ref::BatchMatMulInt8ToInt32(g, x.data(), w.data(), row.data(), columns.data(), expected_sums.data());
    const size_t padded = PaddedOutputs(ShapeOf(g).columns);
    const std::vector<int32_t> multiplier(padded, scale.fixed.multiplier), left(padded, std::max(scale.fixed.shift, 0));
    const std::vector<int32_t> right(padded, std::max(-scale.fixed.shift, 0));
    const std::vector<float> single(padded, scale.single);
    const std::vector<double> real(padded, scale.real);
    OnEveryTarget([&](const std::string& target) {
      const MatMulRows<uint8_t> rows = {ShapeOf(g), reinterpret_cast<const uint8_t*>(x.data()), x.size()};
      Packed8Bit packed(g, w, x_zero, w_zero);
      packed.matrix.scales = {multiplier.data(), left.data(), right.data(), single.data(), real.data(), left[0] != 0};
      packed.matrix.stage = stage;
      const auto y = InTwoParts<int8_t>(
          packed.shape, MatMul8BitScratch(packed.shape), [&](Range range, uint8_t* scratch, int8_t* out) {
            MatMul8Bit(packed.matrix, w_zero, rows, range, scratch, reinterpret_cast<uint8_t*>(out));
          });
      EXPECT_TRUE(y == expected) << Describe(target, seed, g);
      const Packed8Bit raw(g, w, 0, 0);
      const auto sums = InTwoParts<int32_t>(
          raw.shape, MatMul8BitScratch(raw.shape),
          [&](Range range, uint8_t* scratch, int32_t* out) { MatMul8BitSums(raw.matrix, rows, range, scratch, out); });
      EXPECT_TRUE(sums == expected_sums) << Describe(target, seed, g);
    });
  }
}

template <typename W>
void CheckInt16(uint64_t seed) {
  constexpr size_t kParts = sizeof(W);
  Random random(62, seed);
  const ref::BatchMatMulGeometry g = Draw(random);
  const bool extreme = random.Chance(0.3);
  const auto x = Codes<int16_t>(random, g.rows * g.depth, extreme);
  const auto w = Codes<W>(random, g.columns * g.depth, extreme);
  const ChannelScale scale(random.Chance(0.1) ? std::exp2(random.Uniform() * 40 - 35)
                                              : 1e-4 * random.Uniform() / std::pow(256, kParts - 1));
  const OutputStage stage = {Rounding::kFixedHalfAway, 0, INT16_MIN, INT16_MAX};
  const MatMulShape shape = ShapeOf(g);
  std::vector<int16_t> row(shape.depth), expected(shape.rows * shape.columns);
  std::vector<W> columns(w.size());
  ref::BatchMatMulInt16<W>(g, x.data(), w.data(), scale, stage, row.data(), columns.data(), expected.data());
  const size_t padded = PaddedOutputs(shape.columns), part = padded * PaddedDepth16(shape.depth);
  const WeightSteps steps = g.w_transposed ? WeightSteps{shape.depth, 1} : WeightSteps{1, shape.columns};
  std::vector<int16_t> packed(kParts * part);
  if constexpr (kParts == 1) {
    PackStrided16Bit(shape.columns, shape.depth, steps, w.data(), packed.data());
  } else {
    PackSplit16Bit(shape.columns, shape.depth, steps, w.data(), packed.data(), packed.data() + part);
  }
  const numerics::ScaleOf15Bits narrow(scale.fixed);
  const std::vector<int64_t> bias(padded), multiplier(padded, narrow.multiplier), shift(padded, narrow.shift);
  const std::vector<int64_t> half(padded, narrow.half);
  OnEveryTarget([&](const std::string& target) {
    const auto y =
        InTwoParts<int16_t>(shape, MatMulInt16Scratch(shape, kParts), [&](Range range, uint8_t* scratch, int16_t* out) {
          MatMulInt16(
              {kParts * padded, shape.depth, packed.data()}, kParts,
              {bias.data(), multiplier.data(), half.data(), shift.data(), nullptr, stage.low, stage.high, nullptr, {}},
              {shape, x.data(), x.size()}, range, scratch, out);
        });
    EXPECT_TRUE(y == expected) << Describe(target, seed, g) << ", " << kParts;
  });
}

TEST(BatchMatMulInt16, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    CheckInt16<int8_t>(seed);
    CheckInt16<int16_t>(seed);
  }
}

TEST(BatchMatMulFloat, IsCloseToTheReferenceOnEveryInstructionSet) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(63, seed);
    const ref::BatchMatMulGeometry g = Draw(random);
    const MatMulShape shape = ShapeOf(g);
    const std::vector<float> x = Floats(random, g.rows * g.depth), w = Floats(random, g.columns * g.depth);
    const auto reference = [&](std::vector<float> a, std::vector<float> b, bool absolute) {
      for (float& v : a) v = absolute ? std::abs(v) : v;
      for (float& v : b) v = absolute ? std::abs(v) : v;
      std::vector<double> row(shape.depth);
      std::vector<float> columns(b.size()), y(shape.rows * shape.columns);
      ref::BatchMatMulFloat(g, a.data(), b.data(), row.data(), columns.data(), y.data());
      return y;
    };
    const std::vector<float> expected = reference(x, w, false), magnitude = reference(x, w, true);
    OnEveryTarget([&](const std::string& target) {
      std::vector<float> packed(PaddedOutputs(shape.columns) * shape.depth), bias(PaddedOutputs(shape.columns));
      if (g.w_transposed) {
        PackWeightsFloat(shape.columns, shape.depth, w.data(), packed.data());
      } else {
        PackColumnsFloat(shape.columns, shape.depth, shape.columns, w.data(), packed.data());
      }
      const auto y =
          InTwoParts<float>(shape, MatMulFloatScratch(shape), [&](Range range, uint8_t* scratch, float* out) {
            MatMulFloat({shape.columns, shape.depth, packed.data(), bias.data(), -kInf, kInf},
                        {shape, x.data(), x.size()}, range, scratch, out);
          });
      for (size_t i = 0; i < y.size(); ++i) {
        const double allowed = 2.0 * static_cast<double>(g.depth + 1) * 0x1p-24 * static_cast<double>(magnitude[i]);
        ASSERT_LE(std::abs(static_cast<double>(y[i]) - static_cast<double>(expected[i])), allowed)
            << Describe(target, seed, g);
      }
    });
  }
}

TEST(BatchMatMulHybrid, EqualsTheReferenceOnEveryInstructionSet) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (uint64_t seed = 0; seed < 150; ++seed) {
    Random random(64, seed);
    const ref::BatchMatMulGeometry g = Draw(random);
    const MatMulShape shape = ShapeOf(g);
    const std::vector<float> x = Floats(random, g.rows * g.depth), scales = Floats(random, g.columns);
    const auto w = Codes<int8_t>(random, g.columns * g.depth, random.Chance(0.2));
    ref::BatchMatMulHybridRule rule = {};
    rule.quantizer = static_cast<ref::DynamicQuantizer>(random.Below(3));
    rule.scaling = static_cast<ref::HybridScaling>(random.Below(4));
    rule.x_matrices = rule.w_matrices = 1;
    std::vector<float> values(shape.depth), expected(shape.rows * shape.columns);
    std::vector<int8_t> ref_codes(x.size()), columns(w.size());
    std::vector<ref::DynamicRange> ref_ranges(shape.rows);
    std::vector<int32_t> ref_sums(shape.columns);
    std::vector<int16_t> row(shape.depth);
    ref::BatchMatMulHybrid(
        g, rule, x.data(), w.data(), scales.data(),
        {values.data(), ref_codes.data(), ref_ranges.data(), ref_sums.data(), row.data(), columns.data()},
        expected.data());
    std::vector<float> padded_scales = scales;
    padded_scales.resize(PaddedOutputs(shape.columns));
    const std::vector<float> bias(padded_scales.size());
    const std::vector<int32_t> zeros(padded_scales.size());
    OnEveryTarget([&](const std::string& target) {
      Packed8Bit packed(g, w, 0, 0);
      packed.matrix.offsets = zeros.data();
      std::vector<uint8_t> codes(x.size() + kCodeSlack), scratch(QuantizeMatMulRowsScratch(shape));
      std::vector<ref::DynamicRange> ranges(shape.rows);
      QuantizeMatMulRows(rule.quantizer, {shape, x.data(), x.size()}, {0, shape.rows}, scratch.data(), codes.data(),
                         ranges.data());
      const auto y = InTwoParts<float>(shape, 0, [&](Range range, uint8_t* /*scratch*/, float* out) {
        MatMulHybrid({packed.matrix, packed.sums.data(), padded_scales.data(), bias.data(), rule.scaling, -kInf, kInf},
                     shape, codes.data(), ranges.data(), range, out);
      });
      EXPECT_TRUE(y == expected) << Describe(target, seed, g);
    });
  }
}

}  // namespace
}  // namespace assay::kernels::simd
