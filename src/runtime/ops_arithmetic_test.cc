#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "runtime/one_op_model.h"
#include "runtime/vector_kernels_check.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

TEST(Arithmetic, BroadcastsOnEitherSide) {
  const auto sub = [](Shape a, std::vector<float> x, Shape b, std::vector<float> y) {
    return OneOpModel(BuiltinOp::kSub).Input<float>(a, x).Input<float>(b, y).Output(DType::kFloat32);
  };
  const OneOpModel column = sub({2, 1}, {10, 20}, {3}, {1, 2, 3});
  EXPECT_EQ(column.Run<float>(), (std::vector<float>{9, 8, 7, 19, 18, 17}));
  EXPECT_EQ(column.OutputShape(), (Shape{2, 3}));
  EXPECT_EQ(sub({}, {10}, {2, 1, 2}, {1, 2, 3, 4}).Run<float>(), (std::vector<float>{9, 8, 7, 6}));
  EXPECT_EQ(sub({2, 1, 2, 1, 2, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, {2, 1}, {0, 100})
                .OutputShape(),
            (Shape{2, 1, 2, 1, 2, 2, 2}));
  EXPECT_EQ(sub({0, 2}, {}, {1, 2}, {1, 2}).OutputShape(), (Shape{0, 2}));
  EXPECT_EQ(sub({2, 3}, {1, 2, 3, 4, 5, 6}, {1, 1, 1}, {1}).OutputShape("xnnpack"), (Shape{1, 2, 3}));
}

// Factors of channels, as squeeze-and-excite has them, on either side: short rows that many rows share.
TEST(Arithmetic, VectorKernelsOfSharedRowsGiveThePlainLoopsBits) {
  for (uint64_t seed = 0; seed < 48; ++seed) {
    Random random(81, seed);
    const int32_t batches = random.Between(1, 2), channels = random.Between(1, 130);
    const Shape image = {batches, random.Between(30, 40), random.Between(30, 40), channels};
    const Shape factors = random.Chance(0.5) ? Shape{batches, 1, 1, channels} : Shape{channels};
    const auto draw = [&](const Shape& shape) {
      std::vector<int8_t> codes(static_cast<size_t>(shape.NumElements()));
      for (int8_t& code : codes) code = static_cast<int8_t>(random.Between(-128, 127));
      return codes;
    };
    const auto quantized = [&](float scale) { return ModelBuilder::PerTensor(scale, random.Between(-128, 127)); };
    OneOpModel model(seed % 3 == 0 ? BuiltinOp::kAdd : seed % 3 == 1 ? BuiltinOp::kSub : BuiltinOp::kMul);
    const bool swapped = random.Chance(0.4);
    model.Option("fused_activation_function", random.Chance(0.3) ? 1 : 0)
        .Input<int8_t>(swapped ? factors : image, draw(swapped ? factors : image), quantized(0.05F))
        .Input<int8_t>(swapped ? image : factors, draw(swapped ? image : factors), quantized(0.03F))
        .Output(DType::kInt8, quantized(0.06F));
    CheckVectorKernels(model, nullptr, 1, fmt::format("seed {}", seed));
  }
}

template <typename T>
std::vector<T> DrawCodes(Random& random, const Shape& shape) {
  std::vector<T> codes(static_cast<size_t>(shape.NumElements()));
  for (T& code : codes) code = static_cast<T>(random.Next() >> 40);
  return codes;
}

// Full blocks of runs round otherwise than what is left of them: runs of one dimension or several, of both operands or
// of one against a single value, and some that threads share. Many sums are ties that the rounding of inputs decides.
template <typename T>
void CheckBlocks(DType dtype) {
  for (uint64_t seed = 0; seed < 36; ++seed) {
    Random random(82, seed);
    const int32_t h = random.Between(1, 5), w = random.Between(1, 50), c = random.Between(1, 40);
    const Shape shapes[][2] = {{{h, w, c}, {h, w, c}}, {{h, w, c}, {w, c}},        {{h, w, c}, {h, 1, c}},
                               {{h, w}, {h, 1}},       {{h, w, c}, {1}},           {{h, 1, c}, {1, w, 1}},
                               {{h, 1, c}, {w, 1}},    {{40000 + c}, {40000 + c}}, {{90000 + c}, {1}}};
    Shape a = shapes[seed % std::size(shapes)][0], b = shapes[seed % std::size(shapes)][1];
    if (random.Chance(0.5)) std::swap(a, b);
    constexpr int kLeft = sizeof(T) == 2 ? 15 : 20;
    const bool ties = random.Chance(0.6);
    const float a_scale = 0.05F, b_scale = ties ? std::ldexp(3 * a_scale, random.Between(-2, 3) - kLeft) : 0.03F;
    const auto quantized = [&](float scale) {
      const int32_t low = std::numeric_limits<T>::min();
      return ModelBuilder::PerTensor(scale, sizeof(T) == 2 ? 0 : random.Between(low, low + 255));
    };
    for (const BuiltinOp op : {BuiltinOp::kAdd, BuiltinOp::kSub, BuiltinOp::kMul}) {
      OneOpModel model(op);
      model.Option("fused_activation_function", random.Chance(0.3) ? 1 : 0);
      if (op != BuiltinOp::kMul) model.Option("pot_scale_int16", 0);
      const bool multiplies = op == BuiltinOp::kMul, overflows = multiplies && random.Chance(0.2);
      const std::vector<T> x = DrawCodes<T>(random, a), y = DrawCodes<T>(random, b);
      model.Input<T>(a, x, quantized(a_scale));
      model.Input<T>(b, y, quantized(multiplies ? 0.03F : b_scale));
      model.Output(dtype, quantized(overflows ? 1e-4F : 2 * a_scale));
      CheckVectorKernels(model, nullptr, 1,
                         fmt::format("op {}, {}, seed {}", static_cast<int>(op), DTypeName(dtype), seed));
    }
  }
}
TEST(Arithmetic, VectorKernelsOfBlocksGiveThePlainLoopsBits) {
  CheckBlocks<int8_t>(DType::kInt8);
  CheckBlocks<uint8_t>(DType::kUInt8);
  CheckBlocks<int16_t>(DType::kInt16);
}

// Of a large tensor and of its rows one by one.
template <typename T>
void CheckLargeTensors(BuiltinOp op, DType dtype) {
  constexpr int32_t kRows = 100, kColumns = 130;
  Random random(83, static_cast<uint64_t>(op));
  const auto draw = [&](int32_t count) {
    std::vector<T> codes(static_cast<size_t>(count));
    for (T& code : codes) code = static_cast<T>(random.Between(0, 255));
    return codes;
  };
  const std::vector<T> a = draw(kRows * kColumns), b = draw(kRows * kColumns), factors = draw(kColumns);
  const int32_t offset = std::is_signed_v<T> ? -128 : 0;
  const auto run = [&](const Shape& shape, const std::vector<T>& x, const Shape& other, const std::vector<T>& y) {
    OneOpModel model(op);
    model.Option("fused_activation_function", 0);
    model.Input<T>(shape, x, ModelBuilder::PerTensor(0.05F, offset + 100));
    model.Input<T>(other, y, ModelBuilder::PerTensor(0.03F, offset + 7));
    model.Output(dtype, ModelBuilder::PerTensor(0.06F, offset + 90));
    return model.Run<T>("reference");
  };
  std::vector<T> flat, rows;
  for (int32_t r = 0; r < kRows; ++r) {
    const auto of = [&](const std::vector<T>& all) {
      return std::vector<T>(all.begin() + r * kColumns, all.begin() + (r + 1) * kColumns);
    };
    const std::vector<T> by_element = run({kColumns}, of(a), {kColumns}, of(b));
    const std::vector<T> by_factors = run({kColumns}, of(a), {kColumns}, factors);
    flat.insert(flat.end(), by_element.begin(), by_element.end());
    rows.insert(rows.end(), by_factors.begin(), by_factors.end());
  }
  EXPECT_EQ(run({kRows, kColumns}, a, {kRows, kColumns}, b), flat);
  EXPECT_EQ(run({kRows, kColumns}, a, {kColumns}, factors), rows);
}
TEST(Arithmetic, LargeTensorsOfCodesHaveTheBitsOfSmallOnes) {
  for (const BuiltinOp op : {BuiltinOp::kAdd, BuiltinOp::kSub, BuiltinOp::kMul}) {
    CheckLargeTensors<int8_t>(op, DType::kInt8);
    CheckLargeTensors<uint8_t>(op, DType::kUInt8);
  }
}

TEST(Arithmetic, IntegersWrap) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max(), kMin = std::numeric_limits<int32_t>::min();
  const auto run = [](BuiltinOp op, int32_t a, int32_t b, int activation = 0) {
    return OneOpModel(op)
        .Option("fused_activation_function", activation)
        .Input<int32_t>({1}, {a})
        .Input<int32_t>({1}, {b})
        .Output(DType::kInt32)
        .Run<int32_t>()[0];
  };
  EXPECT_EQ(run(BuiltinOp::kAdd, kMax, 1), kMin);
  EXPECT_EQ(run(BuiltinOp::kSub, kMin, 1), kMax);
  EXPECT_EQ(run(BuiltinOp::kMul, kMin, -1), kMin);
  EXPECT_EQ(run(BuiltinOp::kAdd, 3, 5, 3), 6);
  EXPECT_EQ(run(BuiltinOp::kSub, 3, 5, 1), 0);
  EXPECT_EQ(run(BuiltinOp::kSub, 3, 5, 2), -1);
}

TEST(Arithmetic, FloatsStayFiniteUnlessXnnpackRuns) {
  const OneOpModel mul =
      OneOpModel(BuiltinOp::kMul).Input<float>({1}, {3e38F}).Input<float>({1}, {-2}).Output(DType::kFloat32);
  EXPECT_EQ(mul.Run<float>("reference")[0], std::numeric_limits<float>::lowest());
  EXPECT_EQ(mul.Run<float>("builtin")[0], std::numeric_limits<float>::lowest());
  EXPECT_EQ(mul.Run<float>("xnnpack")[0], -std::numeric_limits<float>::infinity());
}

// 0.5 * (7 - 1) + 0.25 * (-2 - 2) = 2, which is code 8 + 5.
TEST(Arithmetic, CodesAreScaled) {
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    const OneOpModel model = OneOpModel(BuiltinOp::kAdd)
                                 .Input<int8_t>({1, 3}, {7, 127, -128}, ModelBuilder::PerTensor(0.5F, 1))
                                 .Input<int8_t>({1, 3}, {-2, 127, -128}, ModelBuilder::PerTensor(0.25F, 2))
                                 .Output(DType::kInt8, ModelBuilder::PerTensor(0.25F, 5));
    EXPECT_EQ(model.Run<int8_t>(profile), (std::vector<int8_t>{13, 127, -128})) << profile;
  }
}

// Beyond 16 bits the optimised product saturates in full blocks and 5 is added wrapping: the tail does not.
TEST(Arithmetic, OptimisedProductWrapsInFullBlocks) {
  const std::vector<int8_t> x(17, 127);
  const OneOpModel model = OneOpModel(BuiltinOp::kMul)
                               .Input<int8_t>({17}, x, ModelBuilder::PerTensor(1))
                               .Input<int8_t>({17}, x, ModelBuilder::PerTensor(1))
                               .Output(DType::kInt8, ModelBuilder::PerTensor(0.25F, 5));
  EXPECT_EQ(model.Run<int8_t>("reference"), (std::vector<int8_t>(17, 127)));
  std::vector<int8_t> wrapped(17, -128);
  wrapped[16] = 127;
  EXPECT_EQ(model.Run<int8_t>("builtin"), wrapped);
}

TEST(Arithmetic, RefusesWhatCannotBe) {
  const auto message = [](BuiltinOp op, Shape a, Shape b, Quantization in, Quantization out) {
    return OneOpModel(op)
        .Input<int8_t>(a, std::vector<int8_t>(static_cast<size_t>(a.NumElements())), in)
        .Input<int8_t>(b, std::vector<int8_t>(static_cast<size_t>(b.NumElements())), in)
        .Output(DType::kInt8, out)
        .Message();
  };
  const Quantization q = ModelBuilder::PerTensor(1);
  EXPECT_EQ(message(BuiltinOp::kAdd, {2}, {2}, q, q), "");
  EXPECT_NE(message(BuiltinOp::kAdd, {2}, {3}, q, q).find("shapes [2], [3] do not broadcast"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kAdd, {2}, {2}, {}, q).find("input 0 has 0 scales"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kMul, {2}, {2}, q, {}).find("output has 0 scales"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kMul, {2}, {2}, ModelBuilder::PerTensor(1e30F), q).find("out of range"),
            std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kAdd)
                .Input<float>({1}, {1})
                .Input<int32_t>({1}, {1})
                .Output(DType::kFloat32)
                .Message()
                .find("input 0 is float32 but input 1 is int32"),
            std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kAdd).Input<float>({1}, {1}).Output(DType::kFloat32).Message().find("has 1 inputs"),
            std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kMul)
                .Input<double>({1}, {1})
                .Input<double>({1}, {1})
                .Output(DType::kFloat64)
                .Message()
                .find("have no kernel"),
            std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kSub)
                .Input<int16_t>({1}, {1}, ModelBuilder::PerTensor(0.5F))
                .Input<int16_t>({1}, {1}, ModelBuilder::PerTensor(0.5F))
                .Output(DType::kInt16, ModelBuilder::PerTensor(0.25F))
                .Message()
                .find("one must equal it"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
