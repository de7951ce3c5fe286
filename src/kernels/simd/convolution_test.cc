// The vector kernels on every instruction set of this machine, against kernels/ref, to the bit.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "kernels/ref/depthwise_conv_2d.h"
#include "kernels/simd/conv_2d.h"
#include "kernels/simd/depthwise_conv_2d.h"
#include "kernels/simd/test_edge.h"
#include "kernels/simd/test_geometry.h"
#include "kernels/simd/test_scales.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

using numerics::ChannelScale;
using numerics::OutputStage;
using numerics::Rounding;

constexpr uint8_t kGuard = 0xA5;
constexpr size_t kScratchAlignment = 64;

struct Case {
  ref::Conv2DGeometry g;
  bool is_signed;
  int32_t input_zero, filter_zero;
  OutputStage stage;
  std::vector<uint8_t> input, filter;
  std::vector<int32_t> bias;
  std::vector<ChannelScale> scales;
};

// Zero points, clamps, codes, bias and scales for a geometry and sign.
void DrawValues(Random& random, bool depthwise, Case& c) {
  const ref::Conv2DGeometry& g = c.g;
  const int32_t low = c.is_signed ? -128 : 0;
  c.input_zero = random.Between(low, low + 255);
  c.filter_zero = c.is_signed ? (random.Chance(0.8) ? 0 : random.Between(-128, 127)) : random.Between(0, 255);
  // Differences of 255 do not fit the depthwise kernel's two parts.
  if (depthwise && c.filter_zero == (c.is_signed ? -128 : 0)) ++c.filter_zero;
  c.stage.rounding = static_cast<Rounding>(random.Below(4));
  c.stage.zero_point = random.Between(low, low + 255);
  c.stage.low = random.Chance(0.3) ? c.stage.zero_point : low;
  c.stage.high = random.Chance(0.3) ? random.Between(c.stage.low, low + 255) : low + 255;
  const bool extreme = random.Chance(0.2);
  const auto code = [&] {
    return static_cast<uint8_t>(extreme ? (random.Chance(0.5) ? 0x80 : 0x7F) : random.Below(256));
  };
  c.input.resize(static_cast<size_t>(g.batches * g.ImageSize()));
  for (uint8_t& v : c.input) v = code();
  c.filter.resize(static_cast<size_t>(g.output_c * g.PatchSize()));
  for (uint8_t& v : c.filter) v = code();
  const double spread = 74.0 * 74.0 * std::sqrt(static_cast<double>(g.PatchSize()));
  for (int32_t o = 0; o < g.output_c; ++o) {
    c.bias.push_back(random.Chance(0.02) ? std::numeric_limits<int32_t>::max() : random.Between(-20000, 20000));
    const double scale = random.Chance(0.05) ? std::ldexp(1.0 + random.Uniform(), random.Between(-40, 7))
                                             : (0.5 + random.Uniform()) * 100 / spread;
    c.scales.emplace_back(static_cast<double>(static_cast<float>(scale)));
  }
}

Case Draw(Random& random, bool depthwise) {
  Case c = {};
  ref::Conv2DGeometry& g = c.g;
  g.batches = random.Between(1, 2);
  g.filter_h = random.Between(1, depthwise ? 5 : 3), g.filter_w = random.Chance(0.4) ? 1 : random.Between(1, 5);
  if (random.Chance(0.4)) g.filter_h = g.filter_w = 1;
  g.stride_h = random.Between(1, 2), g.stride_w = random.Between(1, 3);
  if (random.Chance(0.5)) g.stride_h = g.stride_w = 1;
  g.dilation_h = random.Between(1, 2), g.dilation_w = random.Between(1, 2);
  g.input_c = g.filter_c = random.Chance(0.3) ? 4 * random.Between(1, 30) : random.Between(1, 100);
  g.output_c = random.Chance(0.3) ? 16 * random.Between(1, 9) : random.Between(1, 150);
  if (depthwise && random.Chance(0.3)) g.input_c = 1 << random.Between(0, 5);
  if (random.Chance(0.2)) g.input_c = g.filter_c = random.Between(1, 4), g.output_c = random.Between(1, 17);
  if (depthwise) g.filter_c = 1, g.output_c = g.input_c;
  g.input_h = random.Between(1, 9), g.input_w = random.Between(1, random.Chance(0.3) ? 40 : 9);
  if (g.filter_h > 1 || g.filter_w > 1) g.pad_h = random.Between(0, 2), g.pad_w = random.Between(0, 2);
  SetOutputSize(g);
  c.is_signed = random.Chance(0.5);
  DrawValues(random, depthwise, c);
  return c;
}

size_t Rows(const ref::Conv2DGeometry& g) { return static_cast<size_t>(g.batches * g.output_h); }

size_t OutputSize(const Case& c) {
  return static_cast<size_t>(c.g.batches * c.g.output_h) * static_cast<size_t>(c.g.output_w * c.g.output_c);
}

const int8_t* AsSigned(const std::vector<uint8_t>& codes) { return reinterpret_cast<const int8_t*>(codes.data()); }

// The output that `compute` writes; nothing may be written behind it.
template <typename Compute>
std::vector<uint8_t> Guarded(const Case& c, const Compute& compute) {
  constexpr size_t kGuardBytes = 64;
  std::vector<uint8_t> out(OutputSize(c) + kGuardBytes, kGuard);
  compute(out.data());
  EXPECT_EQ(std::count(out.end() - kGuardBytes, out.end(), kGuard), kGuardBytes) << "written behind the output";
  out.resize(OutputSize(c));
  return out;
}

std::vector<uint8_t> Reference(const Case& c) {
  std::vector<uint8_t> out(OutputSize(c));
  std::vector<int16_t> patch(static_cast<size_t>(c.g.PatchSize()));
  if (c.is_signed) {
    ref::Conv2DQuantized<int8_t, int8_t>(c.g, AsSigned(c.input), c.input_zero, AsSigned(c.filter), c.filter_zero,
                                         c.bias.data(), c.scales.data(), c.stage, patch.data(),
                                         reinterpret_cast<int8_t*>(out.data()));
  } else {
    ref::Conv2DQuantized<uint8_t, uint8_t>(c.g, c.input.data(), c.input_zero, c.filter.data(), c.filter_zero,
                                           c.bias.data(), c.scales.data(), c.stage, patch.data(), out.data());
  }
  return out;
}

// A weight less its zero point.
int32_t Difference(const Case& c, size_t i) {
  return (c.is_signed ? int32_t{AsSigned(c.filter)[i]} : int32_t{c.filter[i]}) - c.filter_zero;
}

std::vector<uint8_t> Vectorized(const Case& c) {
  const auto outputs = static_cast<size_t>(c.g.output_c), depth = static_cast<size_t>(c.g.PatchSize());
  const auto lines = static_cast<size_t>(c.g.filter_h);
  const auto zero = static_cast<uint32_t>(c.input_zero + (c.is_signed ? 128 : 0));
  const size_t packed_size = PaddedOutputs(outputs) * PaddedDepth(lines, depth / lines);
  std::vector<int8_t> packed[kWeightParts];
  for (size_t p = 0; p < kWeightParts; ++p) {
    std::vector<int8_t> part(c.filter.size());
    for (size_t i = 0; i < part.size(); ++i) part[i] = WeightParts(Difference(c, i))[p];
    packed[p].resize(packed_size);
    PackWeights8Bit(outputs, lines, depth / lines, part.data(), packed[p].data());
  }
  std::vector<Correction8Bit> corrections;
  std::vector<uint32_t> begins(PaddedOutputs(outputs) / kChannelBlock + 1);
  for (size_t wanted = 0; wanted + 1 < begins.size(); ++wanted) {
    for (size_t p = 1; p < kWeightParts; ++p) {
      ForCorrections(outputs, lines, depth / lines, packed[p].data(), [&](size_t block, const Correction8Bit& one) {
        if (block == wanted) corrections.push_back(one);
      });
    }
    begins[wanted + 1] = static_cast<uint32_t>(corrections.size());
  }
  std::vector<int32_t> offsets(PaddedOutputs(outputs));
  for (size_t o = 0; o < outputs; ++o) {
    uint32_t sum = 0;
    for (size_t k = 0; k < depth; ++k) sum += static_cast<uint32_t>(Difference(c, o * depth + k));
    offsets[o] = static_cast<int32_t>(static_cast<uint32_t>(c.bias[o]) - zero * sum);
  }
  const ScaleArrays scales(c.scales);
  const Matrix8Bit matrix = {outputs,
                             lines,
                             depth / lines,
                             packed[0].data(),
                             offsets.data(),
                             corrections.data(),
                             corrections.empty() ? nullptr : begins.data(),
                             scales.view(),
                             c.stage};
  const EdgeBytes input(c.input), scratch(Conv2D8BitScratch(c.g), kScratchAlignment);
  return Guarded(c, [&](uint8_t* out) {
    const size_t pixels = PixelCount(c.g), part = pixels / 3;
    for (const Range range : {Range{0, part}, Range{part, pixels}}) {
      Conv2D8Bit(c.g, input.data(), c.is_signed, static_cast<uint8_t>(c.input_zero), matrix, range, scratch.data(),
                 {out, outputs});
    }
  });
}

std::vector<uint8_t> DepthwiseReference(const Case& c) {
  std::vector<uint8_t> out(OutputSize(c));
  std::vector<uint32_t> sums(static_cast<size_t>(c.g.output_c));
  const ref::DepthwiseStages stages = {c.stage, c.stage, c.g.output_c};
  if (c.is_signed) {
    ref::DepthwiseConv2DQuantized<int8_t>(c.g, AsSigned(c.input), c.input_zero, AsSigned(c.filter), c.filter_zero,
                                          c.bias.data(), c.scales.data(), stages, sums.data(),
                                          reinterpret_cast<int8_t*>(out.data()));
  } else {
    ref::DepthwiseConv2DQuantized<uint8_t>(c.g, c.input.data(), c.input_zero, c.filter.data(), c.filter_zero,
                                           c.bias.data(), c.scales.data(), stages, sums.data(), out.data());
  }
  return out;
}

std::vector<uint8_t> DepthwiseVectorized(const Case& c) {
  const auto channels = static_cast<size_t>(c.g.output_c), taps = static_cast<size_t>(c.g.PatchSize());
  const size_t lanes = DepthwiseLanes(c.g);
  const DepthwiseLayout layout(lanes, c.g);
  const auto zero = static_cast<uint32_t>(c.input_zero + (c.is_signed ? 128 : 0));
  std::vector<int8_t> packed(layout.weight_bytes()), more(layout.weight_bytes());
  std::vector<uint8_t> flags(layout.flag_count());
  std::vector<int32_t> offsets(layout.padded_channels());
  for (size_t o = 0; o < lanes; ++o) {
    uint32_t sum = 0;
    for (size_t t = 0; t < taps; ++t) {
      const int32_t difference = Difference(c, t * channels + o % channels);
      const auto parts = WeightParts(difference);
      packed[layout.WeightAt(o, t)] = parts[0];
      more[layout.WeightAt(o, t)] = parts[1];
      if (parts[1] != 0) flags[layout.FlagAt(o, t)] = 1;
      sum += static_cast<uint32_t>(difference);
    }
    const auto bias = static_cast<uint32_t>(c.bias[o % channels]);
    offsets[layout.ChannelAt(o)] = static_cast<int32_t>(bias - zero * sum);
  }
  std::vector<ChannelScale> of_lanes;
  for (size_t o = 0; o < lanes; ++o) of_lanes.push_back(c.scales[o % channels]);
  const ScaleArrays scales(of_lanes, layout.padded_channels(), [&](size_t o) { return layout.ChannelAt(o); });
  const bool has_more = std::count(flags.begin(), flags.end(), 1) > 0;
  const Depthwise8Bit filter = {
      lanes,         packed.data(), has_more ? more.data() : nullptr, has_more ? flags.data() : nullptr, offsets.data(),
      scales.view(), c.stage};
  const EdgeBytes input(c.input), scratch(DepthwiseConv2D8BitScratch(c.g), kScratchAlignment);
  return Guarded(c, [&](uint8_t* out) {
    const size_t rows = Rows(c.g), part = rows / 2;
    for (const Range range : {Range{0, part}, Range{part, rows}}) {
      DepthwiseConv2D8Bit(c.g, input.data(), c.is_signed, static_cast<uint8_t>(c.input_zero), filter, range,
                          scratch.data(), out);
    }
  });
}

std::string Describe(const Case& c) {
  return fmt::format("rounding {}, {}, {} outputs of depth {}", static_cast<int>(c.stage.rounding),
                     c.is_signed ? "int8" : "uint8", c.g.output_c, c.g.PatchSize());
}

TEST(Conv2D8Bit, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Random random(17, seed);
    const Case c = Draw(random, /*depthwise=*/false);
    const std::vector<uint8_t> expected = Reference(c);
    OnEveryTarget([&](const std::string& target) {
      EXPECT_TRUE(Vectorized(c) == expected) << target << ", seed " << seed << ", " << Describe(c);
    });
  }
}

TEST(DepthwiseConv2D8Bit, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Random random(18, seed);
    const Case c = Draw(random, /*depthwise=*/true);
    const std::vector<uint8_t> expected = DepthwiseReference(c);
    OnEveryTarget([&](const std::string& target) {
      EXPECT_TRUE(DepthwiseVectorized(c) == expected) << target << ", seed " << seed << ", " << Describe(c);
    });
  }
}

// Windows that are computed by columns: in chunks of every width, flat and not, padded up to wholly outside, with every
// rounding to codes of every form, with and without weights beyond int8.
TEST(DepthwiseConv2D8Bit, SquareWindowsEqualTheReferenceOnEveryInstructionSet) {
  constexpr int32_t kChannels[] = {8, 16, 24, 32, 40, 64, 72, 96, 144};
  constexpr int kDraws = 24;
  uint64_t seed = 0;
  for (const int32_t window : {3, 5}) {
    for (const int32_t stride : {1, 2}) {
      for (const int32_t channels : kChannels) {
        for (int draw = 0; draw < kDraws; ++draw, ++seed) {
          Random random(24, seed);
          Case c = {};
          ref::Conv2DGeometry& g = c.g;
          g.batches = random.Between(1, 2);
          g.filter_h = g.filter_w = window;
          g.stride_h = g.stride_w = stride;
          g.dilation_h = random.Chance(0.2) ? 2 : 1, g.dilation_w = random.Chance(0.1) ? 2 : 1;
          g.input_c = g.output_c = channels, g.filter_c = 1;
          g.input_h = random.Between(1, 8), g.input_w = random.Between(1, random.Chance(0.2) ? 35 : 8);
          const int32_t most = random.Chance(0.2) ? 9 : window - 1;
          g.pad_h = random.Between(0, most), g.pad_w = random.Between(0, most);
          SetOutputSize(g);
          c.is_signed = draw / 4 % 2 == 0;
          DrawValues(random, /*depthwise=*/true, c);
          c.stage.rounding = static_cast<Rounding>(draw % 4);
          // Half of them bring codes of the type's whole range, scales below one.
          if (draw < kDraws / 2) {
            c.stage.low = c.is_signed ? -128 : 0, c.stage.high = c.stage.low + 255;
            for (ChannelScale& scale : c.scales) scale = ChannelScale(std::min(scale.real, 0.99));
          }
          if (draw % 3 == 0) c.filter_zero = c.is_signed ? 0 : 128;  // weights of eight bits
          const std::vector<uint8_t> expected = DepthwiseReference(c);
          OnEveryTarget([&](const std::string& target) {
            EXPECT_TRUE(DepthwiseVectorized(c) == expected)
                << fmt::format("{}, seed {}, window {}, stride {}, {} channels, {}", target, seed, window, stride,
                               channels, Describe(c));
          });
        }
      }
    }
  }
}

// Of large weights more rows are taken at once, and blocks are fetched ahead.
TEST(Conv2D8Bit, WeightsBeyondTheCacheEqualTheReference) {
  struct Size {
    int32_t rows, columns, window, inputs, outputs;
  };
  constexpr Size kSizes[] = {{1, 150, 1, 1024, 331}, {1, 530, 1, 64, 4120}, {9, 11, 3, 128, 250}, {1, 5, 1, 700, 377}};
  for (const Size& size : kSizes) {
    ASSERT_GT(size.window * size.window * size.inputs * size.outputs, static_cast<int32_t>(kFarWeights));
    for (const bool is_signed : {true, false}) {
      Random random(25, static_cast<uint64_t>(size.inputs));
      Case c = {};
      c.g.batches = 1, c.g.input_h = size.rows, c.g.input_w = size.columns;
      c.g.filter_h = c.g.filter_w = size.window, c.g.pad_h = c.g.pad_w = size.window / 2;
      c.g.stride_h = c.g.stride_w = c.g.dilation_h = c.g.dilation_w = 1;
      c.g.input_c = c.g.filter_c = size.inputs, c.g.output_c = size.outputs;
      SetOutputSize(c.g);
      c.is_signed = is_signed;
      DrawValues(random, /*depthwise=*/false, c);
      const std::vector<uint8_t> expected = Reference(c);
      OnEveryTarget([&](const std::string& target) {
        EXPECT_TRUE(Vectorized(c) == expected) << target << ", " << size.inputs << " inputs, " << Describe(c);
      });
    }
  }
}

TEST(Conv2D8Bit, SumsWrapAsTheReferencesDo) {
  Case c = {};
  c.g = {.batches = 1,
         .input_h = 1,
         .input_w = 1,
         .input_c = 70000,
         .filter_h = 1,
         .filter_w = 1,
         .filter_c = 70000,
         .output_h = 1,
         .output_w = 1,
         .output_c = 3,
         .stride_h = 1,
         .stride_w = 1,
         .dilation_h = 1,
         .dilation_w = 1,
         .pad_h = 0,
         .pad_w = 0};
  c.is_signed = true;
  c.input_zero = -128;
  c.stage = {Rounding::kFixedHalfAway, 0, -128, 127};
  c.input.assign(70000, 0x7F);
  c.filter.assign(210000, 0x80);
  c.bias = {0, 1, -1};
  c.scales.assign(3, ChannelScale(3e-8));
  const std::vector<uint8_t> expected = Reference(c);
  OnEveryTarget([&](const std::string& target) { EXPECT_TRUE(Vectorized(c) == expected) << target; });
}

// Floats of both signs, some of them large against the others.
std::vector<float> Floats(Random& random, size_t count) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random.Normal() * (random.Chance(0.05) ? 100 : 1));
  return values;
}

// Each value within 2 k eps sum |x w| of the double-precision reference `expected`; `magnitude` is the same op on
// absolute values, which is that sum.
void ExpectClose(const std::vector<float>& got, const std::vector<float>& expected, const std::vector<float>& magnitude,
                 int64_t terms, const std::string& where) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double allowed = 2.0 * static_cast<double>(terms + 1) * 0x1p-24 * static_cast<double>(magnitude[i]);
    ASSERT_LE(std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])), allowed) << where;
  }
}

std::vector<float> Absolute(std::vector<float> values) {
  for (float& v : values) v = std::abs(v);
  return values;
}

// What XNNPACK's order of summation gives: from the bias, tap by tap, column by column of windows of up to 25 taps,
// else row by row; with one rounding for product and sum, or two.
std::vector<float> DepthwiseInOrder(const ref::Conv2DGeometry& g, const std::vector<float>& x,
                                    const std::vector<float>& w, const std::vector<float>& bias, bool fused) {
  const bool by_column = g.filter_h * g.filter_w <= 25;
  const int32_t lines = by_column ? g.filter_w : g.filter_h, taps = by_column ? g.filter_h : g.filter_w;
  std::vector<float> out;
  for (int32_t row = 0; row < g.batches * g.output_h; ++row) {
    for (int32_t ox = 0; ox < g.output_w; ++ox) {
      for (int32_t c = 0; c < g.input_c; ++c) {
        float sum = bias[static_cast<size_t>(c)];
        for (int32_t i = 0; i < lines * taps; ++i) {
          const int32_t ky = by_column ? i % taps : i / taps, kx = by_column ? i / taps : i % taps;
          const int32_t iy = row % g.output_h * g.stride_h - g.pad_h + ky * g.dilation_h;
          const int32_t ix = ox * g.stride_w - g.pad_w + kx * g.dilation_w;
          const bool inside = iy >= 0 && iy < g.input_h && ix >= 0 && ix < g.input_w;
          const int32_t line = row / g.output_h * g.input_h + iy;
          const float value = inside ? x[static_cast<size_t>((line * g.input_w + ix) * g.input_c + c)] : 0;
          const float weight = w[static_cast<size_t>((ky * g.filter_w + kx) * g.input_c + c)];
          sum = fused ? std::fma(value, weight, sum) : sum + value * weight;
        }
        out.push_back(sum);
      }
    }
  }
  return out;
}

TEST(DepthwiseConv2DFloat, AddsUpInXnnpacksOrderOnEveryInstructionSet) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (uint64_t seed = 0; seed < 150; ++seed) {
    Random random(23, seed);
    ref::Conv2DGeometry g = DrawGeometry(random, /*depthwise=*/true);
    g.filter_h = g.filter_w = 3;
    if (random.Chance(0.4)) g.filter_h = random.Between(1, 7), g.filter_w = random.Between(1, 6);
    if (random.Chance(0.7)) g.stride_h = g.stride_w = g.dilation_h = g.dilation_w = 1;
    if (seed % 3 == 1) g.filter_h = g.filter_w = 5;
    // Wide ones are read where they are, or in tiles of some columns.
    g.input_h = random.Between(1, 12), g.input_w = seed % 4 == 3 ? random.Between(15, 120) : random.Between(1, 14);
    g.pad_h = random.Between(0, 2), g.pad_w = random.Between(0, 2);
    SetOutputSize(g);
    const auto channels = static_cast<size_t>(g.input_c);
    const std::vector<float> x = Floats(random, static_cast<size_t>(g.batches * g.ImageSize()));
    const std::vector<float> w = Floats(random, static_cast<size_t>(g.PatchSize()) * channels);
    const std::vector<float> bias = Floats(random, channels);
    const std::vector<float> fused = DepthwiseInOrder(g, x, w, bias, true),
                             apart = DepthwiseInOrder(g, x, w, bias, false);
    OnEveryTarget([&](const std::string& target) {
      std::vector<float> out(fused.size() + 1, 77);
      std::vector<uint8_t> scratch(DepthwiseConv2DFloatScratch(g));
      const size_t rows = Rows(g), part = random.Below(static_cast<uint32_t>(rows) + 1);
      for (const Range range : {Range{0, part}, Range{part, rows}}) {
        DepthwiseConv2DFloat(g, x.data(), w.data(), bias.data(), -kInf, kInf, range, scratch.data(), out.data());
      }
      EXPECT_EQ(out.back(), 77) << target << ", seed " << seed;
      out.pop_back();
      EXPECT_TRUE(out == fused || out == apart) << target << ", seed " << seed;
    });
  }
}

TEST(Conv2DFloat, IsWithinRoundingOfDoublePrecisionOnEveryInstructionSet) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(19, seed);
    const bool depthwise = random.Chance(0.4);
    const Case c = Draw(random, depthwise);
    const auto outputs = static_cast<size_t>(c.g.output_c), depth = static_cast<size_t>(c.g.PatchSize());
    const std::vector<float> x = Floats(random, c.input.size()), w = Floats(random, c.filter.size());
    const std::vector<float> bias = Floats(random, outputs);
    const float low = random.Chance(0.3) ? 0 : -kInf, high = random.Chance(0.3) ? 6 : kInf;
    const auto reference = [&](const auto& in, const auto& filter, const auto& b, float least, float most) {
      std::vector<double> working(std::max(depth, outputs));
      std::vector<float> out(OutputSize(c));
      (depthwise ? ref::DepthwiseConv2DFloat : ref::Conv2DFloat)(c.g, in.data(), filter.data(), b.data(), least, most,
                                                                 working.data(), out.data());
      return out;
    };
    const std::vector<float> expected = reference(x, w, bias, low, high);
    const std::vector<float> magnitude = reference(Absolute(x), Absolute(w), Absolute(bias), -kInf, kInf);
    OnEveryTarget([&](const std::string& target) {
      std::vector<float> out(OutputSize(c) + 1, 77);
      if (depthwise) {
        std::vector<uint8_t> scratch(DepthwiseConv2DFloatScratch(c.g));
        DepthwiseConv2DFloat(c.g, x.data(), w.data(), bias.data(), low, high, {0, Rows(c.g)}, scratch.data(),
                             out.data());
      } else {
        std::vector<float> packed(PaddedOutputs(outputs) * depth), padded_bias(PaddedOutputs(outputs));
        PackWeightsFloat(outputs, depth, w.data(), packed.data());
        std::copy(bias.begin(), bias.end(), padded_bias.begin());
        std::vector<uint8_t> scratch(Conv2DFloatScratch(c.g));
        Conv2DFloat(c.g, x.data(), {outputs, depth, packed.data(), padded_bias.data(), low, high}, {0, PixelCount(c.g)},
                    scratch.data(), {out.data(), outputs});
      }
      EXPECT_EQ(out.back(), 77) << "written behind the output";
      out.pop_back();
      ExpectClose(out, expected, magnitude, c.g.PatchSize(), fmt::format("{}, seed {}", target, seed));
    });
  }
}

TEST(Targets, UnknownNamesAreRefused) {
  EXPECT_THROW(ForceTarget("avx9"), Error);
  EXPECT_EQ(AvailableTargets().back(), "none");
}

}  // namespace
}  // namespace assay::kernels::simd
