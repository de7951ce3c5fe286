#include "runtime/delegate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/model_builder.h"
#include "runtime/delegates/litert.h"
#include "runtime/interpreter.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a delegate was asked for.
struct Log {
  int compiled = 0, invoked = 0;
  std::vector<Shape> input_shapes;
  size_t outputs = 0;
};

// Fills each output with its number in the list, after the first input's first value.
class FakeKernel final : public DelegateKernel {
 public:
  explicit FakeKernel(Log& log) : log_(log) {}
  void Invoke(std::span<const std::span<const uint8_t>> inputs, std::span<const std::span<uint8_t>> outputs) override {
    ++log_.invoked;
    const float first = *reinterpret_cast<const float*>(inputs[0].data());
    for (size_t k = 0; k < outputs.size(); ++k) {
      auto* values = reinterpret_cast<float*>(outputs[k].data());
      std::fill(values, values + outputs[k].size() / sizeof(float), first + static_cast<float>(k));
    }
  }

 private:
  Log& log_;
};

class FakeDelegate final : public Delegate {
 public:
  explicit FakeDelegate(Log& log) : log_(log) {}
  std::string Name() const override { return "fake"; }
  std::unique_ptr<DelegateKernel> Compile(const DelegateTask& task) const override {
    ++log_.compiled;
    const graph::Subgraph& graph = task.model.subgraphs[0];
    log_.input_shapes.clear();
    for (const int32_t i : graph.inputs) log_.input_shapes.push_back(graph.tensors[static_cast<size_t>(i)].shape);
    log_.outputs = graph.outputs.size();
    return std::make_unique<FakeKernel>(log_);
  }

 private:
  Log& log_;
};

// y = relu(-x), with an open batch.
std::shared_ptr<const graph::Model> Negated() {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 3});
  m.tensor(x).shape_signature = std::vector<int32_t>{-1, 3};
  const int negated = m.Tensor("negated", DType::kFloat32, {1, 3});
  const int y = m.Tensor("y", DType::kFloat32, {1, 3});
  m.Op(BuiltinOp::kNeg, {x}, {negated});
  m.Op(BuiltinOp::kRelu, {negated}, {y});
  m.Output(y);
  return m.Build();
}

TEST(DelegateTest, ComputesInPlaceOfOurKernels) {
  Log log;
  InterpreterOptions options;
  options.delegate = std::make_shared<FakeDelegate>(log);
  Interpreter interpreter(Negated(), options);
  Array x(DType::kFloat32, {1, 3});
  x.values<float>()[0] = 5;
  interpreter.SetInput(0, x);
  interpreter.Invoke();
  interpreter.Invoke();
  EXPECT_THAT(interpreter.Output(0).values<float>(), Each(5));
  EXPECT_EQ(log.compiled, 1);
  EXPECT_EQ(log.invoked, 2);
  EXPECT_EQ(log.outputs, 1U) << "nobody asked for intermediate tensors";
}

TEST(DelegateTest, IntermediateTensorsAreItsOutputsToo) {
  Log log;
  InterpreterOptions options;
  options.delegate = std::make_shared<FakeDelegate>(log);
  options.preserve_all_tensors = true;
  Interpreter interpreter(Negated(), options);
  interpreter.SetInput(0, Array(DType::kFloat32, {1, 3}));
  interpreter.Invoke();
  EXPECT_EQ(log.outputs, 2U);
  EXPECT_THAT(interpreter.Tensor(1).values<float>(), Each(0));
  EXPECT_THAT(interpreter.Output(0).values<float>(), Each(1));
}

TEST(DelegateTest, IsCompiledAnewForOtherShapes) {
  Log log;
  InterpreterOptions options;
  options.delegate = std::make_shared<FakeDelegate>(log);
  Interpreter interpreter(Negated(), options);
  interpreter.AllocateTensors();
  EXPECT_THAT(log.input_shapes, ElementsAre(Shape{1, 3}));
  interpreter.ResizeInput(0, {4, 3});
  interpreter.SetInput(0, Array(DType::kFloat32, {4, 3}));
  interpreter.Invoke();
  EXPECT_EQ(log.compiled, 2);
  EXPECT_THAT(log.input_shapes, ElementsAre(Shape{4, 3}));
  EXPECT_EQ(interpreter.Output(0).shape(), (Shape{4, 3}));
}

TEST(DelegateTest, WantsShapesBeforehand) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {4});
  const int where = m.Tensor("where", DType::kInt64, {1, 1});
  m.Op(BuiltinOp::kWhere, {x}, {where});
  m.Output(where);
  Log log;
  InterpreterOptions options;
  options.delegate = std::make_shared<FakeDelegate>(log);
  Interpreter interpreter(m.Build(), options);
  try {
    interpreter.AllocateTensors();
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'where'"));
    EXPECT_THAT(error.what(), HasSubstr("fake"));
  }
}

TEST(LiteRtTest, SaysWhatIsNoLibrary) {
  for (const char* path : {"/nonexistent/libLiteRt.so", "/proc/self/exe"}) {
    try {
      LoadLiteRt(path);
      FAIL() << path << " was accepted";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(path));
    }
  }
}

}  // namespace
}  // namespace assay::runtime
