#include "runtime/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "base/parallel.h"
#include "graph/model_builder.h"
#include "runtime/run_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

// A chain of 1x1 convolutions over 4 channels with known float weights: layer k multiplies by 1 + k / 8 and adds 1.
std::shared_ptr<const graph::Model> Chain(int layers, bool open_batch = false) {
  ModelBuilder m;
  int x = m.Input("x", DType::kFloat32, {1, 2, 2, 4});
  if (open_batch) m.tensor(x).shape_signature = std::vector<int32_t>{-1, 2, 2, 4};
  for (int k = 0; k < layers; ++k) {
    std::vector<float> weights(16, 0.0F);
    for (size_t c = 0; c < 4; ++c) weights[c * 5] = 1.0F + static_cast<float>(k) / 8;
    const int w = m.Constant("w" + std::to_string(k), {4, 1, 1, 4}, weights);
    const int b = m.Constant("b" + std::to_string(k), {4}, std::vector<float>(4, 1.0F));
    const int y = m.Tensor("y" + std::to_string(k), DType::kFloat32, {1, 2, 2, 4});
    m.Op(BuiltinOp::kConv2D, {x, w, b}, {y}, {{"stride_w", 1}, {"stride_h", 1}});
    x = y;
  }
  m.Output(x);
  return m.Build();
}

Array Input() {
  Array x(DType::kFloat32, {1, 2, 2, 4});
  float next = -1;
  for (float& value : x.values<float>()) value = next += 0.25F;
  return x;
}

TEST(InterpreterTest, ComputesTheChain) {
  Interpreter interpreter(Chain(2));
  interpreter.SetInput(0, Input());
  interpreter.Invoke();
  const Array y = interpreter.Output(0);
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_FLOAT_EQ(y.values<float>()[i], (Input().values<float>()[i] + 1) * 1.125F + 1);
  }
}

TEST(InterpreterTest, TheArenaIsSmallerThanAllTensorsAndPreservingSharesNothing) {
  Interpreter shared(Chain(8)), preserved(Chain(8), {.preserve_all_tensors = true});
  shared.AllocateTensors();
  preserved.AllocateTensors();
  EXPECT_LT(shared.memory().arena_bytes, shared.memory().sum_bytes);
  EXPECT_GE(shared.memory().arena_bytes, shared.memory().peak_live_bytes);
  EXPECT_GE(preserved.memory().arena_bytes, 9 * 64U);  // nine tensors of 16 floats, side by side
}

TEST(InterpreterTest, LookingNeverChangesWhatIsSeen) {
  Interpreter plain(Chain(6)), looked(Chain(6), {.preserve_all_tensors = true});
  int events = 0;
  looked.SetHook([&](const OpEvent& event) {
    ++events;
    ASSERT_EQ(event.inputs.size(), 3U);
    double sum = 0;
    for (const float x : event.inputs[0]->values<float>()) sum += static_cast<double>(x);
    EXPECT_TRUE(std::isfinite(sum));
  });
  for (int round = 0; round < 3; ++round) {
    for (Interpreter* one : {&plain, &looked}) {
      one->SetInput(0, Input());
      one->Invoke();
    }
    for (int32_t t = 0; t < 19; ++t) looked.Tensor(t);
    EXPECT_THAT(looked.Output(0).bytes(), testing::ElementsAreArray(plain.Output(0).bytes()));
  }
  EXPECT_EQ(events, 3 * 6 * 2);
}

TEST(InterpreterTest, AReusedTensorIsRefusedNotReadWrong) {
  Interpreter interpreter(Chain(3));
  interpreter.SetInput(0, Input());
  interpreter.Invoke();
  EXPECT_FALSE(interpreter.IsReadable(3));
  try {
    interpreter.Tensor(3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("preserve_all_tensors"));
  }
  EXPECT_NO_THROW(interpreter.Tensor(1));  // a constant
}

TEST(InterpreterTest, ResizingTheBatchRepeatsTheResult) {
  Interpreter interpreter(Chain(2, /*open_batch=*/true));
  EXPECT_THAT(interpreter.InputDetails(0).shape_signature, testing::ElementsAre(-1, 2, 2, 4));
  interpreter.ResizeInput(0, {3, 2, 2, 4});
  Array x(DType::kFloat32, {3, 2, 2, 4});
  for (size_t i = 0; i < 48; ++i) x.values<float>()[i] = Input().values<float>()[i % 16];
  interpreter.SetInput(0, x);
  interpreter.Invoke();
  EXPECT_EQ(interpreter.OutputShape(0), (Shape{3, 2, 2, 4}));
  const Array batch = interpreter.Output(0);
  interpreter.ResizeInput(0, {1, 2, 2, 4});
  interpreter.SetInput(0, Input());
  interpreter.Invoke();
  for (size_t i = 0; i < 48; ++i) EXPECT_EQ(batch.values<float>()[i], interpreter.Output(0).values<float>()[i % 16]);
}

TEST(InterpreterTest, StrictResizingChangesOpenDimensionsAlone) {
  Interpreter open(Chain(1, /*open_batch=*/true)), closed(Chain(1));
  open.ResizeInput(0, {5, 2, 2, 4}, /*strict=*/true);
  open.AllocateTensors();
  EXPECT_EQ(open.OutputShape(0), (Shape{5, 2, 2, 4}));
  EXPECT_THROW(open.ResizeInput(0, {5, 3, 2, 4}, /*strict=*/true), Error);
  EXPECT_THROW(open.ResizeInput(0, {5, 2, 4}, /*strict=*/true), Error);
  closed.ResizeInput(0, {1, 2, 2, 4}, /*strict=*/true);
  try {
    closed.ResizeInput(0, {2, 2, 2, 4}, /*strict=*/true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("may change only where its shape [1,2,2,4] has -1, given [2,2,2,4]"));
  }
}

TEST(InterpreterTest, WrongInputsAreNamed) {
  Interpreter interpreter(Chain(1));
  const auto message = [&](auto&& act) -> std::string {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message([&] {
                interpreter.SetInput(0, Array(DType::kInt8, {1, 2, 2, 4}));
              }),
              testing::HasSubstr("input 'x' is float32, given int8"));
  EXPECT_THAT(message([&] {
                interpreter.SetInput(0, Array(DType::kFloat32, {1, 2, 2}));
              }),
              testing::HasSubstr("input 'x' has the shape [1,2,2,4], given [1,2,2]"));
  EXPECT_THAT(message([&] { interpreter.SetInput(1, Input()); }), testing::HasSubstr("input 1 does not exist"));
  EXPECT_THAT(message([&] { interpreter.FindInput("X2"); }), testing::HasSubstr("its inputs are 'x'"));
  EXPECT_THAT(message([&] { interpreter.SelectSignature("serving"); }), testing::HasSubstr("has none"));
  EXPECT_THAT(message([&] { interpreter.ResizeInput(0, {1, -2, 2, 4}); }), testing::HasSubstr("[1,-2,2,4]"));
  EXPECT_THAT(message([&] { interpreter.ResizeInput(0, {1 << 30, 1 << 30, 1 << 30, 4}); }), testing::HasSubstr("'x'"));
}

TEST(InterpreterTest, AFailedResizeLeavesTheInterpreterUsable) {
  Interpreter interpreter(Chain(1));
  interpreter.ResizeInput(0, {1, 2, 2, 3});
  EXPECT_THROW(interpreter.AllocateTensors(), Error);
  interpreter.ResizeInput(0, {1, 2, 2, 4});
  interpreter.SetInput(0, Input());
  EXPECT_NO_THROW(interpreter.Invoke());
}

TEST(InterpreterTest, MemoryLimitsHold) {
  InterpreterOptions options;
  options.limits.max_tensor_bytes = 32;
  EXPECT_THROW(Interpreter(Chain(1), options).AllocateTensors(), Error);
  options.limits = {};
  options.limits.max_total_bytes = 100;
  EXPECT_THROW(Interpreter(Chain(1), options).AllocateTensors(), Error);
}

TEST(InterpreterTest, CancellationEndsTheRun) {
  std::atomic<bool> cancelled{false};
  InterpreterOptions options;
  options.cancelled = &cancelled;
  Interpreter interpreter(Chain(3), options);
  interpreter.SetInput(0, Input());
  interpreter.SetHook([&](const OpEvent& event) { cancelled = cancelled || event.op_index == 1; });
  try {
    interpreter.Invoke();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  cancelled = false;
  interpreter.SetHook({});
  EXPECT_NO_THROW(interpreter.Invoke());
}

TEST(InterpreterTest, ThreadsShareOneModel) {
  const auto model = Chain(5);
  Interpreter single(model);
  single.SetInput(0, Input());
  single.Invoke();
  const Array expected = single.Output(0);
  ParallelFor(8, 4, [&](size_t, int) {
    Interpreter own(model);
    for (int round = 0; round < 20; ++round) {
      own.SetInput(0, Input());
      own.Invoke();
      EXPECT_THAT(own.Output(0).bytes(), testing::ElementsAreArray(expected.bytes()));
    }
  });
}

TEST(InterpreterTest, AnOpWithoutKernelIsNamedWithItsPlace) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1});
  const int y = m.Tensor("y", DType::kFloat32, {1});
  m.CustomOp("MyOp", {x}, {y});
  m.Output(y);
  Interpreter interpreter(m.Build());
  try {
    interpreter.AllocateTensors();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                testing::AllOf(testing::HasSubstr("op 0 MyOp"), testing::HasSubstr("no kernel for MyOp version 1")));
  }
}

Array Ints(std::vector<int32_t> values) {
  Array array(DType::kInt32, {static_cast<int32_t>(values.size())});
  std::copy(values.begin(), values.end(), array.values<int32_t>().begin());
  return array;
}

TEST(InterpreterTest, AShapeThatOnlyRunningShowsIsFollowed) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {2, 3});
  const int shape = m.Input("shape", DType::kInt32, {2});
  const int y = m.Tensor("y", DType::kFloat32, {1, 1});
  const int z = m.Tensor("z", DType::kFloat32, {1, 1});
  m.Op(BuiltinOp::kReshape, {x, shape}, {y});
  m.Op(BuiltinOp::kSqueeze, {y}, {z}, {{"squeeze_dims", std::vector<int64_t>{}}});
  m.Output(z);
  Interpreter interpreter(m.Build());
  Array values(DType::kFloat32, {2, 3});
  for (size_t i = 0; i < 6; ++i) values.values<float>()[i] = static_cast<float>(i);
  for (const std::vector<int32_t>& wanted : {std::vector<int32_t>{1, 6}, {3, 2}, {6, -1}}) {
    interpreter.SetInput(0, values);
    interpreter.SetInput(1, Ints(wanted));
    interpreter.Invoke();
    const Array result = interpreter.Output(0);
    EXPECT_EQ(result.size(), 6);
    EXPECT_EQ(result.shape().rank(), wanted[0] == 3 ? 2 : 1);
    EXPECT_EQ(result.values<float>()[5], 5);
  }
  interpreter.SetInput(1, Ints({5, 5}));
  EXPECT_THROW(interpreter.Invoke(), Error);
  interpreter.SetInput(1, Ints({2, 3}));
  EXPECT_NO_THROW(interpreter.Invoke());
}

TEST(InterpreterTest, ChainsThatComputeShapesAreFoldedAndFollowAResize) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 2, 3});
  m.tensor(x).shape_signature = std::vector<int32_t>{-1, 2, 3};
  const int shape = m.Tensor("shape", DType::kInt32, {3});
  const int begin = m.Constant<int32_t>("begin", {1}, {0});
  const int size = m.Constant<int32_t>("size", {1}, {1});
  const int batch = m.Tensor("batch", DType::kInt32, {1});
  const int six = m.Constant<int32_t>("six", {1}, {6});
  const int wanted = m.Tensor("wanted", DType::kInt32, {2});
  const int y = m.Tensor("y", DType::kFloat32, {1, 6});
  m.Op(BuiltinOp::kShape, {x}, {shape}, {{"out_type", 2}});
  m.Op(BuiltinOp::kSlice, {shape, begin, size}, {batch});
  m.Op(BuiltinOp::kConcatenation, {batch, six}, {wanted}, {{"axis", 0}});
  m.Op(BuiltinOp::kReshape, {x, wanted}, {y});
  m.Output(y);
  Interpreter interpreter(m.Build());
  interpreter.AllocateTensors();
  EXPECT_EQ(interpreter.OutputShape(0), (Shape{1, 6}));
  interpreter.ResizeInput(0, {5, 2, 3});
  interpreter.AllocateTensors();
  EXPECT_EQ(interpreter.OutputShape(0), (Shape{5, 6})) << "known before anything ran";
  Array values(DType::kFloat32, {5, 2, 3});
  values.values<float>()[29] = 7;
  interpreter.SetInput(0, values);
  interpreter.Invoke();
  EXPECT_EQ(interpreter.Output(0).values<float>()[29], 7);
}

TEST(InterpreterTest, SignaturesNameInputsInTheirOwnOrder) {
  ModelBuilder m;
  const int a = m.Input("tensor_a", DType::kInt32, {1});
  const int b = m.Input("tensor_b", DType::kInt32, {1});
  const int y = m.Tensor("y", DType::kInt32, {2});
  m.Op(BuiltinOp::kConcatenation, {a, b}, {y}, {{"axis", 0}});
  m.Output(y);
  m.model().signatures.push_back({"serving_default", 0, {{"second", b}, {"first", a}}, {{"joined", y}}});
  Interpreter interpreter(m.Build());
  interpreter.SelectSignature("serving_default");
  EXPECT_EQ(interpreter.FindInput("first"), 1U);
  interpreter.SetInput(interpreter.FindInput("first"), Ints({1}));
  interpreter.SetInput(interpreter.FindInput("second"), Ints({2}));
  interpreter.Invoke();
  EXPECT_THAT(interpreter.Output(0).values<int32_t>(), testing::ElementsAre(1, 2));
  EXPECT_THROW(interpreter.SelectSignature("other"), Error);
  m.model().signatures[0].inputs[0].tensor = y;
  EXPECT_THROW(Interpreter(m.Build()).SelectSignature("serving_default"), Error);
}

TEST(RunModelTest, RandomInputsDependOnTheSeedAlone) {
  RunRequest request;
  request.seed = 5;
  const auto a = RunModel(Chain(1), request), b = RunModel(Chain(1), request);
  request.seed = 6;
  const auto c = RunModel(Chain(1), request);
  EXPECT_THAT(FindArray(a.arrays, "in/x")->bytes(), testing::ElementsAreArray(FindArray(b.arrays, "in/x")->bytes()));
  EXPECT_THAT(FindArray(a.arrays, "in/x")->bytes(),
              testing::Not(testing::ElementsAreArray(FindArray(c.arrays, "in/x")->bytes())));
}

TEST(RunModelTest, AllTensorsHaveTheLayoutOfADump) {
  RunRequest request;
  request.all_tensors = true;
  request.inputs.emplace_back("in/x", Input());
  const auto result = RunModel(Chain(2), request);
  EXPECT_NE(FindArray(result.arrays, "in/x"), nullptr);
  EXPECT_NE(FindArray(result.arrays, "out/0"), nullptr);
  EXPECT_NE(FindArray(result.arrays, "tensor/3"), nullptr);
  request.inputs[0].first = "y";
  EXPECT_THROW(RunModel(Chain(2), request), Error);
}

TEST(RunModelTest, ADumpOfAnotherModelIsNoInput) {
  RunRequest request;
  request.ignore_other_arrays = true;
  request.inputs = {{"in/x", Input()}, {"in/other", Input()}};
  EXPECT_NE(FindArray(RunModel(Chain(2), request).arrays, "out/0"), nullptr);
  request.inputs.erase(request.inputs.begin());
  try {
    RunModel(Chain(2), request);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("no array for an input of the model: 'x'"));
  }
}

}  // namespace
}  // namespace assay::runtime
