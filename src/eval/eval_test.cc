#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "eval/evaluate.h"
#include "eval/input.h"
#include "graph/model_builder.h"

namespace assay::eval {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using runtime::TensorDetails;

TEST(Statistics, WilsonAgreesWithPublishedValues) {
  // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
  const Proportion a = WilsonInterval(81, 263);
  EXPECT_NEAR(a.low, 0.2553, 5e-5);
  EXPECT_NEAR(a.high, 0.3662, 5e-5);
  const Proportion b = WilsonInterval(15, 148);
  EXPECT_NEAR(b.low, 0.0624, 5e-5);
  EXPECT_NEAR(b.high, 0.1605, 5e-5);
  EXPECT_EQ(WilsonInterval(0, 20).low, 0);
  EXPECT_NEAR(WilsonInterval(0, 20).high, 0.1611, 5e-5);
  EXPECT_EQ(WilsonInterval(29, 29).high, 1);
  EXPECT_EQ(WilsonInterval(0, 0).high, 1);
}

TEST(Statistics, McNemarIsTheBinomialTest) {
  EXPECT_EQ(McNemarExact(0, 0), 1);
  EXPECT_EQ(McNemarExact(3, 3), 1);
  EXPECT_NEAR(McNemarExact(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(McNemarExact(1, 9), 2.0 * 11 / 1024, 1e-12);
  EXPECT_GT(McNemarExact(5000, 5000), 0.98);
  EXPECT_GE(McNemarExact(0, 5000), 0);
  EXPECT_LT(McNemarExact(0, 5000), 1e-300);
}

TensorDetails Details(DType dtype, float scale = 0, int64_t zero_point = 0) {
  TensorDetails details;
  details.name = "x";
  details.shape = {1, 2};
  details.shape_signature = {1, 2};
  details.dtype = dtype;
  if (scale != 0) details.quantization = {{scale}, {zero_point}, 0, {}, {}};
  return details;
}

TEST(ToInputTest, PixelsBecomeCodesAsTheContractSays) {
  Array pixels(DType::kUInt8, {2});
  pixels.values<uint8_t>()[1] = 255;
  EXPECT_THAT(ToInput(pixels, Details(DType::kInt8, 1, -128)).values<int8_t>(), testing::ElementsAre(-128, 127));
  EXPECT_THAT(ToInput(pixels, Details(DType::kUInt8, 1)).values<uint8_t>(), testing::ElementsAre(0, 255));
  EXPECT_THAT(ToInput(pixels, Details(DType::kFloat32)).values<float>(), testing::ElementsAre(0, 255));
}

TEST(ToInputTest, RealsAreQuantizedHalfToEvenAndSaturate) {
  Array reals(DType::kFloat32, {2});
  reals.values<float>()[0] = 1.25F;
  reals.values<float>()[1] = 1000;
  EXPECT_THAT(ToInput(reals, Details(DType::kInt8, 0.5F, 10)).values<int8_t>(), testing::ElementsAre(12, 127));
  EXPECT_THROW(ToInput(reals, Details(DType::kInt8)), Error);
  reals.values<float>()[1] = std::nanf("");
  EXPECT_THROW(ToInput(reals, Details(DType::kInt8, 0.5F)), Error);
  EXPECT_THROW(ToInput(Array(DType::kFloat32, {3}), Details(DType::kFloat32)), Error);
}

TEST(RankOfTest, TiesGoToTheLowerIndexAndNanLast) {
  Array scores(DType::kFloat32, {4});
  const float values[] = {0.5F, std::nanf(""), 0.5F, 0.9F};
  for (size_t i = 0; i < 4; ++i) scores.values<float>()[i] = values[i];
  EXPECT_EQ(RankOf(scores, 3), 0);
  EXPECT_EQ(RankOf(scores, 0), 1);
  EXPECT_EQ(RankOf(scores, 2), 2);
  EXPECT_EQ(RankOf(scores, 1), 3);
}

// Samples of 4 values whose class is the position of the largest; some can be made bad.
class Synthetic final : public data::Dataset {
 public:
  explicit Synthetic(size_t size, size_t bad = 0) : size_(size), bad_(bad) { label_count_ = 4; }
  size_t size() const override { return size_; }
  bool holds_pictures() const override { return false; }
  int64_t LabelOf(size_t index) const override { return static_cast<int64_t>(index % 4); }
  data::Sample Load(size_t index) const override {
    if (index < bad_) throw InputError("sample {} is bad", index);
    data::Sample sample;
    sample.name = std::to_string(index);
    sample.label = static_cast<int64_t>(index % 4);
    Array x(DType::kFloat32, {1, 1, 1, 4});
    x.values<float>()[index % 7 == 0 ? 0 : index % 4] = 1;
    sample.arrays.emplace_back("", std::move(x));
    return sample;
  }

 private:
  size_t size_, bad_;
};

// Copies its 4 inputs to the last 4 of `scores` outputs.
std::shared_ptr<const graph::Model> Copy(int scores) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 1, 1, 4});
  std::vector<float> weights(static_cast<size_t>(scores) * 4, 0.0F);
  for (int c = 0; c < 4; ++c) weights[static_cast<size_t>((scores - 4 + c) * 4 + c)] = 1;
  const int w = m.Constant("w", {scores, 1, 1, 4}, weights);
  const int y = m.Tensor("y", DType::kFloat32, {1, 1, 1, scores});
  m.Op(BuiltinOp::kConv2D, {x, w}, {y}, {{"stride_w", 1}, {"stride_h", 1}});
  m.Output(y);
  return m.Build();
}

TEST(EvaluateTest, CountsAndIsTheSameOnAnyNumberOfThreads) {
  const Synthetic dataset(700);
  EvaluateRequest request;
  request.model = Copy(4);
  request.dataset = &dataset;
  const EvaluateResult one = Evaluate(request);
  EXPECT_EQ(one.samples, 700);
  // Every seventh sample looks like class 0: of those a quarter is class 0.
  EXPECT_EQ(one.top1.correct, 600 + 25);
  EXPECT_EQ(one.top5.correct, 700);
  EXPECT_EQ(one.per_class[0].correct, 175);
  EXPECT_EQ(one.confusions.size(), 3U);
  request.threads = 4;
  const EvaluateResult four = Evaluate(request);
  EXPECT_EQ(four.rank, one.rank);
  EXPECT_EQ(four.predicted, one.predicted);
}

TEST(EvaluateTest, OneOutputMoreThanLabelsIsTheBackground) {
  const Synthetic dataset(28);
  EvaluateRequest request;
  request.model = Copy(5);
  request.dataset = &dataset;
  const EvaluateResult result = Evaluate(request);
  EXPECT_EQ(result.label_offset, 1);
  EXPECT_TRUE(result.label_offset_was_found);
  EXPECT_EQ(result.top1.correct, 25);
  request.label_offset = 0;
  EXPECT_LT(Evaluate(request).top1.correct, 10);
  request.label_offset = 3;
  EXPECT_THROW(Evaluate(request), Error);
}

TEST(EvaluateTest, BadSamplesEndTheRunUnlessSkipped) {
  const Synthetic dataset(20, 3);
  EvaluateRequest request;
  request.model = Copy(4);
  request.dataset = &dataset;
  request.threads = 3;
  try {
    Evaluate(request);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "sample 0 is bad");
  }
  request.skip_bad = true;
  const EvaluateResult result = Evaluate(request);
  EXPECT_EQ(result.skipped, 3);
  EXPECT_EQ(result.samples, 17);
  EXPECT_THAT(result.skip_messages, testing::ElementsAre("sample 0 is bad", "sample 1 is bad", "sample 2 is bad"));
}

TEST(EvaluateTest, PictureStepsOnArraysAreAUsageError) {
  const Synthetic dataset(4);
  EvaluateRequest request;
  request.model = Copy(4);
  request.dataset = &dataset;
  request.pipeline = ParsePreprocess("resize=2x2:opencv-linear");
  try {
    Evaluate(request);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace assay::eval
