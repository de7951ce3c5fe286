#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "quantize/quantize.h"
#include "quantize/test_samples.h"

namespace assay::quantize {
namespace {

const graph::Operator& FullyConnected(const graph::Model& model) {
  for (const graph::Operator& op : model.subgraphs[0].operators) {
    if (op.code == graph::BuiltinOp::kFullyConnected) return op;
  }
  throw InputError("no FULLY_CONNECTED");
}

const graph::Tensor& Operand(const graph::Model& model, size_t k) {
  return model.subgraphs[0].tensors[static_cast<size_t>(FullyConnected(model).inputs[k])];
}

Array Scores(const graph::Model& model, const Array& input) {
  runtime::Interpreter interpreter(std::make_shared<const graph::Model>(model));
  interpreter.SetInput(0, input);
  interpreter.Invoke();
  return interpreter.Output(0);
}

class OpFormsTest : public testing::Test {
 protected:
  OpFormsTest() : samples_(MemorySamples::Random(20, {1, 4, 4, 3})) {
    request_.model = SmallNetwork().m.Build();
    request_.dataset = &samples_;
    request_.data_spec = "memory";
    request_.forms.assign(request_.model->subgraphs[0].operators.size(), OpForm::kScheme);
    for (size_t i = 0; i < request_.forms.size(); ++i) {
      if (request_.model->subgraphs[0].operators[i].code == graph::BuiltinOp::kFullyConnected) dense_ = i;
    }
  }
  graph::Model With(OpForm form) {
    request_.forms[dense_] = form;
    return Quantize(request_).model;
  }
  double Error(const graph::Model& model) const {
    double sum = 0;
    for (size_t i = 0; i < samples_.size(); ++i) {
      const Array input = samples_.Load(i).arrays.front().second;
      const Array got = Scores(model, input), want = Scores(*request_.model, input);
      for (size_t k = 0; k < static_cast<size_t>(want.size()); ++k) {
        const double d = static_cast<double>(got.values<float>()[k]) - static_cast<double>(want.values<float>()[k]);
        sum += d * d;
      }
    }
    return sum;
  }

  MemorySamples samples_;
  QuantizeRequest request_;
  size_t dense_ = 0;
};

TEST_F(OpFormsTest, AnOpInInt16StandsBetweenDequantizeAndQuantize) {
  const graph::Model model = With(OpForm::kInt16x8);
  EXPECT_EQ(Operand(model, 0).dtype, DType::kInt16);
  EXPECT_EQ(Operand(model, 1).dtype, DType::kInt8);
  EXPECT_EQ(Operand(model, 2).dtype, DType::kInt64);
  EXPECT_THAT(OpNames(model), testing::ElementsAre("QUANTIZE", "CONV_2D", "CONV_2D", "CONCATENATION", "MAX_POOL_2D",
                                                   "RESHAPE", "DEQUANTIZE", "QUANTIZE", "FULLY_CONNECTED", "DEQUANTIZE",
                                                   "QUANTIZE", "SOFTMAX", "DEQUANTIZE"));
  // With the op that reads its result, nothing is rounded to eight bits between them any more.
  const double eight = Error(With(OpForm::kScheme));
  request_.forms.back() = OpForm::kInt16x8;
  const graph::Model both = With(OpForm::kInt16x8);
  EXPECT_EQ(OpNames(both).size(), OpNames(model).size() - 2);
  EXPECT_LT(Error(both), eight);
}

TEST_F(OpFormsTest, WeightsOfFourBits) {
  const graph::Model model = With(OpForm::kInt4);
  EXPECT_EQ(Operand(model, 1).dtype, DType::kInt4);
  int narrow = 0;
  for (const graph::Tensor& tensor : model.subgraphs[0].tensors) narrow += tensor.dtype == DType::kInt4;
  EXPECT_EQ(narrow, 1) << "the convolutions keep eight";
  EXPECT_GT(Error(model), Error(With(OpForm::kScheme)));
}

TEST_F(OpFormsTest, WhatStaysFloatMayKeepItsConstantsInHalf) {
  request_.half_constants = true;
  const graph::Model model = With(OpForm::kFloat);
  EXPECT_EQ(Operand(model, 0).dtype, DType::kFloat32);
  int half = 0;
  for (const graph::Tensor& tensor : model.subgraphs[0].tensors) half += tensor.dtype == DType::kFloat16;
  EXPECT_EQ(half, 2) << "weights and bias";
  EXPECT_LT(Error(model), Error(With(OpForm::kScheme)));
}

TEST_F(OpFormsTest, OneCalibrationServesManyModels) {
  int runs = 0;
  std::optional<Calibration> seen;
  request_.calibrate = [&](const CalibrationRequest& calibrate) {
    if (!seen.has_value()) {
      ++runs;
      seen = Calibrate(calibrate);
    }
    return *seen;
  };
  With(OpForm::kScheme);
  With(OpForm::kFloat);
  EXPECT_EQ(runs, 1);
}

TEST_F(OpFormsTest, OtherSchemesHaveNoSuchOps) {
  request_.scheme = Scheme::kDynamic;
  EXPECT_THROW(With(OpForm::kInt4), assay::Error);
  EXPECT_THROW(With(OpForm::kInt16x8), assay::Error);
  EXPECT_NO_THROW(With(OpForm::kFloat));
}

}  // namespace
}  // namespace assay::quantize
