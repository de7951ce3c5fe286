#include "passes/dequantize_graph.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "graph/model_builder.h"
#include "graph/verifier.h"
#include "passes/extract_segment.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

std::vector<float> Floats(const graph::Tensor& tensor) {
  std::vector<float> values(tensor.data->bytes().size() / sizeof(float));
  std::memcpy(values.data(), tensor.data->bytes().data(), tensor.data->bytes().size());
  return values;
}

// x -> quantize -> fully connected -> dequantize
ModelBuilder Quantized() {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 2});
  const int q = m.Tensor("q", DType::kInt8, {1, 2}, ModelBuilder::PerTensor(0.5F, -3));
  m.Op(BuiltinOp::kQuantize, {x}, {q});
  const int w = m.Constant("w", {2, 2}, std::vector<int8_t>{1, 2, 3, -4}, ModelBuilder::PerChannel({0.1F, 0.25F}, 0));
  // The bias's own scale is wrong: kernels ignore it.
  const int b = m.Constant("b", {2}, std::vector<int32_t>{10, 20}, ModelBuilder::PerTensor(99.0F, 0));
  const int y = m.Tensor("y", DType::kInt8, {1, 2}, ModelBuilder::PerTensor(0.1F, 0));
  m.Op(BuiltinOp::kFullyConnected, {q, w, b}, {y}, {{"fused_activation_function", 0}});
  const int out = m.Tensor("out", DType::kFloat32, {1, 2});
  m.Op(BuiltinOp::kDequantize, {y}, {out});
  m.Output(out);
  return m;
}

TEST(DequantizeGraphTest, ConstantsBecomeRealAndIndicesStay) {
  ModelBuilder m = Quantized();
  EXPECT_TRUE(HasQuantizedActivations(m.model()));
  const graph::Model out = DequantizeGraph(m.model());
  EXPECT_FALSE(HasQuantizedActivations(out));
  graph::Verify(out);
  const graph::Subgraph& graph = out.subgraphs[0];
  ASSERT_EQ(graph.operators.size(), 3U);
  EXPECT_EQ(graph.operators[0].code, BuiltinOp::kConcatenation) << "values pass as they are";
  EXPECT_EQ(graph.operators[1].code, BuiltinOp::kFullyConnected);
  for (const graph::Operator& op : graph.operators) {
    EXPECT_EQ(graph.tensors[static_cast<size_t>(op.outputs[0])].dtype, DType::kFloat32);
    EXPECT_FALSE(graph.tensors[static_cast<size_t>(op.outputs[0])].quantization.is_quantized());
  }
  EXPECT_EQ(Floats(graph.tensors[2]), (std::vector<float>{0.1F, 0.2F, 0.75F, -1.0F}));
  const graph::Tensor& bias = graph.tensors[static_cast<size_t>(graph.operators[1].inputs[2])];
  EXPECT_FLOAT_EQ(Floats(bias)[0], 10 * 0.5F * 0.1F);
  EXPECT_FLOAT_EQ(Floats(bias)[1], 20 * 0.5F * 0.25F);
}

TEST(DequantizeGraphTest, FloatModelsStayAsTheyAre) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 2});
  const int y = m.Tensor("y", DType::kInt32, {1, 2});
  m.Op(BuiltinOp::kCast, {x}, {y}, {{"in_data_type", 0}, {"out_data_type", 2}});
  m.Output(y);
  const graph::Model out = DequantizeGraph(m.model());
  EXPECT_EQ(out.subgraphs[0].operators[0].code, BuiltinOp::kCast);
  EXPECT_EQ(out.subgraphs[0].tensors[1].dtype, DType::kInt32);
}

TEST(DequantizeGraphTest, RefusesCastsOfCodes) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kInt8, {1, 2}, ModelBuilder::PerTensor(0.5F, 0));
  const int y = m.Tensor("y", DType::kInt32, {1, 2});
  m.Op(BuiltinOp::kCast, {x}, {y});
  m.Output(y);
  try {
    DequantizeGraph(m.model());
    FAIL() << "a cast of codes has a float form?";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("op 0 CAST"), std::string::npos) << error.what();
  }
}

TEST(ExtractSegmentTest, TakesWhatIsNeededAndNoMore) {
  ModelBuilder m = Quantized();
  const graph::Model& model = m.model();
  const int32_t wanted[] = {4};
  std::vector<bool> given(model.subgraphs[0].tensors.size(), false);
  given[1] = true;
  const Segment one = ExtractSegment(model, wanted, given);
  EXPECT_EQ(one.ops, (std::vector<int32_t>{1}));
  EXPECT_EQ(one.inputs, (std::vector<int32_t>{1}));
  EXPECT_EQ(one.outputs, (std::vector<int32_t>{4}));
  graph::Verify(one.model);
  given[1] = false;
  given[0] = true;
  EXPECT_EQ(ExtractSegment(model, wanted, given).ops, (std::vector<int32_t>{0, 1}));
  given[0] = false;
  EXPECT_THROW(ExtractSegment(model, wanted, given), Error) << "the input was not given";
}

}  // namespace
}  // namespace assay::passes
