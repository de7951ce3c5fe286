#include <gtest/gtest.h>

#include <cmath>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

// 1 2 3 / 4 5 6 / 7 8 9 under a 2x2 window.
OneOpModel Pool(BuiltinOp op, int padding, int stride) {
  OneOpModel model(op);
  model.Option("padding", padding).Option("stride_h", stride).Option("stride_w", stride);
  model.Option("filter_height", 2).Option("filter_width", 2);
  return model;
}
const std::vector<float> kNine = {1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(Pool2D, PaddingDoesNotCountInTheAverage) {
  EXPECT_EQ(
      Pool(BuiltinOp::kAveragePool2D, 0, 2).Input<float>({1, 3, 3, 1}, kNine).Output(DType::kFloat32).Run<float>(),
      (std::vector<float>{3, 4.5F, 7.5F, 9}));
  EXPECT_EQ(
      Pool(BuiltinOp::kAveragePool2D, 1, 1).Input<float>({1, 3, 3, 1}, kNine).Output(DType::kFloat32).Run<float>(),
      (std::vector<float>{3, 4, 6, 7}));
}

TEST(Pool2D, AverageOfCodesRoundsHalfAwayFromZero) {
  const Quantization q = ModelBuilder::PerTensor(0.5F, 3);
  const auto run = [&](std::vector<int8_t> x) {
    return Pool(BuiltinOp::kAveragePool2D, 1, 1)
        .Input<int8_t>({1, 2, 2, 1}, x, q)
        .Output(DType::kInt8, q)
        .Run<int8_t>();
  };
  EXPECT_EQ(run({1, 1, 1, 3}), (std::vector<int8_t>{2}));       // 1.5
  EXPECT_EQ(run({-1, -1, -1, -3}), (std::vector<int8_t>{-2}));  // -1.5
  EXPECT_EQ(run({-1, -1, -1, -2}), (std::vector<int8_t>{-1}));  // -1.25
}

TEST(Pool2D, MaximumClampsToTheActivation) {
  const Quantization q = ModelBuilder::PerTensor(0.5F, -4);
  EXPECT_EQ(Pool(BuiltinOp::kMaxPool2D, 1, 1)
                .Option("fused_activation_function", 3)
                .Input<int8_t>({1, 2, 3, 1}, {-100, -90, 20, -100, -90, -3}, q)
                .Output(DType::kInt8, q)
                .Run<int8_t>("xnnpack"),
            (std::vector<int8_t>{-4, 8}));  // 0 and 6 are the codes -4 and 8
}

TEST(Pool2D, L2IsTheRootOfTheMeanSquare) {
  EXPECT_EQ(
      Pool(BuiltinOp::kL2Pool2D, 1, 1).Input<float>({1, 2, 2, 1}, {1, 1, 1, 5}).Output(DType::kFloat32).Run<float>(),
      (std::vector<float>{std::sqrt(7.0F)}));
}

TEST(Pool2D, RefusesWhatCannotBe) {
  const auto message = [](int stride, int filter, Shape shape) {
    OneOpModel model(BuiltinOp::kMaxPool2D);
    model.Option("padding", 1).Option("stride_h", stride).Option("stride_w", 1);
    model.Option("filter_height", filter).Option("filter_width", 1);
    const auto size = static_cast<size_t>(shape.NumElements());
    return model.Input<float>(shape, std::vector<float>(size)).Output(DType::kFloat32).Message();
  };
  EXPECT_EQ(message(1, 1, {1, 2, 2, 1}), "");
  EXPECT_NE(message(0, 1, {1, 2, 2, 1}).find("stride of the height is 0"), std::string::npos);
  EXPECT_NE(message(1, -3, {1, 2, 2, 1}).find("filter height is -3"), std::string::npos);
  EXPECT_NE(message(1, 3, {1, 2, 2, 1}).find("a window of 3 does not fit into the height of 2"), std::string::npos);
  EXPECT_NE(message(1, 1, {2, 2, 1}).find("input has rank 3"), std::string::npos);
  EXPECT_NE(Pool(BuiltinOp::kMaxPool2D, 1, 1)
                .Option("fused_activation_function", 1)
                .Input<int8_t>({1, 2, 2, 1}, {1, 2, 3, 4})
                .Output(DType::kInt8)
                .Message()
                .find("output has 0 scales"),
            std::string::npos);
  EXPECT_NE(Pool(BuiltinOp::kL2Pool2D, 1, 1)
                .Input<int8_t>({1, 2, 2, 1}, {1, 2, 3, 4})
                .Output(DType::kInt8)
                .Message()
                .find("input is int8"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
