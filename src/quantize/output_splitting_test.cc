#include "quantize/output_splitting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "quantize/quantize.h"
#include "quantize/test_samples.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using testing::HasSubstr;

Array Infer(const graph::Model& model, const Array& input) {
  runtime::Interpreter interpreter(std::make_shared<const graph::Model>(model), {});
  interpreter.SetInput(0, input);
  interpreter.Invoke();
  return interpreter.Output(0);
}

QuantizeRequest Request(const graph::ModelBuilder& builder, const data::Dataset& samples, bool split) {
  QuantizeRequest request;
  request.model = builder.Build();
  request.dataset = &samples;
  request.data_spec = "memory";
  request.split_outputs = split;
  return request;
}

// The error of the values whose place in the last dimension `counts`, as a part of their power.
template <typename Counts>
double RelativeError(const Array& want, const Array& got, int channels, const Counts& counts) {
  double error = 0, power = 0;
  for (int64_t i = 0; i < want.size(); ++i) {
    if (!counts(static_cast<int>(i % channels))) continue;
    error += std::pow(ElementAsDouble(got, i) - ElementAsDouble(want, i), 2);
    power += std::pow(ElementAsDouble(want, i), 2);
  }
  return error / power;
}

// One convolution gives boxes in hundreds (even channels) and scores below one (odd ones), reshaped into rows of two.
struct Head {
  graph::ModelBuilder m;
  int features, y;
  explicit Head(int groups = 1) {
    const int x = m.Input("x", DType::kFloat32, {1, 4, 4, 3 * groups});
    std::vector<float> weights, bias(6, 0.1F);
    for (int channel = 0; channel < 6; ++channel) {
      const float size = channel % 2 == 0 ? 200.0F : 1;
      for (const float w : {1.0F, -0.5F, 0.7F + 0.1F * static_cast<float>(channel)}) weights.push_back(w * size);
    }
    features = m.Tensor("features", DType::kFloat32, {1, 4, 4, 6});
    m.Op(BuiltinOp::kConv2D, {x, m.Constant("w", {6, 1, 1, 3}, weights), m.Constant("b", {6}, bias)}, {features},
         {{"padding", 1}, {"stride_w", 1}, {"stride_h", 1}});
    y = m.Tensor("y", DType::kFloat32, {48, 2});
    m.Op(BuiltinOp::kReshape, {features, m.Constant("shape", {2}, std::vector<int32_t>{48, 2})}, {y});
    m.Output(y);
  }
};

TEST(SplitOutputsTest, ALayerWithResultsOfManySizesBecomesOnePerSize) {
  const Head head;
  const MemorySamples samples = MemorySamples::Random(20, {1, 4, 4, 3});
  const QuantizeResult joined = Quantize(Request(head.m, samples, false));
  const QuantizeResult split = Quantize(Request(head.m, samples, true));
  EXPECT_EQ(split.split_layers, 1);
  EXPECT_EQ(split.split_parts, 2);
  EXPECT_EQ(OpNames(split.model), (std::vector<std::string>{"QUANTIZE", "CONV_2D", "CONV_2D", "DEQUANTIZE",
                                                            "DEQUANTIZE", "CONCATENATION", "GATHER", "RESHAPE"}));
  const Array input = samples.Load(3).arrays.front().second;
  const Array want = Infer(*head.m.Build(), input), before = Infer(joined.model, input),
              after = Infer(split.model, input);
  const auto scores = [](int channel) { return channel == 1; };
  const auto boxes = [](int channel) { return channel == 0; };
  EXPECT_GT(RelativeError(want, before, 2, scores), 0.05);
  EXPECT_LT(RelativeError(want, after, 2, scores), 1e-3);
  EXPECT_LT(RelativeError(want, after, 2, boxes), 1e-3);
  EXPECT_LE(RelativeError(want, after, 2, boxes), 1.5 * RelativeError(want, before, 2, boxes));
}

// What computes on reads one tensor with one scale, whatever is done here.
TEST(SplitOutputsTest, OnlyOutputsAreSplit) {
  Head head;
  const int z = head.m.Tensor("z", DType::kFloat32, {48, 2});
  head.m.Op(BuiltinOp::kLogistic, {head.y}, {z});
  head.m.subgraph().outputs = {z};
  const MemorySamples samples = MemorySamples::Random(5, {1, 4, 4, 3});
  const QuantizeResult result = Quantize(Request(head.m, samples, true));
  EXPECT_EQ(result.split_layers + result.joins_left_float, 0);
  EXPECT_EQ(result.float_ops.size(), 0U);
}

// Where a channel's place says which group of operands it reads, it keeps its place.
TEST(SplitOutputsTest, ConvolutionsInGroupsStayWhole) {
  const Head head(2);
  const MemorySamples samples = MemorySamples::Random(5, {1, 4, 4, 6});
  const QuantizeResult result = Quantize(Request(head.m, samples, true));
  EXPECT_EQ(result.split_layers, 0);
  EXPECT_EQ(result.integer_ops, 2);
}

TEST(SplitOutputsTest, PartsKeepWithinWhatTheMethodLeftOfTheWhole) {
  const Head head;
  graph::Model model = *head.m.Build();
  graph::Subgraph& graph = model.subgraphs[0];
  const auto features = static_cast<size_t>(head.features);
  Calibration calibration;
  calibration.ranges.resize(graph.tensors.size());
  calibration.channels.resize(graph.tensors.size());
  calibration.ranges[features] = {-100.0F, 150.0F};
  calibration.channels[features].low = {-200, -1, -300, -2, -90, -1};
  calibration.channels[features].high = {400, 1, 100, 2, 200, 1};
  const SplitOutputs split = SplitStarvedOutputs(graph, calibration, {});
  ASSERT_EQ(split.parts, 2);
  const auto range_of = [&](const std::string& name) {
    for (size_t t = 0; t < graph.tensors.size(); ++t) {
      if (graph.tensors[t].name == name) return *calibration.ranges[t];
    }
    throw InputError("no tensor {}", name);
  };
  EXPECT_EQ(range_of("features/part0"), (Range{-100, 150}));
  EXPECT_EQ(range_of("features/part1"), (Range{-2, 2}));
}

TEST(SplitOutputsTest, AJoinOfVeryDifferentOperandsStaysFloat) {
  graph::ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 4, 4, 3});
  const auto conv = [&](const char* name, float size, uint64_t seed) {
    const int out = m.Tensor(name, DType::kFloat32, {1, 4, 4, 2});
    m.Op(BuiltinOp::kConv2D,
         {x, m.Constant(std::string(name) + "/w", {2, 1, 1, 3}, RandomValues(6, seed, size)),
          m.Constant(std::string(name) + "/b", {2}, RandomValues(2, seed + 1, size))},
         {out}, {{"padding", 1}, {"stride_w", 1}, {"stride_h", 1}});
    return out;
  };
  const int large = conv("large", 300, 1), small = conv("small", 1, 3);
  const int scores = m.Tensor("scores", DType::kFloat32, {1, 4, 4, 2});
  m.Op(BuiltinOp::kLogistic, {small}, {scores});
  const int y = m.Tensor("y", DType::kFloat32, {1, 4, 4, 4});
  m.Op(BuiltinOp::kConcatenation, {large, scores}, {y}, {{"axis", 3}});
  m.Output(y);
  const MemorySamples samples = MemorySamples::Random(20, {1, 4, 4, 3});
  const QuantizeResult joined = Quantize(Request(m, samples, false)), split = Quantize(Request(m, samples, true));
  EXPECT_EQ(split.joins_left_float, 1);
  ASSERT_FALSE(split.float_ops.empty());
  EXPECT_EQ(split.float_ops.back().result, "y");
  EXPECT_THAT(split.float_ops.back().reason, HasSubstr("scales of their own"));
  const Array input = samples.Load(3).arrays.front().second;
  const Array want = Infer(*m.Build(), input), before = Infer(joined.model, input), after = Infer(split.model, input);
  const auto is_score = [](int channel) { return channel >= 2; };
  EXPECT_GT(RelativeError(want, before, 4, is_score), 0.05);
  EXPECT_LT(RelativeError(want, after, 4, is_score), 1e-3);
}

TEST(SplitOutputsTest, NeedsFloatOutputsAndSamples) {
  const Head head;
  const MemorySamples samples = MemorySamples::Random(5, {1, 4, 4, 3});
  QuantizeRequest request = Request(head.m, samples, true);
  request.output_type = DType::kInt8;
  try {
    Quantize(request);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("--output-type int8 would give them one scale again"));
  }
  request.output_type = DType::kFloat32;
  request.scheme = Scheme::kDynamic;
  try {
    Quantize(request);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("--split-outputs: scheme dynamic"));
  }
}

}  // namespace
}  // namespace assay::quantize
