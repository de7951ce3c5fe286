#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"
#include "runtime/random_layer.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

OneOpModel Depthwise(int padding) {
  OneOpModel model(BuiltinOp::kDepthwiseConv2D);
  model.Option("padding", padding).Option("stride_h", 1).Option("stride_w", 1);
  return model;
}

TEST(DepthwiseConv2D, EachChannelHasItsOwnFilters) {
  EXPECT_EQ(Depthwise(1)
                .Input<float>({1, 1, 2, 2}, {1, 2, 3, 4})
                .Constant<float>({1, 1, 2, 4}, {1, 10, 100, 1000, 2, 20, 200, 2000})
                .Constant<float>({4}, {0, 0.5F, 0, 0})
                .Output(DType::kFloat32)
                .Run<float>(),
            (std::vector<float>{7, 70.5F, 1000, 10000}));
}

TEST(DepthwiseConv2D, ThereMayBeNoImages) {
  for (const int32_t side : {3, 5}) {
    OneOpModel model = Depthwise(0);
    model.Input<float>({0, 4, 4, 2}, {})
        .Constant<float>({1, side, side, 2}, std::vector<float>(static_cast<size_t>(side * side * 2), 1))
        .Constant<float>({2}, {0, 0})
        .Output(DType::kFloat32);
    for (const char* profile : {"reference", "xnnpack"}) {
      EXPECT_EQ(model.RunAll(profile, 1, /*threads=*/2).front().shape(), (Shape{0, 4, 4, 2})) << profile;
    }
  }
}

TEST(DepthwiseConv2D, VectorKernelsOfSeveralOutputsForEachChannelGiveThePlainLoopsBits) {
  for (uint64_t seed = 0; seed < 300; ++seed) CheckVectorKernels(RandomLayer(BuiltinOp::kDepthwiseConv2D, seed));
}

TEST(DepthwiseConv2D, OptimisedKernelsRoundTheLastChannelsAsTheReferenceDoes) {
  // -2 and 2 times a quarter: D rounds away from zero, U up.
  OneOpModel model = Depthwise(1);
  std::vector<int8_t> x(10, -2);
  x[1] = x[9] = 2;
  model.Input<int8_t>({1, 1, 1, 10}, x, ModelBuilder::PerTensor(0.25F))
      .Constant<int8_t>({1, 1, 1, 10}, std::vector<int8_t>(10, 1), ModelBuilder::PerTensor(1))
      .Constant<int32_t>({10}, std::vector<int32_t>(10), ModelBuilder::PerTensor(0.25F))
      .Output(DType::kInt8, ModelBuilder::PerTensor(1));
  EXPECT_EQ(model.Run<int8_t>("reference"), (std::vector<int8_t>{-1, 1, -1, -1, -1, -1, -1, -1, -1, 1}));
  EXPECT_EQ(model.Run<int8_t>("builtin"), (std::vector<int8_t>{0, 1, 0, 0, 0, 0, 0, 0, -1, 1}));
  EXPECT_EQ(model.Run<int8_t>("xnnpack"), (std::vector<int8_t>(10, 0)));
}

TEST(DepthwiseConv2D, XnnpackWantsUint8FiltersWithoutADimension) {
  const auto run = [](int32_t dimension) {
    Quantization q = ModelBuilder::PerTensor(1, 0);
    q.quantized_dimension = dimension;
    return Depthwise(1)
        .Input<uint8_t>({1, 1, 1, 1}, {2}, ModelBuilder::PerTensor(0.25F))
        .Constant<uint8_t>({1, 1, 1, 1}, {1}, q)
        .Constant<int32_t>({1}, {0}, ModelBuilder::PerTensor(0.25F))
        .Output(DType::kUInt8, ModelBuilder::PerTensor(1))
        .Run<uint8_t>("xnnpack");
  };
  EXPECT_EQ(run(0), (std::vector<uint8_t>{0}));
  EXPECT_EQ(run(3), (std::vector<uint8_t>{1}));
}

TEST(DepthwiseConv2D, DynamicRangeHasAZeroPoint) {
  // Range [0, 2]: zero point -128, scale 2/255; codes 127 and -1, as 1 / scale is just below 127.5.
  OneOpModel model = Depthwise(1);
  model.Input<float>({1, 1, 1, 2}, {2, 1})
      .Constant<int8_t>({1, 1, 1, 2}, {3, 5}, ModelBuilder::PerChannel({0.5F, 0.25F}, 3))
      .Constant<float>({2}, {10, 20})
      .Output(DType::kFloat32);
  const auto scale = static_cast<float>(2.0 / 255.0);
  EXPECT_EQ(model.Run<float>("reference"), (std::vector<float>{765 * (0.5F * scale) + 10, 635 * (0.25F * scale) + 20}));
  EXPECT_EQ(model.Run<float>("builtin"), (std::vector<float>{765 * scale * 0.5F + 10, 635 * scale * 0.25F + 20}));
}

TEST(DepthwiseConv2D, RefusesWhatCannotBe) {
  const auto message = [](Shape filter, Quantization q) {
    const auto size = static_cast<size_t>(filter.NumElements());
    return Depthwise(1)
        .Input<int8_t>({1, 2, 2, 4}, std::vector<int8_t>(16), ModelBuilder::PerTensor(1))
        .Constant<int8_t>(filter, std::vector<int8_t>(size), std::move(q))
        .Output(DType::kInt8, ModelBuilder::PerTensor(1))
        .Message();
  };
  EXPECT_EQ(message({1, 1, 1, 8}, ModelBuilder::PerTensor(1)), "");
  EXPECT_THAT(message({2, 1, 1, 4}, ModelBuilder::PerTensor(1)), HasSubstr("expected [1,...]"));
  EXPECT_THAT(message({1, 1, 1, 6}, ModelBuilder::PerTensor(1)), HasSubstr("not a multiple of the input's 4"));
  EXPECT_THAT(message({1, 1, 1, 4}, ModelBuilder::PerChannel({1, 1, 1, 1}, 0)),
              HasSubstr("quantized along dimension 0, expected 3"));
  EXPECT_THAT(message({1, 1, 1, 4}, ModelBuilder::PerChannel({1, 1}, 3)), HasSubstr("2 scales, expected 1 or 4"));
  EXPECT_THAT(message({1, 1, 1, 4}, ModelBuilder::PerTensor(1, 3)), HasSubstr("zero point 3, expected 0"));
}

}  // namespace
}  // namespace assay::runtime
