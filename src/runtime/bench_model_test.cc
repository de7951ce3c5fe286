#include "runtime/bench_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/model_builder.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;

// A product [4, 32] x [32, 8], then RELU.
std::shared_ptr<const graph::Model> TwoOps() {
  graph::ModelBuilder builder;
  const int32_t x = builder.Input("x", DType::kFloat32, {4, 32});
  const int32_t w = builder.Constant("w", {8, 32}, std::vector<float>(256, 0.5F));
  const int32_t y = builder.Tensor("y", DType::kFloat32, {});
  const int32_t z = builder.Tensor("z", DType::kFloat32, {});
  builder.Op(BuiltinOp::kFullyConnected, {x, w, graph::kNoTensor}, {y}, {});
  builder.Op(BuiltinOp::kRelu, {y}, {z}, {});
  builder.Output(z);
  return builder.Build();
}

TEST(BenchModel, TimesAndProfiles) {
  BenchRequest request;
  request.warm_up_seconds = 0, request.seconds = 0.01, request.runs = 7, request.profile = true;
  const BenchResult r = BenchModel(TwoOps(), request);
  EXPECT_EQ(r.runs, 7U);
  EXPECT_GT(r.min_us, 0);
  EXPECT_TRUE(r.min_us <= r.median_us && r.median_us <= r.p90_us && r.p90_us <= r.p99_us && r.p99_us <= r.max_us);
  ASSERT_EQ(r.ops.size(), 2U);
  EXPECT_EQ(r.ops[0].name, "FULLY_CONNECTED");
  EXPECT_EQ(r.ops[0].output, "y");
  EXPECT_EQ(r.ops[0].macs, 4 * 32 * 8);
  EXPECT_EQ(r.ops[1].macs, 0);
  EXPECT_NEAR(r.ops[0].share + r.ops[1].share, 1, 1e-9);
}

TEST(BenchModel, ATraceHasEveryOpInsideOfItsInvoke) {
  BenchRequest request;
  request.warm_up_seconds = 0, request.seconds = 0.01, request.runs = 1, request.profile = request.trace = true;
  const BenchResult r = BenchModel(TwoOps(), request);
  ASSERT_GE(r.trace.size(), 3U);
  EXPECT_EQ(r.trace[0].op, 0U);
  EXPECT_EQ(r.trace[1].op, 1U);
  EXPECT_EQ(r.trace[2].op, std::nullopt);
  EXPECT_GE(r.trace[0].start_us, r.trace[2].start_us);
  EXPECT_GE(r.trace[1].start_us, r.trace[0].start_us + r.trace[0].us);
  EXPECT_GE(r.trace[2].start_us + r.trace[2].us, r.trace[1].start_us + r.trace[1].us);
}

TEST(BenchModel, SaysHowMuchMemoryItTookAndHowMuchTheRunsDrift) {
  BenchRequest request;
  request.warm_up_seconds = 0, request.runs = 50;
  const BenchResult r = BenchModel(TwoOps(), request);
  EXPECT_GT(r.peak_bytes, r.memory.arena_bytes);
  EXPECT_GE(r.drift, 1);
  EXPECT_EQ(r.is_noisy, r.drift > 1.2);
  request.runs = 3;
  EXPECT_EQ(BenchModel(TwoOps(), request).drift, 1);
}

TEST(BenchModel, WithoutProfileNothingIsHooked) {
  BenchRequest request;
  request.warm_up_seconds = 0, request.runs = 1;
  EXPECT_TRUE(BenchModel(TwoOps(), request).ops.empty());
}

}  // namespace
}  // namespace assay::runtime
