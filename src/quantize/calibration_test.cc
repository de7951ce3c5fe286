#include "quantize/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "quantize/quantize.h"
#include "quantize/test_samples.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

TEST(CalibrationTest, TensorFlowsRangesHoldTheSumToo) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 4});
  const int a = m.Tensor("a", DType::kFloat32, {1, 4}), b = m.Tensor("b", DType::kFloat32, {1, 4});
  m.Op(BuiltinOp::kRelu, {x}, {a});
  m.Op(BuiltinOp::kAdd, {x, a}, {b});
  const int c = m.Tensor("c", DType::kFloat32, {1, 4}), d = m.Tensor("d", DType::kFloat32, {1, 4});
  m.Op(BuiltinOp::kRelu, {b}, {c});
  m.Op(BuiltinOp::kAdd, {c, x}, {d});
  m.Output(d);
  std::vector<std::optional<Range>> ranges = {Range{-1, 1}, Range{0, 1}, Range{-1, 2}, Range{0, 2}, Range{-1, 3}};
  WidenLikeTensorFlow(m.subgraph(), ranges);
  EXPECT_EQ(*ranges[0], (Range{-1, 1}));  // an input of the graph, and RELU reads it as well
  EXPECT_EQ(*ranges[1], (Range{-1, 2}));
  EXPECT_EQ(*ranges[3], (Range{0, 2}));  // the sum is an output, which has memory of its own
}

TEST(CalibrationTest, OneTensorMayHaveAMethodOfItsOwn) {
  const SmallNetwork network;
  const MemorySamples samples = MemorySamples::Random(20, {1, 4, 4, 3});
  CalibrationRequest request;
  request.model = network.m.Build();
  request.dataset = &samples;
  for (size_t i = 0; i < 20; ++i) request.samples.push_back(i);
  const Calibration widest = Calibrate(request);
  const auto left = static_cast<size_t>(network.left), right = static_cast<size_t>(network.right);
  for (const CalibrationMethod::Kind kind :
       {CalibrationMethod::Kind::kPercentile, CalibrationMethod::Kind::kMovingAverage}) {
    const CalibrationMethod method = {kind, kind == CalibrationMethod::Kind::kPercentile ? 80 : 0.5};
    request.method = {};
    request.method_for = {{"right", method}};
    const Calibration one = Calibrate(request);
    EXPECT_EQ(*one.ranges[left], *widest.ranges[left]);
    EXPECT_LT(one.ranges[right]->high, widest.ranges[right]->high);
    request.method = method;
    request.method_for = {{"left", {}}};
    const Calibration all_but_one = Calibrate(request);
    EXPECT_EQ(*all_but_one.ranges[left], *widest.ranges[left]);
    EXPECT_EQ(*all_but_one.ranges[right], *one.ranges[right]);
  }
  request.method_for = {{"nothing", {}}};
  EXPECT_THROW(Calibrate(request), Error);
}

TEST(CalibrationTest, StopsWhereRangesHaveSettled) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(400, {1, 4, 4, 3});
  QuantizeRequest request;
  request.model = net.m.Build();
  request.dataset = &samples;
  request.samples = 400;
  EXPECT_EQ(Quantize(request).calibrated_with.size(), 400U);
  request.until_settled = true;
  const QuantizeResult some = Quantize(request);
  EXPECT_TRUE(some.settled);
  EXPECT_EQ(some.calibrated_with.size() % 32, 0U);
  EXPECT_LT(some.calibrated_with.size(), 400U);
  EXPECT_GT(some.calibrated_with.back(), 200U);  // of all the data, not of its beginning
  EXPECT_TRUE(std::is_sorted(some.calibrated_with.begin(), some.calibrated_with.end()));
  request.threads = 3;
  EXPECT_EQ(Quantize(request).calibrated_with, some.calibrated_with);
  request.samples = 40;
  const QuantizeResult few = Quantize(request);
  EXPECT_FALSE(few.settled);
  EXPECT_EQ(few.calibrated_with.size(), 40U);
}

// Two blocks together, and not each of them, widen nothing by more than a hundredth.
TEST(CalibrationTest, RangesThatGrowSlowlyHaveNotSettled) {
  const SmallNetwork net;
  for (const double growth : {1.002, 1.008}) {
    std::vector<Array> arrays;
    for (int i = 0; i < 256; ++i) {
      Array array(DType::kFloat32, {1, 4, 4, 3});
      const double size = std::pow(growth, i / 32);
      for (size_t k = 0; k < array.values<float>().size(); ++k) {
        array.values<float>()[k] = static_cast<float>(k % 2 == 0 ? size : -size);
      }
      arrays.push_back(std::move(array));
    }
    const MemorySamples samples(std::move(arrays));
    CalibrationRequest request;
    request.model = net.m.Build();
    request.dataset = &samples;
    for (size_t i = 0; i < 256; ++i) request.samples.push_back(i);
    request.until_settled = true;
    size_t done = 0, total = 0;
    request.method.kind = CalibrationMethod::Kind::kMse;
    request.progress = [&](size_t d, size_t t) { done = d, total = t; };
    const Calibration result = Calibrate(request);
    EXPECT_EQ(result.settled, growth < 1.005);
    EXPECT_EQ(result.samples, growth < 1.005 ? 96U : 256U);
    EXPECT_EQ(done, total);
    EXPECT_EQ(total, 2 * result.samples);
  }
}

}  // namespace
}  // namespace assay::quantize
