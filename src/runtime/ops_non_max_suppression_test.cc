#include <gtest/gtest.h>

#include <cmath>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;

const std::vector<float> kThreeBoxes = {0, 0, 1, 1, 1, 1, 0.1F, 0, 3, 3, 4, 4};  // the second has its corners swapped

OneOpModel Suppress(BuiltinOp op, std::vector<float> scores, int32_t most, float iou, float threshold) {
  OneOpModel model(op);
  model.Input<float>({3, 4}, kThreeBoxes).Input<float>({3}, scores).Constant<int32_t>({}, {most});
  return model.Constant<float>({}, {iou}).Constant<float>({}, {threshold});
}

TEST(NonMaxSuppression, KeepsTheBestOfOverlappingBoxes) {
  OneOpModel model = Suppress(BuiltinOp::kNonMaxSuppressionV4, {0.5F, 0.9F, 0.7F}, 3, 0.5F, 0);
  model.Output(DType::kInt32).Output(DType::kInt32);
  const auto out = model.RunAll();
  EXPECT_EQ(out[0].values<int32_t>()[0], 1);
  EXPECT_EQ(out[0].values<int32_t>()[1], 2);
  EXPECT_EQ(out[0].values<int32_t>()[2], 0);  // filled up
  EXPECT_EQ(out[1].values<int32_t>()[0], 2);
}

TEST(NonMaxSuppression, SoftSuppressionLowersScores) {
  OneOpModel model = Suppress(BuiltinOp::kNonMaxSuppressionV5, {0.5F, 0.9F, 0.2F}, 3, 1, 0);
  model.Constant<float>({}, {0.5F}).Output(DType::kInt32).Output(DType::kFloat32).Output(DType::kInt32);
  const auto out = model.RunAll();
  EXPECT_EQ(out[2].values<int32_t>()[0], 3);
  EXPECT_EQ(out[0].values<int32_t>()[0], 1);
  EXPECT_EQ(out[0].values<int32_t>()[1], 0);  // 0.5 * exp(-0.9^2) = 0.2224
  EXPECT_NEAR(out[1].values<float>()[1], 0.5F * std::exp(-0.81F), 1e-6F);
  EXPECT_EQ(out[0].values<int32_t>()[2], 2);
}

TEST(NonMaxSuppression, RefusesWhatCannotBe) {
  OneOpModel negative = Suppress(BuiltinOp::kNonMaxSuppressionV4, {0.5F, 0.9F, 0.7F}, -1, 0.5F, 0);
  EXPECT_NE(negative.Output(DType::kInt32).Output(DType::kInt32).Message().find("max_output_size is -1"),
            std::string::npos);
  OneOpModel sigma = Suppress(BuiltinOp::kNonMaxSuppressionV5, {0.5F, 0.9F, 0.7F}, 1, 0.5F, 0);
  sigma.Constant<float>({}, {-2}).Output(DType::kInt32).Output(DType::kFloat32).Output(DType::kInt32);
  EXPECT_NE(sigma.Message().find("sigma is -2"), std::string::npos);
  OneOpModel scores = Suppress(BuiltinOp::kNonMaxSuppressionV5, {0.5F, 0.9F, 0.7F}, 1, 0.5F, 0);
  EXPECT_NE(scores.Output(DType::kInt32).Message().find("has 5 inputs, expected 6"), std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
