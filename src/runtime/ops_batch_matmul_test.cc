#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

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
