#include <gtest/gtest.h>

#include <atomic>

#include "graph/model_builder.h"
#include "runtime/interpreter.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

Array Values(std::vector<float> values) {
  Array array(DType::kFloat32, {static_cast<int32_t>(values.size())});
  std::copy(values.begin(), values.end(), array.values<float>().begin());
  return array;
}

Array Flag(bool value) {
  Array array(DType::kBool, {1});
  array.values<bool>()[0] = value;
  return array;
}

std::vector<float> Outcome(Interpreter& interpreter, const std::vector<Array>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) interpreter.SetInput(i, inputs[i]);
  interpreter.Invoke();
  const Array output = interpreter.Output(0);
  const auto values = output.values<float>();
  return {values.begin(), values.end()};
}

std::string MessageOf(const std::shared_ptr<const graph::Model>& model, const std::vector<Array>& inputs,
                      InterpreterOptions options = {}) {
  try {
    Interpreter interpreter(model, options);
    Outcome(interpreter, inputs);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

// A subgraph x -> x + x, or x -> [x, x] with `twice_as_long`.
int AddDouble(ModelBuilder& m, bool twice_as_long = false) {
  const int subgraph = m.NewSubgraph();
  const int x = m.Input("x", DType::kFloat32, {2});
  const int y = m.Tensor("y", DType::kFloat32, {twice_as_long ? 4 : 2});
  if (twice_as_long) {
    m.Op(BuiltinOp::kConcatenation, {x, x}, {y}, {{"axis", 0}});
  } else {
    m.Op(BuiltinOp::kAdd, {x, x}, {y});
  }
  m.Output(y);
  return subgraph;
}

std::shared_ptr<const graph::Model> IfModel(bool twice_as_long) {
  ModelBuilder m;
  const int condition = m.Input("condition", DType::kBool, {1});
  const int x = m.Input("x", DType::kFloat32, {2});
  const int y = m.Tensor("y", DType::kFloat32, {2});
  const int z = m.Tensor("z", DType::kFloat32, {2});
  m.Op(BuiltinOp::kIf, {condition, x}, {y}, {{"then_subgraph_index", 1}, {"else_subgraph_index", 2}});
  m.Op(BuiltinOp::kAdd, {y, y}, {z});
  m.Output(z);
  AddDouble(m);
  AddDouble(m, twice_as_long);
  return m.Build();
}

TEST(ControlFlow, IfTakesOneBranchOrTheOther) {
  Interpreter interpreter(IfModel(true));
  EXPECT_EQ(Outcome(interpreter, {Flag(true), Values({1, 2})}), (std::vector<float>{4, 8}));
  EXPECT_EQ(Outcome(interpreter, {Flag(false), Values({1, 2})}), (std::vector<float>{2, 4, 2, 4}));
  EXPECT_EQ(Outcome(interpreter, {Flag(true), Values({3, 2})}), (std::vector<float>{12, 8}));
}

// WHILE any(flags): flags lose one at the front, a grows to a + b, and (b, c) become (c, b) with `swap`, or c becomes
// longer by one with `grow`.
std::shared_ptr<const graph::Model> WhileModel(int flags, bool swap, bool grow = false, bool endless = false) {
  ModelBuilder m;
  const auto state = [&] {
    const int f = m.Input("flags", DType::kBool, {flags});
    const int a = m.Input("a", DType::kFloat32, {1});
    const int b = m.Input("b", DType::kFloat32, {1});
    const int c = m.Input("c", DType::kFloat32, {1});
    return std::vector<int32_t>{f, a, b, c};
  };
  const std::vector<int32_t> inputs = state();
  std::vector<int32_t> outputs;
  outputs.push_back(m.Tensor("flags_out", DType::kBool, {flags}));
  for (const char* name : {"a_out", "b_out", "c_out"}) outputs.push_back(m.Tensor(name, DType::kFloat32, {1}));
  m.Op(BuiltinOp::kWhile, inputs, outputs, {{"cond_subgraph_index", 1}, {"body_subgraph_index", 2}});
  for (const int i : {1, 2, 3, 0}) m.Output(outputs[static_cast<size_t>(i)]);
  m.NewSubgraph();
  const std::vector<int32_t> seen = state();
  const int any = m.Tensor("any", DType::kBool, {});
  m.Op(BuiltinOp::kReduceAny, {seen[0], m.Constant<int32_t>("axes", {1}, {0})}, {any});
  m.Output(any);
  m.NewSubgraph();
  const std::vector<int32_t> in = state();
  const int rest = m.Tensor("rest", DType::kBool, {flags - 1});
  const int next = m.Tensor("next", DType::kBool, {flags});
  m.Op(BuiltinOp::kStridedSlice,
       {in[0], m.Constant<int32_t>("begin", {1}, {1}), m.Constant<int32_t>("end", {1}, {flags}),
        m.Constant<int32_t>("strides", {1}, {1})},
       {rest});
  m.Op(BuiltinOp::kConcatenation,
       {rest, m.ConstantBytes("last", DType::kBool, {1}, {static_cast<uint8_t>(endless ? 1 : 0)})}, {next},
       {{"axis", 0}});
  const int sum = m.Tensor("sum", DType::kFloat32, {1});
  m.Op(BuiltinOp::kAdd, {in[1], in[2]}, {sum});
  m.Output(next);
  m.Output(sum);
  m.Output(swap ? in[3] : in[2]);
  if (grow) {
    const int longer = m.Tensor("longer", DType::kFloat32, {2});
    m.Op(BuiltinOp::kConcatenation, {in[3], in[2]}, {longer}, {{"axis", 0}});
    m.Output(longer);
  } else {
    m.Output(swap ? in[2] : in[3]);
  }
  return m.Build();
}

Array Flags(std::vector<bool> flags) {
  Array array(DType::kBool, {static_cast<int32_t>(flags.size())});
  std::copy(flags.begin(), flags.end(), array.values<bool>().begin());
  return array;
}

TEST(ControlFlow, WhileRunsUntilItsConditionFails) {
  Interpreter interpreter(WhileModel(3, false));
  EXPECT_EQ(Outcome(interpreter, {Flags({false, false, true}), Values({0}), Values({2}), Values({0})}),
            (std::vector<float>{6}));
  EXPECT_EQ(Outcome(interpreter, {Flags({true, false, false}), Values({0}), Values({2}), Values({0})}),
            (std::vector<float>{2}));
  EXPECT_EQ(Outcome(interpreter, {Flags({false, false, false}), Values({7}), Values({2}), Values({0})}),
            (std::vector<float>{7}));
}

TEST(ControlFlow, WhileOverwritesInputsThatItHandsBackAsLiteRtDoes) {
  Interpreter interpreter(WhileModel(3, true));
  // (b, c) = (c, b) written in this order: b becomes c, and c what b is by then.
  EXPECT_EQ(Outcome(interpreter, {Flags({false, true, false}), Values({0}), Values({2}), Values({5})}),
            (std::vector<float>{7}));  // 2, then 5
  EXPECT_EQ(interpreter.Output(1).values<float>()[0], 5);
  EXPECT_EQ(interpreter.Output(2).values<float>()[0], 5);
}

TEST(ControlFlow, WhileValuesMayGrow) {
  Interpreter interpreter(WhileModel(3, false, true));
  Outcome(interpreter, {Flags({false, true, false}), Values({0}), Values({2}), Values({5})});
  EXPECT_EQ(interpreter.OutputShape(2), (Shape{3}));
  EXPECT_EQ(interpreter.Output(2).values<float>()[2], 2);
}

TEST(ControlFlow, AnEndlessLoopIsStopped) {
  InterpreterOptions options;
  options.limits.max_loop_trips = 50;
  const std::vector<Array> inputs = {Flags({true}), Values({0}), Values({2}), Values({0})};
  EXPECT_NE(MessageOf(WhileModel(1, false, false, true), inputs, options)
                .find("op 0 WHILE: the loop did not end within 50 trips"),
            std::string::npos);
  std::atomic<bool> cancelled = true;
  options.cancelled = &cancelled;
  EXPECT_EQ(MessageOf(WhileModel(1, false, false, true), inputs, options), "interrupted");
}

TEST(ControlFlow, ErrorsNameEveryPlaceOnce) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {2});
  const int y = m.Tensor("y", DType::kFloat32, {2});
  m.Op(BuiltinOp::kStablehloComposite, {x}, {y}, {{"decomposition_subgraph_index", 1}});
  m.Output(y);
  m.NewSubgraph();
  const int inner = m.Input("inner", DType::kFloat32, {2});
  const int outer = m.Tensor("outer", DType::kFloat32, {2});
  m.Op(BuiltinOp::kL2Pool2D, {inner}, {outer});
  m.Output(outer);
  const std::string message = MessageOf(m.Build(), {Values({1, 2})});
  EXPECT_EQ(message.rfind("built model: op 0 STABLEHLO_COMPOSITE: subgraph 1 op 0 L2_POOL_2D: ", 0), 0U) << message;
}

TEST(ControlFlow, RefusesSubgraphsThatDoNotFit) {
  const auto message = [](BuiltinOp op, const std::vector<ModelBuilder::Option>& options, bool with_subgraph) {
    ModelBuilder m;
    const int condition = m.Input("condition", DType::kBool, {1});
    const int x = m.Input("x", DType::kFloat32, {2});
    const int y = m.Tensor("y", DType::kFloat32, {2});
    m.Op(op, {condition, x}, {y}, options);
    m.Output(y);
    if (with_subgraph) AddDouble(m);
    return MessageOf(m.Build(), {Flag(true), Values({1, 2})});
  };
  EXPECT_EQ(message(BuiltinOp::kIf, {{"then_subgraph_index", 1}, {"else_subgraph_index", 1}}, true), "");
  EXPECT_NE(message(BuiltinOp::kIf, {{"then_subgraph_index", 5}}, true).find("then is subgraph 5, the model has 2"),
            std::string::npos);
  EXPECT_NE(message(BuiltinOp::kWhile, {}, true).find("has 2 inputs but 1 outputs"), std::string::npos);
  EXPECT_NE(message(BuiltinOp::kStablehloComposite, {{"decomposition_subgraph_index", 1}}, true)
                .find("has 1 inputs and 1 outputs, expected 2 and 1"),
            std::string::npos);
}

// CALL_ONCE assigns [1, 2]; each invocation adds the input to the variable.
std::shared_ptr<const graph::Model> Counter(bool with_init, Shape declared = {2}) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {2});
  const int handle = m.Tensor("handle", DType::kResource, {});
  const int old = m.Tensor("old", DType::kFloat32, std::move(declared));
  const int sum = m.Tensor("sum", DType::kFloat32, {2});
  if (with_init) m.Op(BuiltinOp::kCallOnce, {}, {}, {{"init_subgraph_index", 1}});
  m.Op(BuiltinOp::kVarHandle, {}, {handle}, {{"shared_name", "v"}});
  m.Op(BuiltinOp::kReadVariable, {handle}, {old});
  m.Op(BuiltinOp::kAdd, {old, x}, {sum});
  m.Op(BuiltinOp::kAssignVariable, {handle, sum}, {});
  m.Output(sum);
  m.NewSubgraph();
  const int same = m.Tensor("same", DType::kResource, {});
  m.Op(BuiltinOp::kVarHandle, {}, {same}, {{"shared_name", "v"}});
  m.Op(BuiltinOp::kAssignVariable, {same, m.Constant<float>("first", {2}, {1, 2})}, {});
  return m.Build();
}

TEST(Variables, KeepTheirValueUntilTheyAreReset) {
  Interpreter interpreter(Counter(true));
  EXPECT_EQ(Outcome(interpreter, {Values({1, 1})}), (std::vector<float>{2, 3}));
  EXPECT_EQ(Outcome(interpreter, {Values({1, 1})}), (std::vector<float>{3, 4}));
  interpreter.ResetVariables();
  EXPECT_EQ(Outcome(interpreter, {Values({0, 1})}), (std::vector<float>{1, 3}));
}

TEST(Variables, RefuseToBeReadUnassignedOrInAnotherShape) {
  EXPECT_NE(MessageOf(Counter(false), {Values({1, 1})}).find("read before anything was assigned"), std::string::npos);
  EXPECT_NE(MessageOf(Counter(true, {1}), {Values({1, 1})}).find("the variable has the shape [2], the output [1]"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
