#include "quantize/blockwise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "passes/rewrite.h"
#include "quantize/quantize.h"
#include "quantize/test_samples.h"
#include "tensor/float16.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using testing::HasSubstr;

int8_t CodeAt(const graph::Constant& codes, size_t i) {
  const int nibble = codes.bytes()[i / 2] >> (i % 2 * 4) & 15;
  return static_cast<int8_t>((nibble ^ 8) - 8);
}

float ScaleAt(const graph::Constant& scales, size_t block) {
  return HalfToFloat(static_cast<uint16_t>(scales.bytes()[2 * block] | scales.bytes()[2 * block + 1] << 8U));
}

double SquaredErrorOf(const BlockwiseCodes& codes, const std::vector<float>& values, size_t block) {
  double error = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const float real = static_cast<float>(CodeAt(codes.codes, i)) * ScaleAt(codes.scales, i / block);
    error += std::pow(static_cast<double>(real - values[i]), 2);
  }
  return error;
}

TEST(BlockwiseTest, EveryBlockHasTheScaleOfItsLargestWeight) {
  std::vector<float> values = RandomValues(96, 1);
  for (size_t i = 32; i < 64; ++i) values[i] *= 1000;
  for (size_t i = 64; i < 96; ++i) values[i] = 0;
  const BlockwiseCodes codes = EncodeBlockwise(values, 32, false);
  ASSERT_EQ(codes.scales.bytes().size(), 6U);
  for (size_t b = 0; b < 3; ++b) {
    const float scale = ScaleAt(codes.scales, b);
    EXPECT_GT(scale, 0) << "a scale of 0 makes XNNPACK refuse the file";
    EXPECT_EQ(scale, BFloat16ToFloat(FloatToBFloat16(scale))) << "XNNPACK would round it";
    float magnitude = 0;
    for (size_t i = 32 * b; i < 32 * b + 32; ++i) {
      magnitude = std::max(magnitude, std::abs(values[i]));
      EXPECT_LE(std::abs(static_cast<float>(CodeAt(codes.codes, i)) * scale - values[i]), scale * 0.53F) << i;
    }
    EXPECT_NEAR(scale, magnitude / 7, std::max(magnitude / 7 / 200, 1e-7F));
  }
  EXPECT_EQ(codes.narrowed, 0);
}

TEST(BlockwiseTest, ClippingLeavesLessError) {
  std::vector<float> values = RandomValues(32, 2);
  values[5] = 6;
  const BlockwiseCodes plain = EncodeBlockwise(values, 32, false), clipped = EncodeBlockwise(values, 32, true);
  EXPECT_EQ(clipped.narrowed, 1);
  EXPECT_LT(SquaredErrorOf(clipped, values, 32), SquaredErrorOf(plain, values, 32));
}

// y = dense(x), [rows, 64] -> [rows, 48]
struct Dense {
  graph::ModelBuilder m;
  std::vector<float> weights = RandomValues(size_t{48} * 64, 3);
  int x, w, y;

  explicit Dense(int activation = 0) {
    for (size_t i = 0; i < weights.size(); ++i) weights[i] *= i / 32 % 2 == 0 ? 1 : 50;  // what one scale a row ruins
    x = m.Input("x", DType::kFloat32, {3, 64});
    w = m.Constant("w", {48, 64}, weights);
    y = m.Tensor("y", DType::kFloat32, {3, 48});
    m.Op(BuiltinOp::kFullyConnected, {x, w, m.Constant("b", {48}, RandomValues(48, 4))}, {y},
         {{"fused_activation_function", activation}});
    m.Output(y);
  }
  QuantizeRequest Request(int32_t block) const {
    QuantizeRequest request;
    request.model = m.Build();
    request.scheme = Scheme::kDynamic;
    request.weights = DType::kInt4;
    request.block_size = block;
    return request;
  }
};

Array RunUnder(const char* profile, const graph::Model& model, const Array& input) {
  runtime::InterpreterOptions options;
  options.profile = &numerics::FindProfile(profile);
  runtime::Interpreter interpreter(std::make_shared<const graph::Model>(model), options);
  interpreter.SetInput(0, input);
  interpreter.Invoke();
  return interpreter.Output(0);
}

double Distance(const Array& a, const Array& b) {
  double distance = 0;
  for (int64_t i = 0; i < a.size(); ++i) distance += std::pow(ElementAsDouble(a, i) - ElementAsDouble(b, i), 2);
  return std::sqrt(distance);
}

TEST(BlockwiseTest, DenseLayersRunWithAScalePerBlock) {
  const Dense net;
  Array input(DType::kFloat32, {3, 64});
  const std::vector<float> x = RandomValues(192, 5);
  // The blocks with the large weights see little, so that the others count.
  for (size_t i = 0; i < x.size(); ++i) input.values<float>()[i] = i % 64 < 32 ? x[i] : x[i] / 50;
  const Array want = RunUnder("reference", *net.m.Build(), input);
  const QuantizeResult blocks = Quantize(net.Request(32)), rows = Quantize(net.Request(0));
  EXPECT_EQ(blocks.weights_in_blocks, 1);
  EXPECT_EQ(rows.weights_in_blocks, 0);
  for (const char* profile : {"builtin", "xnnpack"}) {
    EXPECT_LT(3 * Distance(want, RunUnder(profile, blocks.model, input)),
              Distance(want, RunUnder(profile, rows.model, input)))
        << profile;
  }
}

TEST(BlockwiseTest, LikeLiteRtItsReferenceKernelsFindNoScaleAndItsBuiltInOnesNoActivation) {
  const Dense net(/*RELU*/ 1);
  Array input(DType::kFloat32, {3, 64});
  for (float& v : input.values<float>()) v = 1;
  const graph::Model model = Quantize(net.Request(32)).model;
  const Array built_in = RunUnder("builtin", model, input), xnnpack = RunUnder("xnnpack", model, input);
  const Array reference = RunUnder("reference", model, input);
  const std::vector<float> bias = RandomValues(48, 4);
  int negative = 0;
  for (int64_t i = 0; i < built_in.size(); ++i) {
    negative += ElementAsDouble(built_in, i) < 0;
    EXPECT_GE(ElementAsDouble(xnnpack, i), 0);
    EXPECT_EQ(static_cast<float>(ElementAsDouble(reference, i)), std::max(bias[static_cast<size_t>(i) % 48], 0.0F));
  }
  EXPECT_GT(negative, 0);
}

std::string Refusal(const QuantizeRequest& request) {
  try {
    Quantize(request);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(BlockwiseTest, SaysWhatTakesNoBlocks) {
  const Dense net;
  EXPECT_THAT(Refusal(net.Request(48)), HasSubstr("--block-size 48: a multiple of 32"));
  EXPECT_THAT(Refusal(net.Request(-32)), HasSubstr("--block-size -32"));
  EXPECT_THAT(Refusal(net.Request(128)),
              HasSubstr("no FULLY_CONNECTED has 1024 constant weights or more in rows of a"));
  QuantizeRequest request = net.Request(32);
  request.weights = DType::kInt8;
  EXPECT_THAT(Refusal(request), HasSubstr("--scheme dynamic --weights int4 alone"));
  request = net.Request(32);
  request.model = std::make_shared<const graph::Model>(Quantize(request).model);
  EXPECT_THAT(Refusal(request), HasSubstr("is quantized already: tensor 'w' has a scale for every block of 32"));
}

TEST(BlockwiseTest, WeightsWithoutAScaleAreNamed) {
  const auto with = [](float value, int32_t block) {
    const Dense net;
    QuantizeRequest request = net.Request(block);
    graph::Model model = *request.model;
    for (graph::Tensor& tensor : model.subgraphs[0].tensors) {
      if (tensor.name != "w") continue;
      std::vector<float> values =
          *passes::FloatValues(model.subgraphs[0], static_cast<int32_t>(&tensor - model.subgraphs[0].tensors.data()));
      values[5] = value;
      tensor.data = graph::Constant::Own(values);
    }
    request.model = std::make_shared<const graph::Model>(std::move(model));
    return request;
  };
  for (const int32_t block : {0, 32}) {
    EXPECT_THAT(Refusal(with(std::nanf(""), block)), HasSubstr("value 5 of 'w' is NaN"));
    EXPECT_THAT(Refusal(with(-HUGE_VALF, block)), HasSubstr("value 5 of 'w' is infinite"));
  }
  EXPECT_THAT(Refusal(with(kMostBlockwise * 1.01F, 32)), HasSubstr("value 5 of 'w' is 461529.6: a block that holds"));
  EXPECT_EQ(Quantize(with(kMostBlockwise, 32)).weights_in_blocks, 1);
}

TEST(BlockwiseTest, MalformedBlocksAreRefused) {
  const graph::Model good = Quantize(Dense().Request(32)).model;
  const auto refusal = [&](const auto& break_it) {
    graph::Model bad = good;
    graph::Subgraph& graph = bad.subgraphs[0];
    for (graph::Tensor& tensor : graph.tensors) {
      if (tensor.blockwise.has_value()) break_it(tensor, graph.tensors[static_cast<size_t>(tensor.blockwise->scales)]);
    }
    try {
      RunUnder("xnnpack", bad, Array(DType::kFloat32, {3, 64}));
      return std::string();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput);
      return std::string(error.what());
    }
  };
  EXPECT_THAT(refusal([](auto& w, auto&) { w.blockwise->block_size = 0; }), HasSubstr("whole number of blocks of 0"));
  EXPECT_THAT(refusal([](auto& w, auto&) { w.blockwise->block_size = 48; }), HasSubstr("whole number of blocks of 48"));
  EXPECT_THAT(refusal([](auto& w, auto&) { w.blockwise->block_size = 16; }), HasSubstr("have 96 scales, expected 192"));
  EXPECT_THAT(refusal([](auto&, auto& scales) { scales.data.reset(); }), HasSubstr("no float16 constant"));
  EXPECT_THAT(
      refusal([](auto&, auto& scales) { scales.data = graph::Constant::Own(std::vector<uint16_t>(96, 0x7C00)); }),
      HasSubstr("a scale of inf"));
}

}  // namespace
}  // namespace assay::quantize
