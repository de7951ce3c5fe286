#include <gtest/gtest.h>

#include <cmath>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

TEST(Softmax, Floats) {
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    const auto y = OneOpModel(BuiltinOp::kSoftmax)
                       .Option("beta", 1.0)
                       .Input<float>({2, 2}, {0, std::log(3.0F), 1000, -1000})
                       .Output(DType::kFloat32)
                       .Run<float>(profile);
    EXPECT_NEAR(y[0], 0.25, 1e-6);
    EXPECT_NEAR(y[1], 0.75, 1e-6);
    EXPECT_EQ(y[2], 1);
    EXPECT_EQ(y[3], 0);
    const auto log = OneOpModel(BuiltinOp::kLogSoftmax)
                         .Input<float>({1, 2}, {0, std::log(3.0F)})
                         .Output(DType::kFloat32)
                         .Run<float>(profile);
    EXPECT_NEAR(log[0], std::log(0.25), 1e-6);
    EXPECT_NEAR(log[1], std::log(0.75), 1e-6);
  }
}

// e^0 : e^1 : e^-1000 = 0.2689 : 0.7311 : 0.
TEST(Softmax, Codes) {
  for (const char* profile : {"reference", "builtin"}) {
    const auto run = [&](DType out, Quantization q) {
      return OneOpModel(BuiltinOp::kSoftmax)
          .Option("beta", 1.0)
          .Input<int8_t>({1, 3}, {10, 20, -128}, ModelBuilder::PerTensor(0.1F))
          .Output(out, std::move(q));
    };
    EXPECT_EQ(run(DType::kInt8, ModelBuilder::PerTensor(1.0F / 256, -128)).Run<int8_t>(profile),
              (std::vector<int8_t>{-59, 59, -128}));
    const auto wide = run(DType::kInt16, ModelBuilder::PerTensor(1.0F / 65536, -32768)).Run<int16_t>(profile);
    EXPECT_NEAR(wide[1], 0.7310586 * 65536 - 32768, 2);
    const auto log = OneOpModel(BuiltinOp::kLogSoftmax)
                         .Input<int8_t>({1, 3}, {10, 20, -128}, ModelBuilder::PerTensor(0.1F))
                         .Output(DType::kInt8, ModelBuilder::PerTensor(1.0F / 16, 127))
                         .Run<int8_t>(profile);
    EXPECT_EQ(log, (std::vector<int8_t>{106, 122, -115}));  // -1.3133, -0.3133, -15.113
    const auto sixteen = OneOpModel(BuiltinOp::kSoftmax)
                             .Option("beta", 1.0)
                             .Input<int16_t>({1, 2}, {0, 1000}, ModelBuilder::PerTensor(0.001F))
                             .Output(DType::kInt16, ModelBuilder::PerTensor(1.0F / 32768))
                             .Run<int16_t>(profile);
    EXPECT_NEAR(sixteen[0], 0.2689414 * 32768, 12);
    EXPECT_NEAR(sixteen[1], 0.7310586 * 32768, 12);
  }
}

// 4096 equal codes overflow the reference kernel's sum; the result is meaningless but defined.
TEST(Softmax, LongRowsAreDefined) {
  const auto y = OneOpModel(BuiltinOp::kSoftmax)
                     .Option("beta", 1.0)
                     .Input<int8_t>({1, 10000}, std::vector<int8_t>(10000, 5), ModelBuilder::PerTensor(0.1F))
                     .Output(DType::kInt8, ModelBuilder::PerTensor(1.0F / 256, -128))
                     .Run<int8_t>("reference");
  EXPECT_EQ(y.size(), 10000U);
}

TEST(Softmax, EmptyRows) {
  EXPECT_EQ(OneOpModel(BuiltinOp::kSoftmax).Input<float>({3, 0}, {}).Output(DType::kFloat32).OutputShape(),
            (Shape{3, 0}));
  EXPECT_EQ(OneOpModel(BuiltinOp::kLogSoftmax).Input<float>({0, 3}, {}).Output(DType::kFloat32).OutputShape(),
            (Shape{0, 3}));
}

TEST(Softmax, RefusesWhatCannotBe) {
  const auto message = [](Quantization in, Quantization out, double beta = 1, Shape shape = {1, 1}) {
    return OneOpModel(BuiltinOp::kSoftmax)
        .Option("beta", beta)
        .Input<int8_t>(shape, {1}, in)
        .Output(DType::kInt8, out)
        .Message();
  };
  const Quantization in = ModelBuilder::PerTensor(0.1F), out = ModelBuilder::PerTensor(1.0F / 256, -128);
  EXPECT_EQ(message(in, out), "");
  EXPECT_NE(message({}, out).find("input has 0 scales"), std::string::npos);
  EXPECT_NE(message(in, ModelBuilder::PerTensor(1.0F / 256)).find("zero point 0, expected -128"), std::string::npos);
  EXPECT_NE(message(in, ModelBuilder::PerTensor(0.1F, -128)).find("has the scale 0.1"), std::string::npos);
  EXPECT_NE(message(in, out, 0).find("is too small"), std::string::npos);
  EXPECT_NE(message(in, out, NAN).find("beta is nan"), std::string::npos);
  EXPECT_NE(message(in, out, 1, Shape{}).find("input is a scalar"), std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kLogSoftmax)
                .Input<uint8_t>({1, 1}, {1}, in)
                .Output(DType::kUInt8, ModelBuilder::PerTensor(0.1F, 255))
                .Message()
                .find("expected 1/16"),
            std::string::npos);
  EXPECT_NE(OneOpModel(BuiltinOp::kLogSoftmax)
                .Input<int32_t>({1, 1}, {1})
                .Output(DType::kInt32)
                .Message()
                .find("have no kernel"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
