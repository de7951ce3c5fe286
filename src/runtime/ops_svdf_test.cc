#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

// Two inputs, two filters of rank `rank`, a memory of 2; the filters take x0 + x1 and x0 - x1, the newest value has the
// weights 10 and 1, the one before 100 and 1000.
OneOpModel Float(int rank, int32_t state_size = 4, bool variable = true) {
  OneOpModel model(BuiltinOp::kSvdf);
  model.Option("rank", rank).Input<float>({1, 2}, {3, 1}).Output(DType::kFloat32);
  model.Constant<float>({2, 2}, {1, 1, 1, -1}).Constant<float>({2, 2}, {100, 10, 1000, 1}).Absent();
  return variable ? model.Variable(DType::kFloat32, {1, state_size}) : model.Constant<float>({1, 4}, {0, 0, 0, 0});
}

TEST(Svdf, RemembersOneStep) {
  EXPECT_EQ(Float(1).Run<float>(), (std::vector<float>{40, 2}));
  EXPECT_EQ(Float(1).Run<float>("reference", 2), (std::vector<float>{440, 2002}));
  EXPECT_EQ(Float(1).Run<float>("reference", 3), (std::vector<float>{440, 2002}));
}

TEST(Svdf, AUnitSumsItsRank) { EXPECT_EQ(Float(2).Run<float>("reference", 2), (std::vector<float>{2442})); }

TEST(Svdf, ActivatesFloats) {
  EXPECT_EQ(Float(1).Option("fused_activation_function", 3).Run<float>(), (std::vector<float>{6, 2}));
}

// The numbers above: codes of 1/2 with the zero point 1 come in, the state counts in 1/4, codes of 8 go out around -2.
OneOpModel Integer(float output_scale = 8) {
  OneOpModel model(BuiltinOp::kSvdf);
  model.Option("rank", 1).Input<int8_t>({1, 2}, {7, 3}, ModelBuilder::PerTensor(0.5F, 1));
  model.Constant<int8_t>({2, 2}, {1, 1, 1, -1}, ModelBuilder::PerTensor(1));
  model.Constant<int16_t>({2, 2}, {100, 10, 1000, 1}, ModelBuilder::PerTensor(1));
  model.Constant<int32_t>({2}, {0, 4 * 16}, ModelBuilder::PerTensor(0.25F));
  return model.Variable(DType::kInt16, {1, 4}, ModelBuilder::PerTensor(0.25F))
      .Output(DType::kInt8, ModelBuilder::PerTensor(output_scale, -2));
}

TEST(Svdf, Codes) {
  EXPECT_EQ(Integer().Run<int8_t>(), (std::vector<int8_t>{3, 0}));                     // 40 / 8, 18 / 8
  EXPECT_EQ(Integer().Run<int8_t>("reference", 2), (std::vector<int8_t>{53, 127}));    // 440 / 8, 2018 / 8
  EXPECT_EQ(Integer(16).Run<int8_t>("reference", 2), (std::vector<int8_t>{26, 124}));  // 27.5, 126.1
}

TEST(Svdf, RefusesWhatDoesNotFit) {
  const auto says = [](const OneOpModel& model, std::string_view part) {
    return model.Message().find(part) != std::string::npos;
  };
  EXPECT_TRUE(says(Float(0), "rank 0 does not divide the 2 filters"));
  EXPECT_TRUE(says(Float(3), "rank 3 does not divide the 2 filters"));
  EXPECT_TRUE(says(Float(1, 5), "state has the shape [1,5], expected [1,4]"));
  EXPECT_TRUE(says(Float(1, 4, false), "state is not a variable"));
  EXPECT_TRUE(says(Float(1).Option("fused_activation_function", 5), "SIGN_BIT has no kernel"));
}

}  // namespace
}  // namespace assay::runtime
