#include "report/inspect_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "graph/model_builder.h"
#include "report/inspect_words.h"

namespace assay::report {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;
using testing::Not;

size_t CountOf(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// x -> CONV_2D -> ADD with a branch around a second CONV_2D.
ModelBuilder Residual(const std::string& name = "x") {
  ModelBuilder m;
  const Quantization q = ModelBuilder::PerTensor(0.5F, 3);
  const int x = m.Input(name, DType::kInt8, {1, 8, 8, 4}, q);
  const auto convolution = [&](int in, const char* out) {
    const int w = m.Constant("w", {4, 3, 3, 4}, std::vector<int8_t>(144, 1),
                             ModelBuilder::PerChannel({0.1F, 0.2F, 0.3F, 0.4F}, 0));
    const int y = m.Tensor(out, DType::kInt8, {1, 8, 8, 4}, q);
    m.Op(BuiltinOp::kConv2D, {in, w, graph::kNoTensor}, {y},
         {{"stride_w", 1}, {"stride_h", 1}, {"fused_activation_function", 1}});
    return y;
  };
  const int a = convolution(x, "a"), b = convolution(a, "b"), y = m.Tensor("y", DType::kInt8, {1, 8, 8, 4}, q);
  m.Op(BuiltinOp::kAdd, {a, b}, {y});
  m.Output(y);
  m.model().signatures.push_back({"serving_default", 0, {{"image", x}}, {{"scores", y}}});
  m.model().metadata.push_back({"min_runtime_version", graph::Constant::Own({'1', '.', '5', 0, 0})});
  return m;
}

TEST(InspectTextTest, SaysWhatTheModelHolds) {
  const std::string text = InspectText("m.tflite", runtime::InspectModel(Residual().Build(), {}));
  EXPECT_THAT(text, HasSubstr("weights int8 per channel, activations int8, inputs int8, outputs int8"));
  EXPECT_THAT(text, HasSubstr("18,432 MACs"));  // 2 * (8*8*4 * 3*3*4)
  EXPECT_THAT(text, HasSubstr("scale 0.5, zero point 3 (-65.5 to 62)"));
  EXPECT_THAT(text, HasSubstr("serving_default: image (tensor 0) to scores (tensor 5)"));
  EXPECT_THAT(text, HasSubstr("5 bytes  '1.5'"));
  EXPECT_THAT(text, HasSubstr("3x3 SAME RELU"));
  EXPECT_THAT(text, Not(HasSubstr("cannot run")));
}

TEST(InspectJsonTest, HoldsTheFactsOfTheText) {
  const auto json = nlohmann::json::parse(InspectJson("m.tflite", runtime::InspectModel(Residual().Build(), {})));
  EXPECT_EQ(json["runs"], true);
  EXPECT_EQ(json["macs"], 18432);
  EXPECT_EQ(json["inputs"][0]["shape"], (std::vector<int>{1, 8, 8, 4}));
  EXPECT_EQ(json["inputs"][0]["quantization"]["scale"], std::vector<double>{0.5});
  const auto& op = json["subgraphs"][0]["ops"][0];
  EXPECT_EQ(op["op"], "CONV_2D");
  EXPECT_EQ(op["options"]["fused_activation_function"], "RELU");
  EXPECT_EQ(op["inputs"], (std::vector<int>{0, 1, -1}));
  EXPECT_EQ(op["macs"], 9216);
  EXPECT_EQ(op["engine"], "builtin");  // XNNPACK wants a bias
  EXPECT_EQ(json["subgraphs"][0]["ops"][2]["engine"], "xnnpack");
  EXPECT_EQ(json["subgraphs"][0]["tensors"][1]["quantization"]["scale"][1], 0.2);
  EXPECT_GE(json["arena_bytes"], json["peak_live_bytes"]);
}

TEST(InspectSvgTest, DrawsEveryOpAndItsBranch) {
  const std::string svg = InspectSvg("dir/m.tflite", runtime::InspectModel(Residual().Build(), {}));
  EXPECT_THAT(svg, HasSubstr(">m.tflite</text>"));
  EXPECT_EQ(CountOf(svg, "<g class=\"g f"), 3U);
  EXPECT_EQ(CountOf(svg, "<g class=\"g end"), 2U);
  EXPECT_EQ(CountOf(svg, "marker-end"), 5U);  // x-0, 0-1, 0-ADD, 1-ADD, ADD-y
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(svg, HasSubstr("1×8×8×4"));
  EXPECT_THAT(svg, HasSubstr("int8 per channel"));
}

TEST(InspectSvgTest, NamesCannotBreakOutOfThePicture) {
  const std::string evil = "</text><script>alert('1')</script>&\"\x01\xff\xef\xbf\xbe]]>";
  const auto facts = runtime::InspectModel(Residual(evil).Build(), {});
  const std::string svg = InspectSvg("a&b<c>.tflite", facts), text = InspectText("m.tflite", facts);
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, Not(HasSubstr("\x01")));
  EXPECT_THAT(svg, HasSubstr("a&amp;b&lt;c&gt;.tflite"));
  EXPECT_TRUE(IsUtf8(svg));
  EXPECT_TRUE(IsUtf8(text));
  EXPECT_THAT(text, Not(HasSubstr("\x01")));
  EXPECT_TRUE(IsUtf8(InspectJson("m.tflite", facts)));
}

TEST(InspectSvgTest, LargeGraphsStaySmall) {
  ModelBuilder m;
  int last = m.Input("x", DType::kFloat32, {1, 4}), branch = last;
  for (int i = 0; i < 20'000; ++i) {
    const int next = m.Tensor("t", DType::kFloat32, {1, 4});
    if (i % 5 == 4) {
      m.Op(BuiltinOp::kAdd, {last, branch}, {next});
      branch = next;
    } else {
      m.Op(BuiltinOp::kAbs, {last}, {next});
    }
    last = next;
  }
  m.Output(last);
  const std::string svg = InspectSvg("m.tflite", runtime::InspectModel(m.Build(), {}));
  EXPECT_THAT(svg, HasSubstr("20000 ops are too many to draw"));
  EXPECT_LT(svg.size(), 2'000'000U);
  EXPECT_GT(CountOf(svg, "<g class=\"g f"), 300U);
  EXPECT_LE(CountOf(svg, "<g class=\"g f"), 700U);
}

TEST(InspectSvgTest, AModelThatCannotRunIsDrawnAndSaysWhy) {
  ModelBuilder m = Residual();
  const int z = m.Tensor("z", DType::kFloat32, {1});
  m.CustomOp("Mystery", {5}, {z});
  m.Output(z);
  const auto facts = runtime::InspectModel(m.Build(), {});
  EXPECT_THAT(InspectSvg("m.tflite", facts), HasSubstr("cannot run: built model: op 3 Mystery"));
  EXPECT_THAT(InspectSvg("m.tflite", facts), HasSubstr(" n0\""));
  EXPECT_THAT(InspectText("m.tflite", facts), HasSubstr("Mystery: there is no kernel (1 op)"));
  const auto json = nlohmann::json::parse(InspectJson("m.tflite", facts));
  EXPECT_EQ(json["runs"], false);
  EXPECT_EQ(json["arena_bytes"], nullptr);
  EXPECT_EQ(json["missing_kernels"], std::vector<std::string>{"Mystery"});
}

TEST(InspectWordsTest, NumbersAreShort) {
  EXPECT_EQ(CountText(9999), "9999");
  EXPECT_EQ(CountText(12'501'632), "12.5 M");
  EXPECT_EQ(CountText(999'600'000), "1 G");
  EXPECT_EQ(GroupedText(1'234'567), "1,234,567");
  EXPECT_EQ(GroupedText(123), "123");
  EXPECT_EQ(BytesText(2048), "2048 bytes");
  EXPECT_EQ(BytesText(98'519), "96.2 KiB");
}

TEST(InspectWordsTest, OptionsNameTheirValues) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 9, 9, 1}), y = m.Tensor("y", DType::kFloat32, {1, 4, 4, 1});
  const auto text = [&](BuiltinOp op, const std::vector<ModelBuilder::Option>& options) {
    return OptionsText(m.subgraph(), m.Op(op, {x}, {y}, options));
  };
  EXPECT_EQ(text(BuiltinOp::kMaxPool2D,
                 {{"filter_height", 3}, {"filter_width", 2}, {"stride_h", 2}, {"stride_w", 2}, {"padding", 1}}),
            "3x2 stride 2 VALID");
  EXPECT_EQ(text(BuiltinOp::kCast, {{"in_data_type", 9}, {"out_data_type", 2}}),
            "in_data_type=int8 out_data_type=int32");
  EXPECT_EQ(text(BuiltinOp::kReshape, {{"new_shape", std::vector<int64_t>{1, -1}}}), "new_shape=[1,-1]");
  EXPECT_EQ(text(BuiltinOp::kSoftmax, {{"beta", 1.0}}), "beta=1");
  EXPECT_EQ(text(BuiltinOp::kAdd, {{"fused_activation_function", 77}}), "activation=77");
}

}  // namespace
}  // namespace assay::report
