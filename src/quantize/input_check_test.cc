#include "quantize/input_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "quantize/quantize.h"
#include "quantize/test_samples.h"

namespace assay::quantize {
namespace {

// The warnings of a convolution with biases, on samples of 0..1 times `scale` plus `offset`.
std::vector<std::string> Warnings(float scale, float offset) {
  MemorySamples samples = MemorySamples::Random(20, {1, 8, 8, 3});
  for (Array& sample : samples.samples()) {
    for (float& v : sample.values<float>()) v = std::abs(v) / 6 * scale + offset;
  }
  graph::ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 8, 8, 3});
  const int y = m.Tensor("y", DType::kFloat32, {1, 6, 6, 4});
  m.Op(graph::BuiltinOp::kConv2D,
       {x, m.Constant("w", {4, 3, 3, 3}, RandomValues(108, 1)), m.Constant("b", {4}, RandomValues(4, 2))}, {y},
       {{"padding", 1}, {"stride_w", 1}, {"stride_h", 1}});
  m.Output(y);
  QuantizeRequest request;
  request.model = m.Build();
  request.dataset = &samples;
  return Quantize(request).warnings;
}

TEST(DullInputsTest, NormalisedOnceIsFine) {
  EXPECT_THAT(Warnings(1, 0), testing::IsEmpty());
  EXPECT_THAT(Warnings(2, -1), testing::IsEmpty());
  EXPECT_THAT(Warnings(255, 0), testing::IsEmpty());
}

TEST(DullInputsTest, NormalisedTwiceIsSaid) {
  EXPECT_THAT(Warnings(1.0F / 255, 0), testing::Contains(testing::HasSubstr("normalised twice")));
  EXPECT_THAT(Warnings(2 / 127.5F, -1.008F), testing::Contains(testing::HasSubstr("normalised twice")));
}

}  // namespace
}  // namespace assay::quantize
