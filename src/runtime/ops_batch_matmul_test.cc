#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "runtime/one_op_model.h"
#include "runtime/vector_kernels_check.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

OneOpModel BatchMatMul(bool adj_x = false, bool adj_y = false) {
  OneOpModel model(BuiltinOp::kBatchMatmul);
  model.Option("adj_x", adj_x).Option("adj_y", adj_y);
  return model;
}

TEST(BatchMatMul, EitherOperandMayBeStoredTransposed) {
  const std::vector<float> y = {9, 12, 15, 19, 26, 33};
  // [[1, 2], [3, 4]] x [[1, 2, 3], [4, 5, 6]]
  EXPECT_EQ(BatchMatMul()
                .Input<float>({2, 2}, {1, 2, 3, 4})
                .Input<float>({2, 3}, {1, 2, 3, 4, 5, 6})
                .Output(DType::kFloat32)
                .Run<float>(),
            y);
  EXPECT_EQ(BatchMatMul(true, true)
                .Input<float>({2, 2}, {1, 3, 2, 4})
                .Constant<float>({3, 2}, {1, 4, 2, 5, 3, 6})
                .Output(DType::kFloat32)
                .Run<float>(),
            y);
}

TEST(BatchMatMul, LeadingDimensionsBroadcast) {
  OneOpModel model = BatchMatMul();
  model.Input<float>({2, 1, 1, 1}, {1, 10}).Input<float>({3, 1, 1}, {1, 2, 3}).Output(DType::kFloat32);
  EXPECT_EQ(model.OutputShape(), (Shape{2, 3, 1, 1}));
  EXPECT_EQ(model.Run<float>(), (std::vector<float>{1, 2, 3, 10, 20, 30}));
}

TEST(BatchMatMul, XnnpackLeavesSecondOperandsWithAZeroPointAlone) {
  const auto run = [](int64_t zero_point, std::string_view profile) {
    // 2 times a quarter: a half
    return BatchMatMul()
        .Input<int8_t>({1, 1}, {2}, ModelBuilder::PerTensor(0.25F))
        .Input<int8_t>({1, 1}, {static_cast<int8_t>(1 + zero_point)}, ModelBuilder::PerTensor(1, zero_point))
        .Output(DType::kInt8, ModelBuilder::PerTensor(1))
        .Run<int8_t>(profile);
  };
  EXPECT_EQ(run(0, "xnnpack"), (std::vector<int8_t>{0}));
  EXPECT_EQ(run(7, "xnnpack"), (std::vector<int8_t>{1}));
  EXPECT_EQ(run(0, "builtin"), (std::vector<int8_t>{1}));
}

TEST(BatchMatMul, RawSumsHaveNoZeroPoints) {
  EXPECT_EQ(BatchMatMul()
                .Input<int8_t>({1, 2}, {-128, 3}, ModelBuilder::PerTensor(1, 5))
                .Input<int8_t>({2, 1}, {-128, 2}, ModelBuilder::PerTensor(1, 5))
                .Output(DType::kInt32)
                .Run<int32_t>(),
            (std::vector<int32_t>{16384 + 6}));
}

TEST(BatchMatMul, SixteenBitsSumInSixtyFour) {
  // 3 * 32767^2 does not fit 32 bits.
  EXPECT_EQ(BatchMatMul()
                .Input<int16_t>({1, 3}, {32767, 32767, 32767}, ModelBuilder::PerTensor(1.0F / 32768))
                .Input<int16_t>({3, 1}, {32767, 32767, 32767}, ModelBuilder::PerTensor(1.0F / 32768))
                .Output(DType::kInt16, ModelBuilder::PerTensor(1.0F / 8192))
                .Run<int16_t>(),
            (std::vector<int16_t>{24575}));
}

TEST(BatchMatMul, BuiltinHybridKernelsMixUpTheRangesOfOuterBatches) {
  // Batches [2, 2] with values 1, 2, 4, 8: matrix [1, 0] gets the range of matrix [0, 1], [1, 1] that of [1, 0].
  OneOpModel model = BatchMatMul();
  model.Input<float>({2, 2, 1, 1}, {1, 2, 4, 8})
      .Constant<int8_t>({2, 2, 1, 1}, {1, 1, 1, 1}, ModelBuilder::PerTensor(1))
      .Output(DType::kFloat32);
  EXPECT_THAT(model.Run<float>("reference"), testing::Pointwise(testing::FloatEq(), {1, 2, 2, 4}));
  EXPECT_THAT(model.Run<float>("xnnpack"), testing::Pointwise(testing::FloatEq(), {1, 2, 4, 8}));
}

enum class Kind : uint8_t { kFloat, kHybrid, kInt8, kInt8ToInt32, kInt16, kInt16x8 };

template <typename T>
std::vector<T> RandomValues(Random& random, const Shape& shape, bool extreme) {
  std::vector<T> values(static_cast<size_t>(shape.NumElements()));
  for (T& v : values) {
    if constexpr (std::is_same_v<T, float>) {
      v = static_cast<float>(random.Normal() * (random.Chance(0.05) ? 100 : 1));
    } else {
      v = extreme ? (random.Chance(0.7) ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max())
                  : static_cast<T>(random.Next() >> 40);
    }
  }
  return values;
}

// A random product: any shapes that go together, each operand as it is or adjoint, the second one constant or not.
struct RandomProduct {
  explicit RandomProduct(uint64_t seed, bool absolute_floats = false)
      : random(71, seed), absolute(absolute_floats), model(BuiltinOp::kBatchMatmul) {
    kind = static_cast<Kind>(random.Below(6));
    const bool adj_x = random.Chance(0.4), adj_y = random.Chance(0.5), large = random.Chance(0.3);
    const auto side = [&] { return random.Between(1, large ? 90 : 20); };
    const int32_t rows = random.Chance(0.15) ? 1 : side(), columns = side();
    depth = side();
    std::vector<int32_t> xs, ws;
    for (int32_t dims = random.Between(0, 3); dims > 0; --dims) {
      const int32_t extent = random.Between(1, 4);
      xs.push_back(random.Chance(0.25) ? 1 : extent), ws.push_back(random.Chance(0.35) ? 1 : extent);
    }
    if (random.Chance(0.2)) ws.erase(ws.begin(), ws.begin() + random.Between(0, static_cast<int32_t>(ws.size())));
    if (random.Chance(0.1)) xs.erase(xs.begin(), xs.begin() + random.Between(0, static_cast<int32_t>(xs.size())));
    xs.push_back(adj_x ? depth : rows), xs.push_back(adj_x ? rows : depth);
    ws.push_back(adj_y ? columns : depth), ws.push_back(adj_y ? depth : columns);
    model.Option("adj_x", adj_x).Option("adj_y", adj_y).Option("asymmetric_quantize_inputs", random.Chance(0.5));
    const Shape x(xs), w(ws);
    switch (kind) {
      case Kind::kFloat:
      case Kind::kHybrid:
        Add<float>(x, false, {});
        if (kind == Kind::kFloat) {
          Add<float>(w, random.Chance(0.5), {});
        } else {
          Add<int8_t>(w, true, ModelBuilder::PerTensor(0.01F));
        }
        model.Output(DType::kFloat32);
        break;
      case Kind::kInt8:
      case Kind::kInt8ToInt32: {
        const auto zero = [&] { return random.Between(-128, 127); };
        Add<int8_t>(x, false, ModelBuilder::PerTensor(0.02F, zero()));
        Add<int8_t>(w, random.Chance(0.5), ModelBuilder::PerTensor(0.03F, random.Chance(0.4) ? 0 : zero()));
        if (kind == Kind::kInt8ToInt32) {
          model.Output(DType::kInt32);
        } else {
          model.Output(DType::kInt8, ModelBuilder::PerTensor(OutputScale(6e-4 * 100), zero()));
        }
        break;
      }
      case Kind::kInt16:
      case Kind::kInt16x8:
        Add<int16_t>(x, false, ModelBuilder::PerTensor(1e-4F));
        if (kind == Kind::kInt16) {
          Add<int16_t>(w, random.Chance(0.5), ModelBuilder::PerTensor(1e-4F));
        } else {
          Add<int8_t>(w, random.Chance(0.5), ModelBuilder::PerTensor(0.02F));
        }
        model.Output(DType::kInt16, ModelBuilder::PerTensor(OutputScale(kind == Kind::kInt16 ? 2e-4 : 2e-3)));
    }
  }

  float OutputScale(double usual) {
    const double scale = usual * std::sqrt(static_cast<double>(depth)) * std::exp(random.Normal());
    return static_cast<float>(random.Chance(0.1) ? std::exp2(random.Between(-12, 6)) : scale);
  }
  template <typename T>
  void Add(const Shape& shape, bool constant, Quantization quantization) {
    std::vector<T> values = RandomValues<T>(random, shape, random.Chance(0.2));
    if constexpr (std::is_same_v<T, float>) {
      for (float& v : values) v = absolute ? std::abs(v) : v;
    }
    constant ? model.Constant<T>(shape, values, std::move(quantization))
             : model.Input<T>(shape, values, std::move(quantization));
  }

  Random random;
  bool absolute;  // all floats are: sums of magnitudes
  OneOpModel model;
  Kind kind;
  int32_t depth;
};

TEST(BatchMatMul, VectorKernelsGiveTheBitsOfThePlainLoops) {
  for (uint64_t seed = 0; seed < 120; ++seed) {
    const RandomProduct product(seed), absolute(seed, /*absolute_floats=*/true);
    CheckVectorKernels(product.model, product.kind == Kind::kFloat ? &absolute.model : nullptr, product.depth + 1,
                       fmt::format("seed {}, kind {}", seed, static_cast<int>(product.kind)));
  }
}

TEST(BatchMatMul, ThreadsShareMatricesOfAnyNumber) {
  // Fewer matrices than threads, as many rows; many matrices, which each thread packs for itself; one for several.
  const auto check = [](const Shape& x, const Shape& w) {
    Random random(72, 0);
    OneOpModel model = BatchMatMul();
    model.Input<float>(x, RandomValues<float>(random, x, false)).Input<float>(w, RandomValues<float>(random, w, false));
    model.Output(DType::kFloat32);
    const Array one = model.RunAll("xnnpack", 2).front();
    for (int round = 0; round < 20; ++round) {
      const Array four = model.RunAll("xnnpack", 2, /*threads=*/4).front();
      EXPECT_TRUE(std::ranges::equal(four.bytes(), one.bytes())) << x.ToString();
    }
  };
  check({2, 300, 70}, {2, 70, 90});
  check({40, 50, 30}, {40, 30, 50});
  check({3, 5, 50, 30}, {1, 5, 30, 50});
}

TEST(BatchMatMul, RefusesWhatCannotBe) {
  const auto message = [](Shape x, Shape w) {
    const auto values = [](const Shape& shape) { return std::vector<float>(static_cast<size_t>(shape.NumElements())); };
    return BatchMatMul().Input<float>(x, values(x)).Input<float>(w, values(w)).Output(DType::kFloat32).Message();
  };
  EXPECT_EQ(message({2, 3}, {3, 1}), "");
  EXPECT_EQ(message({0, 2, 3}, {3, 1}), "");
  EXPECT_THAT(message({2, 3}, {2, 1}), HasSubstr("whose inner dimensions differ"));
  EXPECT_THAT(message({2, 1, 1}, {3, 1, 1}), HasSubstr("do not broadcast"));
  EXPECT_THAT(message({3}, {3, 1}), HasSubstr("first operand has rank 1"));
  EXPECT_THAT(BatchMatMul()
                  .Input<int8_t>({1, 1}, {1}, ModelBuilder::PerTensor(1))
                  .Input<float>({1, 1}, {1})
                  .Output(DType::kInt8, ModelBuilder::PerTensor(1))
                  .Message(),
              HasSubstr("second operand is float32, expected int8"));
}

}  // namespace
}  // namespace assay::runtime
