#include <gtest/gtest.h>

#include <cmath>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

TEST(Activations, Floats) {
  const auto run = [](BuiltinOp op, std::vector<float> x) {
    const Shape shape{static_cast<int32_t>(x.size())};
    return OneOpModel(op).Option("alpha", 0.5).Input<float>(shape, x).Output(DType::kFloat32).Run<float>();
  };
  EXPECT_EQ(run(BuiltinOp::kRelu, {-1, 0, 7}), (std::vector<float>{0, 0, 7}));
  EXPECT_EQ(run(BuiltinOp::kRelu6, {-1, 0, 7}), (std::vector<float>{0, 0, 6}));
  EXPECT_EQ(run(BuiltinOp::kReluN1To1, {-3, 0.5F, 7}), (std::vector<float>{-1, 0.5F, 1}));
  EXPECT_EQ(run(BuiltinOp::kRelu0To1, {-3, 0.5F, 7}), (std::vector<float>{0, 0.5F, 1}));
  EXPECT_EQ(run(BuiltinOp::kLeakyRelu, {-3, 2}), (std::vector<float>{-1.5F, 2}));
  EXPECT_EQ(run(BuiltinOp::kHardSwish, {-4, -1.5F, 0, 3, 10}), (std::vector<float>{0, -0.375F, 0, 3, 10}));
  EXPECT_EQ(run(BuiltinOp::kLogistic, {-200, 0, 200}), (std::vector<float>{0, 0.5F, 1}));
  EXPECT_NEAR(run(BuiltinOp::kElu, {-1})[0], std::exp(-1.0) - 1, 1e-6);
  EXPECT_NEAR(run(BuiltinOp::kTanh, {0.5F})[0], std::tanh(0.5), 1e-6);
  EXPECT_NEAR(run(BuiltinOp::kGelu, {-1})[0], -0.5 * std::erfc(std::sqrt(0.5)), 1e-6);
}

TEST(Activations, CodesAreClampedAtTheOutputsScale) {
  const auto relu6 = [](const char* profile) {
    return OneOpModel(BuiltinOp::kRelu6)
        .Input<int8_t>({4}, {-128, 4, 24, 127}, ModelBuilder::PerTensor(0.25F, 4))
        .Output(DType::kInt8, ModelBuilder::PerTensor(0.5F, -10))
        .Run<int8_t>(profile);
  };
  EXPECT_EQ(relu6("reference"), (std::vector<int8_t>{-10, -10, 0, 2}));
  EXPECT_EQ(relu6("xnnpack"), relu6("reference"));
}

TEST(Activations, SixteenBits) {
  const auto run = [](BuiltinOp op, float scale, const char* profile) {
    return OneOpModel(op)
        .Input<int16_t>({3}, {-4096, 0, 32767}, ModelBuilder::PerTensor(scale))
        .Output(DType::kInt16, ModelBuilder::PerTensor(1.0F / 32768))
        .Run<int16_t>(profile);
  };
  for (const char* profile : {"reference", "builtin"}) {
    for (const float scale : {1.0F / 4096, 1.0F / 4000}) {
      const auto logistic = run(BuiltinOp::kLogistic, scale, profile);
      EXPECT_NEAR(logistic[0], 32768 / (1 + std::exp(4096.0 * static_cast<double>(scale))), 12);
      EXPECT_EQ(logistic[1], 16384);
      EXPECT_NEAR(logistic[2], 32757, 12);
      const auto tanh = run(BuiltinOp::kTanh, scale, profile);
      EXPECT_NEAR(tanh[0], -32768 * std::tanh(4096.0 * static_cast<double>(scale)), 12);
      EXPECT_EQ(tanh[1], 0);
      EXPECT_NEAR(tanh[2], 32767, 1);
    }
  }
}

// From some size on results come from a table of all codes.
TEST(Activations, LargeTensorsOfSixteenBitsHaveTheBitsOfSmallOnes) {
  std::vector<int16_t> codes(size_t{1} << 16);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int16_t>(i * 40503);
  for (const BuiltinOp op : {BuiltinOp::kLogistic, BuiltinOp::kTanh}) {
    for (const float scale : {1.0F / 4096, 1.0F / 2048, 0.0003F}) {
      for (const char* profile : {"reference", "builtin"}) {
        const auto run = [&](const std::vector<int16_t>& x) {
          return OneOpModel(op)
              .Input<int16_t>({static_cast<int32_t>(x.size())}, x, ModelBuilder::PerTensor(scale, 0))
              .Output(DType::kInt16, ModelBuilder::PerTensor(1.0F / 32768, 0))
              .Run<int16_t>(profile);
        };
        std::vector<int16_t> pieces;
        for (size_t first = 0; first < codes.size(); first += 16384) {
          const auto at = codes.begin() + static_cast<ptrdiff_t>(first);
          const std::vector<int16_t> piece = run({at, at + 16384});
          pieces.insert(pieces.end(), piece.begin(), piece.end());
        }
        EXPECT_EQ(run(codes), pieces) << scale << profile;
      }
    }
  }
}

TEST(Activations, RefusesWhatCannotBe) {
  const auto message = [](BuiltinOp op, Quantization in, Quantization out, double alpha = 1) {
    return OneOpModel(op)
        .Option("alpha", alpha)
        .Input<int8_t>({1}, {1}, in)
        .Output(DType::kInt8, out)
        .Message("builtin");
  };
  const Quantization q = ModelBuilder::PerTensor(0.1F);
  EXPECT_EQ(message(BuiltinOp::kRelu, q, q), "");
  EXPECT_NE(message(BuiltinOp::kRelu, {}, q).find("input has 0 scales"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kRelu, q, {}).find("output has 0 scales"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kLogistic, q, q).find("expected 1/256"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kHardSwish, ModelBuilder::PerTensor(100), q).find("128 times"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kLeakyRelu, q, q, INFINITY).find("alpha is inf"), std::string::npos);
  EXPECT_NE(
      message(BuiltinOp::kRelu, ModelBuilder::PerTensor(1e38F), ModelBuilder::PerTensor(1e-30F)).find("out of range"),
      std::string::npos);
  const auto wide = [](BuiltinOp op, float in, float out) {
    return OneOpModel(op)
        .Input<int16_t>({1}, {1}, ModelBuilder::PerTensor(in))
        .Output(DType::kInt16, ModelBuilder::PerTensor(out))
        .Message();
  };
  EXPECT_EQ(wide(BuiltinOp::kTanh, 0.1F, 1.0F / 32768), "");
  EXPECT_NE(wide(BuiltinOp::kTanh, 0.1F, 0.1F).find("expected 1/32768"), std::string::npos);
  EXPECT_NE(wide(BuiltinOp::kLogistic, 1e-20F, 1.0F / 32768).find("out of range"), std::string::npos);
  EXPECT_NE(wide(BuiltinOp::kGelu, 0.1F, 0.1F).find("have no kernel"), std::string::npos);
  EXPECT_NE(wide(BuiltinOp::kElu, 0.1F, 0.1F).find("input is int16"), std::string::npos);
  EXPECT_NE(
      OneOpModel(BuiltinOp::kTanh).Input<int32_t>({1}, {1}).Output(DType::kInt32).Message().find("input has 0 scales"),
      std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kTanh).Input<float>({1}, {1}).Output(DType::kInt8).Message().find("output is int8"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
