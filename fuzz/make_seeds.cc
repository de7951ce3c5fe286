// make_seeds FOLDER: writes the models that fuzzing starts from, into FOLDER/fuzz_reader (everything the format knows)
// and FOLDER/fuzz_invoke (one operator each, in several types).
#include <fmt/core.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "format/tflite/test_models.h"
#include "format/tflite/writer.h"

namespace assay {
namespace {

using graph::BuiltinOp;
using graph::kNoTensor;
using graph::ModelBuilder;

// An operand: computed (an input or output of the model), or a constant of ones or of the given numbers.
struct Operand {
  DType dtype = DType::kFloat32;
  Shape shape;
  enum class Kind { kInput, kConstant, kVariable, kAbsent } kind = Kind::kInput;
  std::vector<int32_t> values = {};
};

constexpr DType kF32 = DType::kFloat32, kI8 = DType::kInt8, kI32 = DType::kInt32, kB = DType::kBool;
const Operand kAbsent = {kF32, Shape{}, Operand::Kind::kAbsent};
Operand In(Shape shape, DType dtype = kF32) { return {dtype, std::move(shape)}; }
Operand Const(Shape shape, DType dtype = kF32) { return {dtype, std::move(shape), Operand::Kind::kConstant}; }
Operand Ints(std::vector<int32_t> values) {
  return {kI32, Shape{static_cast<int32_t>(values.size())}, Operand::Kind::kConstant, values};
}
Operand Variable(Shape shape) { return {kF32, std::move(shape), Operand::Kind::kVariable}; }

struct Seed {
  BuiltinOp op;
  std::vector<Operand> inputs, outputs;
  std::vector<ModelBuilder::Option> options = {};
};

int Add(ModelBuilder& m, const Operand& operand, const std::string& name, bool quantized) {
  if (operand.kind == Operand::Kind::kAbsent) return kNoTensor;
  const bool affine = quantized && operand.dtype == kF32;
  const DType dtype = affine ? kI8 : operand.dtype;
  const Quantization quantization = affine ? ModelBuilder::PerTensor(0.05F, 1) : Quantization();
  const Shape& shape = operand.shape;
  switch (operand.kind) {
    case Operand::Kind::kInput:
      return m.Input(name, dtype, shape, quantization);
    case Operand::Kind::kVariable:
      return m.Variable(name, dtype, shape, quantization);
    default:
      break;
  }
  if (!operand.values.empty()) return m.Constant(name, shape, operand.values);
  if (dtype == kF32) return m.Constant(name, shape, std::vector<float>(static_cast<size_t>(shape.NumElements()), 1.0F));
  return m.ConstantBytes(name, dtype, shape,
                         std::vector<uint8_t>(DTypeBytes(dtype, static_cast<uint64_t>(shape.NumElements())), 1),
                         affine ? ModelBuilder::PerTensor(0.02F, 0) : Quantization());
}

graph::Model OneOp(const Seed& seed, bool quantized) {
  ModelBuilder m;
  std::vector<int32_t> inputs, outputs;
  for (const Operand& operand : seed.inputs) {
    inputs.push_back(Add(m, operand, fmt::format("in{}", inputs.size()), quantized));
  }
  for (const Operand& operand : seed.outputs) {
    const bool affine = quantized && operand.dtype == kF32;
    const int index = m.Tensor(fmt::format("out{}", outputs.size()), affine ? kI8 : operand.dtype, operand.shape,
                               affine ? ModelBuilder::PerTensor(0.1F, -3) : Quantization());
    outputs.push_back(index);
    m.Output(index);
  }
  m.Op(seed.op, inputs, outputs, seed.options);
  return m.model();
}

std::vector<Seed> Seeds() {
  const Shape image{1, 4, 4, 2}, row{1, 6};
  std::vector<Seed> seeds = {
      {BuiltinOp::kConv2D,
       {In(image), Const({3, 2, 2, 2}), Const({3})},
       {In({1, 2, 2, 3})},
       {{"padding", 1}, {"stride_w", 2}, {"stride_h", 2}, {"fused_activation_function", 3}}},
      {BuiltinOp::kDepthwiseConv2D,
       {In(image), Const({1, 3, 3, 4}), kAbsent},
       {In({1, 4, 4, 4})},
       {{"stride_w", 1}, {"stride_h", 1}, {"depth_multiplier", 2}, {"dilation_w_factor", 2}}},
      {BuiltinOp::kTransposeConv,
       {Ints({1, 8, 8, 3}), Const({3, 2, 2, 2}), In(image)},
       {In({1, 8, 8, 3})},
       {{"stride_w", 2}, {"stride_h", 2}}},
      {BuiltinOp::kFullyConnected, {In(row), Const({4, 6}), kAbsent}, {In({1, 4})}, {{"keep_num_dims", true}}},
      {BuiltinOp::kBatchMatmul, {In({2, 3, 4}), In({2, 4, 2})}, {In({2, 3, 2})}, {{"adj_x", false}}},
      {BuiltinOp::kAveragePool2D,
       {In(image)},
       {In({1, 2, 2, 2})},
       {{"padding", 1}, {"stride_w", 2}, {"stride_h", 2}, {"filter_width", 2}, {"filter_height", 2}}},
      {BuiltinOp::kReshape, {In(image), Ints({2, -1})}, {In({2, 16})}, {{"new_shape", std::vector<int64_t>{2, 16}}}},
      {BuiltinOp::kSoftmax, {In(row)}, {In(row)}, {{"beta", 1.0}}},
      {BuiltinOp::kPad,
       {In(image), {kI32, {4, 2}, Operand::Kind::kConstant, {0, 0, 1, 1, 2, 0, 0, 0}}},
       {In({1, 6, 6, 2})}},
      {BuiltinOp::kMirrorPad,
       {In(row), {kI32, {2, 2}, Operand::Kind::kConstant, {0, 0, 1, 2}}},
       {In({1, 9})},
       {{"mode", 1}}},
      {BuiltinOp::kMean, {In(image), Ints({1, 2})}, {In({1, 2})}, {{"keep_dims", false}}},
      {BuiltinOp::kConcatenation, {In(row), In(row)}, {In({1, 12})}, {{"axis", -1}}},
      {BuiltinOp::kStridedSlice,
       {In(image), Ints({0, 1, 0, 0}), Ints({1, 4, -1, 2}), Ints({1, 2, 1, 1})},
       {In({1, 2, 3, 2})},
       {{"begin_mask", 9}, {"shrink_axis_mask", 0}}},
      {BuiltinOp::kPack, {In(row), In(row)}, {In({2, 1, 6})}, {{"values_count", 2}, {"axis", 0}}},
      {BuiltinOp::kUnpack, {In({2, 6})}, {In({6}), In({6})}, {{"num", 2}, {"axis", 0}}},
      {BuiltinOp::kResizeBilinear, {In(image), Ints({7, 3})}, {In({1, 7, 3, 2})}, {{"half_pixel_centers", true}}},
      {BuiltinOp::kTranspose, {In(image), Ints({0, 3, 1, 2})}, {In({1, 2, 4, 4})}},
      {BuiltinOp::kSpaceToBatchNd,
       {In(image), Ints({2, 2}), {kI32, {2, 2}, Operand::Kind::kConstant, {0, 0, 0, 0}}},
       {In({4, 2, 2, 2})}},
      {BuiltinOp::kGather, {In({5, 3}), Ints({4, 0, 2})}, {In({3, 3})}, {{"axis", 0}, {"batch_dims", 0}}},
      {BuiltinOp::kGatherNd, {In({5, 3}), {kI32, {2, 2}, Operand::Kind::kConstant, {4, 2, 0, 1}}}, {In({2})}},
      {BuiltinOp::kScatterNd, {{kI32, {2, 1}, Operand::Kind::kConstant, {3, 1}}, In({2}), Ints({5})}, {In({5})}},
      {BuiltinOp::kSlice, {In(image), Ints({0, 1, 1, 0}), Ints({1, 2, -1, 2})}, {In({1, 2, 3, 2})}},
      {BuiltinOp::kSplit, {Ints({1}), In(row)}, {In({1, 3}), In({1, 3})}, {{"num_splits", 2}}},
      {BuiltinOp::kSplitV, {In(row), Ints({2, -1}), Ints({1})}, {In({1, 2}), In({1, 4})}, {{"num_splits", 2}}},
      {BuiltinOp::kArgMax, {In(row), Ints({1})}, {In({1}, kI32)}, {{"output_type", 2}}},
      {BuiltinOp::kTopkV2, {In(row), Ints({2})}, {In({1, 2}), In({1, 2}, kI32)}},
      {BuiltinOp::kOneHot, {In({3}, kI32), Ints({4}), Const({}), Const({})}, {In({3, 4})}, {{"axis", -1}}},
      {BuiltinOp::kCumsum, {In(row), Ints({1})}, {In(row)}, {{"exclusive", true}, {"reverse", true}}},
      {BuiltinOp::kTile, {In(row), Ints({2, 2})}, {In({2, 12})}},
      {BuiltinOp::kFill, {Ints({2, 3}), In({})}, {In({2, 3})}},
      {BuiltinOp::kRange, {In({}, kI32), In({}, kI32), In({}, kI32)}, {In({1}, kI32)}},
      {BuiltinOp::kWhere, {In({2, 3}, kB)}, {In({1, 2}, DType::kInt64)}},
      {BuiltinOp::kSelectV2, {In({1, 6}, kB), In(row), In({1})}, {In(row)}},
      {BuiltinOp::kPrelu, {In(image), Const({1, 1, 2})}, {In(image)}},
      {BuiltinOp::kDepthToSpace, {In({1, 2, 2, 4})}, {In({1, 4, 4, 1})}, {{"block_size", 2}}},
      {BuiltinOp::kEmbeddingLookup, {In({3}, kI32), Const({5, 2})}, {In({3, 2})}},
      {BuiltinOp::kDynamicUpdateSlice, {In({4, 4}), In({2, 2}), Ints({1, 1})}, {In({4, 4})}},
      {BuiltinOp::kCast, {In(row)}, {In(row, kI32)}, {{"in_data_type", 0}, {"out_data_type", 2}}},
      {BuiltinOp::kCast, {In(row, DType::kInt4)}, {In(row)}, {{"in_data_type", 17}, {"out_data_type", 0}}},
      {BuiltinOp::kCast, {In(row)}, {In(row, DType::kInt4)}, {{"in_data_type", 0}, {"out_data_type", 17}}},
      {BuiltinOp::kLess, {In(row), In({1})}, {In(row, kB)}},
      {BuiltinOp::kLogicalAnd, {In(row, kB), In(row, kB)}, {In(row, kB)}},
      {BuiltinOp::kNonMaxSuppressionV5,
       {In({3, 4}), In({3}), Ints({2}), Const({}), Const({}), Const({})},
       {In({2}, kI32), In({2}), In({}, kI32)}},
      {BuiltinOp::kSvdf,
       {In({1, 3}), Const({4, 3}), Const({4, 2}), kAbsent, Variable({1, 8})},
       {In({1, 2})},
       {{"rank", 2}}},
      {BuiltinOp::kConv3D,
       {In({1, 3, 3, 3, 1}), Const({2, 2, 2, 1, 2})},
       {In({1, 2, 2, 2, 2})},
       {{"padding", 1}, {"stride_d", 1}, {"stride_w", 1}, {"stride_h", 1}}},
  };
  for (const BuiltinOp op : {BuiltinOp::kAdd, BuiltinOp::kMul, BuiltinOp::kPow, BuiltinOp::kMaximum,
                             BuiltinOp::kFloorMod, BuiltinOp::kSquaredDifference}) {
    seeds.push_back({op, {In({2, 1, 3}), In({4, 1})}, {In({2, 4, 3})}});
  }
  for (const BuiltinOp op : {BuiltinOp::kLogistic, BuiltinOp::kHardSwish, BuiltinOp::kRsqrt, BuiltinOp::kLeakyRelu,
                             BuiltinOp::kGelu, BuiltinOp::kLogSoftmax, BuiltinOp::kL2Normalization}) {
    seeds.push_back({op, {In(row)}, {In(row)}});
  }
  // The 24 operands of an LSTM without peepholes and projection: weights of input and state, biases, the two states.
  Seed lstm = {BuiltinOp::kUnidirectionalSequenceLstm,
               {In({1, 3, 2})},
               {In({1, 3, 4})},
               {{"fused_activation_function", 4}, {"time_major", false}}};
  for (int i = 1; i < 24; ++i) {
    const bool weights_of_input = i >= 1 && i <= 4, weights_of_state = i >= 5 && i <= 8, bias = i >= 12 && i <= 15;
    lstm.inputs.push_back(weights_of_input     ? Const({4, 2})
                          : weights_of_state   ? Const({4, 4})
                          : bias               ? Const({4})
                          : i == 18 || i == 19 ? Variable({1, 4})
                                               : kAbsent);
  }
  seeds.push_back(lstm);
  return seeds;
}

// WHILE count < 3 { count + 1 }, and an IF.
graph::Model ControlFlow() {
  ModelBuilder m;
  const int count = m.Input("count", kI32, Shape{1}), flag = m.Input("flag", kB, Shape{});
  const int counted = m.Tensor("counted", kI32, Shape{1}), chosen = m.Tensor("chosen", kI32, Shape{1});
  m.Op(BuiltinOp::kWhile, {count}, {counted}, {{"cond_subgraph_index", 1}, {"body_subgraph_index", 2}});
  m.Op(BuiltinOp::kIf, {flag, counted}, {chosen}, {{"then_subgraph_index", 2}, {"else_subgraph_index", 3}});
  m.Output(chosen);
  for (const BuiltinOp op : {BuiltinOp::kLess, BuiltinOp::kAdd, BuiltinOp::kMul}) {
    m.NewSubgraph();
    const int in = m.Input("in", kI32, Shape{1});
    const int other = m.Constant("other", Shape{1}, std::vector<int32_t>{op == BuiltinOp::kLess ? 3 : 1});
    const int out = m.Tensor("out", op == BuiltinOp::kLess ? kB : kI32, Shape{1});
    m.Op(op, {in, other}, {out});
    m.Output(out);
  }
  return m.model();
}

void Main(const std::string& folder) {
  const std::string reader = folder + "/fuzz_reader/", invoke = folder + "/fuzz_invoke/";
  std::filesystem::create_directories(reader);
  std::filesystem::create_directories(invoke);
  tflite::WriteModel(tflite::SmallModel(), reader + "small.tflite");
  tflite::WriteModel(tflite::RichModel(), reader + "rich.tflite");
  tflite::WriteModel(tflite::RichModel(), reader + "rich_behind.tflite", {.buffers_behind_tables = true});
  tflite::WriteModel(ControlFlow(), invoke + "control_flow.tflite");
  int number = 0;  // an op may have several
  for (const Seed& seed : Seeds()) {
    const std::string path = fmt::format("{}{}_{}", invoke, graph::BuiltinOpName(seed.op), number++);
    tflite::WriteModel(OneOp(seed, /*quantized=*/false), path + ".tflite");
    tflite::WriteModel(OneOp(seed, /*quantized=*/true), path + "_int8.tflite");
  }
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  try {
    assay::Main(argv[1]);
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
