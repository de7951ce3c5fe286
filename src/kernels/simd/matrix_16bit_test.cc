// int16x8 kernels on every instruction set of this machine, against kernels/ref, to the bit.
#include "kernels/simd/matrix_16bit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "kernels/ref/depthwise_conv_2d.h"
#include "kernels/simd/conv_2d.h"
#include "kernels/simd/test_geometry.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

// How sums become codes; kNarrow: where the bias has 32 bits.
enum class Rule { kWide, kDouble, kNarrow };

struct Case {
  Case(Random& random, const ref::Conv2DGeometry& geometry, size_t filters, Rule how)
      : g(geometry),
        rule(how),
        input(static_cast<size_t>(g.batches * g.ImageSize())),
        bias(static_cast<size_t>(g.output_c)) {
    const bool extreme = random.Chance(0.2);
    for (int16_t& x : input) {
      x = extreme ? (random.Chance(0.5) ? INT16_MIN : INT16_MAX) : static_cast<int16_t>(random.Next() >> 40);
    }
    weights.resize(filters * static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w) *
                   static_cast<size_t>(g.input_c));
    for (int8_t& w : weights) w = extreme && random.Chance(0.9) ? INT8_MIN : static_cast<int8_t>(random.Next() >> 40);
    for (int64_t& b : bias) b = static_cast<int64_t>(random.Normal() * 1e7);
    stage.rounding = rule == Rule::kDouble ? numerics::Rounding::kDoubleHalfAway
                     : random.Chance(0.5)  ? numerics::Rounding::kFixedHalfAway
                                           : numerics::Rounding::kFixedHalfUp;
    stage.low = random.Chance(0.3) ? 0 : INT16_MIN, stage.high = INT16_MAX;
    const double spread = 20000.0 * 74 * std::sqrt(static_cast<double>(g.PatchSize()));
    for (size_t o = 0; o < bias.size(); ++o) {
      scales.emplace_back(random.Chance(0.05) ? std::exp2(random.Uniform() * 40 - 35)
                                              : 20000 * random.Uniform() / spread);
      real.push_back(scales[o].real);
      const numerics::ScaleOf15Bits narrow(scales[o].fixed);
      multiplier.push_back(narrow.multiplier), shift.push_back(narrow.shift), half.push_back(narrow.half);
    }
    size = static_cast<size_t>(g.batches * g.output_h) * static_cast<size_t>(g.output_w * g.output_c);
  }
  Stage16Bit view() const {
    return {bias.data(),
            multiplier.data(),
            half.data(),
            shift.data(),
            rule == Rule::kDouble ? real.data() : nullptr,
            stage.low,
            stage.high,
            rule == Rule::kNarrow ? scales.data() : nullptr,
            stage};
  }
  ref::Conv2DGeometry g;
  Rule rule;
  std::vector<int16_t> input;
  std::vector<int8_t> weights;
  std::vector<int64_t> bias, multiplier, half, shift;
  std::vector<double> real;
  std::vector<numerics::ChannelScale> scales;
  numerics::OutputStage stage;
  size_t size = 0;
};

TEST(Conv2DInt16, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(51, seed);
    const ref::Conv2DGeometry g = DrawGeometry(random, /*depthwise=*/false);
    const Case c(random, g, static_cast<size_t>(g.output_c), static_cast<Rule>(seed % 3));
    const auto outputs = static_cast<size_t>(g.output_c), depth = static_cast<size_t>(g.PatchSize());
    std::vector<int16_t> expected(c.size), patch(depth), packed(PaddedOutputs(outputs) * PaddedDepth16(depth));
    if (c.rule == Rule::kNarrow) {
      const std::vector<int32_t> bias(c.bias.begin(), c.bias.end());
      ref::Conv2DInt16(g, c.input.data(), c.weights.data(), bias.data(), c.scales.data(), c.stage, patch.data(),
                       expected.data());
    } else {
      ref::Conv2DInt16(g, c.input.data(), c.weights.data(), c.bias.data(), c.scales.data(), c.stage, patch.data(),
                       expected.data());
    }
    PackWeights16Bit(outputs, depth, c.weights.data(), packed.data());
    OnEveryTarget([&](const std::string& target) {
      std::vector<int16_t> y(c.size);
      std::vector<uint8_t> scratch(Conv2DInt16Scratch(g));
      const size_t pixels = PixelCount(g);
      const Matrix16Bit matrix = {outputs, depth, packed.data()};
      Conv2DInt16(g, c.input.data(), matrix, c.view(), {0, pixels / 3}, scratch.data(), {y.data(), outputs});
      Conv2DInt16(g, c.input.data(), matrix, c.view(), {pixels / 3, pixels}, scratch.data(), {y.data(), outputs});
      EXPECT_TRUE(y == expected) << target << ", seed " << seed;
    });
  }
}

TEST(Conv2DInt16, LongSumsDoNotOverflow) {
  Random random(52, 0);
  ref::Conv2DGeometry g = {};
  g.batches = 2, g.input_c = g.filter_c = 40001, g.output_c = 3;
  g.input_h = g.input_w = g.filter_h = g.filter_w = g.output_h = g.output_w = 1;
  g.stride_h = g.stride_w = g.dilation_h = g.dilation_w = 1;
  Case c(random, g, 3, Rule::kWide);
  std::ranges::fill(c.input, INT16_MIN);
  std::ranges::fill(c.weights, INT8_MIN);
  std::vector<int64_t> sums(2 * PaddedOutputs(3));
  std::vector<int16_t> packed(PaddedOutputs(3) * PaddedDepth16(40001));
  PackWeights16Bit(3, 40001, c.weights.data(), packed.data());
  c.input.push_back(0);  // read behind the last row, not counted
  OnEveryTarget([&](const std::string& target) {
    Sum16Bit({3, 40001, packed.data()}, c.input.data(), 2, 40001, sums.data());
    EXPECT_EQ(sums[PaddedOutputs(3) + 2], int64_t{40001} * 32768 * 128) << target;
  });
}

TEST(DepthwiseConv2DInt16, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(53, seed);
    const ref::Conv2DGeometry g = DrawGeometry(random, /*depthwise=*/true);
    const Case c(random, g, 1, Rule::kWide);
    std::vector<int16_t> expected(c.size);
    std::vector<int64_t> sums(static_cast<size_t>(g.output_c));
    ref::DepthwiseConv2DInt16(g, c.input.data(), c.weights.data(), c.bias.data(), c.scales.data(), c.stage, sums.data(),
                              expected.data());
    OnEveryTarget([&](const std::string& target) {
      std::vector<int16_t> y(c.size);
      const auto rows = static_cast<size_t>(g.batches) * static_cast<size_t>(g.output_h);
      DepthwiseConv2DInt16(g, c.input.data(), c.weights.data(), c.view(), {0, rows / 2}, sums.data(), y.data());
      DepthwiseConv2DInt16(g, c.input.data(), c.weights.data(), c.view(), {rows / 2, rows}, sums.data(), y.data());
      EXPECT_TRUE(y == expected) << target << ", seed " << seed;
    });
  }
}

}  // namespace
}  // namespace assay::kernels::simd
