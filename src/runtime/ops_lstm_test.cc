#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

float Tanh(float x) { return std::tanh(x); }

// One input, `cells` cells; weights of 0 but for the cell gate's from the input, which are 1. Every gate but the cell's
// is then 1/2 without a bias.
struct FloatLstm {
  int cells = 1;
  bool cifg = false, input_bias = true, variable = true;
  float forget_bias = 0;
  std::vector<float> projection = {}, projection_bias = {};  // to one output
  int32_t state_size = 0;                                    // 0: what it must be
  int recurrent_columns = 0;

  OneOpModel Model(BuiltinOp op, const Shape& input_shape, const std::vector<float>& input) const {
    const int outputs = projection.empty() ? cells : 1;
    const auto n = static_cast<size_t>(cells);
    OneOpModel model(op);
    model.Option("fused_activation_function", 4).Input<float>(input_shape, input).Output(DType::kFloat32);
    for (int gate = 0; gate < 4; ++gate) {
      if (gate == 0 && cifg) {
        model.Absent();
      } else {
        model.Constant<float>({cells, 1}, std::vector<float>(n, gate == 2 ? 1.0F : 0.0F));
      }
    }
    const int columns = recurrent_columns > 0 ? recurrent_columns : outputs;
    for (int gate = 0; gate < 4; ++gate) {
      if (gate == 0 && cifg) {
        model.Absent();
      } else {
        model.Constant<float>({cells, columns}, std::vector<float>(n * static_cast<size_t>(columns), 0));
      }
    }
    for (int gate = 0; gate < 3; ++gate) model.Absent();
    for (int gate = 0; gate < 4; ++gate) {
      if (gate == 0 && (cifg || !input_bias)) {
        model.Absent();
      } else {
        model.Constant<float>({cells}, std::vector<float>(n, gate == 1 ? forget_bias : 0.0F));
      }
    }
    projection.empty() ? model.Absent() : model.Constant<float>({1, cells}, projection);
    projection_bias.empty() ? model.Absent() : model.Constant<float>({1}, projection_bias);
    const Shape state = {1, state_size > 0 ? state_size : outputs};
    if (variable) {
      model.Variable(DType::kFloat32, state);
    } else {
      model.Constant<float>(state, {0});
    }
    return model.Variable(DType::kFloat32, {1, cells});
  }
  OneOpModel Sequence(const std::vector<float>& input) const {
    return Model(BuiltinOp::kUnidirectionalSequenceLstm, {1, static_cast<int32_t>(input.size()), 1}, input);
  }
};

bool Says(const OneOpModel& model, std::string_view part) { return model.Message().find(part) != std::string::npos; }

TEST(Lstm, StepsAndRemembers) {
  const float c1 = Tanh(2) / 2, c2 = (c1 + Tanh(-1)) / 2, c3 = (c2 + Tanh(2)) / 2, c4 = (c3 + Tanh(-1)) / 2;
  const OneOpModel model = FloatLstm{}.Sequence({2, -1});
  const std::vector<float> first = model.Run<float>(), second = model.Run<float>("reference", 2);
  EXPECT_NEAR(first[0], Tanh(c1) / 2, 1e-6F);
  EXPECT_NEAR(first[1], Tanh(c2) / 2, 1e-6F);
  EXPECT_NEAR(second[0], Tanh(c3) / 2, 1e-6F);
  EXPECT_NEAR(second[1], Tanh(c4) / 2, 1e-6F);
}

TEST(Lstm, OneStepWithoutTime) {
  const OneOpModel model = FloatLstm{.cells = 2}.Model(BuiltinOp::kLstm, {1, 1}, {2});
  const std::vector<float> output = model.Run<float>();
  ASSERT_EQ(output.size(), 2U);
  for (const float h : output) EXPECT_NEAR(h, Tanh(Tanh(2) / 2) / 2, 1e-6F);
  EXPECT_TRUE(Says(FloatLstm{}.Model(BuiltinOp::kLstm, {1, 1}, {2}).Option("kernel_type", 1), "BASIC"));
}

TEST(Lstm, CoupledInputAndForgetGates) {
  const std::vector<float> output =
      FloatLstm{.cifg = true, .forget_bias = std::log(3.0F)}.Sequence({2, 1}).Run<float>();
  const float c1 = Tanh(2) / 4, c2 = c1 * 3 / 4 + Tanh(1) / 4;  // forget 3/4, so the input gate is 1/4
  EXPECT_NEAR(output[0], Tanh(c1) / 2, 1e-6F);
  EXPECT_NEAR(output[1], Tanh(c2) / 2, 1e-6F);
}

TEST(Lstm, ProjectsAndClips) {
  const FloatLstm lstm = {.cells = 2, .projection = {1, 3}, .projection_bias = {0.25F}};
  const float h = Tanh(Tanh(2) / 2) / 2;
  const auto run = [&](double cell_clip, double proj_clip) {
    return lstm.Sequence({2}).Option("cell_clip", cell_clip).Option("proj_clip", proj_clip).Run<float>();
  };
  ASSERT_EQ(run(0, 0).size(), 1U);
  EXPECT_NEAR(run(0, 0)[0], 4 * h + 0.25F, 1e-6F);
  EXPECT_EQ(run(0, 0.5)[0], 0.5F);
  EXPECT_NEAR(run(0.125, 0)[0], 4 * Tanh(0.125F) / 2 + 0.25F, 1e-6F);
}

TEST(Lstm, RefusesFloatsThatDoNotFit) {
  EXPECT_TRUE(Says(OneOpModel(BuiltinOp::kUnidirectionalSequenceLstm).Input<float>({1, 1, 1}, {0}).Output({}),
                   "has 1 inputs, expected 20 or 24"));
  EXPECT_TRUE(Says(FloatLstm{.variable = false}.Sequence({1}), "output_state is not a variable"));
  EXPECT_TRUE(Says(FloatLstm{.state_size = 3}.Sequence({1}), "output_state has 3 values, expected 1"));
  EXPECT_TRUE(Says(FloatLstm{.recurrent_columns = 2}.Sequence({1}), "1 cells and 2 outputs without a projection"));
  EXPECT_TRUE(Says(FloatLstm{.input_bias = false}.Sequence({1}), "input 12 is missing"));
  EXPECT_TRUE(Says(FloatLstm{.projection_bias = {1}}.Sequence({1}), "projection_bias is given without"));
  EXPECT_TRUE(Says(FloatLstm{}.Sequence({1}).Option("fused_activation_function", 5), "SIGN_BIT has no kernel"));
  EXPECT_TRUE(Says(FloatLstm{}.Sequence({1}).Option("cell_clip", -1.0), "expected at least 0"));
  EXPECT_TRUE(Says(FloatLstm{}.Sequence({1}).Option("cell_clip", std::nan("")), "expected at least 0"));
  EXPECT_TRUE(Says(FloatLstm{}.Model(BuiltinOp::kUnidirectionalSequenceLstm, {1, 1}, {1}), "rank"));
}

// One input and cell; weights of 0. Biases count in 1/4096.
OneOpModel IntegerLstm(float cell_scale, int intermediates) {
  const Quantization weights = ModelBuilder::PerTensor(1 / 128.0F);
  OneOpModel model(BuiltinOp::kUnidirectionalSequenceLstm);
  model.Option("fused_activation_function", 4);
  model.Input<int8_t>({1, 2, 1}, {5, -7}, ModelBuilder::PerTensor(1 / 32.0F, 3));
  for (int i = 0; i < 8; ++i) model.Constant<int8_t>({1, 1}, {0}, weights);
  for (int i = 0; i < 3; ++i) model.Absent();
  for (const int32_t bias : {32767, 0, 32767, 32767}) model.Constant<int32_t>({1}, {bias});
  model.Absent().Absent();
  model.Variable(DType::kInt8, {1, 1}, ModelBuilder::PerTensor(1 / 128.0F));
  model.Variable(DType::kInt16, {1, 1}, ModelBuilder::PerTensor(cell_scale));
  for (int i = 0; i < intermediates; ++i) model.Intermediate(DType::kInt8, ModelBuilder::PerTensor(1 / 128.0F));
  return model.Output(DType::kInt8, ModelBuilder::PerTensor(1 / 128.0F));
}

TEST(Lstm, Codes) {
  // All gates but the forget gate are open, that is 1/2. In units of 2^-11 the cell becomes 2047, 2047 + 1024, ...;
  // the output is 128 tanh of it, times 0.9997.
  const OneOpModel model = IntegerLstm(1 / 2048.0F, 5);
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    EXPECT_EQ(model.Run<int8_t>(profile), (std::vector<int8_t>{97, 116}));
    EXPECT_EQ(model.Run<int8_t>(profile, 2), (std::vector<int8_t>{120, 122}));
  }
}

TEST(Lstm, RefusesCodesThatDoNotFit) {
  EXPECT_TRUE(Says(IntegerLstm(1 / 2048.0F, 0), "has 0 intermediate tensors, expected 5"));
  EXPECT_TRUE(Says(IntegerLstm(0.3F, 5), "no power of two"));
  EXPECT_TRUE(Says(IntegerLstm(0.5F, 5), "expected 2^-15 to 2^-9"));
  OneOpModel partly_normalized = IntegerLstm(1 / 2048.0F, 5);
  partly_normalized.Constant<float>({1}, {1}).Absent().Absent().Absent();
  EXPECT_TRUE(Says(std::move(partly_normalized), "layer norm coefficients are given for some gates only"));
}

// Both directions as FloatLstm; the backward direction's cell weight is 2.
OneOpModel Bidirectional(bool merge) {
  OneOpModel model(BuiltinOp::kBidirectionalSequenceLstm);
  model.Option("fused_activation_function", 4).Option("time_major", false).Option("merge_outputs", merge);
  model.Input<float>({1, 2, 1}, {1, -3}).Output(DType::kFloat32);
  for (const float weight : {1.0F, 2.0F}) {
    for (int gate = 0; gate < 4; ++gate) model.Constant<float>({1, 1}, {gate == 2 ? weight : 0});
    for (int gate = 0; gate < 4; ++gate) model.Constant<float>({1, 1}, {0});
    for (int gate = 0; gate < 3; ++gate) model.Absent();
    for (int gate = 0; gate < 4; ++gate) model.Constant<float>({1}, {0});
    model.Absent().Absent();
  }
  for (int i = 0; i < 4; ++i) model.Variable(DType::kFloat32, {1, 1});
  for (int i = 0; i < 9; ++i) model.Absent();
  return model;
}

TEST(BidirectionalLstm, BothWays) {
  const float ahead = Tanh(1) / 2, back = Tanh(-6) / 2;
  const std::vector<float> forward = {Tanh(ahead) / 2, Tanh((ahead + Tanh(-3)) / 2) / 2};
  const std::vector<float> backward = {Tanh((back + Tanh(2)) / 2) / 2, Tanh(back) / 2};
  const std::vector<float> merged = Bidirectional(true).Run<float>();
  const std::vector<Array> apart = Bidirectional(false).Output(DType::kFloat32).RunAll();
  ASSERT_EQ(merged.size(), 4U);
  ASSERT_EQ(apart.size(), 2U);
  for (size_t t = 0; t < 2; ++t) {
    EXPECT_NEAR(merged[2 * t], forward[t], 1e-6F);
    EXPECT_NEAR(merged[2 * t + 1], backward[t], 1e-6F);
    EXPECT_EQ(apart[0].values<float>()[t], merged[2 * t]);
    EXPECT_EQ(apart[1].values<float>()[t], merged[2 * t + 1]);
  }
  EXPECT_TRUE(Says(Bidirectional(false), "1 outputs, expected 2"));
}

}  // namespace
}  // namespace assay::runtime
