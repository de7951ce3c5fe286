#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

template <typename T>
OneOpModel Reduce(BuiltinOp op, Shape shape, std::vector<T> values, std::vector<int32_t> axes, bool keep_dims = false) {
  const auto count = static_cast<int32_t>(axes.size());
  OneOpModel model(op);
  model.Input<T>(std::move(shape), values);
  model.Constant<int32_t>({count}, axes);
  return model.Option("keep_dims", keep_dims).Output(DTypeOf<T>());
}

TEST(Reduce, AxesInAnyOrderFromEitherEndAndTwice) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(Reduce<float>(BuiltinOp::kSum, {2, 2, 2}, x, {0}).Run<float>(), (std::vector<float>{6, 8, 10, 12}));
  EXPECT_EQ(Reduce<float>(BuiltinOp::kSum, {2, 2, 2}, x, {-1, 0}).Run<float>(), (std::vector<float>{14, 22}));
  EXPECT_EQ(Reduce<float>(BuiltinOp::kSum, {2, 2, 2}, x, {1, 1, -2}).Run<float>(), (std::vector<float>{4, 6, 12, 14}));
  EXPECT_EQ(Reduce<float>(BuiltinOp::kMean, {2, 2, 2}, x, {0, 1, 2}).Run<float>("xnnpack"), (std::vector<float>{4.5F}));
  EXPECT_EQ(Reduce<float>(BuiltinOp::kReduceProd, {2, 2, 2}, x, {2}).Run<float>(), (std::vector<float>{2, 12, 30, 56}));
}

TEST(Reduce, ShapeWithAndWithoutKeepDims) {
  const std::vector<float> x(24, 1);
  EXPECT_EQ(Reduce<float>(BuiltinOp::kReduceMax, {2, 3, 4}, x, {1}).OutputShape(), (Shape{2, 4}));
  EXPECT_EQ(Reduce<float>(BuiltinOp::kReduceMax, {2, 3, 4}, x, {1}, true).OutputShape(), (Shape{2, 1, 4}));
  EXPECT_EQ(Reduce<float>(BuiltinOp::kReduceMax, {2, 3, 4}, x, {0, 1, 2}).OutputShape(), Shape{});
}

TEST(Reduce, IntegersWrapAndTheirMeanTruncates) {
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(Reduce<int32_t>(BuiltinOp::kSum, {2}, {kMax, 1}, {0}).Run<int32_t>(),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::min()}));
  EXPECT_EQ(Reduce<int32_t>(BuiltinOp::kMean, {2}, {-4, -3}, {0}).Run<int32_t>(), (std::vector<int32_t>{-3}));
  EXPECT_EQ(Reduce<int32_t>(BuiltinOp::kMean, {2}, {kMax, kMax}, {0}).Run<int32_t>(), (std::vector<int32_t>{kMax}));
}

TEST(Reduce, EmptyInputsGiveTheNeutralValue) {
  EXPECT_EQ(Reduce<float>(BuiltinOp::kReduceProd, {0, 2}, {}, {0}).Run<float>(), (std::vector<float>{1, 1}));
  EXPECT_EQ(Reduce<int32_t>(BuiltinOp::kReduceMax, {0}, {}, {0}).Run<int32_t>("builtin"),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::min()}));
  EXPECT_TRUE(std::isnan(Reduce<float>(BuiltinOp::kMean, {0}, {}, {0}).Run<float>()[0]));
  EXPECT_EQ(Reduce<int64_t>(BuiltinOp::kMean, {0}, {}, {0}).Run<int64_t>(), (std::vector<int64_t>{0}));
}

TEST(Reduce, MeanOfCodesByEngine) {
  // Sum 10 of 4 codes with zero point 1 is a mean of 1.5 steps of 0.5; the output's steps are 0.25, its zero point 2.
  const auto run = [](std::string_view profile) {
    return OneOpModel(BuiltinOp::kMean)
        .Option("keep_dims", true)
        .Input<int8_t>({1, 2, 2, 1}, {1, 2, 3, 4}, ModelBuilder::PerTensor(0.5F, 1))
        .Constant<int32_t>({2}, {1, 2})
        .Output(DType::kInt8, ModelBuilder::PerTensor(0.25F, 2))
        .Run<int8_t>(profile);
  };
  for (const char* profile : {"reference", "builtin", "xnnpack"}) EXPECT_EQ(run(profile), (std::vector<int8_t>{5}));
}

TEST(Reduce, ReferenceSumTakesInt8ForUint8) {
  const Quantization q = ModelBuilder::PerTensor(1.0F, 0);
  const OneOpModel model =
      OneOpModel(BuiltinOp::kSum).Input<int8_t>({2}, {-1, 3}, q).Constant<int32_t>({1}, {0}).Output(DType::kInt8, q);
  EXPECT_EQ(model.Run<int8_t>("reference"), (std::vector<int8_t>{-1}));  // 255 + 3 saturates at 255
  EXPECT_EQ(model.Run<int8_t>("builtin"), (std::vector<int8_t>{2}));
}

TEST(Reduce, RefusesAxesOutsideOfTheRank) {
  EXPECT_NE(Reduce<float>(BuiltinOp::kSum, {1}, {1}, {3}).Message().find("axis is 3, outside of rank 1"),
            std::string::npos);
}

TEST(Reduce, NanIsKeptOrPassedOverByEngine) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const OneOpModel model = Reduce<float>(BuiltinOp::kReduceMax, {2, 2}, {1, nan, nan, 2}, {1});
  EXPECT_EQ(model.Run<float>("reference"), (std::vector<float>{1, 2}));
  const std::vector<float> kept = model.Run<float>("builtin");
  EXPECT_TRUE(std::isnan(kept[0]));
  EXPECT_EQ(kept[1], 2);
}

TEST(Reduce, BoolsAlongAnAxis) {
  const auto run = [](BuiltinOp op) {
    return OneOpModel(op)
        .Input<bool>({2, 2}, {false, true, false, false})
        .Constant<int32_t>({1}, {1})
        .Output(DType::kBool)
        .Run<bool>();
  };
  EXPECT_EQ(run(BuiltinOp::kReduceAny), (std::vector<bool>{true, false}));
  EXPECT_EQ(run(BuiltinOp::kReduceAll), (std::vector<bool>{false, false}));
}

TEST(Reduce, RefusesWhatCannotBe) {
  const Quantization a = ModelBuilder::PerTensor(0.5F, 1), b = ModelBuilder::PerTensor(0.25F, 1);
  const auto message = [](BuiltinOp op, const Quantization& in, const Quantization& out) {
    return OneOpModel(op)
        .Input<int8_t>({2}, {1, 2}, in)
        .Constant<int32_t>({1}, {0})
        .Output(DType::kInt8, out)
        .Message();
  };
  EXPECT_NE(message(BuiltinOp::kReduceMax, a, b).find("they must be the same"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kMean, {}, b).find("input has 0 scales"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kReduceAny, a, a).find("input is int8, expected bool"), std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kSum)
                .Input<float>({2}, {1, 2})
                .Constant<int64_t>({1}, {0})
                .Output(DType::kFloat32)
                .Message()
                .find("axes is int64"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
