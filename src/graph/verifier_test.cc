#include "graph/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "graph/model_builder.h"

namespace assay::graph {
namespace {

// What Verify says, or "" where it has nothing to say.
std::string Verdict(const Model& model, const Limits& limits = {}) {
  try {
    Verify(model, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    return error.what();
  }
  return "";
}

// x and w -> ADD -> y -> RELU -> z
Model Chain() {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {2, 3});
  const int w = m.Constant("w", Shape{3}, std::vector<float>{1, 2, 3});
  const int y = m.Tensor("y", DType::kFloat32, {2, 3}), z = m.Tensor("z", DType::kFloat32, {2, 3});
  m.Op(BuiltinOp::kAdd, {x, w}, {y});
  m.Op(BuiltinOp::kRelu, {y}, {z});
  m.Output(z);
  return m.model();
}

struct Case {
  std::string expected;
  std::function<void(Model&)> change;
};

void Check(const Model& base, const std::vector<Case>& cases) {
  ASSERT_EQ(Verdict(base), "");
  for (const Case& test : cases) {
    Model model = base;
    test.change(model);
    EXPECT_EQ(Verdict(model), test.expected);
  }
}

TEST(Verifier, Indices) {
  const auto op = [](Model& m, size_t n) -> Operator& { return m.subgraphs[0].operators[n]; };
  Check(Chain(),
        {
            {"the model has no subgraph", [](Model& m) { m.subgraphs.clear(); }},
            {"subgraph 0: op 0 ADD: input 1 is tensor 999, the subgraph has 4",
             [&](Model& m) { op(m, 0).inputs[1] = 999; }},
            {"subgraph 0: op 0 ADD: input 0 is tensor -2, the subgraph has 4",
             [&](Model& m) { op(m, 0).inputs[0] = -2; }},
            {"", [&](Model& m) { op(m, 0).inputs[1] = kNoTensor; }},
            {"subgraph 0: op 1 RELU: output 0 is tensor 4, the subgraph has 4",
             [&](Model& m) { op(m, 1).outputs[0] = 4; }},
            {"subgraph 0: op 1 RELU: output 0 is tensor -1, the subgraph has 4",
             [&](Model& m) { op(m, 1).outputs[0] = -1; }},
            {"subgraph 0: op 0 ADD: intermediate 1 is tensor 7, the subgraph has 4",
             [&](Model& m) {
               op(m, 0).intermediates = {0, 7};
             }},
            {"",
             [&](Model& m) {
               op(m, 0).intermediates = {0, -1};
             }},
            {"subgraph 0: op 1 RELU: 2 flags of mutating inputs for 1 inputs",
             [&](Model& m) {
               op(m, 1).mutating_variable_inputs = {true, false};
             }},
            {"subgraph 0: input 0 is tensor 4, the subgraph has 4", [](Model& m) { m.subgraphs[0].inputs[0] = 4; }},
            {"subgraph 0: input 0 is tensor -1, the subgraph has 4", [](Model& m) { m.subgraphs[0].inputs[0] = -1; }},
            {"subgraph 0: output 0 is tensor 4, the subgraph has 4", [](Model& m) { m.subgraphs[0].outputs[0] = 4; }},
            {"subgraph 0: output 0 is tensor -1, the subgraph has 4", [](Model& m) { m.subgraphs[0].outputs[0] = -1; }},
            {"external buffer 0: it is of group 1, the model has 1",
             [](Model& m) {
               m.external_buffer_groups = {"a"};
               m.external_buffers = {{1, 1, 0, 0, ""}};
             }},
        });
}

TEST(Verifier, OrderOfOperators) {
  const auto subgraph = [](Model& m) -> Subgraph& { return m.subgraphs[0]; };
  Check(Chain(), {
                     {"subgraph 0: op 0 RELU: input 0 is tensor 2 \"y\", which is neither computed before nor an input "
                      "nor a constant",
                      [&](Model& m) { std::swap(subgraph(m).operators[0], subgraph(m).operators[1]); }},
                     {"subgraph 0: op 1 RELU: output 0 is tensor 2 \"y\", which op 0 already computes",
                      [&](Model& m) { subgraph(m).operators[1].outputs[0] = 2; }},
                     {"subgraph 0: op 1 RELU: output 0 is tensor 0 \"x\", which is an input of the subgraph",
                      [&](Model& m) { subgraph(m).operators[1].outputs[0] = 0; }},
                     {"subgraph 0: op 1 RELU: output 0 is tensor 1 \"w\", which is a constant",
                      [&](Model& m) { subgraph(m).operators[1].outputs[0] = 1; }},
                     {"subgraph 0: op 1 RELU: output 0 is tensor 3 \"z\", which is a variable",
                      [&](Model& m) { subgraph(m).tensors[3].is_variable = true; }},
                     {"subgraph 0: input 1 is tensor 1 \"w\", which is a constant",
                      [&](Model& m) { subgraph(m).inputs.push_back(1); }},
                     {"subgraph 0: output 0 is tensor 3 \"z\", which nothing computes",
                      [&](Model& m) { subgraph(m).operators.pop_back(); }},
                     {"subgraph 0: op 0 ADD: input 0 is tensor 0 \"x\", which is neither computed before nor an input "
                      "nor a constant",
                      [&](Model& m) { subgraph(m).inputs.clear(); }},
                     {"", [&](Model& m) { subgraph(m).inputs.clear(), subgraph(m).tensors[0].is_variable = true; }},
                     {"", [&](Model& m) { subgraph(m).inputs.clear(), subgraph(m).tensors[0].external_buffer = 3; }},
                     {"", [&](Model& m) { subgraph(m).inputs.push_back(0); }},
                     {"",
                      [&](Model& m) {
                        subgraph(m).outputs = {3, 1, 0, 3};
                      }},
                 });
}

TEST(Verifier, Shapes) {
  const auto shape = [](Model& m) -> Shape& { return m.subgraphs[0].tensors[0].shape; };
  Check(Chain(), {
                     {"subgraph 0: tensor 0 \"x\": dimension 1 of shape [2,-3] is negative",
                      [&](Model& m) {
                        shape(m) = {2, -3};
                      }},
                     {"subgraph 0: tensor 0 \"x\": dimension 0 of shape [-2147483648,0] is negative",
                      [&](Model& m) {
                        shape(m) = {INT32_MIN, 0};
                      }},
                     {"subgraph 0: tensor 0 \"x\": the dimensions of shape [2147483647,2147483647,2147483647] multiply "
                      "to more than 68719476736",
                      [&](Model& m) {
                        shape(m) = {INT32_MAX, INT32_MAX, INT32_MAX};
                      }},
                     {"subgraph 0: tensor 0 \"x\": the dimensions of shape [65536,65536,65536,65536] multiply to more "
                      "than 68719476736",
                      [&](Model& m) {
                        shape(m) = {65536, 65536, 65536, 65536};
                      }},
                     {"",
                      [&](Model& m) {
                        shape(m) = {INT32_MAX, 0, 2};
                      }},
                     {"subgraph 0: tensor 0 \"x\": it has 17 dimensions; the limit is 16",
                      [&](Model& m) { shape(m) = Shape(std::vector<int32_t>(17, 1)); }},
                     {"subgraph 0: tensor 0 \"x\": its shape signature has 1 dimensions, its shape [2,3] has 2",
                      [](Model& m) { m.subgraphs[0].tensors[0].shape_signature = {{-1}}; }},
                     {"subgraph 0: tensor 0 \"x\": dimension 1 of its shape signature is -2",
                      [](Model& m) {
                        m.subgraphs[0].tensors[0].shape_signature = {{-1, -2}};
                      }},
                     {"",
                      [](Model& m) {
                        m.subgraphs[0].tensors[0].shape_signature = {{-1, 3}};
                      }},
                     {"subgraph 0: tensor 0 \"x\": dimension 0 of shape [-1] is negative",
                      [](Model& m) {
                        m.subgraphs[0].tensors[0].variant_tensors = {{Shape{-1}, DType::kInt8, true}};
                      }},
                 });
}

TEST(Verifier, ConstantData) {
  const auto set = [](DType dtype, Shape shape, std::vector<uint8_t> bytes) {
    return [=](Model& m) {
      Tensor& tensor = m.subgraphs[0].tensors[1];
      tensor.dtype = dtype, tensor.shape = shape, tensor.data = Constant::Own(bytes);
    };
  };
  const std::string at = "subgraph 0: tensor 1 \"w\": its data: ";
  Check(Chain(),
        {
            {at + "11 bytes, where 3 float32 elements take 12", set(DType::kFloat32, {3}, std::vector<uint8_t>(11))},
            {at + "12 bytes, where 4 float32 elements take 16", set(DType::kFloat32, {4}, std::vector<uint8_t>(12))},
            {at + "13 bytes, where 3 float32 elements take 12", set(DType::kFloat32, {3}, std::vector<uint8_t>(13))},
            {at + "2 bytes, where 5 int4 elements take 3", set(DType::kInt4, {5}, std::vector<uint8_t>(2))},
            {"", set(DType::kInt4, {5}, std::vector<uint8_t>(3))},
            {at + "3 bytes, where 5 int2 elements take 2", set(DType::kInt2, {5}, std::vector<uint8_t>(3))},
            {"", set(DType::kComplex128, {2}, std::vector<uint8_t>(32))},
            {"", set(DType::kInt32, {0, 7}, {})},
            {at + "0 bytes, where 1 int32 elements take 4", set(DType::kInt32, {}, {})},
            {at + "element 1 of a bool tensor is 2", set(DType::kBool, {3}, {1, 2, 0})},
            {at + "resource tensors cannot be constants", set(DType::kResource, {}, {1})},
            {"", set(DType::kVariant, {}, {})},
            {"", set(DType::kString, {0}, {})},
            {at + "0 bytes cannot hold strings", set(DType::kString, {1}, {})},
            {at + "2 strings, where the shape has 1 elements", set(DType::kString, {1}, {2, 0, 0, 0})},
            {at + "-1 strings, where the shape has 1 elements", set(DType::kString, {1}, {255, 255, 255, 255})},
            {at + "8 bytes cannot hold the offsets of 1 strings", set(DType::kString, {1}, {1, 0, 0, 0, 12, 0, 0, 0})},
            {at + "the offset of string 0 is 8, outside of [12, 13]",
             set(DType::kString, {1}, {1, 0, 0, 0, 8, 0, 0, 0, 13, 0, 0, 0, 'a'})},
            {at + "the offset of string 1 is 14, outside of [12, 13]",
             set(DType::kString, {1}, {1, 0, 0, 0, 12, 0, 0, 0, 14, 0, 0, 0, 'a'})},
            {"", set(DType::kString, {1}, {1, 0, 0, 0, 12, 0, 0, 0, 13, 0, 0, 0, 'a'})},
            {"subgraph 0: tensor 1 \"w\": it is a variable and has constant data too",
             [](Model& m) { m.subgraphs[0].tensors[1].is_variable = true; }},
            {"subgraph 0: tensor 1 \"w\": it has data both in the file and outside of it",
             [](Model& m) { m.subgraphs[0].tensors[1].external_buffer = 1; }},
        });
}

TEST(Verifier, Quantization) {
  const auto set = [](DType dtype, Quantization quantization) {
    return [=](Model& m) {
      m.subgraphs[0].tensors[0].dtype = dtype;
      m.subgraphs[0].tensors[0].quantization = quantization;
    };
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const std::string at = "subgraph 0: tensor 0 \"x\": ";
  Check(Chain(),
        {
            {at + "scale 0 is 0", set(DType::kInt8, {{0}, {0}, 0, {}, {}})},
            {at + "scale 1 is nan", set(DType::kInt8, {{1, nan, 1}, {0, 0, 0}, 1, {}, {}})},
            {at + "scale 0 is inf", set(DType::kUInt8, {{infinity}, {0}, 0, {}, {}})},
            {at + "scale 0 is -0.5", set(DType::kInt16, {{-0.5F}, {0}, 0, {}, {}})},
            {at + "scale 0 is nan", set(DType::kInt32, {{nan}, {0}, 0, {}, {}})},
            {"", set(DType::kInt32, {{0}, {0}, 0, {}, {}})},
            {"", set(DType::kFloat32, {{nan}, {1 << 20}, 0, {}, {}})},
            {"", set(DType::kInt8, {{}, {}, 0, {nan}, {}})},
            {"", set(DType::kInt8, {{}, {1000}, 9, {}, {}})},
            {"", set(DType::kInt8, {{1, 2, 3}, {}, 1, {}, {}})},
            {"", set(DType::kInt8, {{1, 2, 3}, {7}, 1, {}, {}})},
            {at + "2 zero points for 3 scales", set(DType::kInt8, {{1, 2, 3}, {0, 0}, 1, {}, {}})},
            {at + "2 zero points for 1 scales", set(DType::kInt8, {{1}, {0, 0}, 0, {}, {}})},
            {at + "2 scales for 3 slices along dimension 1 of shape [2,3]",
             set(DType::kInt8, {{1, 2}, {0, 0}, 1, {}, {}})},
            {at + "quantized dimension 2 of shape [2,3]", set(DType::kInt8, {{1}, {0}, 2, {}, {}})},
            {at + "quantized dimension -1 of shape [2,3]", set(DType::kInt8, {{1}, {0}, -1, {}, {}})},
            {at + "zero point 0 is 128, int8 holds [-128, 127]", set(DType::kInt8, {{1}, {128}, 0, {}, {}})},
            {at + "zero point 0 is -1, uint8 holds [0, 255]", set(DType::kUInt8, {{1}, {-1}, 0, {}, {}})},
            {at + "zero point 0 is 8, int4 holds [-8, 7]", set(DType::kInt4, {{1}, {8}, 0, {}, {}})},
            {at + "zero point 0 is 16, uint4 holds [0, 15]", set(DType::kUInt4, {{1}, {16}, 0, {}, {}})},
            {at + "zero point 0 is -3, int2 holds [-2, 1]", set(DType::kInt2, {{1}, {-3}, 0, {}, {}})},
            {at + "zero point 0 is 40000, int16 holds [-32768, 32767]", set(DType::kInt16, {{1}, {40000}, 0, {}, {}})},
            {at + "zero point 0 is 4294967296, int64 holds [-2147483648, 2147483647]",
             set(DType::kInt64, {{1}, {int64_t{1} << 32}, 0, {}, {}})},
            {at + "2 scales for a scalar",
             [&](Model& m) {
               set(DType::kInt8, {{1, 2}, {0, 0}, 0, {}, {}})(m);
               m.subgraphs[0].tensors[0].shape = Shape{};
             }},
        });
}

TEST(Verifier, QuantizationByOtherTensors) {
  const auto tensor = [](Model& m) -> Tensor& { return m.subgraphs[0].tensors[0]; };
  const std::string at = "subgraph 0: tensor 0 \"x\": ";
  Check(Chain(), {
                     {"",
                      [&](Model& m) {
                        tensor(m).blockwise = {{1, kNoTensor, 32, {1, 2}}};
                      }},
                     {at + "the blockwise scales are tensor 4, the subgraph has 4",
                      [&](Model& m) {
                        tensor(m).blockwise = {{4, 0, 32, {}}};
                      }},
                     {at + "the blockwise scales are tensor -1, the subgraph has 4",
                      [&](Model& m) {
                        tensor(m).blockwise = {{-1, 0, 32, {}}};
                      }},
                     {at + "the blockwise zero points are tensor -2, the subgraph has 4",
                      [&](Model& m) {
                        tensor(m).blockwise = {{0, -2, 32, {}}};
                      }},
                     {at + "the block size -32 is negative",
                      [&](Model& m) {
                        tensor(m).blockwise = {{0, 0, -32, {}}};
                      }},
                     {at + "the block shape has a dimension of 0",
                      [&](Model& m) {
                        tensor(m).blockwise = {{0, 0, 32, {4, 0}}};
                      }},
                     {"",
                      [&](Model& m) {
                        tensor(m).multi_axis = {{1, kNoTensor, 0, {0, 1}}};
                      }},
                     {at + "the scales are tensor 9, the subgraph has 4",
                      [&](Model& m) {
                        tensor(m).multi_axis = {{9, 0, 0, {}}};
                      }},
                     {at + "the zero points are tensor 9, the subgraph has 4",
                      [&](Model& m) {
                        tensor(m).multi_axis = {{0, 9, 0, {}}};
                      }},
                     {at + "quantized dimension 2 of shape [2,3]",
                      [&](Model& m) {
                        tensor(m).multi_axis = {{0, 0, 0, {2}}};
                      }},
                 });
}

TEST(Verifier, SparseConstants) {
  ModelBuilder m;
  const int w = m.Tensor("w", DType::kInt8, {4, 4});
  m.tensor(w).data = Constant::Own(std::vector<uint8_t>(12));
  // Blocks of 2x2; block row 0 keeps block column 1, block row 1 keeps both.
  m.tensor(w).sparsity = Sparsity{{0, 1, 2, 3},
                                  {0, 1},
                                  {{false, 2, {}, {}, 0, 0},
                                   {true, 0, {0, 1, 3}, {1, 0, 1}, 1, 1},
                                   {false, 2, {}, {}, 0, 0},
                                   {false, 2, {}, {}, 0, 0}}};
  m.Output(w);
  const auto change = [](auto&& body) {
    return [body](Model& model) { body(*model.subgraphs[0].tensors[0].sparsity); };
  };
  const std::string at = "subgraph 0: tensor 0 \"w\": its data: sparsity: ";
  Check(m.model(),
        {
            {"subgraph 0: tensor 0 \"w\": its data: 11 bytes, where 12 int8 kept elements take 12",
             [](Model& model) { model.subgraphs[0].tensors[0].data = Constant::Own(std::vector<uint8_t>(11)); }},
            {"subgraph 0: tensor 0 \"w\": it is sparse, but not a constant",
             [](Model& model) { model.subgraphs[0].tensors[0].data.reset(); }},
            {at + "3 levels for 2 dimensions and 2 block dimensions",
             change([](Sparsity& s) { s.dimensions.pop_back(); })},
            {at + "an order of traversal of 3 entries for 4 levels",
             change([](Sparsity& s) { s.traversal_order.pop_back(); })},
            {at + "entry 1 of the order of traversal is 0", change([](Sparsity& s) { s.traversal_order[1] = 0; })},
            {at + "entry 1 of the order of traversal is 3", change([](Sparsity& s) {
               s.traversal_order = {0, 3, 2, 1};
             })},
            {at + "entry 0 of the order of traversal is -1", change([](Sparsity& s) { s.traversal_order[0] = -1; })},
            {at + "entry 3 of the order of traversal is 4", change([](Sparsity& s) { s.traversal_order[3] = 4; })},
            {at + "entry 1 of the block map is 0", change([](Sparsity& s) { s.block_map[1] = 0; })},
            {at + "entry 0 of the block map is 2", change([](Sparsity& s) { s.block_map[0] = 2; })},
            {at + "level 2 lies within a block and is not dense",
             change([](Sparsity& s) { s.dimensions[2].sparse_csr = true; })},
            {at + "blocks of 3 along a dimension of 4", change([](Sparsity& s) { s.dimensions[2].dense_size = 3; })},
            {at + "blocks of 0 along a dimension of 4", change([](Sparsity& s) { s.dimensions[3].dense_size = 0; })},
            {at + "level 0 has size 1 instead of 2", change([](Sparsity& s) { s.dimensions[0].dense_size = 1; })},
            {at + "level 1 has 2 segments instead of 3",
             change([](Sparsity& s) { s.dimensions[1].segments.pop_back(); })},
            {at + "the segments of level 1 do not span its 3 indices",
             change([](Sparsity& s) { s.dimensions[1].segments[2] = 2; })},
            {at + "the segments of level 1 do not span its 3 indices",
             change([](Sparsity& s) { s.dimensions[1].segments[0] = 1; })},
            {at + "the segments of level 1 do not span its 3 indices",
             change([](Sparsity& s) { s.dimensions[1].segments[2] = -1; })},
            {at + "segment 0 of level 1 ends before it begins",
             change([](Sparsity& s) { s.dimensions[1].segments[1] = -1; })},
            {at + "segment 0 of level 1 ends before it begins",
             change([](Sparsity& s) { s.dimensions[1].segments[1] = 4; })},
            {at + "index 0 of level 1 is 2, out of order or of the range of 2",
             change([](Sparsity& s) { s.dimensions[1].indices[0] = 2; })},
            {at + "index 2 of level 1 is 0, out of order or of the range of 2",
             change([](Sparsity& s) { s.dimensions[1].indices[2] = 0; })},
        });
}

Model Calls(const std::vector<std::vector<int>>& called) {
  ModelBuilder m;
  for (size_t s = 0; s < called.size(); ++s) {
    if (s > 0) m.NewSubgraph();
    for (const int other : called[s]) m.Op(BuiltinOp::kCallOnce, {}, {}, {{"init_subgraph_index", other}});
  }
  return m.model();
}

TEST(Verifier, CallsBetweenSubgraphs) {
  EXPECT_EQ(Verdict(Calls({{1, 2}, {2}, {}})), "");
  EXPECT_EQ(Verdict(Calls({{1}, {2}})), "subgraph 1: op 0 CALL_ONCE: it calls subgraph 2, the model has 2");
  EXPECT_EQ(Verdict(Calls({{-1}})), "subgraph 0: op 0 CALL_ONCE: it calls subgraph -1, the model has 1");
  EXPECT_EQ(Verdict(Calls({{0}})), "subgraph 0: op 0 CALL_ONCE: it calls the subgraph that it is part of");
  EXPECT_EQ(Verdict(Calls({{1}, {2}, {1}})), "subgraph 1: subgraphs call each other in a circle");
  std::vector<std::vector<int>> deep(70);
  for (int s = 0; s + 1 < 70; ++s) deep[static_cast<size_t>(s)] = {s + 1};
  EXPECT_EQ(Verdict(Calls(deep)), "subgraph 65: it is called through more than 64 others");

  std::vector<std::vector<int>> twice(40);
  for (int s = 0; s + 1 < 40; ++s) twice[static_cast<size_t>(s)] = {s + 1, s + 1};
  EXPECT_EQ(Verdict(Calls(twice)), "subgraph 20: it would run more than 1000000 times");

  // An absent index, and an absent table, mean subgraph 0.
  Model model = Calls({{}, {0}});
  model.subgraphs[1].operators[0].attributes = {};
  EXPECT_EQ(Verdict(model), "");
  model.subgraphs[0].operators = model.subgraphs[1].operators;
  model.subgraphs[0].operators[0].options_table = "";
  EXPECT_EQ(Verdict(model), "subgraph 0: op 0 CALL_ONCE: it calls the subgraph that it is part of");

  ModelBuilder m;
  m.Op(BuiltinOp::kStablehloCase, {}, {}, {{"branch_subgraph_indices", std::vector<int64_t>{1, int64_t{1} << 40}}});
  m.NewSubgraph();
  EXPECT_EQ(Verdict(m.model()), "subgraph 0: op 0 STABLEHLO_CASE: it calls subgraph -1, the model has 2");
}

TEST(Verifier, Signatures) {
  Model base = Chain();
  base.signatures = {{"serve", 0, {{"x", 0}}, {{"z", 3}}}};
  const auto signature = [](Model& m) -> Signature& { return m.signatures[0]; };
  const std::string at = "signature 0 \"serve\": ";
  Check(base,
        {
            {at + "it is of subgraph 1, the model has 1", [&](Model& m) { signature(m).subgraph = 1; }},
            {at + "it is of subgraph -1, the model has 1", [&](Model& m) { signature(m).subgraph = -1; }},
            {at + "input \"x\" is tensor 4, the subgraph has 4", [&](Model& m) { signature(m).inputs[0].tensor = 4; }},
            {at + "output \"z\" is tensor -1, the subgraph has 4",
             [&](Model& m) { signature(m).outputs[0].tensor = -1; }},
            {at + "two inputs are named \"x\"",
             [&](Model& m) {
               signature(m).inputs.push_back({"x", 0});
             }},
        });
}

TEST(Verifier, Limits) {
  const Model model = Calls({{1}, {2}, {}});
  EXPECT_EQ(Verdict(model, {.max_subgraphs = 2}), "the model has 3 subgraphs; the limit is 2");
  EXPECT_EQ(Verdict(model, {.max_operators = 1}), "the model has 2 operators; the limit is 1");
  EXPECT_EQ(Verdict(model, {.max_call_depth = 1}), "subgraph 2: it is called through more than 1 others");
  EXPECT_EQ(Verdict(Chain(), {.max_tensors = 3}), "the model has 4 tensors; the limit is 3");
  EXPECT_EQ(Verdict(Chain(), {.max_rank = 1}), "subgraph 0: tensor 0 \"x\": it has 2 dimensions; the limit is 1");
  EXPECT_EQ(Verdict(Chain(), {.max_elements = 5}),
            "subgraph 0: tensor 0 \"x\": the dimensions of shape [2,3] multiply to more than 5");
}

TEST(Verifier, TextInMessagesIsTamed) {
  EXPECT_EQ(Printable("plain"), "plain");
  EXPECT_EQ(Printable("a\nb\x1b[31m\x7f"), "a?b?[31m?");
  EXPECT_EQ(Printable(std::string(200, 'x')), std::string(100, 'x') + "...");
  // The cut falls between characters: 99 letters, then one of two bytes.
  EXPECT_EQ(Printable(std::string(99, 'x') + "\xc3\xa9" + "yy"), std::string(99, 'x') + "...");
}

}  // namespace
}  // namespace assay::graph
