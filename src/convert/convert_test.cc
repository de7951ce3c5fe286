#include "convert/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>

#include "base/mapped_file.h"
#include "base/random.h"
#include "convert/load_model.h"
#include "convert/verify.h"
#include "format/lowering/graph_builder.h"
#include "format/tflite/reader.h"
#include "format/tflite/writer.h"
#include "graph/ops/concatenation.h"
#include "graph/ops/reshape.h"
#include "graph/ops/shape.h"
#include "graph/verifier.h"
#include "passes/half_weights.h"
#include "runtime/run_model.h"

namespace assay::convert {
namespace {

using graph::BuiltinOp;
using lowering::GraphBuilder;
using lowering::Id;

class Folder {
 public:
  Folder() : path_(testing::TempDir() + fmt::format("assay-convert-{}", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const Array& bytes) const {
    const std::string path = path_ + "/" + name;
    WriteFileAtomically(path, bytes.bytes());
    return path;
  }

 private:
  std::string path_;
};

std::string CasesPath(const char* name) { return std::string(ASSAY_SOURCE_DIR) + "/tests/keras/" + name; }

// Case name to its arrays, without the name in front.
std::map<std::string, NamedArrays> Cases(const char* name) {
  std::map<std::string, NamedArrays> cases;
  for (auto& [key, array] : ReadNpz(CasesPath(name))) {
    const size_t slash = key.find('/');
    cases[key.substr(0, slash)].emplace_back(key.substr(slash + 1), std::move(array));
  }
  return cases;
}

Conversion ConvertFile(const std::string& path, std::set<std::string> without = {}) {
  ConvertRequest request;
  request.source = path;
  request.without_passes = std::move(without);
  request.keep_unsimplified = true;
  return Convert(request);
}

std::shared_ptr<const graph::Model> Reread(const graph::Model& model) {
  return tflite::ReadModel(tflite::SerializeModel(model), "converted");
}

size_t CountOps(const graph::Model& model, BuiltinOp code) {
  size_t count = 0;
  for (const graph::Operator& op : model.subgraphs[0].operators) count += op.code == code ? 1 : 0;
  return count;
}

// What Keras itself answers, for every layer and both generations of files.
TEST(ConvertTest, AgreesWithKerasOnEveryLayer) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  ASSERT_GE(cases.size(), 100U);
  for (const auto& [name, arrays] : cases) {
    SCOPED_TRACE(name);
    try {
      const std::string path = folder.Write(name, *FindArray(arrays, "file"));
      const Conversion conversion = ConvertFile(path);
      const auto model = Reread(conversion.model);
      const Expectation expectation = CheckExpectation(model, arrays, numerics::FindProfile("reference"), nullptr);
      EXPECT_EQ(expectation.samples, 3);
      EXPECT_LE(expectation.relative, 1e-5);
      const Verification verification =
          VerifyPasses(conversion.unsimplified, model, 1, numerics::FindProfile("reference"), nullptr);
      EXPECT_LE(verification.worst.relative, 1e-5) << verification.worst.tensor;
      EXPECT_GE(verification.tensors, conversion.model.subgraphs[0].operators.empty() ? 0 : 1);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(ConvertTest, RefusesBadFilesWithOneMessage) {
  const Folder folder;
  const auto cases = Cases("bad.npz");
  ASSERT_GE(cases.size(), 15U);
  for (const auto& [name, arrays] : cases) {
    SCOPED_TRACE(name);
    const std::string path = folder.Write(name + ".h5", *FindArray(arrays, "file"));
    const auto expected = FindArray(arrays, "message")->bytes();
    try {
      ConvertFile(path);
      ADD_FAILURE() << "it was converted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput);
      EXPECT_THAT(error.what(), testing::HasSubstr(std::string(expected.begin(), expected.end())));
      EXPECT_THAT(error.what(), testing::HasSubstr(path));
    }
  }
}

TEST(ConvertTest, BatchMayBeOpenOrFixed) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  ConvertRequest request;
  request.source = folder.Write("m.h5", *FindArray(cases.at("conv2d_transpose_2.h5"), "file"));
  const Conversion open = Convert(request);
  EXPECT_EQ(CountOps(open.model, BuiltinOp::kShape), 1U);
  EXPECT_EQ(open.model.subgraphs[0].tensors[0].shape_signature.value()[0], -1);
  request.batch = 2;
  const Conversion fixed = Convert(request);
  EXPECT_EQ(CountOps(fixed.model, BuiltinOp::kShape), 0U);
  EXPECT_EQ(fixed.model.subgraphs[0].tensors[0].shape[0], 2);
  request.input_shapes["elsewhere"] = {1, 7, 5, 4};
  EXPECT_THROW(Convert(request), Error);
}

// With a fixed batch the loops of LSTMs become one op each, but for masks, states that are handed in or out, and other
// activations.
TEST(ConvertTest, LstmLoopsBecomeOneOp) {
  const Folder folder;
  const std::map<std::string, size_t> expected = {
      {"lstm_2.h5", 1},          {"lstm_3.keras", 1},        {"bidirectional_3.keras", 2}, {"cudnn_lstm_2.h5", 1},
      {"lstm_plain_3.keras", 0}, {"lstm_sequences_2.h5", 1}, {"rnn_stacked_3.keras", 0},   {"lstm_states_3.h5", 0},
      {"mask_lstm_3.keras", 0},  {"gru_3.keras", 0},         {"simple_rnn_3.keras", 0}};
  const auto cases = Cases("cases.npz");
  for (const auto& [name, count] : expected) {
    SCOPED_TRACE(name);
    ConvertRequest request;
    request.source = folder.Write(name, *FindArray(cases.at(name), "file"));
    request.keep_unsimplified = true;
    EXPECT_EQ(CountOps(Convert(request).model, BuiltinOp::kUnidirectionalSequenceLstm), 0U);
    request.batch = 1;
    const Conversion conversion = Convert(request);
    EXPECT_EQ(CountOps(conversion.model, BuiltinOp::kUnidirectionalSequenceLstm), count);
    if (CountOps(conversion.model, BuiltinOp::kWhile) == 0) {
      EXPECT_EQ(conversion.model.subgraphs.size(), 1U);
    }
    const auto model = Reread(conversion.model);
    const auto& profile = numerics::FindProfile("reference");
    EXPECT_LE(CheckExpectation(model, cases.at(name), profile, nullptr).relative, 1e-5);
    EXPECT_LE(VerifyPasses(conversion.unsimplified, model, 1, profile, nullptr).worst.relative, 1e-5);
    request.without_passes = {"fuse_lstm"};
    EXPECT_EQ(CountOps(Convert(request).model, BuiltinOp::kUnidirectionalSequenceLstm), 0U);
  }
}

TEST(ConvertTest, NamesComeFromLayersAndOutputsKeepTheirOrder) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  const Conversion conversion =
      ConvertFile(folder.Write("m.h5", *FindArray(cases.at("shared_and_nested_2.h5"), "file")));
  const graph::Signature& signature = conversion.model.signatures.at(0);
  ASSERT_EQ(signature.inputs.size(), 2U);
  EXPECT_EQ(signature.inputs[0].name, "b");
  EXPECT_EQ(signature.inputs[1].name, "a");
  EXPECT_EQ(signature.outputs[0].name, "tail");
  EXPECT_EQ(conversion.model.subgraphs[0].outputs[0], signature.outputs[0].tensor);
  bool found = false;
  for (const graph::Tensor& tensor : conversion.model.subgraphs[0].tensors) {
    found |= tensor.name.find("inner/inner_conv/BiasAdd") != std::string::npos;
  }
  EXPECT_TRUE(found);
}

TEST(ConvertTest, PassesFoldFuseAndCanBeSwitchedOff) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  const std::string path = folder.Write("m.h5", *FindArray(cases.at("sequential_2.h5"), "file"));
  const Conversion all = ConvertFile(path);
  // conv, pad (not that of SAME), depthwise, reshape, dense, softmax: everything else went into them.
  EXPECT_EQ(all.model.subgraphs[0].operators.size(), 6U);
  EXPECT_EQ(CountOps(all.model, BuiltinOp::kMul), 0U);
  EXPECT_EQ(CountOps(all.model, BuiltinOp::kPad), 1U);
  const Conversion unfolded = ConvertFile(path, {"fold_batch_norm"});
  EXPECT_EQ(CountOps(unfolded.model, BuiltinOp::kMul), 3U);
  const Conversion unfused = ConvertFile(path, {"fuse_activation"});
  EXPECT_EQ(CountOps(unfused.model, BuiltinOp::kRelu), 1U);
  EXPECT_THROW(ConvertFile(path, {"fold_batch_nrom"}), Error);
}

TEST(ConvertTest, TransposesOfChannelsFirstCancel) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  const Conversion conversion = ConvertFile(folder.Write("m", *FindArray(cases.at("channels_first_3.keras"), "file")));
  EXPECT_GE(CountOps(conversion.unsimplified, BuiltinOp::kTranspose), 8U);
  EXPECT_EQ(CountOps(conversion.model, BuiltinOp::kTranspose), 1U);  // the input's own
}

TEST(ConvertTest, HardSwishIsRecognized) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  const Conversion conversion = ConvertFile(folder.Write("m", *FindArray(cases.at("hard_swish_3.keras"), "file")));
  EXPECT_EQ(CountOps(conversion.model, BuiltinOp::kHardSwish), 1U);
  EXPECT_EQ(conversion.model.subgraphs[0].operators.size(), 2U);
}

TEST(ConvertTest, HalfWeightsAreDequantizedAgain) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  const auto& arrays = cases.at("sequential_2.h5");
  Conversion conversion = ConvertFile(folder.Write("m.h5", *FindArray(arrays, "file")));
  const passes::HalfWeights half = passes::StoreWeightsAsHalf(conversion.model);
  EXPECT_EQ(half.constants, 6);  // weights and biases of three linear ops
  EXPECT_EQ(half.bytes_after * 2, half.bytes_before);
  const Expectation expectation =
      CheckExpectation(Reread(conversion.model), arrays, numerics::FindProfile("reference"), nullptr);
  EXPECT_LE(expectation.relative, 1e-2);
  EXPECT_GT(expectation.relative, 1e-6);
}

TEST(ConvertTest, VerificationNoticesAWrongWeight) {
  const Folder folder;
  const auto cases = Cases("cases.npz");
  Conversion conversion = ConvertFile(folder.Write("m.h5", *FindArray(cases.at("dense_2.h5"), "file")));
  for (graph::Tensor& tensor : conversion.model.subgraphs[0].tensors) {
    if (!tensor.data.has_value() || tensor.shape.rank() != 2) continue;
    std::vector<uint8_t> bytes(tensor.data->bytes().begin(), tensor.data->bytes().end());
    bytes[3] ^= 0x80;  // the sign of the first weight
    tensor.data = graph::Constant::Own(std::move(bytes));
  }
  const Verification verification =
      VerifyPasses(conversion.unsimplified, Reread(conversion.model), 1, numerics::FindProfile("reference"), nullptr);
  EXPECT_GT(verification.worst.relative, 1e-3);
}

// Every linear op with a factor and an offset per channel behind it, folded or not, gives the same.
TEST(PassesTest, FoldsIntoEveryLinearOp) {
  for (const BuiltinOp code :
       {BuiltinOp::kConv2D, BuiltinOp::kDepthwiseConv2D, BuiltinOp::kFullyConnected, BuiltinOp::kTransposeConv}) {
    SCOPED_TRACE(graph::BuiltinOpName(code));
    Random random(1, static_cast<uint64_t>(code));
    const auto values = [&](int64_t n) {
      std::vector<float> list(static_cast<size_t>(n));
      for (float& x : list) x = static_cast<float>(random.Normal());
      return list;
    };
    GraphBuilder g("test");
    const Id x = g.Input("x", DType::kFloat32, {-1, 5, 4, 3});
    const int32_t channels = code == BuiltinOp::kDepthwiseConv2D ? 6 : 4;
    const Id bias = g.Floats("bias", {channels}, values(channels));
    Id y = -1;
    if (code == BuiltinOp::kConv2D) {
      y = g.Conv2D("y", x, g.Floats("w", {4, 2, 2, 3}, values(48)), graph::kNoTensor, {});
    } else if (code == BuiltinOp::kDepthwiseConv2D) {
      y = g.DepthwiseConv2D("y", x, g.Floats("w", {1, 2, 2, 6}, values(24)), bias, {});
    } else if (code == BuiltinOp::kFullyConnected) {
      y = g.FullyConnected("y", x, g.Floats("w", {4, 3}, values(12)), bias);
    } else {
      y = g.TransposeConv("y", x, g.Floats("w", {4, 2, 2, 3}, values(48)), graph::kNoTensor,
                          {.stride_h = 2, .stride_w = 2}, 10, 8);
    }
    y = g.Mul("scaled", y, g.Floats("scale", {channels}, values(channels)));
    y = g.Sub("moved", y, g.Floats("offset", {1, 1, channels}, values(channels)));
    y = g.Op(BuiltinOp::kRelu, "relu", {y});
    const graph::Model before = g.Finish({y});
    graph::Model after = before;
    passes::Simplify(after, {});
    EXPECT_EQ(CountOps(after, BuiltinOp::kMul) + CountOps(after, BuiltinOp::kSub) + CountOps(after, BuiltinOp::kRelu),
              0U);
    graph::Verify(after);
    EXPECT_LE(VerifyPasses(before, Reread(after), 2, numerics::FindProfile("reference"), nullptr).worst_output.relative,
              2e-6);
  }
}

// What may not be folded: a value that others read, or that is an output itself.
TEST(PassesTest, KeepsWhatOthersRead) {
  GraphBuilder g("test");
  const Id x = g.Input("x", DType::kFloat32, {1, 3});
  const Id y = g.FullyConnected("y", x, g.Floats("w", {2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}), graph::kNoTensor);
  const Id scaled = g.Mul("scaled", y, g.Scalar("two", 2));
  const Id relu = g.Op(BuiltinOp::kRelu, "relu", {y});
  graph::Model model = g.Finish({scaled, relu, y});
  passes::Simplify(model, {});
  EXPECT_EQ(model.subgraphs[0].operators.size(), 3U);
}

TEST(PassesTest, ConstantsShapesAndDuplicatesFold) {
  GraphBuilder g("test");
  const Id x = g.Input("x", DType::kFloat32, {2, 3});
  const Id a = g.Add("a", x, g.Mul("six", g.Scalar("two", 2), g.Scalar("three", 3)));
  const Id b = g.Add("b", x, g.Scalar("other_six", 6));
  const Id y = g.Mul("y", a, b);
  const Id dead = g.Op(BuiltinOp::kExp, "dead", {x});
  EXPECT_GE(dead, 0);
  graph::Model model = g.Finish({y});
  passes::Simplify(model, {});
  EXPECT_EQ(model.subgraphs[0].operators.size(), 2U);  // one ADD, one MUL
}

// The graph before and after the passes give the same; what is left of an op.
size_t LeftAfterPasses(const graph::Model& before, BuiltinOp code) {
  graph::Model after = before;
  passes::Simplify(after, {});
  const Verification verification = VerifyPasses(before, Reread(after), 2, numerics::FindProfile("reference"), nullptr);
  EXPECT_GE(verification.tensors, 1);
  EXPECT_LE(verification.worst.relative, 1e-6) << verification.worst.tensor;
  return CountOps(after, code);
}

// SPACE_TO_BATCH_ND, CONV_2D, BATCH_TO_SPACE_ND, behind them a batch norm and an activation; block 2, kernel 3.
graph::Model DilatedByHand(const std::vector<int32_t>& pads, const std::vector<int32_t>& crops, bool depthwise) {
  GraphBuilder g("test");
  const Id x = g.Input("x", DType::kFloat32, {-1, 9, 8, 2});
  Random random(5, 1);
  const auto values = [&](int64_t n) {
    std::vector<float> list(static_cast<size_t>(n));
    for (float& value : list) value = static_cast<float>(random.Normal());
    return list;
  };
  const auto pairs = [&](const char* name, const std::vector<int32_t>& list) {
    std::vector<uint8_t> bytes(list.size() * sizeof(int32_t));
    std::memcpy(bytes.data(), list.data(), bytes.size());
    return g.ConstantBytes(name, DType::kInt32, {2, 2}, graph::Constant::Own(std::move(bytes)));
  };
  const Id block = g.Ints("block", {2, 2});
  Id y = g.Op(BuiltinOp::kSpaceToBatchNd, "to_batch", {x, block, pairs("pads", pads)});
  y = depthwise ? g.DepthwiseConv2D("conv", y, g.Floats("w", {1, 3, 3, 4}, values(36)), graph::kNoTensor, {})
                : g.Conv2D("conv", y, g.Floats("w", {4, 3, 3, 2}, values(72)), graph::kNoTensor, {});
  y = g.Op(BuiltinOp::kBatchToSpaceNd, "to_space", {y, block, pairs("crops", crops)});
  y = g.Mul("scaled", y, g.Floats("scale", {4}, values(4)));
  y = g.Add("moved", y, g.Floats("offset", {1, 1, 4}, values(4)));
  y = g.Op(BuiltinOp::kRelu, "relu", {y});
  return g.Finish({y});
}

TEST(PassesTest, BatchNormGoesIntoADilatedConvolution) {
  for (const bool depthwise : {false, true}) {
    const BuiltinOp convolution = depthwise ? BuiltinOp::kDepthwiseConv2D : BuiltinOp::kConv2D;
    // VALID: 9 and 8 are filled up to 10 and 8, what the fill adds is cropped. SAME: 2 in front and behind.
    for (const auto& [pads, crops] : {std::pair<std::vector<int32_t>, std::vector<int32_t>>{{0, 1, 0, 0}, {0, 1, 0, 0}},
                                      {{2, 3, 2, 2}, {0, 1, 0, 0}}}) {
      const graph::Model model = DilatedByHand(pads, crops, depthwise);
      EXPECT_EQ(LeftAfterPasses(model, convolution), 1U);
      for (const BuiltinOp code : {BuiltinOp::kBatchToSpaceNd, BuiltinOp::kPad, BuiltinOp::kMul, BuiltinOp::kRelu}) {
        EXPECT_EQ(LeftAfterPasses(model, code), 0U) << graph::BuiltinOpName(code);
      }
    }
    // Other amounts stay a PAD.
    EXPECT_EQ(LeftAfterPasses(DilatedByHand({1, 2, 2, 2}, {0, 1, 0, 0}, depthwise), BuiltinOp::kPad), 1U);
  }
}

TEST(PassesTest, GeluIsRecognized) {
  for (const double cubic : {0.044715, 0.05}) {
    GraphBuilder g("test");
    const Id in = g.Input("x", DType::kFloat32, {-1, 7});
    const Id x = g.Mul("twice", in, g.Scalar("two", 2));  // a product itself
    const Id cube = g.Op(BuiltinOp::kPow, "cube", {x, g.Scalar("three", 3)});
    const Id sum = g.Add("sum", x, g.Mul("small", g.Scalar("cubic", static_cast<float>(cubic)), cube));
    const Id tanh = g.Op(BuiltinOp::kTanh, "tanh", {g.Mul("root", g.Scalar("s", 0.7978845608F), sum)});
    const Id y = g.Mul("y", g.Mul("half", g.Scalar("h", 0.5F), x), g.Add("gate", g.Scalar("one", 1), tanh));
    EXPECT_EQ(LeftAfterPasses(g.Finish({y}), BuiltinOp::kGelu), cubic == 0.044715 ? 1U : 0U);
  }
}

TEST(PassesTest, IdentitiesGo) {
  GraphBuilder g("test");
  const Id x = g.Input("x", DType::kFloat32, {-1, 1, 3});
  const Id e = g.Op(BuiltinOp::kExp, "e", {x});
  const Id a = g.Sub("a", e, g.Floats("zeros", {3}, std::vector<float>(3, 0.0F)));
  const Id b = g.Mul("b", g.Floats("ones", {1, 3}, std::vector<float>(3, 1.0F)), a);
  const Id c = g.Add("c", b, g.Floats("wide", {4, 3}, std::vector<float>(12, 0.0F)));  // makes it larger
  const Id d = g.Sub("d", g.Floats("zeros_1", {3}, std::vector<float>(3, 0.0F)), c);   // turns the sign
  const graph::Model model = g.Finish({d});
  EXPECT_EQ(LeftAfterPasses(model, BuiltinOp::kMul), 0U);
  EXPECT_EQ(LeftAfterPasses(model, BuiltinOp::kSub), 1U);
  EXPECT_EQ(LeftAfterPasses(model, BuiltinOp::kAdd), 1U);
}

// A size computed from the shape of x, whose batch is open: [batch, 3 * 4] by SHAPE, STRIDED_SLICE, MUL, PACK.
TEST(PassesTest, ShapesFoldBehindAnOpenBatch) {
  GraphBuilder g("test");
  const Id x = g.Input("x", DType::kFloat32, {-1, 3, 4});
  const Id e = g.Op(BuiltinOp::kExp, "e", {x});
  const Id shape =
      g.Op(BuiltinOp::kShape, "shape", {e},
           graph::Attributes::From(graph::ShapeAttributes{static_cast<int32_t>(DType::kInt32)}), DType::kInt32);
  const auto part = [&](const char* name, int32_t i) { return g.Select(name, shape, 0, i); };
  const Id size = g.Op(BuiltinOp::kPack, "size", {part("n", 0), g.Mul("area", part("h", 1), part("w", -1))},
                       graph::Attributes::From(graph::PackAttributes{2, 0}));
  const Id y = g.Op(BuiltinOp::kReshape, "y", {e, size}, graph::Attributes::From(graph::ReshapeAttributes{}));
  const graph::Model model = g.Finish({y});
  EXPECT_EQ(LeftAfterPasses(model, BuiltinOp::kShape), 0U);
  EXPECT_EQ(LeftAfterPasses(model, BuiltinOp::kPack), 0U);
  EXPECT_EQ(LeftAfterPasses(model, BuiltinOp::kReshape), 1U);
}

TEST(PassesTest, PadBecomesSameOnlyWhereTheAmountsFit) {
  const auto convolution = [](std::vector<std::pair<int32_t, int32_t>> pads, int32_t stride) {
    GraphBuilder g("test");
    const Id x = g.Input("x", DType::kFloat32, {1, 8, 8, 1});
    const Id padded = g.Pad("pad", x, pads);
    const Id y = g.Conv2D("y", padded, g.Floats("w", {1, 3, 3, 1}, std::vector<float>(9, 0.5F)), graph::kNoTensor,
                          {.stride_h = stride, .stride_w = stride});
    const graph::Model before = g.Finish({y});
    graph::Model after = before;
    passes::Simplify(after, {});
    EXPECT_GE(VerifyPasses(before, Reread(after), 1, numerics::FindProfile("reference"), nullptr).tensors, 1);
    EXPECT_LE(VerifyPasses(before, Reread(after), 1, numerics::FindProfile("reference"), nullptr).worst.relative, 1e-6);
    return CountOps(after, BuiltinOp::kPad);
  };
  EXPECT_EQ(convolution({{0, 0}, {1, 1}, {1, 1}, {0, 0}}, 1), 0U);
  EXPECT_EQ(convolution({{0, 0}, {0, 1}, {0, 1}, {0, 0}}, 2), 0U);
  EXPECT_EQ(convolution({{0, 0}, {1, 0}, {1, 0}, {0, 0}}, 2), 1U);
  EXPECT_EQ(convolution({{0, 0}, {2, 2}, {2, 2}, {0, 0}}, 1), 1U);
}

}  // namespace
}  // namespace assay::convert
