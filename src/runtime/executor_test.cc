// What the executor makes of a graph when it prepares: PADs left to convolutions, shared memory, the size of the arena.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/random.h"
#include "format/tflite/reader.h"
#include "graph/model_builder.h"
#include "kernels/simd/target.h"
#include "runtime/interpreter.h"
#include "runtime/run_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

struct PaddedCase {
  DType dtype, weights;
  bool depthwise;
  int32_t filter;
};

Quantization Scaled(float scale, int64_t zero_point) {
  Quantization q;
  q.scale = {scale}, q.zero_point = {zero_point};
  return q;
}

std::vector<float> Normal(Random& random, size_t count) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random.Normal());
  return values;
}
std::vector<int8_t> Codes(Random& random, size_t count) {
  std::vector<int8_t> values(count);
  for (int8_t& v : values) v = static_cast<int8_t>(random.Between(-127, 127));
  return values;
}

// PAD, then a convolution of what it wrote; then, on request, one more reader of it.
std::shared_ptr<const graph::Model> Padded(const PaddedCase& c, graph::Padding padding, bool read_twice) {
  constexpr int32_t kChannels = 8;
  Random random(3, static_cast<uint64_t>(c.filter));
  ModelBuilder m;
  const bool codes = c.dtype == DType::kInt8;
  const Quantization activation = codes ? Scaled(0.05F, 7) : Quantization();
  const int x = m.Input("x", c.dtype, {2, 9, 7, kChannels}, activation);
  const int around = m.Constant("around", {4, 2}, std::vector<int32_t>{0, 0, 1, 2, 3, 0, 0, 0});
  const int padded = m.Tensor("padded", c.dtype, {}, activation);
  m.Op(BuiltinOp::kPad, {x, around}, {padded});
  const Shape shape =
      c.depthwise ? Shape{1, c.filter, c.filter, kChannels} : Shape{kChannels, c.filter, c.filter, kChannels};
  const auto count = static_cast<size_t>(shape.NumElements());
  const Quantization of_weights = Scaled(0.01F, 0);
  const int w = c.weights == DType::kFloat32 ? m.Constant("w", shape, Normal(random, count))
                                             : m.Constant("w", shape, Codes(random, count), of_weights);
  const Quantization of_bias = Scaled(0.0005F, 0);
  const int b = codes ? m.Constant("b", {kChannels}, std::vector<int32_t>{1, -20, 300, 4, 5, 6, 7, 8}, of_bias)
                      : m.Constant("b", {kChannels}, Normal(random, kChannels));
  const int y = m.Tensor("y", c.dtype, {}, activation);
  if (c.depthwise) {
    m.Op(BuiltinOp::kDepthwiseConv2D, {padded, w, b}, {y},
         {{"stride_w", 2}, {"stride_h", 1}, {"depth_multiplier", 1}, {"padding", static_cast<int>(padding)}});
  } else {
    m.Op(BuiltinOp::kConv2D, {padded, w, b}, {y},
         {{"stride_w", 2}, {"stride_h", 1}, {"padding", static_cast<int>(padding)}});
  }
  m.Output(y);
  if (read_twice) m.Output(padded);
  return m.Build();
}

std::vector<int32_t> OpsRun(Interpreter& interpreter) {
  std::vector<int32_t> ops;
  interpreter.SetHook([&](const OpEvent& event) {
    if (event.before) ops.push_back(event.op_index);
  });
  interpreter.Invoke();
  interpreter.SetHook({});
  return ops;
}

TEST(ExecutorTest, APadThatItsConvolutionDoesGivesTheSameBits) {
  const PaddedCase cases[] = {{DType::kFloat32, DType::kFloat32, false, 3}, {DType::kFloat32, DType::kFloat32, true, 3},
                              {DType::kFloat32, DType::kFloat32, false, 1}, {DType::kInt8, DType::kInt8, false, 3},
                              {DType::kInt8, DType::kInt8, true, 5},        {DType::kInt8, DType::kInt8, false, 1},
                              {DType::kFloat32, DType::kInt8, false, 3},    {DType::kFloat32, DType::kInt8, true, 3},
                              {DType::kFloat32, DType::kInt8, false, 1}};
  const std::string before = kernels::simd::CurrentTarget();
  for (const std::string& target : {before, std::string("none")}) {
    kernels::simd::ForceTarget(target);
    for (const PaddedCase& c : cases) {
      for (const auto padding : {graph::Padding::kSame, graph::Padding::kValid}) {
        for (const char* profile : {"reference", "builtin", "xnnpack"}) {
          const auto model = Padded(c, padding, /*read_twice=*/false);
          InterpreterOptions options;
          options.profile = &numerics::FindProfile(profile);
          Interpreter left_out(model, options);
          options.preserve_all_tensors = true;
          Interpreter preserved(model, options);
          for (Interpreter* one : {&left_out, &preserved}) {
            one->SetInput(0, RandomArray(c.dtype, {2, 9, 7, 8}, 5, 0));
            one->Invoke();
          }
          EXPECT_TRUE(std::ranges::equal(left_out.Output(0).bytes(), preserved.Output(0).bytes()))
              << target << " " << profile << " " << DTypeName(c.dtype) << " " << c.depthwise << " " << c.filter;
          EXPECT_EQ(OpsRun(preserved).size(), 2U);
          const bool hybrid = c.dtype != c.weights;
          const bool may = !hybrid || (!c.depthwise && c.filter > 1 && std::string(profile) == "xnnpack");
          EXPECT_EQ(OpsRun(left_out).size(), may ? 1U : 2U) << profile << " " << c.filter;
        }
      }
    }
  }
  kernels::simd::ForceTarget(before);
}

TEST(ExecutorTest, APadThatOthersReadIsComputed) {
  const PaddedCase c = {DType::kFloat32, DType::kFloat32, false, 3};
  Interpreter interpreter(Padded(c, graph::Padding::kValid, /*read_twice=*/true));
  interpreter.SetInput(0, RandomArray(DType::kFloat32, {2, 9, 7, 8}, 5, 0));
  EXPECT_EQ(OpsRun(interpreter).size(), 2U);
  EXPECT_EQ(interpreter.Output(1).shape(), (Shape{2, 12, 10, 8}));
}

TEST(ExecutorTest, AHookThatIsThereFromTheStartSeesEveryOp) {
  Interpreter interpreter(
      Padded({DType::kFloat32, DType::kFloat32, false, 3}, graph::Padding::kValid, /*read_twice=*/false));
  EXPECT_EQ(OpsRun(interpreter), (std::vector<int32_t>{0, 1}));
}

TEST(ExecutorTest, AReshapedTensorTakesNoMemoryOfItsOwn) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 64});
  const int y = m.Tensor("y", DType::kFloat32, {});
  m.Op(BuiltinOp::kRelu, {x}, {y});
  const int shape = m.Constant("shape", {2}, std::vector<int32_t>{8, 8});
  const int z = m.Tensor("z", DType::kFloat32, {});
  m.Op(BuiltinOp::kReshape, {y, shape}, {z});
  m.Output(z);
  Interpreter interpreter(m.Build());
  interpreter.SetInput(0, RandomArray(DType::kFloat32, {1, 64}, 1, 0));
  interpreter.Invoke();
  EXPECT_EQ(interpreter.memory().arena_bytes, 2 * 64 * sizeof(float));
  const Array input = RandomArray(DType::kFloat32, {1, 64}, 1, 0), output = interpreter.Output(0);
  EXPECT_EQ(output.shape(), (Shape{8, 8}));
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(output.values<float>()[i], std::max(input.values<float>()[i], 0.0F));
}

// An expanding and a depthwise convolution with what EfficientNet has after each, a projection, and a sum; the tensors
// in between are larger than what ops leave to each other one by one.
std::shared_ptr<const graph::Model> Block(DType weights, int32_t images) {
  constexpr int32_t kFew = 8, kMany = 72;
  Random random(4, static_cast<uint64_t>(images));
  ModelBuilder m;
  const auto constant = [&](Shape shape) {
    const auto count = static_cast<size_t>(shape.NumElements());
    return weights == DType::kFloat32 ? m.Constant("w", shape, Normal(random, count))
                                      : m.Constant("w", shape, Codes(random, count), Scaled(0.01F, 0));
  };
  const auto bias = [&](int32_t count) { return m.Constant("b", {count}, Normal(random, static_cast<size_t>(count))); };
  const auto swish = [&](int x) {
    const int gate = m.Tensor("gate", DType::kFloat32, {}), y = m.Tensor("swish", DType::kFloat32, {});
    m.Op(BuiltinOp::kLogistic, {x}, {gate});
    m.Op(BuiltinOp::kMul, {x, gate}, {y});
    return y;
  };
  const int x = m.Input("x", DType::kFloat32, {images, 50, 47, kFew});
  const int expanded = m.Tensor("expanded", DType::kFloat32, {});
  m.Op(BuiltinOp::kConv2D, {x, constant({kMany, 1, 1, kFew}), bias(kMany)}, {expanded},
       {{"stride_w", 1}, {"stride_h", 1}, {"padding", 0}});
  const int filtered = m.Tensor("filtered", DType::kFloat32, {});
  m.Op(BuiltinOp::kDepthwiseConv2D, {swish(expanded), constant({1, 3, 3, kMany}), bias(kMany)}, {filtered},
       {{"stride_w", 1}, {"stride_h", 1}, {"depth_multiplier", 1}, {"padding", 0}});
  const int scaled = m.Tensor("scaled", DType::kFloat32, {});
  m.Op(BuiltinOp::kMul, {swish(filtered), m.Constant("s", {1, 1, 1, kMany}, Normal(random, kMany))}, {scaled});
  const int projected = m.Tensor("projected", DType::kFloat32, {}), y = m.Tensor("y", DType::kFloat32, {});
  m.Op(BuiltinOp::kConv2D, {scaled, constant({kFew, 1, 1, kMany}), bias(kFew)}, {projected},
       {{"stride_w", 1}, {"stride_h", 1}, {"padding", 0}});
  m.Op(BuiltinOp::kAdd, {projected, x}, {y});
  m.Output(y);
  return m.Build();
}

TEST(ExecutorTest, OpsThatRunRowsByTurnsGiveTheSameBits) {
  for (const DType weights : {DType::kFloat32, DType::kInt8}) {
    for (const int32_t images : {1, 2}) {
      const auto model = Block(weights, images);
      const Array input = RandomArray(DType::kFloat32, {images, 50, 47, 8}, 5, 0);
      const auto run = [&](Interpreter& interpreter) {
        interpreter.SetInput(0, input);
        interpreter.Invoke();
        const Array output = interpreter.Output(0);
        return std::vector<uint8_t>(output.bytes().begin(), output.bytes().end());
      };
      for (const char* profile : {"builtin", "xnnpack"}) {
        InterpreterOptions options;
        options.profile = &numerics::FindProfile(profile);
        options.preserve_all_tensors = true;
        Interpreter preserved(model, options);
        const std::vector<uint8_t> expected = run(preserved);
        options.preserve_all_tensors = false;
        for (const int threads : {1, 3}) {
          options.threads = threads;
          Interpreter chained(model, options);
          EXPECT_EQ(run(chained), expected) << profile << " " << threads;
          // One by one the ops need more memory; rows are kept by every thread.
          if (threads == 1 && kernels::simd::UsesVectors()) {
            Interpreter apart(model, options);
            apart.SetHook([](const OpEvent&) {});
            apart.AllocateTensors();
            EXPECT_LT(chained.memory().arena_bytes, apart.memory().arena_bytes) << profile;
          }
          // Who looks later has every op run and its tensors there, but for a LOGISTIC that its MUL does, too.
          const bool one_swish = std::string_view(profile) == "xnnpack" && kernels::simd::UsesVectors();
          EXPECT_EQ(OpsRun(chained).size(), model->subgraphs[0].operators.size() - (one_swish ? 2 : 0));
          EXPECT_EQ(run(chained), expected) << profile << " " << threads;
        }
      }
    }
  }
}

// y = x * f(x), or f(x) * x; `read_twice`: f(x) is an output, too.
std::shared_ptr<const graph::Model> Gated(BuiltinOp f, DType dtype, bool gate_first, bool read_twice) {
  const bool codes = dtype != DType::kFloat32;
  const int zero = dtype == DType::kInt8 ? -128 : 0;
  ModelBuilder m;
  const int x = m.Input("x", dtype, {2, 5, 7, 3}, codes ? Scaled(0.05F, zero + 100) : Quantization());
  const int gate = m.Tensor("gate", dtype, {}, codes ? Scaled(1.0F / 256, zero) : Quantization());
  const int y = m.Tensor("y", dtype, {}, codes ? Scaled(0.04F, zero + 30) : Quantization());
  m.Op(f, {x}, {gate});
  m.Op(BuiltinOp::kMul, gate_first ? std::vector<int>{gate, x} : std::vector<int>{x, gate}, {y});
  m.Output(y);
  if (read_twice) m.Output(gate);
  return m.Build();
}

// What it gives for `input`, and as if somebody read every tensor.
void ExpectTheSameApart(Interpreter& planned, const std::shared_ptr<const graph::Model>& model,
                        InterpreterOptions options, const Array& input, const std::string& what) {
  options.preserve_all_tensors = true;
  Interpreter apart(model, options);
  for (Interpreter* interpreter : {&planned, &apart}) {
    interpreter->SetInput(0, input);
    interpreter->Invoke();
  }
  EXPECT_TRUE(std::ranges::equal(planned.OutputBytes(0), apart.OutputBytes(0))) << what;
  EXPECT_EQ(OpsRun(apart).size(), 2U) << what;
}

TEST(ExecutorTest, AMulDoesTheLogisticOfItsOtherOperandItself) {
  for (const DType dtype : {DType::kFloat32, DType::kInt8, DType::kUInt8}) {
    for (const char* profile : {"xnnpack", "reference", "builtin"}) {
      for (const bool gate_first : {false, true}) {
        for (const bool read_twice : {false, true}) {
          const auto model = Gated(BuiltinOp::kLogistic, dtype, gate_first, read_twice);
          const Array input = RandomArray(dtype, {2, 5, 7, 3}, 9, 0);
          InterpreterOptions options;
          options.profile = &numerics::FindProfile(profile);
          Interpreter planned(model, options);
          ExpectTheSameApart(planned, model, options, input,
                             fmt::format("{} {} {}", profile, DTypeName(dtype), gate_first));
          const std::string_view id = profile;
          const bool taken =
              !read_twice && (dtype != DType::kFloat32 || (id == "xnnpack" && kernels::simd::UsesVectors()));
          EXPECT_EQ(OpsRun(planned).size(), taken ? 1U : 2U) << profile << " " << DTypeName(dtype);
        }
      }
    }
  }
}

// TANH of codes is a table, too; that of floats is not offered.
TEST(ExecutorTest, AnyTableOfTheOtherOperandWillDo) {
  for (const DType dtype : {DType::kUInt8, DType::kFloat32}) {
    for (const bool gate_first : {false, true}) {
      const auto model = Gated(BuiltinOp::kTanh, dtype, gate_first, /*read_twice=*/false);
      Interpreter planned(model);
      ExpectTheSameApart(planned, model, {}, RandomArray(dtype, {2, 5, 7, 3}, 9, 0), std::string(DTypeName(dtype)));
      EXPECT_EQ(OpsRun(planned).size(), dtype == DType::kUInt8 ? 1U : 2U);
    }
  }
}

TEST(ExecutorTest, TheArenaOfTheTestModelsIsAtMostATenthAboveWhatIsAliveAtOnce) {
  const char* data = std::getenv("ASSAY_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "ASSAY_TEST_DATA is not set";
  int models = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
    if (entry.path().extension() != ".tflite") continue;
    InterpreterOptions options;
    options.plan_only = true;
    std::unique_ptr<Interpreter> interpreter;
    try {
      interpreter = std::make_unique<Interpreter>(tflite::ReadModel(entry.path().string()), options);
      interpreter->AllocateTensors();
    } catch (const Error&) {
      continue;  // data/corrupt has models that cannot run
    }
    ++models;
    EXPECT_LE(static_cast<double>(interpreter->memory().arena_bytes),
              1.1 * static_cast<double>(interpreter->memory().peak_live_bytes))
        << entry.path();
  }
  EXPECT_GT(models, 20);
}

}  // namespace
}  // namespace assay::runtime
