// Dynamic range kernels on every instruction set of this machine, against
// kernels/ref, to the bit.
#include "kernels/simd/hybrid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "kernels/ref/depthwise_conv_2d.h"
#include "kernels/simd/conv_2d.h"
#include "kernels/simd/depthwise_conv_2d.h"
#include "kernels/simd/test_edge.h"
#include "kernels/simd/test_geometry.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

using ref::DynamicQuantizer;
using ref::DynamicRange;
using ref::HybridScaling;

// Normal values off their centre; sometimes all alike, sometimes far apart.
std::vector<float> Floats(Random& random, size_t count) {
  const double centre = random.Normal(), spread = random.Chance(0.1) ? 0 : std::exp2(random.Normal() * 5);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>((random.Normal() + centre) * spread);
  return values;
}

// Windows, or rows as FULLY_CONNECTED has them.
ref::Conv2DGeometry DrawProduct(Random& random) {
  ref::Conv2DGeometry g = DrawGeometry(random, /*depthwise=*/false);
  if (random.Chance(0.6)) return g;
  g.batches = random.Between(1, 150);
  g.input_h = g.input_w = g.filter_h = g.filter_w = g.output_h = g.output_w = 1;
  g.pad_h = g.pad_w = 0;
  return g;
}

struct Case {
  explicit Case(Random& random, bool depthwise)
      : g(depthwise ? DrawGeometry(random, depthwise) : DrawProduct(random)),
        input(Floats(random, static_cast<size_t>(g.batches * g.ImageSize()))),
        scales(Floats(random, static_cast<size_t>(g.output_c))),
        bias(Floats(random, static_cast<size_t>(g.output_c))),
        quantizer(static_cast<DynamicQuantizer>(random.Below(3))),
        scaling(static_cast<HybridScaling>(random.Below(4))),
        low(random.Chance(0.3) ? 0 : -HUGE_VALF),
        high(random.Chance(0.3) ? 6 : HUGE_VALF),
        size(static_cast<size_t>(g.batches * g.output_h) * static_cast<size_t>(g.output_w * g.output_c)) {
    weights.resize(static_cast<size_t>((depthwise ? 1 : g.output_c) * g.filter_h * g.filter_w * g.input_c));
    for (int8_t& w : weights) w = static_cast<int8_t>(random.Below(256));
  }
  // Codes and ranges of all images.
  void Quantize(std::vector<uint8_t>& codes, std::vector<DynamicRange>& ranges) const {
    const auto image = static_cast<size_t>(g.ImageSize());
    codes.resize(input.size());
    for (size_t i = 0; i < static_cast<size_t>(g.batches); ++i) {
      ranges.push_back(
          simd::QuantizeDynamically(quantizer, {input.data() + i * image, image}, codes.data() + i * image));
    }
  }
  ref::Conv2DGeometry g;
  std::vector<float> input;
  std::vector<int8_t> weights;
  std::vector<float> scales, bias;
  DynamicQuantizer quantizer;
  HybridScaling scaling;
  float low, high;
  size_t size;
};

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(QuantizeDynamically, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(41, seed);
    std::vector<float> x = Floats(random, random.Below(300));
    // Sometimes next to the ends of the range of floats: products with the factor are limited before they are rounded.
    if (!x.empty() && random.Chance(0.1)) x[random.Below(x.size())] = random.Chance(0.5) ? 3e38F : -3e38F;
    if (random.Chance(0.1)) {
      for (float& v : x) v = std::copysign(1e-44F, v);
    }
    for (const auto how : {DynamicQuantizer::kSymmetric, DynamicQuantizer::kAsymmetric, DynamicQuantizer::kXnnpack}) {
      std::vector<int8_t> expected(x.size());
      const DynamicRange range = ref::QuantizeDynamically(how, x, expected.data());
      OnEveryTarget([&](const std::string& target) {
        std::vector<uint8_t> codes(x.size());
        const DynamicRange got = simd::QuantizeDynamically(how, x, codes.data());
        EXPECT_EQ(got.scale, range.scale) << target;
        EXPECT_EQ(got.zero_point, range.zero_point) << target;
        EXPECT_TRUE(std::equal(codes.begin(), codes.end(), expected.begin(),
                               [](uint8_t code, int8_t e) { return code == static_cast<uint8_t>(e + kSignBit); }))
            << target << ", seed " << seed;
      });
    }
  }
}

TEST(QuantizeDynamically, ByPartsGivesTheSame) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(46, seed);
    std::vector<float> x = Floats(random, 1 + random.Below(700));
    if (random.Chance(0.1)) x[random.Below(x.size())] = random.Chance(0.5) ? 3e38F : -3e38F;
    if (random.Chance(0.1)) std::ranges::fill(x, 0.0F);
    const size_t part = 8 * (1 + random.Below(30));
    for (const auto how : {DynamicQuantizer::kSymmetric, DynamicQuantizer::kAsymmetric, DynamicQuantizer::kXnnpack}) {
      std::vector<int8_t> expected(x.size());
      const DynamicRange range = ref::QuantizeDynamically(how, x, expected.data());
      OnEveryTarget([&](const std::string& target) {
        std::vector<uint8_t> codes(x.size());
        const auto values = [&](size_t begin) {
          return std::span<const float>(x).subspan(begin, std::min(part, x.size() - begin));
        };
        std::vector<ValueEnds> ends;
        for (size_t i = 0; i < x.size(); i += part) ends.push_back(FindEnds(values(i)));
        const ValueEnds all = FindEnds(std::span<const ValueEnds>(ends));
        for (size_t i = 0; i < x.size(); i += part) {
          const DynamicRange got = QuantizePart(how, all, values(i), codes.data() + i);
          EXPECT_EQ(got.scale, range.scale) << target << ", seed " << seed;
          EXPECT_EQ(got.zero_point, range.zero_point) << target;
        }
        EXPECT_TRUE(std::equal(codes.begin(), codes.end(), expected.begin(),
                               [](uint8_t code, int8_t e) { return code == static_cast<uint8_t>(e + kSignBit); }))
            << target << ", seed " << seed;
      });
    }
  }
}

TEST(Conv2DHybrid, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(42, seed);
    const Case c(random, /*depthwise=*/false);
    const auto outputs = static_cast<size_t>(c.g.output_c), depth = static_cast<size_t>(c.g.PatchSize());
    std::vector<float> expected(c.size);
    std::vector<int8_t> codes(static_cast<size_t>(c.g.ImageSize()));
    std::vector<int16_t> patch(depth);
    ref::Conv2DHybrid(c.g, {c.quantizer, c.scaling}, c.input.data(), c.weights.data(), c.scales.data(), c.bias.data(),
                      c.low, c.high, codes.data(), patch.data(), expected.data());
    const auto lines = static_cast<size_t>(c.g.filter_h);
    std::vector<int8_t> packed(PaddedOutputs(outputs) * PaddedDepth(lines, depth / lines));
    PackWeights8Bit(outputs, lines, depth / lines, c.weights.data(), packed.data());
    const std::vector<int32_t> zeros(PaddedOutputs(outputs));
    std::vector<int32_t> sums(PaddedOutputs(outputs));
    for (size_t i = 0; i < c.weights.size(); ++i) sums[i / depth] += c.weights[i];
    std::vector<float> scales = c.scales, bias = c.bias;
    scales.resize(PaddedOutputs(outputs)), bias.resize(PaddedOutputs(outputs));
    const MatrixHybrid matrix = {{outputs, lines, depth / lines, packed.data(), zeros.data(), nullptr, nullptr, {}, {}},
                                 sums.data(),
                                 scales.data(),
                                 bias.data(),
                                 c.scaling,
                                 c.low,
                                 c.high};
    OnEveryTarget([&](const std::string& target) {
      std::vector<uint8_t> all;
      std::vector<DynamicRange> ranges;
      c.Quantize(all, ranges);
      std::vector<float> y(c.size);
      std::vector<uint8_t> scratch(Conv2DHybridScratch(c.g));
      const size_t pixels = PixelCount(c.g), image = pixels / static_cast<size_t>(c.g.batches);
      Conv2DHybrid(c.g, all.data(), ranges.data(), image, matrix, {0, pixels / 3}, scratch.data(), {y.data(), outputs});
      Conv2DHybrid(c.g, all.data(), ranges.data(), image, matrix, {pixels / 3, pixels}, scratch.data(),
                   {y.data(), outputs});
      EXPECT_TRUE(SameBits(y, expected)) << target << ", seed " << seed;
      if (c.g.input_h * c.g.input_w * c.g.output_h * c.g.output_w * c.g.filter_h * c.g.filter_w > 1) return;
      const auto rows = static_cast<size_t>(c.g.batches);
      std::vector<float> of_rows(c.size);
      scratch.resize(RowsHybridScratch(matrix));
      RowsHybrid(matrix, c.quantizer, c.input.data(), {0, rows / 2}, scratch.data(), of_rows.data());
      RowsHybrid(matrix, c.quantizer, c.input.data(), {rows / 2, rows}, scratch.data(), of_rows.data());
      EXPECT_TRUE(SameBits(of_rows, expected)) << target << ", seed " << seed;
    });
  }
}

TEST(DepthwiseConv2DHybrid, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(43, seed);
    Case c(random, /*depthwise=*/true);
    c.g.batches = 1;
    c.input.resize(static_cast<size_t>(c.g.ImageSize()));
    c.size = static_cast<size_t>(c.g.output_h * c.g.output_w * c.g.output_c);
    const auto unfused = [&] { return static_cast<HybridScaling>(random.Below(3)); };
    const ref::DepthwiseHybridRule rule = {c.quantizer, unfused(), unfused(), random.Between(0, c.g.output_c)};
    std::vector<float> expected(c.size);
    std::vector<int8_t> codes(c.input.size());
    std::vector<uint32_t> working(static_cast<size_t>(c.g.output_c));
    ref::DepthwiseConv2DHybrid(c.g, rule, c.input.data(), c.weights.data(), c.scales.data(), c.bias.data(), c.low,
                               c.high, codes.data(), working.data(), expected.data());
    OnEveryTarget([&](const std::string& target) {
      std::vector<uint8_t> all;
      std::vector<DynamicRange> ranges;
      c.Quantize(all, ranges);
      const auto channels = static_cast<size_t>(c.g.output_c), taps = c.weights.size() / channels;
      const size_t lanes = DepthwiseLanes(c.g);
      const DepthwiseLayout layout(lanes, c.g);
      std::vector<int8_t> weights(layout.weight_bytes());
      std::vector<int32_t> sums(layout.padded_channels());
      std::vector<float> scales(sums.size()), bias(sums.size());
      std::vector<HybridScaling> scalings(sums.size());
      for (size_t l = 0; l < lanes; ++l) {
        const size_t at = layout.ChannelAt(l), channel = l % channels;
        scales[at] = c.scales[channel], bias[at] = c.bias[channel];
        scalings[at] = static_cast<int32_t>(channel) < rule.blocked_channels ? rule.blocks : rule.tail;
        for (size_t t = 0; t < taps; ++t) {
          weights[layout.WeightAt(l, t)] = c.weights[t * channels + channel];
          sums[at] += c.weights[t * channels + channel];
        }
      }
      const DepthwiseHybrid filter = {lanes,       sums.size(),     weights.data(), sums.data(), scales.data(),
                                      bias.data(), scalings.data(), c.low,          c.high};
      std::vector<float> y(c.size + 1, 77);
      const EdgeBytes in(all), scratch(DepthwiseConv2DHybridScratch(c.g, sums.size()), 64);
      const auto rows = static_cast<size_t>(c.g.output_h);
      DepthwiseConv2DHybrid(c.g, filter, ranges[0], in.data(), {0, rows / 2}, scratch.data(), y.data());
      DepthwiseConv2DHybrid(c.g, filter, ranges[0], in.data(), {rows / 2, rows}, scratch.data(), y.data());
      EXPECT_EQ(y.back(), 77) << target << ", seed " << seed;
      y.pop_back();
      EXPECT_TRUE(SameBits(y, expected)) << target << ", seed " << seed;
    });
  }
}

}  // namespace
}  // namespace assay::kernels::simd
