#include "compare/match.h"

#include <gtest/gtest.h>

#include "graph/model_builder.h"

namespace assay::compare {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

const std::vector<ModelBuilder::Option> kPlain = {
    {"padding", 0}, {"stride_w", 1}, {"stride_h", 1}, {"fused_activation_function", 0}};
const std::vector<ModelBuilder::Option> kRelu = {
    {"padding", 0}, {"stride_w", 1}, {"stride_h", 1}, {"fused_activation_function", 1}};

int Conv(ModelBuilder& m, int x, const std::string& name, const std::vector<ModelBuilder::Option>& options,
         int channels = 2) {
  const int w =
      m.Constant("w" + name, {channels, 1, 1, 2}, std::vector<float>(static_cast<size_t>(2 * channels), 1.0F));
  const int y = m.Tensor(name, DType::kFloat32, {1, 4, 4, channels});
  m.Op(BuiltinOp::kConv2D, {x, w, graph::kNoTensor}, {y}, options);
  return y;
}
int Unary(ModelBuilder& m, BuiltinOp code, int x, const std::string& name) {
  const int y = m.Tensor(name, DType::kFloat32, {1, 4, 4, 2});
  m.Op(code, {x}, {y});
  return y;
}

TEST(MatchTest, FusedNamesShareAPartAndTheActivationDecides) {
  // The reference keeps convolution and activation apart, the model has fused them.
  ModelBuilder r;
  int x = r.Input("x", DType::kFloat32, {1, 4, 4, 2});
  const int before = Conv(r, x, "a/BiasAdd", kPlain);
  const int after = Unary(r, BuiltinOp::kRelu, before, "a/Relu");
  const int second = Conv(r, after, "b/BiasAdd", kPlain);
  r.Output(second);
  ModelBuilder m;
  x = m.Input("x_int8", DType::kFloat32, {1, 4, 4, 2});
  const int fused = Conv(m, x, "a/Relu;a/BiasAdd;a/Conv2D", kRelu);
  const int last = Conv(m, fused, "b/BiasAdd;b/Conv2D", kPlain);
  m.Output(last);
  const auto matches = MatchTensors(r.model(), m.model());
  EXPECT_EQ(matches[static_cast<size_t>(x)].reference, 0);
  EXPECT_EQ(matches[static_cast<size_t>(fused)].reference, after);
  EXPECT_EQ(matches[static_cast<size_t>(fused)].kind, MatchKind::kNamePart);
  EXPECT_EQ(matches[static_cast<size_t>(last)].reference, second);
}

TEST(MatchTest, WithoutNamesTheSkeletonDecides) {
  // conv, batch normalization as mul and add, relu: the converter of the model folded it into one op.
  ModelBuilder r;
  int x = r.Input("in", DType::kFloat32, {1, 4, 4, 2});
  int y = Conv(r, x, "p", kPlain);
  const int factor = r.Constant("f", {2}, std::vector<float>{1, 2});
  for (const BuiltinOp code : {BuiltinOp::kMul, BuiltinOp::kAdd}) {
    const int z = r.Tensor("t" + std::to_string(y), DType::kFloat32, {1, 4, 4, 2});
    r.Op(code, {y, factor}, {z});
    y = z;
  }
  const int end_of_block = Unary(r, BuiltinOp::kRelu6, y, "u");
  const int pooled = r.Tensor("v", DType::kFloat32, {1, 4, 4, 2});
  r.Op(BuiltinOp::kMaxPool2D, {end_of_block}, {pooled},
       {{"stride_w", 1}, {"stride_h", 1}, {"filter_width", 1}, {"filter_height", 1}});
  r.Output(pooled);
  ModelBuilder m;
  x = m.Input("a", DType::kFloat32, {1, 4, 4, 2});
  const int quantized = Unary(m, BuiltinOp::kQuantize, x, "b");
  const int fused = Conv(m, quantized, "c", kRelu);
  const int pool = m.Tensor("d", DType::kFloat32, {1, 4, 4, 2});
  m.Op(BuiltinOp::kMaxPool2D, {fused}, {pool},
       {{"stride_w", 1}, {"stride_h", 1}, {"filter_width", 1}, {"filter_height", 1}});
  const int out = Unary(m, BuiltinOp::kDequantize, pool, "e");
  m.Output(out);
  const auto matches = MatchTensors(r.model(), m.model());
  EXPECT_EQ(matches[static_cast<size_t>(x)].reference, 0);
  EXPECT_EQ(matches[static_cast<size_t>(quantized)].reference, 0) << "rounding alone stands for the same tensor";
  EXPECT_EQ(matches[static_cast<size_t>(fused)].reference, end_of_block);
  EXPECT_EQ(matches[static_cast<size_t>(fused)].kind, MatchKind::kStructure);
  EXPECT_EQ(matches[static_cast<size_t>(pool)].reference, pooled);
  EXPECT_EQ(matches[static_cast<size_t>(out)].reference, pooled);
}

TEST(MatchTest, NeverMatchesOtherShapes) {
  ModelBuilder r, m;
  int x = r.Input("x", DType::kFloat32, {1, 4, 4, 2});
  r.Output(Conv(r, x, "same", kPlain, 3));
  x = m.Input("x", DType::kFloat32, {1, 4, 4, 2});
  const int y = Conv(m, x, "same", kPlain, 2);
  m.Output(y);
  EXPECT_EQ(MatchTensors(r.model(), m.model())[static_cast<size_t>(y)].reference, -1);
}

TEST(MatchTest, EqualNamesMatchWhateverTheOrder) {
  ModelBuilder r, m;
  int x = r.Input("x", DType::kFloat32, {1, 4, 4, 2});
  const int r_left = Conv(r, x, "left", kPlain), r_right = Conv(r, x, "right", kPlain);
  r.Output(r_left), r.Output(r_right);
  x = m.Input("x", DType::kFloat32, {1, 4, 4, 2});
  const int m_right = Conv(m, x, "right", kPlain), m_left = Conv(m, x, "left", kPlain);
  m.Output(m_left), m.Output(m_right);
  const auto matches = MatchTensors(r.model(), m.model());
  EXPECT_EQ(matches[static_cast<size_t>(m_left)].reference, r_left);
  EXPECT_EQ(matches[static_cast<size_t>(m_right)].reference, r_right);
}

TEST(MatchTest, ShortNames) {
  EXPECT_EQ(ShortName("model/conv/Relu;model/conv/BiasAdd"), "model/conv/Relu");
  EXPECT_EQ(ShortName("StatefulPartitionedCall:0"), "StatefulPartitionedCall");
  EXPECT_EQ(ShortName("Identity_int8"), "Identity");
  EXPECT_EQ(ShortName("a:b"), "a:b");
  EXPECT_EQ(ShortName(""), "");
}

}  // namespace
}  // namespace assay::compare
