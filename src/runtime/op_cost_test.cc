#include "runtime/op_cost.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::Operator;

int64_t Macs(BuiltinOp code, std::vector<Shape> inputs, std::vector<Shape> outputs,
             const std::vector<std::string>& true_options = {}) {
  Operator op;
  op.code = code;
  for (const std::string& option : true_options) op.attributes.Set(option, int64_t{1});
  return CountMacs(op, inputs, outputs);
}

// Each expectation is written as the loop nest that computes the op.
TEST(CountMacsTest, Conv2D) {
  EXPECT_EQ(Macs(BuiltinOp::kConv2D, {{2, 9, 7, 3}, {8, 3, 5, 3}, {8}}, {{2, 5, 4, 8}}), 2 * 5 * 4 * 8 * (3 * 5 * 3));
}

TEST(CountMacsTest, GroupedConv2DReadsOnlyItsGroup) {
  EXPECT_EQ(Macs(BuiltinOp::kConv2D, {{1, 4, 4, 12}, {6, 3, 3, 4}, {6}}, {{1, 4, 4, 6}}), 4 * 4 * 6 * (3 * 3 * 4));
}

TEST(CountMacsTest, DepthwiseConv2D) {
  EXPECT_EQ(Macs(BuiltinOp::kDepthwiseConv2D, {{1, 8, 8, 3}, {1, 3, 5, 6}, {6}}, {{1, 4, 4, 6}}), 4 * 4 * 6 * (3 * 5));
}

TEST(CountMacsTest, TransposeConvSpreadsEveryInputValue) {
  EXPECT_EQ(Macs(BuiltinOp::kTransposeConv, {{4}, {5, 3, 2, 7}, {1, 4, 6, 7}}, {{1, 8, 12, 5}}),
            4 * 6 * 7 * (5 * 3 * 2));
}

TEST(CountMacsTest, Conv3D) {
  EXPECT_EQ(Macs(BuiltinOp::kConv3D, {{1, 5, 6, 7, 3}, {2, 3, 4, 3, 8}}, {{1, 4, 4, 4, 8}}),
            4 * 4 * 4 * 8 * (2 * 3 * 4 * 3));
  EXPECT_EQ(Macs(BuiltinOp::kConv3DTranspose, {{5}, {2, 3, 4, 8, 3}, {1, 5, 6, 7, 3}}, {{1, 10, 12, 14, 8}}),
            5 * 6 * 7 * 3 * (2 * 3 * 4 * 8));
}

TEST(CountMacsTest, FullyConnected) {
  EXPECT_EQ(Macs(BuiltinOp::kFullyConnected, {{4, 20}, {10, 20}, {10}}, {{4, 10}}), 4 * 10 * 20);
  // An input of any rank is a batch of rows as long as the weights'.
  EXPECT_EQ(Macs(BuiltinOp::kFullyConnected, {{2, 3, 20}, {10, 20}}, {{2, 3, 10}}), 2 * 3 * 10 * 20);
}

TEST(CountMacsTest, BatchMatmul) {
  EXPECT_EQ(Macs(BuiltinOp::kBatchMatmul, {{6, 4, 5}, {6, 5, 3}}, {{6, 4, 3}}), 6 * 4 * 3 * 5);
  EXPECT_EQ(Macs(BuiltinOp::kBatchMatmul, {{6, 5, 4}, {6, 5, 3}}, {{6, 4, 3}}, {"adj_x"}), 6 * 4 * 3 * 5);
  EXPECT_EQ(Macs(BuiltinOp::kBatchMatmul, {{1, 4, 5}, {6, 3, 5}}, {{6, 4, 3}}, {"adj_y"}), 6 * 4 * 3 * 5);
}

// 24 operands of an LSTM: 10 inputs, 8 units, projected to 6; states of `batch` rows.
std::vector<Shape> LstmInputs(Shape x, int batch, bool projection, bool input_gate) {
  const Shape none = {0}, w = {8, 10}, r = {8, 6}, r_plain = {8, 8}, unit = {8};
  const Shape& recurrent = projection ? r : r_plain;
  std::vector<Shape> inputs = {std::move(x)};
  for (int i = 0; i < 4; ++i) inputs.push_back(i == 0 && !input_gate ? none : w);
  for (int i = 0; i < 4; ++i) inputs.push_back(i == 0 && !input_gate ? none : recurrent);
  for (int i = 0; i < 3; ++i) inputs.push_back(unit);  // peepholes
  for (int i = 0; i < 4; ++i) inputs.push_back(unit);  // biases
  inputs.push_back(projection ? Shape{6, 8} : none);
  inputs.push_back(none);
  inputs.push_back({batch, projection ? 6 : 8});
  inputs.push_back({batch, 8});
  for (int i = 0; i < 4; ++i) inputs.push_back(unit);  // layer normalization
  return inputs;
}

TEST(CountMacsTest, SequenceLstmMultipliesEveryMatrixInEveryStep) {
  EXPECT_EQ(Macs(BuiltinOp::kUnidirectionalSequenceLstm, LstmInputs({3, 7, 10}, 3, false, true), {{3, 7, 8}}),
            3 * 7 * (4 * 8 * 10 + 4 * 8 * 8));
  EXPECT_EQ(Macs(BuiltinOp::kUnidirectionalSequenceLstm, LstmInputs({3, 7, 10}, 3, true, false), {{3, 7, 6}}),
            3 * 7 * (3 * 8 * 10 + 3 * 8 * 6 + 6 * 8));
}

TEST(CountMacsTest, LstmOfOneStep) {
  EXPECT_EQ(Macs(BuiltinOp::kLstm, LstmInputs({3, 10}, 3, true, true), {{3, 6}}), 3 * (4 * 8 * 10 + 4 * 8 * 6 + 6 * 8));
  // The basic kernel: input and state side by side times one matrix of all gates.
  EXPECT_EQ(Macs(BuiltinOp::kLstm, {{2, 10}, {2, 8}, {32, 18}, {32}, {2, 8}}, {{2, 8}, {2, 8}, {2, 32}, {2, 18}}),
            2 * 32 * 18);
}

TEST(CountMacsTest, BidirectionalLstmHasBothDirectionsAndTheAuxiliaryInput) {
  std::vector<Shape> inputs(48, Shape{0});
  inputs[0] = {2, 5, 10};
  for (size_t i = 1; i <= 4; ++i) inputs[i] = inputs[i + 17] = {8, 10};
  for (size_t i = 5; i <= 8; ++i) inputs[i] = inputs[i + 17] = {8, 8};
  for (size_t i = 12; i <= 15; ++i) inputs[i] = inputs[i + 17] = {8};
  for (size_t i = 35; i <= 38; ++i) inputs[i] = {2, 8};
  EXPECT_EQ(Macs(BuiltinOp::kBidirectionalSequenceLstm, inputs, {{2, 5, 8}}), 2 * 5 * 2 * (4 * 8 * 10 + 4 * 8 * 8));
  for (size_t i = 40; i <= 47; ++i) inputs[i] = {8, 3};
  EXPECT_EQ(Macs(BuiltinOp::kBidirectionalSequenceLstm, inputs, {{2, 5, 8}}),
            2 * 5 * 2 * (4 * 8 * 10 + 4 * 8 * 8 + 4 * 8 * 3));
}

TEST(CountMacsTest, SimpleRecurrentOpsAndSvdf) {
  EXPECT_EQ(Macs(BuiltinOp::kRnn, {{2, 5}, {4, 5}, {4, 4}, {4}, {2, 4}}, {{2, 4}}), 2 * (4 * 5 + 4 * 4));
  EXPECT_EQ(Macs(BuiltinOp::kUnidirectionalSequenceRnn, {{2, 9, 5}, {4, 5}, {4, 4}, {4}, {2, 4}}, {{2, 9, 4}}),
            2 * 9 * (4 * 5 + 4 * 4));
  // Features of every filter, then their memory over time.
  EXPECT_EQ(Macs(BuiltinOp::kSvdf, {{2, 20}, {12, 20}, {12, 8}, {6}, {2, 96}}, {{2, 6}}), 2 * 12 * (20 + 8));
}

TEST(CountMacsTest, OtherOpsHaveNone) {
  EXPECT_EQ(Macs(BuiltinOp::kAdd, {{1, 4}, {1, 4}}, {{1, 4}}), 0);
  EXPECT_EQ(Macs(BuiltinOp::kAveragePool2D, {{1, 4, 4, 1}}, {{1, 2, 2, 1}}), 0);
  EXPECT_FALSE(HasMacs(BuiltinOp::kSoftmax));
}

// Howard et al., "MobileNets", 2017, table 6: 569 million multiply-adds at width 1.0 and 224 x 224, 41 at 0.25.
TEST(CountMacsTest, AgreesWithThePublishedMobileNets) {
  const auto total = [](double width) {
    const auto channels = [&](int full) { return static_cast<int32_t>(full * width); };
    int32_t size = 112, in = channels(32);
    int64_t macs = Macs(BuiltinOp::kConv2D, {{1, 224, 224, 3}, {in, 3, 3, 3}, {in}}, {{1, size, size, in}});
    const std::pair<int, int> blocks[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                                          {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
    for (const auto& [full, stride] : blocks) {
      const int32_t before = size, out = channels(full);
      size /= stride;
      const Shape middle = {1, size, size, in};
      macs += Macs(BuiltinOp::kDepthwiseConv2D, {{1, before, before, in}, {1, 3, 3, in}, {in}}, {middle});
      macs += Macs(BuiltinOp::kConv2D, {middle, {out, 1, 1, in}, {out}}, {{1, size, size, out}});
      in = out;
    }
    return macs + Macs(BuiltinOp::kFullyConnected, {{1, in}, {1000, in}, {1000}}, {{1, 1000}});
  };
  EXPECT_EQ((total(1.0) + 500'000) / 1'000'000, 569);
  EXPECT_EQ((total(0.25) + 500'000) / 1'000'000, 41);
}

// Models are untrusted: no shape may overflow or be read beyond its rank.
TEST(CountMacsTest, NonsenseSaturatesOrIsZero) {
  const Shape huge = {1 << 20, 1 << 20, 1 << 20, 1 << 20};
  EXPECT_EQ(Macs(BuiltinOp::kConv2D, {huge, huge, {1}}, {huge}), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Macs(BuiltinOp::kConv2D, {{1, 4, 4, 1}, {8}, {8}}, {{1, 4, 4, 8}}), 0);
  EXPECT_EQ(Macs(BuiltinOp::kConv2D, {{1}}, {{1}}), 0);
  EXPECT_EQ(Macs(BuiltinOp::kTransposeConv, {{4}, {1, 1, 1, 1}}, {{1}}), 0);
  EXPECT_EQ(Macs(BuiltinOp::kBatchMatmul, {{}, {}}, {{}}), 0);
  EXPECT_EQ(Macs(BuiltinOp::kUnidirectionalSequenceLstm, {{3}, {8, 10}}, {{3}}), 0);
  EXPECT_EQ(AddCounts(std::numeric_limits<int64_t>::max(), 5), std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace assay::runtime
