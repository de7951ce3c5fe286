#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

OneOpModel FullyConnected(bool keep_num_dims = false) {
  OneOpModel model(BuiltinOp::kFullyConnected);
  model.Option("keep_num_dims", keep_num_dims);
  return model;
}

TEST(FullyConnected, FlattensUnlessToldOtherwise) {
  const auto model = [](bool keep) {
    return FullyConnected(keep)
        .Input<float>({1, 2, 1, 2}, {1, 2, 3, 4})
        .Constant<float>({3, 2}, {1, 0, 0, 1, 10, 100})
        .Output(DType::kFloat32);
  };
  EXPECT_EQ(model(false).OutputShape(), (Shape{2, 3}));
  EXPECT_EQ(model(true).OutputShape(), (Shape{1, 2, 1, 3}));
  EXPECT_EQ(model(true).Run<float>(), (std::vector<float>{1, 2, 210, 3, 4, 430}));
}

TEST(FullyConnected, EveryProfileRoundsItsOwnWay) {
  // 2, -2, 6, -6 times a quarter.
  OneOpModel model = FullyConnected();
  model.Input<int8_t>({4, 1}, {2, -2, 6, -6}, ModelBuilder::PerTensor(0.25F))
      .Constant<int8_t>({1, 1}, {1}, ModelBuilder::PerTensor(1))
      .Constant<int32_t>({1}, {0}, ModelBuilder::PerTensor(0.25F))
      .Output(DType::kInt8, ModelBuilder::PerTensor(1));
  EXPECT_EQ(model.Run<int8_t>("reference"), (std::vector<int8_t>{1, -1, 2, -2}));
  EXPECT_EQ(model.Run<int8_t>("builtin"), (std::vector<int8_t>{1, 0, 2, -1}));
  EXPECT_EQ(model.Run<int8_t>("xnnpack"), (std::vector<int8_t>{0, 0, 2, -2}));
}

TEST(FullyConnected, TheReferenceOf2024RoundsTwice) {
  // 3071 / 2048 = 1.4995: the high multiply makes 1536 of 3071 / 2, the shift 2 of 1536 / 1024. In double it is 1.
  OneOpModel model = FullyConnected();
  model.Input<int8_t>({1, 1}, {1}, ModelBuilder::PerTensor(1.0F / 2048))
      .Constant<int8_t>({1, 1}, {1}, ModelBuilder::PerTensor(1))
      .Constant<int32_t>({1}, {3070})
      .Output(DType::kInt8, ModelBuilder::PerTensor(1));
  EXPECT_EQ(model.Run<int8_t>("reference"), (std::vector<int8_t>{1}));
  EXPECT_EQ(model.Run<int8_t>("reference-2024"), (std::vector<int8_t>{2}));
}

TEST(FullyConnected, WeightsPerTensorMayHaveAZeroPoint) {
  EXPECT_EQ(FullyConnected()
                .Input<int8_t>({1, 2}, {3, 4}, ModelBuilder::PerTensor(1, 1))
                .Constant<int8_t>({1, 2}, {5, 6}, ModelBuilder::PerTensor(1, 4))
                .Output(DType::kInt8, ModelBuilder::PerTensor(1, -1))
                .Run<int8_t>(),
            (std::vector<int8_t>{2 * 1 + 3 * 2 - 1}));
}

TEST(FullyConnected, DynamicRangeOfEveryRow) {
  OneOpModel model = FullyConnected();
  model.Input<float>({2, 1}, {2, -8})
      .Constant<int8_t>({2, 1}, {3, -5}, ModelBuilder::PerChannel({0.5F, 0.25F}, 0))
      .Constant<float>({2}, {10, 20})
      .Output(DType::kFloat32);
  const float two = 2.0F / 127.0F, eight = 8.0F / 127.0F;
  EXPECT_EQ(model.Run<float>("reference"), (std::vector<float>{10 + 381 * (0.5F * two), 20 - 635 * (0.25F * two),
                                                               10 - 381 * (0.5F * eight), 20 + 635 * (0.25F * eight)}));
  EXPECT_EQ(model.Run<float>("xnnpack").size(), 4U);
  EXPECT_FLOAT_EQ(model.Run<float>("xnnpack")[3], 30);
}

TEST(FullyConnected, BuiltinKernelsGiveMinus128TheWrongSignInBlocksOf16) {
  OneOpModel model = FullyConnected();
  model.Input<float>({1, 17}, std::vector<float>(17, -1))
      .Constant<int8_t>({1, 17}, std::vector<int8_t>(17, -128), ModelBuilder::PerTensor(1))
      .Output(DType::kFloat32);
  EXPECT_FLOAT_EQ(model.Run<float>("reference")[0], -16 * 128 + 128);
  EXPECT_FLOAT_EQ(model.Run<float>("xnnpack")[0], 17 * 128);
}

TEST(FullyConnected, RefusesWhatCannotBe) {
  const auto message = [](Shape weights, Shape bias, bool keep) {
    const auto count = [](const Shape& shape) { return static_cast<size_t>(shape.NumElements()); };
    return FullyConnected(keep)
        .Input<float>({2, 3}, std::vector<float>(6))
        .Constant<float>(weights, std::vector<float>(count(weights)))
        .Constant<float>(bias, std::vector<float>(count(bias)))
        .Output(DType::kFloat32)
        .Message();
  };
  EXPECT_EQ(message({2, 3}, {2}, true), "");
  EXPECT_EQ(message({2, 2}, {2}, false), "");
  EXPECT_THAT(message({2, 2}, {2}, true), HasSubstr("its last dimension is not the weights' depth 2"));
  EXPECT_THAT(message({2, 4}, {2}, false), HasSubstr("input has 6 values, not a multiple of the weights' depth 4"));
  EXPECT_THAT(message({2, 3, 1}, {2}, false), HasSubstr("weight matrix has rank 3"));
  EXPECT_THAT(message({2, 0}, {2}, false), HasSubstr("weight matrix has the shape [2,0]"));
  EXPECT_THAT(message({2, 3}, {3}, false), HasSubstr("bias has 3 values, expected 2"));
  EXPECT_THAT(FullyConnected()
                  .Option("weights_format", 1)
                  .Input<float>({1, 1}, {1})
                  .Constant<float>({1, 1}, {1})
                  .Output(DType::kFloat32)
                  .Message(),
              HasSubstr("SHUFFLED4x16INT8 has no kernel"));
}

}  // namespace
}  // namespace assay::runtime
