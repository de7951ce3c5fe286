// Element by element, sums, pooling and resizing on every instruction set of this machine, against kernels/ref, to the
// bit.
#include "kernels/simd/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/ref/arg_min_max.h"
#include "kernels/simd/arg_max.h"
#include "kernels/simd/reduce.h"
#include "kernels/simd/resize_bilinear.h"
#include "kernels/simd/test_edge.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

template <typename T>
std::vector<T> Draw(Random& random, size_t count) {
  std::vector<T> values(count);
  for (T& v : values) {
    if constexpr (std::is_floating_point_v<T>) {
      v = static_cast<T>(random.Normal() * std::exp2(static_cast<double>(random.Below(12)) - 6));
      if (random.Chance(0.02)) v = std::numeric_limits<T>::quiet_NaN();
      if (random.Chance(0.02)) v = std::numeric_limits<T>::infinity();
    } else {
      v = static_cast<T>(random.Next() >> 40);
    }
  }
  return values;
}

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Both ways of every length up to more than three vectors of bytes; one value behind the output must stay.
template <typename In, typename Out, typename F>
void CheckMap(uint64_t seed, const F& f) {
  Random random(31, seed);
  for (size_t count = 0; count < 200; count += 1 + count / 9) {
    const std::vector<In> x = Draw<In>(random, count);
    std::vector<Out> expected(count + 1);
    for (size_t i = 0; i < count; ++i) expected[i] = static_cast<Out>(f(x[i]));
    expected[count] = Out{42};
    OnEveryTarget([&](const std::string& target) {
      std::vector<Out> y(count + 1, Out{42});
      Map<In, Out, F>(x.data(), y.data(), count, f);
      EXPECT_TRUE(SameBits(y, expected)) << target << ", " << count << " values";
    });
  }
}

// The first of some values, with no memory behind them.
template <typename T>
EdgeBytes AtEdge(const std::vector<T>& values, size_t count) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  return EdgeBytes(std::vector<uint8_t>(bytes, bytes + count * sizeof(T)));
}

template <typename T, typename F>
void CheckCombine(uint64_t seed, const F& f) {
  Random random(32, seed);
  for (size_t count = 0; count < 200; count += 1 + count / 9) {
    for (const bool a_repeats : {false, true}) {
      for (const bool b_repeats : {false, true}) {
        const std::vector<T> a = Draw<T>(random, count + 1), b = Draw<T>(random, count + 1);
        std::vector<T> expected(count + 1);
        for (size_t i = 0; i < count; ++i) {
          expected[i] = static_cast<T>(f(a[a_repeats ? 0 : i], b[b_repeats ? 0 : i]));
        }
        expected[count] = T{42};
        const EdgeBytes first = AtEdge(a, a_repeats ? 1 : count), second = AtEdge(b, b_repeats ? 1 : count);
        OnEveryTarget([&](const std::string& target) {
          std::vector<T> y(count + 1, T{42});
          Combine<T, F>(reinterpret_cast<const T*>(first.data()), a_repeats, reinterpret_cast<const T*>(second.data()),
                        b_repeats, y.data(), count, f);
          EXPECT_TRUE(SameBits(y, expected)) << target << ", " << count << " values " << a_repeats << b_repeats;
        });
      }
    }
  }
}

TEST(Elementwise, MapsEqualTheirFunctors) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Random random(33, seed);
    const auto scale = static_cast<float>(std::exp2(random.Uniform() * 20 - 14));
    const ref::CodeOf int8 = {scale, random.Between(-128, 127), -128, 127};
    const ref::CodeOf uint8 = {scale, random.Between(0, 255), 0, 255};
    CheckMap<float, int8_t>(seed, QuantizeXnnpack{int8});
    CheckMap<float, uint8_t>(seed, QuantizeXnnpack{uint8});
    CheckMap<float, int8_t>(seed, QuantizeBlock{int8});
    CheckMap<float, uint8_t>(seed, QuantizeBlock{uint8});
    CheckMap<float, int16_t>(seed, QuantizeBlock{{scale, 0, -32768, 32767}});
    CheckMap<int8_t, float>(seed, ref::Dequantizer{scale, int8.zero_point});
    CheckMap<uint8_t, float>(seed, ref::Dequantizer{scale, uint8.zero_point});
    CheckMap<int16_t, float>(seed, ref::Dequantizer{scale, 0});
    CheckMap<int8_t, float>(seed, DequantizeBlock{{scale, int8.zero_point}});
    CheckMap<uint8_t, float>(seed, DequantizeBlock{{scale, uint8.zero_point}});
    CheckMap<float, float>(seed, ref::ClampFloat{-scale, 3 * scale});
    CheckMap<float, float>(seed, ref::HardSwishFloat{});
    CheckMap<float, float>(seed, ref::HardSwishXnnpack{});
    CheckMap<float, float>(seed, ref::LeakyReluFloat{scale});
  }
}

template <typename T>
void CheckCodeCombinations(uint64_t seed) {
  Random random(34, seed);
  constexpr int32_t kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  const auto zero = [&] { return sizeof(T) == 2 ? 0 : random.Between(kLow, kHigh); };
  const int32_t low = random.Chance(0.5) ? kLow : random.Between(kLow, kHigh), high = random.Between(low, kHigh);
  if constexpr (sizeof(T) == 1) {
    ref::AddXnnpack add;
    add.a_zero_point = zero(), add.b_zero_point = zero(), add.zero_point = zero();
    add.shift = random.Between(13, 30);
    add.a_multiplier = random.Between(1, 1 << 21), add.b_multiplier = random.Between(-(1 << 21), 1 << 21);
    add.low = low, add.high = high;
    CheckCombine<T>(seed, add);
  }
  ref::MultiplyQuantized product;
  product.a_zero_point = zero(), product.b_zero_point = zero();
  product.scale = numerics::ChannelScale(
      static_cast<double>(static_cast<float>(std::exp2(random.Uniform() * 20 - (sizeof(T) == 2 ? 30 : 16)))));
  product.stage = {numerics::Rounding::kFixedHalfAway, zero(), low, high};
  CheckCombine<T>(seed, product);
  if constexpr (sizeof(T) == 1) {
    product.stage.rounding = numerics::Rounding::kFloatHalfEven;
    const MultiplyXnnpack rounded = {product, static_cast<float>(low - product.stage.zero_point),
                                     static_cast<float>(high - product.stage.zero_point)};
    EXPECT_EQ(rounded(static_cast<T>(3), static_cast<T>(-2)), product(static_cast<T>(3), static_cast<T>(-2)));
    CheckCombine<T>(seed, rounded);
  }
}

TEST(Elementwise, CombinationsEqualTheirFunctors) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    CheckCodeCombinations<int8_t>(seed);
    CheckCodeCombinations<uint8_t>(seed);
    CheckCodeCombinations<int16_t>(seed);
    CheckCombine<float>(seed, AddFloats{-4, 5});
    CheckCombine<float>(seed, SubtractFloats{-4, 5});
    CheckCombine<float>(seed, MultiplyFloats{0, 6});
    CheckCombine<float>(seed, ref::Larger{});
    CheckCombine<float>(seed, ref::Smaller{});
    CheckCombine<int8_t>(seed, ref::Larger{});
    CheckCombine<int8_t>(seed, ref::Smaller{});
  }
}

// Scales as models have them, some of them the same or powers of two apart, so that many results are ties.
double DrawScale(Random& random) {
  const double power = std::exp2(random.Between(-5, 5));
  return random.Chance(0.4) ? power : static_cast<double>(static_cast<float>(power * (0.5 + random.Uniform())));
}

// As ADD and SUB prepare it; sometimes from scales that lie far apart.
template <typename T>
ref::AddQuantized DrawAdd(Random& random) {
  constexpr int32_t kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  const auto zero = [&] {
    if (sizeof(T) == 2) return 0;
    return random.Chance(0.3) ? (random.Chance(0.5) ? kLow : kHigh) : random.Between(kLow, kHigh);
  };
  ref::AddQuantized f;
  f.a_zero_point = zero(), f.b_zero_point = zero(), f.zero_point = zero();
  f.left_shift = sizeof(T) == 2 ? 15 : 20;
  const double a = DrawScale(random);
  double b = random.Chance(0.3) ? a : DrawScale(random);
  double out = random.Chance(0.2) ? a : random.Chance(0.1) ? a * 0x1p-12 : DrawScale(random) * 2;
  // Of a alone half of the sums are ties; b moves them by a few units of the way through 32 bits, in halves of one.
  if (random.Chance(0.2)) out = 2 * a, b = std::ldexp(3 * a, random.Between(-2, 3) - f.left_shift);
  const double common = 2 * std::max(a, b);
  f.a = numerics::ToFixedPoint(a / common), f.b = numerics::ToFixedPoint(b / common);
  f.out = numerics::ToFixedPoint(common / (std::ldexp(out, f.left_shift)));
  f.subtract = random.Chance(0.3);
  f.low = random.Chance(0.7) ? kLow : random.Between(kLow, kHigh);
  f.high = random.Chance(0.7) ? kHigh : random.Between(f.low, kHigh);
  return f;
}

// What kernels/ref computes in full blocks, or of the rest.
template <typename T>
int32_t SumOf(const ref::AddQuantized& f, AddCodes::InputShift shift, int32_t a, int32_t b) {
  using Shift = AddCodes::InputShift;
  if (shift == Shift::kHalfAway) return f(a, b);
  if (sizeof(T) == 2) return f.InBlockInt16(a, b);
  return shift == Shift::kBefore ? f.InBlock<Shift::kBefore>(a, b) : f.InBlock<Shift::kFloor>(a, b);
}

// Whether Combine makes `expected` of these operands on every target.
template <typename T, typename F>
void CheckSame(const std::vector<T>& a, const std::vector<T>& b, const F& f, const std::vector<T>& expected) {
  OnEveryTarget([&](const std::string& target) {
    std::vector<T> y(expected.size());
    Combine<T, F>(a.data(), false, b.data(), false, y.data(), y.size(), f);
    EXPECT_TRUE(y == expected) << target;
  });
}

// All pairs of 8-bit codes, many of 16-bit ones.
template <typename T>
void DrawPairs(Random& random, std::vector<T>* a, std::vector<T>* b) {
  constexpr size_t kPairs = 65536;
  *a = Draw<T>(random, kPairs), *b = Draw<T>(random, kPairs);
  for (size_t i = 0; i < kPairs && sizeof(T) == 1; ++i) (*a)[i] = static_cast<T>(i / 256), (*b)[i] = static_cast<T>(i);
  if constexpr (sizeof(T) == 2) {
    for (size_t i = 0; i < kPairs; i += 7) (*a)[i] = static_cast<T>(i % 3 == 0 ? -32768 : 32767 - i % 5);
    for (size_t i = 0; i < kPairs; i += 5) (*b)[i] = static_cast<T>(i % 3 == 0 ? -32768 : i % 2);
  }
}

// How many of the rules that were drawn are computed on vectors.
template <typename T>
int CheckSums(AddCodes::InputShift shift) {
  int served = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(40, seed);
    const ref::AddQuantized f = DrawAdd<T>(random);
    const auto codes = AddCodes::Of<T>(f, shift);
    if (!codes.has_value()) continue;
    ++served;
    std::vector<T> a, b, expected;
    DrawPairs(random, &a, &b);
    for (size_t i = 0; i < a.size(); ++i) {
      expected.push_back(static_cast<T>(SumOf<T>(f, shift, a[i], b[i])));
      if (expected.back() != static_cast<T>((*codes)(a[i], b[i]))) {
        ADD_FAILURE() << "of one pair, seed " << seed;
        break;
      }
    }
    SCOPED_TRACE("seed " + std::to_string(seed));
    CheckSame(a, b, *codes, expected);
    if (seed < 10) CheckCombine<T>(seed, *codes);
  }
  return served;
}

TEST(Elementwise, SumsOfCodesEqualTheReference) {
  using Shift = AddCodes::InputShift;
  for (const Shift shift : {Shift::kHalfAway, Shift::kBefore, Shift::kFloor}) {
    EXPECT_GE(CheckSums<int8_t>(shift), 45);
    EXPECT_GE(CheckSums<uint8_t>(shift), 45);
  }
  EXPECT_GE(CheckSums<int16_t>(Shift::kHalfAway), 45);
  EXPECT_GE(CheckSums<int16_t>(Shift::kBefore), 45);
  EXPECT_EQ(CheckSums<int16_t>(Shift::kFloor), 0);
}

// Where a sum of a full block would wrap, there is nothing on vectors.
TEST(Elementwise, SumsOfCodesThatLeave16BitsAreNotServed) {
  using Shift = AddCodes::InputShift;
  ref::AddQuantized f;
  f.a = f.b = numerics::ToFixedPoint(0.5), f.low = -128, f.high = 127;
  const auto with_largest = [&](double sum) {
    f.out = numerics::ToFixedPoint(sum / (510 << 19));
    return f;
  };
  f.a_zero_point = f.b_zero_point = -128;
  EXPECT_TRUE(AddCodes::Of<int8_t>(with_largest(32600), Shift::kBefore).has_value());
  EXPECT_FALSE(AddCodes::Of<int8_t>(with_largest(32800), Shift::kBefore).has_value());
  EXPECT_FALSE(AddCodes::Of<int8_t>(with_largest(32800), Shift::kFloor).has_value());
  EXPECT_TRUE(AddCodes::Of<int8_t>(with_largest(32800), Shift::kHalfAway).has_value());
  f.zero_point = 127;
  EXPECT_FALSE(AddCodes::Of<int8_t>(with_largest(32700), Shift::kBefore).has_value());
  f.zero_point = 0, f.out.shift = 1;
  EXPECT_FALSE(AddCodes::Of<int8_t>(f, Shift::kHalfAway).has_value());
}

template <typename T>
void CheckProducts() {
  constexpr int32_t kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(41, seed);
    const auto zero = [&] {
      if (sizeof(T) == 2) return 0;
      return random.Chance(0.3) ? (random.Chance(0.5) ? kLow : kHigh) : random.Between(kLow, kHigh);
    };
    ref::MultiplyQuantized f;
    f.a_zero_point = zero(), f.b_zero_point = zero();
    const int largest = random.Chance(0.2) ? 4 : 0;
    const double power = std::exp2(random.Between(sizeof(T) == 2 ? -20 : -12, largest));
    f.scale = numerics::ChannelScale(random.Chance(0.4) ? power : power * (0.5 + random.Uniform()));
    const int32_t low = random.Chance(0.7) ? kLow : random.Between(kLow, kHigh);
    f.stage = {numerics::Rounding::kFixedHalfAway, zero(), low,
               random.Chance(0.7) ? kHigh : random.Between(low, kHigh)};
    std::vector<T> a, b, expected;
    DrawPairs(random, &a, &b);
    for (size_t i = 0; i < a.size(); ++i) expected.push_back(static_cast<T>(f(a[i], b[i])));
    SCOPED_TRACE("seed " + std::to_string(seed));
    CheckSame(a, b, f, expected);
    if (seed < 10) CheckCombine<T>(seed, f);
  }
}

TEST(Elementwise, ProductsOfCodesEqualTheReference) {
  CheckProducts<int8_t>();
  CheckProducts<uint8_t>();
  CheckProducts<int16_t>();
}

TEST(Elementwise, TablesOfBytes) {
  Random random(35, 0);
  ByteTable table;
  for (uint8_t& entry : table) entry = static_cast<uint8_t>(random.Below(256));
  for (size_t count = 0; count < 300; ++count) {
    const std::vector<uint8_t> x = Draw<uint8_t>(random, count);
    std::vector<uint8_t> expected;
    for (const uint8_t code : x) expected.push_back(table[code]);
    expected.push_back(42);
    OnEveryTarget([&](const std::string& target) {
      std::vector<uint8_t> y(count + 1, 42);
      LookupBytes(table, x.data(), y.data(), count);
      EXPECT_TRUE(y == expected) << target << ", " << count << " codes";
    });
  }
}

template <typename T, typename Sum>
void CheckAddRows(uint64_t seed) {
  Random random(36, seed);
  const size_t rows = random.Below(40), channels = 1 + random.Below(150);
  const std::vector<T> x = Draw<T>(random, rows * channels);
  std::vector<Sum> expected(channels);
  for (size_t i = 0; i < x.size(); ++i) expected[i % channels] += static_cast<Sum>(x[i]);
  OnEveryTarget([&](const std::string& target) {
    std::vector<Sum> sums(channels);
    AddRows(x.data(), rows, channels, sums.data());
    // Not-a-number has no sign that could be relied upon.
    for (size_t c = 0; c < channels; ++c) {
      EXPECT_TRUE(sums[c] == expected[c] || (sums[c] != sums[c] && expected[c] != expected[c])) << target;
    }
  });
}

TEST(Reduce, SumsOfRows) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CheckAddRows<int8_t, int32_t>(seed);
    CheckAddRows<uint8_t, int32_t>(seed);
    CheckAddRows<int16_t, int32_t>(seed);
    CheckAddRows<float, float>(seed);
    CheckAddRows<float, double>(seed);
  }
}

ref::Pool2DGeometry DrawPool(Random& random) {
  ref::Pool2DGeometry g;
  g.batches = random.Between(1, 2), g.channels = random.Between(1, 100);
  g.input_h = random.Between(1, 9), g.input_w = random.Between(1, 9);
  g.filter_h = random.Between(1, g.input_h), g.filter_w = random.Between(1, g.input_w);
  g.stride_h = random.Between(1, 3), g.stride_w = random.Between(1, 3);
  g.pad_h = random.Between(0, g.filter_h / 2), g.pad_w = random.Between(0, g.filter_w / 2);
  g.output_h = (g.input_h + g.pad_h - g.filter_h) / g.stride_h + 1;
  g.output_w = (g.input_w + g.pad_w - g.filter_w) / g.stride_w + 1;
  return g;
}

// Computed in two pieces, as two threads would.
template <typename T, typename Sum, typename Bound>
void CheckPools(uint64_t seed, Bound low, Bound high) {
  Random random(37, seed);
  const ref::Pool2DGeometry g = DrawPool(random);
  std::vector<T> x = Draw<T>(random, static_cast<size_t>(g.batches * g.input_h * g.input_w * g.channels));
  for (T& v : x) v = v == v ? v : T{1};
  const auto rows = static_cast<size_t>(g.batches * g.output_h);
  const size_t size = rows * static_cast<size_t>(g.output_w * g.channels), cut = random.Below(rows + 1);
  std::vector<T> average(size), maximum(size);
  if constexpr (std::is_integral_v<T>) {
    ref::AveragePoolQuantized<T>(g, x.data(), low, high, average.data());
  } else {
    ref::AveragePoolFloat(g, x.data(), low, high, average.data());
  }
  ref::MaxPool<T, Bound>(g, x.data(), low, high, maximum.data());
  OnEveryTarget([&](const std::string& target) {
    std::vector<T> y(size);
    std::vector<Sum> sums(static_cast<size_t>(g.channels));
    AveragePoolRows(g, x.data(), low, high, 0, cut, sums.data(), y.data());
    AveragePoolRows(g, x.data(), low, high, cut, rows, sums.data(), y.data());
    EXPECT_TRUE(SameBits(y, average)) << target << ", average, seed " << seed;
    MaxPoolRows(g, x.data(), low, high, 0, cut, y.data());
    MaxPoolRows(g, x.data(), low, high, cut, rows, y.data());
    EXPECT_TRUE(SameBits(y, maximum)) << target << ", maximum, seed " << seed;
  });
}

TEST(Pool2D, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    CheckPools<int8_t, int32_t, int32_t>(seed, -128, 127);
    CheckPools<int8_t, int32_t, int32_t>(seed, -5, 60);
    CheckPools<uint8_t, int32_t, int32_t>(seed, 0, 255);
    CheckPools<float, float, float>(seed, -2, 6);
  }
}

TEST(Pool2D, EqualsTheReferenceInXnnpacksOrderOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 120; ++seed) {
    Random random(39, seed);
    const ref::Pool2DGeometry g = DrawPool(random);
    std::vector<float> x = Draw<float>(random, static_cast<size_t>(g.batches * g.input_h * g.input_w * g.channels));
    for (float& v : x) v = v == v ? v : 1.0F;
    const auto rows = static_cast<size_t>(g.batches * g.output_h);
    const size_t size = rows * static_cast<size_t>(g.output_w * g.channels), cut = random.Below(rows + 1);
    const float low = random.Chance(0.5) ? -1e30F : 0.0F, high = random.Chance(0.5) ? 1e30F : 6.0F;
    std::vector<float> expected(size);
    ref::AveragePoolFloatXnnpack(g, x.data(), low, high, expected.data());
    OnEveryTarget([&](const std::string& target) {
      std::vector<float> y(size), zeros(static_cast<size_t>(g.channels));
      AveragePoolRowsXnnpack(g, x.data(), low, high, 0, cut, zeros.data(), y.data());
      AveragePoolRowsXnnpack(g, x.data(), low, high, cut, rows, zeros.data(), y.data());
      EXPECT_TRUE(SameBits(y, expected)) << target << ", seed " << seed;
    });
  }
}

template <typename T>
void CheckResize(uint64_t seed) {
  Random random(38, seed);
  ref::ResizeGeometry g;
  g.batches = random.Between(1, 2), g.channels = random.Between(1, 70);
  const bool corners = random.Chance(0.3), half = !corners && random.Chance(0.5);
  g.y = {random.Between(1, 7), random.Between(1, 15), corners, half};
  g.x = {random.Between(1, 7), random.Between(1, 15), corners, half};
  std::vector<ref::ResizeTap<float>> y(static_cast<size_t>(g.y.output)), x(static_cast<size_t>(g.x.output));
  ref::ResizeTapsXnnpack(g.y, y.data());
  ref::ResizeTapsXnnpack(g.x, x.data());
  const std::vector<T> input = Draw<T>(random, static_cast<size_t>(g.batches * g.y.input * g.x.input * g.channels));
  std::vector<T> expected(static_cast<size_t>(g.batches * g.y.output * g.x.output * g.channels));
  if constexpr (std::is_integral_v<T>) {
    ref::ResizeBilinearElevenBit<T>(g, y.data(), x.data(), input.data(), expected.data());
  } else {
    ref::ResizeBilinearFused(g, y.data(), x.data(), input.data(), expected.data());
  }
  const auto rows = static_cast<size_t>(g.batches * g.y.output);
  OnEveryTarget([&](const std::string& target) {
    std::vector<T> out(expected.size());
    std::vector<float> scratch(ResizeBilinearScratch(g) / sizeof(float));
    ResizeBilinearRows(g, y.data(), x.data(), {0, rows / 3}, input.data(), scratch.data(), out.data());
    ResizeBilinearRows(g, y.data(), x.data(), {rows / 3, rows}, input.data(), scratch.data(), out.data());
    EXPECT_TRUE(SameBits(out, expected)) << target << ", seed " << seed;
  });
}

TEST(ResizeBilinear, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CheckResize<int8_t>(seed);
    CheckResize<uint8_t>(seed);
    CheckResize<float>(seed);
  }
}

template <typename Index>
void CheckArgMax(uint64_t seed) {
  Random random(39, seed);
  const size_t rows = random.Below(9), size = kLeastArgMaxRow + random.Below(60);
  std::vector<int8_t> x(rows * size);
  const int32_t values = random.Chance(0.5) ? 3 : 256;  // many that are equal
  for (int8_t& v : x) v = static_cast<int8_t>(random.Between(0, values - 1) - values / 2);
  const auto* bytes = reinterpret_cast<const uint8_t*>(x.data());
  for (const bool is_signed : {false, true}) {
    for (const bool largest : {false, true}) {
      std::vector<Index> expected(rows);
      const auto outer = static_cast<int64_t>(rows);
      if (is_signed) {
        ref::ArgMinMax(outer, static_cast<int32_t>(size), 1, largest, x.data(), expected.data());
      } else {
        ref::ArgMinMax(outer, static_cast<int32_t>(size), 1, largest, bytes, expected.data());
      }
      OnEveryTarget([&](const std::string& target) {
        std::vector<Index> out(rows);
        const int flip = (is_signed ? 0x80 : 0) ^ (largest ? 0 : 0xFF);
        ArgMaxOfRows(bytes, rows, size, static_cast<uint8_t>(flip), out.data());
        EXPECT_EQ(out, expected) << target << ", seed " << seed;
      });
    }
  }
}

TEST(ArgMaxOfRows, EqualsTheReferenceOnEveryInstructionSet) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    CheckArgMax<int32_t>(seed);
    CheckArgMax<int64_t>(seed);
  }
}

}  // namespace
}  // namespace assay::kernels::simd
