#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/one_op_model.h"
#include "runtime/random_layer.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

OneOpModel Conv(int padding, int stride, int dilation = 1) {
  OneOpModel model(BuiltinOp::kConv2D);
  model.Option("padding", padding).Option("stride_h", stride).Option("stride_w", stride);
  model.Option("dilation_h_factor", dilation).Option("dilation_w_factor", dilation);
  return model;
}
const std::vector<float> kNine = {1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(Conv2D, PadsWithZeroOnTheFarSideFirst) {
  const auto run = [&](int padding, int stride, int dilation) {
    return Conv(padding, stride, dilation)
        .Input<float>({1, 3, 3, 1}, kNine)
        .Constant<float>({1, 2, 2, 1}, {1, 10, 100, 1000})
        .Constant<float>({1}, {0.5F})
        .Output(DType::kFloat32)
        .Run<float>();
  };
  EXPECT_EQ(run(1, 1, 1), (std::vector<float>{5421.5F, 6532.5F, 8754.5F, 9865.5F}));
  EXPECT_EQ(run(0, 2, 1), (std::vector<float>{5421.5F, 603.5F, 87.5F, 9.5F}));
  EXPECT_EQ(run(1, 1, 2), (std::vector<float>{9731.5F}));
}

TEST(Conv2D, GroupsSeeTheirOwnChannelsOnly) {
  EXPECT_EQ(Conv(1, 1)
                .Input<float>({1, 1, 1, 4}, {1, 2, 3, 4})
                .Constant<float>({2, 1, 1, 2}, {1, 10, 1, 10})
                .Constant<float>({2}, {0, 0})
                .Output(DType::kFloat32)
                .Run<float>(),
            (std::vector<float>{21, 43}));
}

TEST(Conv2D, VectorKernelsOfGroupsGiveThePlainLoopsBits) {
  for (uint64_t seed = 0; seed < 240; ++seed) CheckVectorKernels(RandomLayer(BuiltinOp::kConv2D, seed));
}

// 2, -2, 6, -6 times a quarter.
OneOpModel Quarters() {
  OneOpModel model = Conv(1, 1);
  model.Input<int8_t>({1, 2, 2, 1}, {2, -2, 6, -6}, ModelBuilder::PerTensor(0.25F))
      .Constant<int8_t>({1, 1, 1, 1}, {1}, ModelBuilder::PerTensor(1))
      .Constant<int32_t>({1}, {0}, ModelBuilder::PerTensor(0.25F))
      .Output(DType::kInt8, ModelBuilder::PerTensor(1));
  return model;
}

TEST(Conv2D, EveryProfileRoundsItsOwnWay) {
  EXPECT_EQ(Quarters().Run<int8_t>("reference"), (std::vector<int8_t>{1, -1, 2, -2}));  // half away from zero
  EXPECT_EQ(Quarters().Run<int8_t>("builtin"), (std::vector<int8_t>{1, 0, 2, -1}));     // half up
  EXPECT_EQ(Quarters().Run<int8_t>("xnnpack"), (std::vector<int8_t>{0, 0, 2, -2}));     // half to even
}

TEST(Conv2D, WithoutABiasXnnpackLeavesItToTheBuiltinKernels) {
  EXPECT_EQ(Conv(1, 1)
                .Input<int8_t>({1, 2, 2, 1}, {2, -2, 6, -6}, ModelBuilder::PerTensor(0.25F))
                .Constant<int8_t>({1, 1, 1, 1}, {1}, ModelBuilder::PerTensor(1))
                .Output(DType::kInt8, ModelBuilder::PerTensor(1))
                .Run<int8_t>("xnnpack"),
            (std::vector<int8_t>{1, 0, 2, -1}));
}

TEST(Conv2D, ZeroPointsOfUint8CountOnBothSides) {
  // (12 - 10) * (7 - 5) + (8 - 10) * (4 - 5) = 6; padding adds nothing; scale 1/2; + 100
  EXPECT_EQ(Conv(0, 1)
                .Input<uint8_t>({1, 1, 2, 1}, {12, 8}, ModelBuilder::PerTensor(0.5F, 10))
                .Constant<uint8_t>({1, 1, 2, 1}, {7, 4}, ModelBuilder::PerTensor(1, 5))
                .Constant<int32_t>({1}, {0})
                .Output(DType::kUInt8, ModelBuilder::PerTensor(1, 100))
                .Run<uint8_t>(),
            (std::vector<uint8_t>{103, 98}));
}

TEST(Conv2D, WideBiasRoundsHalfUpWithFifteenBits) {
  const auto model = [](int bias_type) {
    OneOpModel conv = Conv(1, 1);
    conv.Option("quantized_bias_type", bias_type);
    conv.Input<int16_t>({1, 1, 1, 1}, {-6}, ModelBuilder::PerTensor(0.25F));
    conv.Constant<int8_t>({1, 1, 1, 1}, {1}, ModelBuilder::PerTensor(1));
    conv.Output(DType::kInt16, ModelBuilder::PerTensor(1));
    return conv;
  };
  EXPECT_EQ(model(4).Constant<int64_t>({1}, {0}).Run<int16_t>(), (std::vector<int16_t>{-1}));
  EXPECT_EQ(model(2).Constant<int32_t>({1}, {0}).Run<int16_t>(), (std::vector<int16_t>{-2}));
}

TEST(Conv2D, DynamicRangeQuantizesItsInput) {
  OneOpModel model = Conv(1, 1);
  model.Input<float>({1, 1, 2, 1}, {2, 1})
      .Constant<int8_t>({1, 1, 1, 1}, {3}, ModelBuilder::PerTensor(0.5F))
      .Constant<float>({1}, {10})
      .Output(DType::kFloat32);
  const float scale = 0.5F * (2.0F / 127.0F);  // codes 127 and 64
  EXPECT_EQ(model.Run<float>("reference"), (std::vector<float>{381 * scale + 10, 192 * scale + 10}));
  // Cin + Cout <= 2 stays a convolution: one range [0, 2] for both pixels, codes 127 and 0 around zero point -128.
  EXPECT_EQ(model.Run<float>("xnnpack"), (std::vector<float>{13, 128 * 3 * (1 / 127.5F) * 0.5F + 10}));
}

TEST(Conv2D, FourBitWeightsAreSignedLowNibbleFirst) {
  graph::ModelBuilder m;
  const int x = m.Input("x", DType::kInt8, {1, 1, 1, 3}, ModelBuilder::PerTensor(1));
  const int w = m.ConstantBytes("w", DType::kInt4, {1, 1, 1, 3}, {0x7F, 0x08}, ModelBuilder::PerTensor(1));  // -1 7 -8
  const int b = m.Constant<int32_t>("b", {1}, {0}, ModelBuilder::PerTensor(1));
  const int y = m.Tensor("y", DType::kInt8, {1, 1, 1, 1}, ModelBuilder::PerTensor(1));
  m.Op(BuiltinOp::kConv2D, {x, w, b}, {y}, {{"padding", 1}, {"stride_h", 1}, {"stride_w", 1}});
  m.Output(y);
  Interpreter interpreter(m.Build());
  Array input(DType::kInt8, {1, 1, 1, 3});
  std::ranges::copy(std::vector<int8_t>{1, 2, 3}, input.values<int8_t>().begin());
  interpreter.SetInput(0, input);
  interpreter.Invoke();
  EXPECT_EQ(interpreter.Output(0).values<int8_t>()[0], -1 + 14 - 24);
}

TEST(Conv2D, RefusesWhatCannotBe) {
  const auto message = [](Shape filter, Shape bias, float scale, int stride, std::string_view profile = "reference") {
    const auto count = [](const Shape& shape) { return static_cast<size_t>(shape.NumElements()); };
    return Conv(1, stride)
        .Input<int8_t>({1, 2, 2, 4}, std::vector<int8_t>(16), ModelBuilder::PerTensor(1))
        .Constant<int8_t>(filter, std::vector<int8_t>(count(filter)), ModelBuilder::PerTensor(scale))
        .Constant<int32_t>(bias, std::vector<int32_t>(count(bias)), ModelBuilder::PerTensor(1))
        .Output(DType::kInt8, ModelBuilder::PerTensor(1))
        .Message(profile);
  };
  EXPECT_EQ(message({2, 1, 1, 4}, {2}, 1, 1), "");
  EXPECT_THAT(message({2, 1, 1, 3}, {2}, 1, 1), HasSubstr("input has 4 channels, which the filter's 3 do not divide"));
  EXPECT_THAT(message({3, 1, 1, 2}, {3}, 1, 1), HasSubstr("not a multiple of the 2 groups"));
  EXPECT_THAT(message({2, 1, 1, 4}, {3}, 1, 1), HasSubstr("bias has 3 values, expected 2"));
  EXPECT_THAT(message({2, 1, 1, 4}, {2}, 0, 1), HasSubstr("filter has the scale 0"));
  EXPECT_THAT(message({2, 1, 1, 4}, {2}, 1, 0), HasSubstr("stride of the height is 0"));
  EXPECT_THAT(message({2, 3, 3, 4}, {2}, 1, 1), HasSubstr("a window of 3 does not fit into the height of 2"));
  EXPECT_THAT(message({2, 1, 1, 4}, {2}, 256, 1, "xnnpack"), HasSubstr("XNNPACK refuses 256 and above"));
  EXPECT_THAT(Conv(1, 1)
                  .Input<float>({1, 1, 1, 1}, {1})
                  .Constant<uint8_t>({1, 1, 1, 1}, {1}, ModelBuilder::PerTensor(1))
                  .Output(DType::kFloat32)
                  .Message(),
              HasSubstr("filter is uint8, expected float32"));
}

}  // namespace
}  // namespace assay::runtime
