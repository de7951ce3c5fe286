#include "quantize/integer_lstm.h"

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

// Steps of 5 values, 8 cells.
struct Sequence {
  graph::ModelBuilder m;
  explicit Sequence(bool has_projection = false, int32_t steps = 6, int32_t batches = 1, bool time_major = false) {
    const auto sequence = [&](int32_t size) {
      return time_major ? Shape{steps, batches, size} : Shape{batches, steps, size};
    };
    const int x = m.Input("x", DType::kFloat32, sequence(5));
    std::vector<int32_t> inputs(24, graph::kNoTensor);
    inputs[0] = x;
    for (int32_t gate = 0; gate < 4; ++gate) {
      const auto at = static_cast<size_t>(gate);
      inputs[1 + at] = m.Constant("w", {8, 5}, RandomValues(40, 10 + at, 0.5F));
      inputs[5 + at] = m.Constant("r", {8, 8}, RandomValues(64, 20 + at, 0.4F));
      inputs[12 + at] = m.Constant("b", {8}, RandomValues(8, 30 + at, 0.3F));
    }
    if (has_projection) inputs[16] = m.Constant("p", {8, 8}, RandomValues(64, 40));
    inputs[18] = m.Variable("output state", DType::kFloat32, {batches, 8});
    inputs[19] = m.Variable("cells", DType::kFloat32, {batches, 8});
    const int y = m.Tensor("y", DType::kFloat32, sequence(8));
    m.Op(BuiltinOp::kUnidirectionalSequenceLstm, inputs, {y},
         {{"fused_activation_function", 4}, {"cell_clip", 10.0}, {"time_major", time_major}});
    m.Output(y);
  }
};

const graph::Tensor& OperandOf(const graph::Model& model, size_t operand) {
  for (const graph::Operator& op : model.subgraphs[0].operators) {
    if (IsLstm(op)) return model.subgraphs[0].tensors.at(static_cast<size_t>(op.inputs.at(operand)));
  }
  throw InputError("no LSTM");
}

TEST(IntegerLstmTest, IsWrittenAsTensorFlowsConverterWritesIt) {
  const Sequence net;
  const MemorySamples samples = MemorySamples::Random(30, {1, 6, 5});
  QuantizeRequest request;
  request.model = net.m.Build();
  request.dataset = &samples;
  const QuantizeResult result = Quantize(request);
  EXPECT_EQ(result.integer_ops, 1);
  EXPECT_TRUE(result.float_ops.empty());
  const float input_scale = OperandOf(result.model, 0).quantization.scale.at(0);
  for (size_t gate = 0; gate < 4; ++gate) {
    const graph::Tensor& weights = OperandOf(result.model, 1 + gate);
    EXPECT_EQ(weights.dtype, DType::kInt8);
    ASSERT_EQ(weights.quantization.scale.size(), 1U);
    EXPECT_EQ(OperandOf(result.model, 5 + gate).dtype, DType::kInt8);
    const graph::Tensor& bias = OperandOf(result.model, 12 + gate);
    EXPECT_EQ(bias.dtype, DType::kInt32);
    EXPECT_FLOAT_EQ(bias.quantization.scale.at(0), input_scale * weights.quantization.scale[0]);
  }
  const graph::Tensor &state = OperandOf(result.model, 18), &cells = OperandOf(result.model, 19);
  EXPECT_TRUE(state.is_variable && cells.is_variable);
  EXPECT_EQ(cells.dtype, DType::kInt16);
  EXPECT_EQ(std::exp2(std::round(std::log2(cells.quantization.scale.at(0)))), cells.quantization.scale.at(0));
  const graph::Subgraph& graph = result.model.subgraphs[0];
  for (const graph::Operator& op : graph.operators) {
    if (!IsLstm(op)) continue;
    ASSERT_EQ(op.intermediates.size(), 5U);
    const graph::Tensor& output = graph.tensors.at(static_cast<size_t>(op.outputs[0]));
    EXPECT_EQ(state.quantization, output.quantization);
    EXPECT_EQ(graph.tensors.at(static_cast<size_t>(op.intermediates[4])).quantization, output.quantization);
  }
  double error = 0, power = 0;
  runtime::Interpreter before(request.model, {}), after(std::make_shared<const graph::Model>(result.model), {});
  for (size_t i = 0; i < samples.size(); ++i) {
    const Array input = samples.Load(i).arrays.front().second;
    for (runtime::Interpreter* interpreter : {&before, &after}) {
      interpreter->ResetVariables();
      interpreter->SetInput(0, input);
      interpreter->Invoke();
    }
    const Array want = before.Output(0), got = after.Output(0);
    for (int64_t k = 0; k < want.size(); ++k) {
      error += std::pow(ElementAsDouble(got, k) - ElementAsDouble(want, k), 2);
      power += std::pow(ElementAsDouble(want, k), 2);
    }
  }
  EXPECT_LT(error, 1e-3 * power);
}

TEST(IntegerLstmTest, CellsHaveAPowerOfTwo) {
  const auto bound = [](float low, float high) { return 32768 * LstmCellCodes({low, high}).quantization.scale[0]; };
  EXPECT_EQ(bound(-0.25F, 0.5F), 1);
  EXPECT_EQ(bound(-4, 3), 4);
  EXPECT_EQ(bound(-4.01F, 3), 8);
  EXPECT_EQ(bound(0, 0), 1);
  EXPECT_EQ(bound(-1000, 1), 64) << "what the kernels take";
}

// The cells after step t are the variable's after a sequence of t + 1 steps, for every sequence of the batch.
TEST(IntegerLstmTest, SeesTheCellsOfAllSteps) {
  constexpr int32_t kSteps = 6, kBatches = 2, kCells = 8, kInputs = 5;
  const std::vector<float> values = RandomValues(kSteps * kBatches * kInputs, 77);  // [batch, step, input]
  for (const bool time_major : {false, true}) {
    std::vector<float> all;
    for (int32_t steps = kSteps; steps > 0; --steps) {
      const Sequence net(/*has_projection=*/false, steps, kBatches, time_major);
      const auto model = net.m.Build();
      runtime::Interpreter interpreter(model, {});
      std::vector<float> cells, last;
      interpreter.SetHook([&](const runtime::OpEvent& event) {
        if (event.before) return;
        cells = LstmCells(*event.op, event.inputs);
        const auto state = event.inputs[LstmOperands::kCellState]->values<float>();
        last.assign(state.begin(), state.end());
      });
      Array input(DType::kFloat32, interpreter.InputDetails(0).shape);
      for (int32_t b = 0; b < kBatches; ++b) {
        for (int32_t t = 0; t < steps; ++t) {
          for (int32_t i = 0; i < kInputs; ++i) {
            const int32_t to = time_major ? (t * kBatches + b) * kInputs : (b * steps + t) * kInputs;
            input.values<float>()[static_cast<size_t>(to + i)] =
                values[static_cast<size_t>((b * kSteps + t) * kInputs + i)];
          }
        }
      }
      interpreter.SetInput(0, input);
      interpreter.Invoke();
      ASSERT_EQ(cells.size(), static_cast<size_t>(kBatches * steps * kCells));
      if (all.empty()) all = cells;
      for (int32_t b = 0; b < kBatches; ++b) {
        for (int32_t c = 0; c < kCells; ++c) {
          EXPECT_NEAR(all[static_cast<size_t>((b * kSteps + steps - 1) * kCells + c)],
                      last[static_cast<size_t>(b * kCells + c)], 1e-5F)
              << steps << " steps, sequence " << b;
        }
      }
    }
  }
}

TEST(IntegerLstmTest, OtherFormsStayFloatOrAreNamed) {
  const Sequence net(/*has_projection=*/true);
  const MemorySamples samples = MemorySamples::Random(5, {1, 6, 5});
  QuantizeRequest request;
  request.model = net.m.Build();
  request.dataset = &samples;
  try {
    Quantize(request);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("UNIDIRECTIONAL_SEQUENCE_LSTM has no integer form with peepholes, a projection"));
  }
  request.float_fallback = true;
  EXPECT_EQ(Quantize(request).integer_ops, 0);
}

}  // namespace
}  // namespace assay::quantize
