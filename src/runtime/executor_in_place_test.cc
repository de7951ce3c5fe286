// Elementwise ops that write over their operands: the same bytes as beside them, in less memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/model_builder.h"
#include "kernels/simd/test_targets.h"
#include "runtime/interpreter.h"
#include "runtime/run_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

struct Operand {
  DType dtype = DType::kFloat32;
  Shape shape;
  Quantization quantization;
};

// y = op(operands), each operand a copy of an input that nobody else reads. `keep`: the first one is an output, too.
std::shared_ptr<const graph::Model> Net(BuiltinOp op, const std::vector<Operand>& operands, const Operand& output,
                                        bool keep = false) {
  ModelBuilder m;
  std::vector<int> copies;
  for (const Operand& o : operands) {
    const std::string number = std::to_string(copies.size());
    const int x = m.Input("x" + number, o.dtype, o.shape, o.quantization);
    const auto dims = o.shape.dims();
    const int shape = m.Constant("shape" + number, {o.shape.rank()}, std::vector<int32_t>(dims.begin(), dims.end()));
    copies.push_back(m.Tensor("copy" + number, o.dtype, o.shape, o.quantization));
    m.Op(BuiltinOp::kReshape, {x, shape}, {copies.back()});
  }
  const int y = m.Tensor("y", output.dtype, output.shape, output.quantization);
  m.Op(op, copies, {y});
  m.Output(y);
  if (keep) m.Output(copies[0]);
  return m.Build();
}

// Runs the model with every tensor in a place of its own, and as it is planned: the same bytes, and the output over an
// operand exactly where `in_place` says so.
void ExpectTheSameInPlace(const std::shared_ptr<const graph::Model>& model, bool in_place, const std::string& what) {
  for (const char* profile : {"xnnpack", "builtin", "reference"}) {
    for (const int threads : {1, 3}) {
      InterpreterOptions options;
      options.profile = &numerics::FindProfile(profile);
      options.threads = threads;
      Interpreter planned(model, options);
      options.preserve_all_tensors = true;
      Interpreter apart(model, options);
      for (size_t i = 0; i < planned.input_count(); ++i) {
        Array x = RandomArray(planned.InputDetails(i).dtype, planned.InputDetails(i).shape, 7, i);
        if (x.dtype() == DType::kFloat32) {
          for (float& value : x.values<float>()) value *= 4;
        }
        planned.SetInput(i, x);
        apart.SetInput(i, x);
      }
      for (int repeat = 0; repeat < 2; ++repeat) planned.Invoke();
      apart.Invoke();
      EXPECT_TRUE(std::ranges::equal(planned.OutputBytes(0), apart.OutputBytes(0)))
          << what << " " << profile << " threads " << threads;
      uint64_t beside = AlignedSize(planned.OutputBytes(0).size());
      for (size_t i = 0; i < planned.input_count(); ++i) beside += 2 * AlignedSize(planned.MutableInput(i).size());
      // Inputs live to the end, so nothing else can lie where they do.
      EXPECT_EQ(planned.memory().arena_bytes < beside, in_place) << what << " " << profile;
    }
  }
}

Quantization Scale(float scale, int64_t zero_point = 0) {
  Quantization q;
  q.scale = {scale}, q.zero_point = {zero_point};
  return q;
}

const std::vector<Shape> kShapes = {{1}, {1, 5}, {3, 1, 7, 11}, {1, 64, 65}, {2, 9000}};

TEST(InPlaceTest, OneOperand) {
  kernels::simd::OnEveryTarget([](const std::string& target) {
    for (const Shape& shape : kShapes) {
      const Operand reals = {DType::kFloat32, shape, {}};
      for (const BuiltinOp op : {BuiltinOp::kRelu, BuiltinOp::kRelu6, BuiltinOp::kLogistic, BuiltinOp::kTanh,
                                 BuiltinOp::kElu, BuiltinOp::kHardSwish, BuiltinOp::kAbs, BuiltinOp::kNeg,
                                 BuiltinOp::kExp, BuiltinOp::kSquare, BuiltinOp::kFloor}) {
        ExpectTheSameInPlace(Net(op, {reals}, reals), true, target + " " + std::string(graph::BuiltinOpName(op)));
      }
      const Operand codes = {DType::kInt8, shape, Scale(0.05F, 3)};
      for (const BuiltinOp op : {BuiltinOp::kRelu, BuiltinOp::kLeakyRelu, BuiltinOp::kHardSwish}) {
        ExpectTheSameInPlace(Net(op, {codes}, {DType::kInt8, shape, Scale(0.04F, -5)}), true,
                             target + " int8 " + std::string(graph::BuiltinOpName(op)));
      }
      ExpectTheSameInPlace(Net(BuiltinOp::kLogistic, {codes}, {DType::kInt8, shape, Scale(1.0F / 256, -128)}), true,
                           target + " int8 LOGISTIC");
      const Operand wide = {DType::kInt16, shape, Scale(1.0F / 4096)};
      ExpectTheSameInPlace(Net(BuiltinOp::kTanh, {wide}, {DType::kInt16, shape, Scale(1.0F / 32768)}), true,
                           target + " int16 TANH");
    }
  });
}

TEST(InPlaceTest, TwoOperands) {
  kernels::simd::OnEveryTarget([](const std::string& target) {
    for (const Shape& shape : kShapes) {
      const int32_t last = shape[shape.rank() - 1];
      for (const Shape& other : {shape, Shape{last}, Shape{1}}) {
        const std::string what = target + " " + shape.ToString() + " " + other.ToString() + " ";
        const Operand a = {DType::kFloat32, shape, {}}, b = {DType::kFloat32, other, {}};
        for (const BuiltinOp op : {BuiltinOp::kAdd, BuiltinOp::kSub, BuiltinOp::kMul, BuiltinOp::kDiv,
                                   BuiltinOp::kMaximum, BuiltinOp::kSquaredDifference}) {
          ExpectTheSameInPlace(Net(op, {a, b}, a), true, what + std::string(graph::BuiltinOpName(op)));
          ExpectTheSameInPlace(Net(op, {b, a}, a), true, what + std::string(graph::BuiltinOpName(op)));
        }
        const Operand p = {DType::kInt8, shape, Scale(0.05F, 3)}, q = {DType::kInt8, other, Scale(0.03F, -7)};
        const Operand y = {DType::kInt8, shape, Scale(0.06F, 1)};
        for (const BuiltinOp op : {BuiltinOp::kAdd, BuiltinOp::kSub, BuiltinOp::kMul}) {
          ExpectTheSameInPlace(Net(op, {p, q}, y), true, what + "int8 " + std::string(graph::BuiltinOpName(op)));
          ExpectTheSameInPlace(Net(op, {q, p}, y), true, what + "int8 " + std::string(graph::BuiltinOpName(op)));
        }
      }
    }
  });
}

TEST(InPlaceTest, QuantizedAgain) {
  const Operand codes = {DType::kInt8, {3, 77}, Scale(0.05F, 3)}, bytes = {DType::kUInt8, {3, 77}, Scale(0.04F, 128)};
  InterpreterOptions options;
  Interpreter planned(Net(BuiltinOp::kQuantize, {codes}, bytes), options);
  options.preserve_all_tensors = true;
  Interpreter apart(Net(BuiltinOp::kQuantize, {codes}, bytes), options);
  for (Interpreter* interpreter : {&planned, &apart}) {
    interpreter->SetInput(0, RandomArray(DType::kInt8, {3, 77}, 1, 0));
    interpreter->Invoke();
  }
  EXPECT_TRUE(std::ranges::equal(planned.OutputBytes(0), apart.OutputBytes(0)));
}

TEST(InPlaceTest, NotOverWhatIsReadLater) {
  const Operand reals = {DType::kFloat32, {1, 100}, {}};
  ExpectTheSameInPlace(Net(BuiltinOp::kRelu, {reals}, reals, /*keep=*/true), false, "an output");
  // t = relu(x) is read by NEG and, as another shape, by SUB after it.
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 100});
  const int t = m.Tensor("t", DType::kFloat32, {1, 100}), negated = m.Tensor("negated", DType::kFloat32, {1, 100});
  const int turned = m.Tensor("turned", DType::kFloat32, {100}), y = m.Tensor("y", DType::kFloat32, {1, 100});
  const int shape = m.Constant("shape", {1}, std::vector<int32_t>{100});
  m.Op(BuiltinOp::kRelu, {x}, {t});
  m.Op(BuiltinOp::kReshape, {t, shape}, {turned});
  m.Op(BuiltinOp::kNeg, {t}, {negated});
  m.Op(BuiltinOp::kSub, {turned, negated}, {y});
  m.Output(y);
  Interpreter interpreter(m.Build());
  const Array input = RandomArray(DType::kFloat32, {1, 100}, 3, 0);
  interpreter.SetInput(0, input);
  interpreter.Invoke();
  const Array output = interpreter.Output(0);
  for (size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(output.values<float>()[i], 2 * std::max(input.values<float>()[i], 0.0F)) << i;
  }
}

TEST(InPlaceTest, NotOverInputs) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 100});
  const int y = m.Tensor("y", DType::kFloat32, {1, 100});
  m.Op(BuiltinOp::kNeg, {x}, {y});
  m.Output(y);
  Interpreter interpreter(m.Build());
  const Array input = RandomArray(DType::kFloat32, {1, 100}, 3, 0);
  interpreter.SetInput(0, input);
  for (int repeat = 0; repeat < 2; ++repeat) {
    interpreter.Invoke();
    for (size_t i = 0; i < 100; ++i) EXPECT_EQ(interpreter.Output(0).values<float>()[i], -input.values<float>()[i]);
  }
}

}  // namespace
}  // namespace assay::runtime
