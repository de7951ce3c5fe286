#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

// Ties: away from zero, but to even in full blocks of eight and in XNNPACK.
TEST(Quantize, RoundsAsTheEngineDoes) {
  const std::vector<float> x = {0.25F, 0.75F, -0.25F, -0.75F, 1.25F, 0, 100, -100, 0.25F};
  const auto run = [&](const char* profile) {
    return OneOpModel(BuiltinOp::kQuantize)
        .Input<float>({9}, x)
        .Output(DType::kInt8, ModelBuilder::PerTensor(0.5F, 1))
        .Run<int8_t>(profile);
  };
  EXPECT_EQ(run("reference"), (std::vector<int8_t>{2, 3, 0, -1, 4, 1, 127, -128, 2}));
  EXPECT_EQ(run("builtin"), (std::vector<int8_t>{1, 3, 1, -1, 3, 1, 127, -128, 2}));
  EXPECT_EQ(run("xnnpack"), (std::vector<int8_t>{1, 3, 1, -1, 3, 1, 127, -128, 1}));
}

TEST(Quantize, WhatIsNoNumberBecomesWhatTheRuntimesMakeOfIt) {
  const float nan = std::nanf("");
  const auto run = [&](const char* profile) {
    return OneOpModel(BuiltinOp::kQuantize)
        .Input<float>({1}, {nan})
        .Output(DType::kInt8, ModelBuilder::PerTensor(0.5F, 5))
        .Run<int8_t>(profile)[0];
  };
  EXPECT_EQ(run("reference"), -128);
  EXPECT_EQ(run("builtin"), -128);
  EXPECT_EQ(run("xnnpack"), 127);
}

TEST(Quantize, PerChannelAndBack) {
  const Quantization q = {{0.5F, 0.25F}, {0, 10}, 1, {}, {}};
  const OneOpModel quantize =
      OneOpModel(BuiltinOp::kQuantize).Input<float>({2, 2}, {1, 1, -2, -2}).Output(DType::kInt8, q);
  EXPECT_EQ(quantize.Run<int8_t>(), (std::vector<int8_t>{2, 14, -4, 2}));
  const OneOpModel dequantize =
      OneOpModel(BuiltinOp::kDequantize).Input<int8_t>({2, 2}, {2, 14, -4, 2}, q).Output(DType::kFloat32);
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    EXPECT_EQ(dequantize.Run<float>(profile), (std::vector<float>{1, 1, -2, -2}));
  }
}

TEST(Quantize, Requantizes) {
  const OneOpModel model = OneOpModel(BuiltinOp::kQuantize)
                               .Input<uint8_t>({3}, {0, 128, 255}, ModelBuilder::PerTensor(0.5F, 128))
                               .Output(DType::kInt8, ModelBuilder::PerTensor(1, -1));
  EXPECT_EQ(model.Run<int8_t>(), (std::vector<int8_t>{-65, -1, 63}));  // 63.5 is 64 away from zero
  const OneOpModel wide = OneOpModel(BuiltinOp::kQuantize)
                              .Input<int16_t>({2}, {-300, 300}, ModelBuilder::PerTensor(1))
                              .Output(DType::kInt32, ModelBuilder::PerTensor(0.5F, 7));
  EXPECT_EQ(wide.Run<int32_t>(), (std::vector<int32_t>{-593, 607}));
}

TEST(Dequantize, SubByteTypesAreUnpacked) {
  const auto run = [](DType dtype, std::vector<uint8_t> bytes) {
    graph::ModelBuilder m;
    const int x = m.ConstantBytes("x", dtype, {3}, std::move(bytes), ModelBuilder::PerTensor(0.5F));
    const int y = m.Tensor("y", DType::kFloat32, {3});
    m.Op(BuiltinOp::kDequantize, {x}, {y});
    m.Output(y);
    Interpreter interpreter(m.Build());
    interpreter.AllocateTensors();
    interpreter.Invoke();
    const Array output = interpreter.Output(0);
    const auto values = output.values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  EXPECT_EQ(run(DType::kInt4, {0xF1, 0x08}), (std::vector<float>{0.5F, -0.5F, -4}));
  EXPECT_EQ(run(DType::kUInt4, {0xF1, 0x08}), (std::vector<float>{0.5F, 7.5F, 4}));
  EXPECT_EQ(run(DType::kInt2, {0b00101101}), (std::vector<float>{0.5F, -0.5F, -1}));
  EXPECT_EQ(run(DType::kFloat16, {0x00, 0x3C, 0x00, 0xC0, 0x00, 0x7C}),
            (std::vector<float>{1, -2, std::numeric_limits<float>::infinity()}));
}

TEST(Quantize, RefusesWhatCannotBe) {
  const auto message = [](Quantization q, DType out = DType::kInt8) {
    return OneOpModel(BuiltinOp::kQuantize).Input<float>({2, 2}, {1, 2, 3, 4}).Output(out, q).Message();
  };
  EXPECT_EQ(message(ModelBuilder::PerTensor(1)), "");
  EXPECT_NE(message({}).find("output has 0 scales"), std::string::npos);
  EXPECT_NE(message({{1, 1}, {0, 0}, 5, {}, {}}).find("dimension 5, outside of rank 2"), std::string::npos);
  EXPECT_NE(message({{1, 1, 1}, {0, 0, 0}, 1, {}, {}}).find("output has 3 scales"), std::string::npos);
  EXPECT_NE(message({{0}, {0}, 0, {}, {}}).find("output has the scale 0"), std::string::npos);
  EXPECT_NE(message(ModelBuilder::PerTensor(1), DType::kInt32).find("output is int32"), std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kQuantize)
                .Input<int16_t>({1}, {1}, ModelBuilder::PerTensor(1))
                .Output(DType::kUInt8, ModelBuilder::PerTensor(1))
                .Message()
                .find("have no kernel"),
            std::string::npos);
  const auto dequantize = [](Quantization q) {
    return OneOpModel(BuiltinOp::kDequantize).Input<int16_t>({2}, {1, 2}, q).Output(DType::kFloat32).Message();
  };
  EXPECT_EQ(dequantize(ModelBuilder::PerTensor(1)), "");
  EXPECT_NE(dequantize(ModelBuilder::PerTensor(1, 3)).find("zero point 3"), std::string::npos);
  EXPECT_NE(dequantize({{1, 1}, {0, 0}, 0, {}, {}}).find("quantized per channel"), std::string::npos);
  EXPECT_NE(dequantize({}).find("input has 0 scales"), std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kDequantize)
                .Input<float>({1}, {1})
                .Output(DType::kFloat32)
                .Message()
                .find("input is float32"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
