#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"
#include "runtime/random_layer.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

OneOpModel TransposeConv(int padding, int stride, std::vector<int32_t> shape) {
  OneOpModel model(BuiltinOp::kTransposeConv);
  model.Option("padding", padding).Option("stride_h", 1).Option("stride_w", stride);
  model.Constant<int32_t>({static_cast<int32_t>(shape.size())}, shape);
  return model;
}

TEST(TransposeConv, EveryPixelPaintsTheFilter) {
  const auto run = [](int padding, int32_t width) {
    return TransposeConv(padding, 2, {1, 1, width, 1})
        .Constant<float>({1, 1, 3, 1}, {1, 10, 100})
        .Input<float>({1, 1, 2, 1}, {1, 2})
        .Constant<float>({1}, {0.5F})
        .Output(DType::kFloat32)
        .Run<float>();
  };
  EXPECT_EQ(run(1, 5), (std::vector<float>{1.5F, 10.5F, 102.5F, 20.5F, 200.5F}));
  EXPECT_EQ(run(0, 4), (std::vector<float>{1.5F, 10.5F, 102.5F, 20.5F}));
  EXPECT_EQ(run(0, 3), (std::vector<float>{10.5F, 102.5F, 20.5F}));
}

TEST(TransposeConv, TheShapeMayBeComputed) {
  OneOpModel model(BuiltinOp::kTransposeConv);
  model.Option("padding", 1).Option("stride_h", 1).Option("stride_w", 1);
  model.Input<int32_t>({4}, {1, 1, 2, 1})
      .Constant<float>({1, 1, 2, 1}, {1, 10})
      .Input<float>({1, 1, 1, 1}, {3})
      .Output(DType::kFloat32);
  EXPECT_EQ(model.Run<float>(), (std::vector<float>{3, 30}));
}

TEST(TransposeConv, OptimisedKernelsRoundTheLastChannelsAsTheReferenceDoes) {
  OneOpModel model = TransposeConv(1, 1, {1, 1, 1, 9});
  model.Constant<int8_t>({9, 1, 1, 1}, std::vector<int8_t>(9, 1), ModelBuilder::PerTensor(1))
      .Input<int8_t>({1, 1, 1, 1}, {-2}, ModelBuilder::PerTensor(0.25F))
      .Output(DType::kInt8, ModelBuilder::PerTensor(1));
  EXPECT_EQ(model.Run<int8_t>("reference"), (std::vector<int8_t>(9, -1)));
  EXPECT_EQ(model.Run<int8_t>("builtin"), (std::vector<int8_t>{0, 0, 0, 0, 0, 0, 0, 0, -1}));
  EXPECT_EQ(model.Run<int8_t>("xnnpack"), (std::vector<int8_t>(9, 0)));
}

TEST(TransposeConv, OptimisedKernelsRoundTheLastUint8OutputsAsTheReferenceDoes) {
  OneOpModel model = TransposeConv(1, 1, {1, 1, 17, 1});
  model.Constant<uint8_t>({1, 1, 1, 1}, {1}, ModelBuilder::PerTensor(1))
      .Input<uint8_t>({1, 1, 17, 1}, std::vector<uint8_t>(17, 8), ModelBuilder::PerTensor(0.25F, 10))
      .Output(DType::kUInt8, ModelBuilder::PerTensor(1, 100));
  std::vector<uint8_t> builtin(17, 100);
  builtin[16] = 99;
  EXPECT_EQ(model.Run<uint8_t>("reference"), (std::vector<uint8_t>(17, 99)));
  EXPECT_EQ(model.Run<uint8_t>("builtin"), builtin);
}

TEST(TransposeConv, DynamicRange) {
  OneOpModel model = TransposeConv(1, 1, {1, 1, 2, 1});
  model.Constant<int8_t>({1, 1, 2, 1}, {3, -5}, ModelBuilder::PerTensor(0.5F))
      .Input<float>({1, 1, 1, 1}, {2})
      .Constant<float>({1}, {10})
      .Output(DType::kFloat32);
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    EXPECT_THAT(model.Run<float>(profile), testing::Pointwise(testing::FloatEq(), {13, 5})) << profile;
  }
}

TEST(TransposeConv, RefusesWhatCannotBe) {
  const auto message = [](std::vector<int32_t> shape, Shape filter, int stride) {
    return TransposeConv(1, stride, std::move(shape))
        .Constant<float>(filter, std::vector<float>(static_cast<size_t>(filter.NumElements())))
        .Input<float>({1, 2, 2, 3}, std::vector<float>(12))
        .Output(DType::kFloat32)
        .Message();
  };
  EXPECT_EQ(message({1, 3, 3, 4}, {4, 2, 2, 3}, 1), "");
  EXPECT_EQ(message({1, 1, 1, 4}, {4, 2, 2, 3}, 1), "");  // cut off
  EXPECT_THAT(message({1, 3, 3}, {4, 2, 2, 3}, 1), HasSubstr("output shape has 3 values, expected 4"));
  EXPECT_THAT(message({2, 3, 3, 4}, {4, 2, 2, 3}, 1), HasSubstr("expected 1 images of at least 1x1 with 4 channels"));
  EXPECT_THAT(message({1, 0, 3, 4}, {4, 2, 2, 3}, 1), HasSubstr("expected 1 images of at least 1x1"));
  EXPECT_THAT(message({1, 3, 3, 4}, {4, 2, 2, 2}, 1), HasSubstr("input has 3 channels, the filter 2"));
  EXPECT_THAT(message({1, 3, 3, 4}, {4, 2, 2, 3}, 0), HasSubstr("strides are 1 and 0"));
}

TEST(TransposeConv, VectorKernelsGiveThePlainLoopsBits) {
  for (uint64_t seed = 0; seed < 240; ++seed) CheckVectorKernels(RandomLayer(BuiltinOp::kTransposeConv, seed));
}

}  // namespace
}  // namespace assay::runtime
