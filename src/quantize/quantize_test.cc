#include "quantize/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "ops/registry.h"
#include "quantize/assignment.h"
#include "quantize/measurement.h"
#include "quantize/op_rules.h"
#include "quantize/test_samples.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using testing::HasSubstr;

QuantizeRequest Request(const ModelBuilder& builder, const data::Dataset* dataset, Scheme scheme = Scheme::kInt8) {
  QuantizeRequest request;
  request.model = builder.Build();
  request.scheme = scheme;
  request.dataset = dataset;
  request.data_spec = "memory";
  return request;
}

std::string Message(const QuantizeRequest& request) {
  try {
    Quantize(request);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

const graph::Tensor& Named(const graph::Model& model, const std::string& name) {
  for (const graph::Tensor& tensor : model.subgraphs[0].tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return model.subgraphs[0].tensors[0];
}

Array InputOf(const data::Dataset& samples, size_t index) { return samples.Load(index).arrays.front().second; }

Array RunOn(const graph::Model& model, const Array& input, const char* profile = "reference") {
  runtime::InterpreterOptions options;
  options.profile = &numerics::FindProfile(profile);
  runtime::Interpreter interpreter(std::make_shared<const graph::Model>(model), options);
  interpreter.SetInput(0, input);
  interpreter.Invoke();
  return interpreter.Output(0);
}

bool HasInt16(std::string_view types) {
  for (const char* word : {"int16", "any", "all but", "every type"}) {
    if (types.find(word) != std::string_view::npos) return true;
  }
  return false;
}

TEST(OpRulesTest, EveryOpOfTheTableRunsInEightBits) {
  std::set<BuiltinOp> seen;
  for (const OpRule& rule : AllOpRules()) {
    EXPECT_TRUE(seen.insert(rule.op).second) << graph::BuiltinOpName(rule.op);
    graph::Operator op;
    op.code = rule.op;
    const ops::OpRow* row = ops::FindOpRow(op);
    ASSERT_NE(row, nullptr) << graph::BuiltinOpName(rule.op);
    EXPECT_TRUE(!rule.int16 || HasInt16(row->types)) << graph::BuiltinOpName(rule.op);
    EXPECT_LE(rule.int8_version, row->max_version) << graph::BuiltinOpName(rule.op);
    const std::string types(row->types);
    EXPECT_TRUE(types.find("int8") != std::string::npos || types.find("any") != std::string::npos ||
                types.find("all but") != std::string::npos || types.find("every type") != std::string::npos)
        << graph::BuiltinOpName(rule.op) << ": " << types;
  }
}

TEST(QuantizeInt8Test, FollowsTheSpecification) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(20, {1, 4, 4, 3});
  const QuantizeResult result = Quantize(Request(net.m, &samples));
  const graph::Model& model = result.model;
  EXPECT_EQ(OpNames(model), (std::vector<std::string>{"QUANTIZE", "CONV_2D", "CONV_2D", "CONCATENATION", "MAX_POOL_2D",
                                                      "RESHAPE", "FULLY_CONNECTED", "SOFTMAX", "DEQUANTIZE"}));
  // Same-scale ops: both branches take the scale of what they are joined to, and it passes through the pool.
  EXPECT_EQ(Named(model, "left").quantization, Named(model, "both").quantization);
  EXPECT_EQ(Named(model, "right").quantization, Named(model, "both").quantization);
  EXPECT_EQ(Named(model, "flat").quantization, Named(model, "both").quantization);
  // Convolutions: a scale per channel, zero points 0, bias at the product of the scales.
  const graph::Tensor& weights = Named(model, "left/weights");
  EXPECT_EQ(weights.dtype, DType::kInt8);
  EXPECT_EQ(weights.quantization.scale.size(), 4U);
  EXPECT_EQ(weights.quantization.quantized_dimension, 0);
  const graph::Tensor& bias = Named(model, "left/bias");
  EXPECT_EQ(bias.dtype, DType::kInt32);
  const float input_scale = Named(model, "x/quantized").quantization.scale[0];
  for (size_t c = 0; c < 4; ++c) {
    EXPECT_EQ(bias.quantization.scale[c],
              static_cast<float>(double{input_scale} * double{weights.quantization.scale[c]}));
  }
  // The result of SOFTMAX is prescribed. The outputs keep their names and types.
  EXPECT_EQ(model.subgraphs[0].tensors[static_cast<size_t>(model.subgraphs[0].outputs[0])].name, "y");
  EXPECT_EQ(Named(model, "y").dtype, DType::kFloat32);
  EXPECT_EQ(Named(model, "y/dequantized").quantization, ModelBuilder::PerTensor(1.0F / 256, -128));
  EXPECT_EQ(result.integer_ops, 7);
  EXPECT_TRUE(result.float_ops.empty());
  for (size_t i = 0; i < samples.size(); ++i) {
    const Array input = InputOf(samples, i);
    const Array real = RunOn(*net.m.Build(), input), codes = RunOn(model, input);
    for (size_t k = 0; k < 5; ++k) EXPECT_NEAR(codes.values<float>()[k], real.values<float>()[k], 0.03);
  }
}

TEST(QuantizeInt8Test, TypesOfInputsAndOutputs) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(10, {1, 4, 4, 3});
  QuantizeRequest request = Request(net.m, &samples);
  const graph::Model real = Quantize(request).model;
  request.input_type = request.output_type = DType::kInt8;
  const graph::Model int8 = Quantize(request).model;
  EXPECT_EQ(Named(int8, "x").dtype, DType::kInt8);
  EXPECT_EQ(Named(int8, "y").dtype, DType::kInt8);
  EXPECT_EQ(OpNames(int8).size(), 7U);
  request.input_type = request.output_type = DType::kUInt8;
  const graph::Model uint8 = Quantize(request).model;
  EXPECT_EQ(OpNames(uint8).size(), 9U);
  const Quantization codes = Named(int8, "x").quantization;
  EXPECT_EQ(Named(uint8, "x").quantization.scale, codes.scale);
  EXPECT_EQ(Named(uint8, "x").quantization.zero_point[0], codes.zero_point[0] + 128);
  // All three compute the same.
  const Array input = InputOf(samples, 3);
  Array as_int8(DType::kInt8, input.shape()), as_uint8(DType::kUInt8, input.shape());
  for (size_t i = 0; i < input.values<float>().size(); ++i) {
    const auto code =
        static_cast<int>(std::round(input.values<float>()[i] / codes.scale[0])) + static_cast<int>(codes.zero_point[0]);
    as_int8.values<int8_t>()[i] = static_cast<int8_t>(std::clamp(code, -128, 127));
    as_uint8.values<uint8_t>()[i] = static_cast<uint8_t>(std::clamp(code, -128, 127) + 128);
  }
  const Array a = RunOn(real, input), b = RunOn(int8, as_int8), c = RunOn(uint8, as_uint8);
  for (size_t k = 0; k < 5; ++k) {
    EXPECT_EQ(a.values<float>()[k] * 256 - 128, static_cast<float>(b.values<int8_t>()[k]));
    EXPECT_EQ(c.values<uint8_t>()[k], b.values<int8_t>()[k] + 128);
  }
}

TEST(QuantizeInt16x8Test, ActivationsAreSymmetricAndBiasesWide) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(20, {1, 4, 4, 3});
  QuantizeRequest request = Request(net.m, &samples, Scheme::kInt16x8);
  const graph::Model model = Quantize(request).model;
  EXPECT_EQ(Named(model, "left").dtype, DType::kInt16);
  EXPECT_EQ(Named(model, "left").quantization.zero_point[0], 0);
  EXPECT_EQ(Named(model, "left/weights").dtype, DType::kInt8);
  EXPECT_EQ(Named(model, "left/bias").dtype, DType::kInt64);
  EXPECT_EQ(Named(model, "y/dequantized").quantization, ModelBuilder::PerTensor(1.0F / 32768, 0));
  for (size_t i = 0; i < samples.size(); ++i) {
    const Array input = InputOf(samples, i);
    const Array real = RunOn(*net.m.Build(), input), codes = RunOn(model, input);
    for (size_t k = 0; k < 5; ++k) EXPECT_NEAR(codes.values<float>()[k], real.values<float>()[k], 0.01);
  }
  request.input_type = request.output_type = DType::kInt16;
  EXPECT_EQ(Named(Quantize(request).model, "x").dtype, DType::kInt16);
  request.output_type = DType::kInt8;
  EXPECT_THAT(Message(request), HasSubstr("scheme int16x8 takes float32 and int16"));
}

TEST(QuantizeInt16x8Test, OpsOfEightBitsAloneAreNamed) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 8}), y = m.Tensor("y", DType::kFloat32, {1, 8});
  m.Op(BuiltinOp::kHardSwish, {x}, {y});
  m.Output(y);
  const MemorySamples samples = MemorySamples::Random(3, {1, 8});
  EXPECT_THAT(Message(Request(m, &samples, Scheme::kInt16x8)), HasSubstr("op 0 HARD_SWISH takes no int16"));
}

TEST(InterfaceTest, TypesOfInputsAndOutputsChangeAndTheResultsStay) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(10, {1, 4, 4, 3});
  QuantizeRequest request = Request(net.m, &samples);
  const auto real = std::make_shared<const graph::Model>(Quantize(request).model);
  const Array input = InputOf(samples, 1);
  const Array want = RunOn(*real, input);
  request.scheme = Scheme::kInterface;
  for (const DType type : {DType::kInt8, DType::kUInt8}) {
    request.model = real;
    request.input_type = request.output_type = type;
    const auto changed = std::make_shared<const graph::Model>(Quantize(request).model);
    EXPECT_EQ(Named(*changed, "x").dtype, type);
    EXPECT_EQ(Named(*changed, "y").dtype, type);
    EXPECT_EQ(OpNames(*changed).size(), type == DType::kInt8 ? 7U : 9U);
    request.model = changed;
    request.input_type = request.output_type = DType::kFloat32;
    const graph::Model back = Quantize(request).model;
    EXPECT_EQ(OpNames(back), OpNames(*real));
    EXPECT_EQ(RunOn(back, input).values<float>()[2], want.values<float>()[2]);
  }
  request.input_type = DType::kInt16;
  EXPECT_THAT(Message(request), HasSubstr("input 'x' has codes of int8: it cannot become int16"));
}

TEST(MeasurementTest, CountsOnSamplesThatDidNotCalibrate) {
  const SmallNetwork net;
  MemorySamples unlabelled = MemorySamples::Random(30, {1, 4, 4, 3});
  // The float model's own answers are the labels, but for the last sample.
  std::vector<int64_t> labels;
  for (size_t i = 0; i < 30; ++i) {
    const Array scores = RunOn(*net.m.Build(), InputOf(unlabelled, i));
    const auto values = scores.values<float>();
    labels.push_back(std::max_element(values.begin(), values.end()) - values.begin());
  }
  labels[29] = (labels[29] + 1) % 5;
  const MemorySamples samples(unlabelled.samples(), labels);
  MeasurementRequest request;
  request.before = net.m.Build();
  request.after = std::make_shared<const graph::Model>(Quantize(Request(net.m, &samples)).model);
  request.evaluate.dataset = &samples;
  for (size_t i = 0; i < 10; ++i) request.calibrated_with.push_back(i);
  const Measurement m = Measure(request);
  EXPECT_EQ(m.missing, "");
  EXPECT_EQ(m.samples.size(), 20U);
  EXPECT_EQ(m.samples.front(), 10U);
  EXPECT_EQ(m.before.correct, 19);
  EXPECT_EQ(m.after.correct, 19 - m.paired.only_first + m.paired.only_second);
  EXPECT_EQ(m.paired.mcnemar_p, eval::McNemarExact(m.paired.only_first, m.paired.only_second));
  request.evaluate.dataset = &unlabelled;
  EXPECT_EQ(Measure(request).missing, "the data have no labels");
  request.evaluate.dataset = &samples;
  for (size_t i = 10; i < 30; ++i) request.calibrated_with.push_back(i);
  EXPECT_EQ(Measure(request).missing, "no sample is left that did not calibrate");
}

TEST(QuantizeInt8Test, PerTensorWeightsWhereAsked) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(4, {1, 4, 4, 3});
  QuantizeRequest request = Request(net.m, &samples);
  request.per_channel_dense = false;
  const graph::Model dense = Quantize(request).model;
  EXPECT_EQ(Named(dense, "dense/weights").quantization.scale.size(), 1U);
  EXPECT_EQ(Named(dense, "left/weights").quantization.scale.size(), 4U);
  request.per_channel = false;
  EXPECT_EQ(Named(Quantize(request).model, "left/weights").quantization.scale.size(), 1U);
}

TEST(QuantizeInt8Test, ThreadsChangeNothing) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(23, {1, 4, 4, 3});
  QuantizeRequest request = Request(net.m, &samples);
  const graph::Model one = Quantize(request).model;
  request.threads = 5;
  const graph::Model five = Quantize(request).model;
  for (size_t t = 0; t < one.subgraphs[0].tensors.size(); ++t) {
    EXPECT_EQ(one.subgraphs[0].tensors[t].quantization, five.subgraphs[0].tensors[t].quantization);
  }
}

TEST(QuantizeInt8Test, AResultWithAPrescribedScaleIsRequantizedForItsReader) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 8});
  const int gate = m.Tensor("gate", DType::kFloat32, {1, 8}), joined = m.Tensor("joined", DType::kFloat32, {1, 16});
  m.Op(BuiltinOp::kLogistic, {x}, {gate});
  m.Op(BuiltinOp::kConcatenation, {gate, x}, {joined}, {{"axis", 1}});
  m.Output(joined);
  const MemorySamples samples = MemorySamples::Random(8, {1, 8});
  const QuantizeResult result = Quantize(Request(m, &samples));
  EXPECT_EQ(Named(result.model, "gate").quantization, ModelBuilder::PerTensor(1.0F / 256, -128));
  const Quantization joined_codes = Named(result.model, "joined/dequantized").quantization;
  EXPECT_EQ(Named(result.model, "gate/quantized").quantization, joined_codes);
  EXPECT_EQ(Named(result.model, "x/quantized").quantization, joined_codes);
  const Array input = InputOf(samples, 0);
  const Array want = RunOn(*m.Build(), input), got = RunOn(result.model, input);
  for (size_t k = 0; k < 16; ++k) EXPECT_NEAR(got.values<float>()[k], want.values<float>()[k], joined_codes.scale[0]);
}

TEST(QuantizeInt8Test, TwoReadersThatDisagreeEachGetTheirScale) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 8});
  const int h = m.Tensor("h", DType::kFloat32, {1, 8});
  m.Op(BuiltinOp::kHardSwish, {x}, {h});
  const int wide = m.Tensor("wide", DType::kFloat32, {1, 8}), a = m.Tensor("a", DType::kFloat32, {1, 16}),
            b = m.Tensor("b", DType::kFloat32, {1, 16});
  m.Op(BuiltinOp::kMul, {x, m.Constant("ten", {1}, std::vector<float>{10})}, {wide});
  m.Op(BuiltinOp::kConcatenation, {h, x}, {a}, {{"axis", 1}});
  m.Op(BuiltinOp::kConcatenation, {h, wide}, {b}, {{"axis", 1}});
  m.Output(a);
  m.Output(b);
  const MemorySamples samples = MemorySamples::Random(8, {1, 8});
  const QuantizeResult result = Quantize(Request(m, &samples));
  // What both read is written once, at the scale of the last; the other reads it requantized.
  const float wide_scale = Named(result.model, "b/dequantized").quantization.scale[0];
  EXPECT_LT(Named(result.model, "a/dequantized").quantization.scale[0], wide_scale / 4);
  const Array input = InputOf(samples, 5);
  runtime::InterpreterOptions options;
  options.profile = &numerics::FindProfile("reference");
  runtime::Interpreter real(m.Build(), options);
  runtime::Interpreter codes(std::make_shared<const graph::Model>(result.model), options);
  for (auto* interpreter : {&real, &codes}) {
    interpreter->SetInput(0, input);
    interpreter->Invoke();
  }
  for (size_t out = 0; out < 2; ++out) {
    const Array want = real.Output(out), got = codes.Output(out);
    for (size_t k = 0; k < 16; ++k) {
      EXPECT_NEAR(got.values<float>()[k], want.values<float>()[k], wide_scale) << out << " " << k;
    }
  }
}

// COS has no integer form.
ModelBuilder WithCosine() {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 8});
  const int a = m.Tensor("a", DType::kFloat32, {1, 8}), b = m.Tensor("b", DType::kFloat32, {1, 8}),
            c = m.Tensor("c", DType::kFloat32, {1, 8});
  m.Op(BuiltinOp::kRelu, {x}, {a});
  m.Op(BuiltinOp::kCos, {a}, {b});
  m.Op(BuiltinOp::kAdd, {a, b}, {c});
  m.Output(c);
  return m;
}

TEST(QuantizeInt8Test, AnOpWithoutIntegerFormIsNamedOrLeftFloat) {
  const ModelBuilder m = WithCosine();
  const MemorySamples samples = MemorySamples::Random(8, {1, 8});
  QuantizeRequest request = Request(m, &samples);
  EXPECT_THAT(Message(request), HasSubstr("op 1 COS has no integer form; --float-fallback"));
  request.float_fallback = true;
  const QuantizeResult result = Quantize(request);
  EXPECT_EQ(OpNames(result.model),
            (std::vector<std::string>{"QUANTIZE", "RELU", "DEQUANTIZE", "COS", "QUANTIZE", "ADD", "DEQUANTIZE"}));
  ASSERT_EQ(result.float_ops.size(), 1U);
  EXPECT_EQ(result.float_ops[0].name, "COS");
  const Array input = InputOf(samples, 2);
  const Array want = RunOn(*m.Build(), input), got = RunOn(result.model, input);
  for (size_t k = 0; k < 8; ++k) EXPECT_NEAR(got.values<float>()[k], want.values<float>()[k], 0.05);
}

TEST(QuantizeInt8Test, OpsStayFloatThatWereAskedTo) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(4, {1, 4, 4, 3});
  QuantizeRequest request = Request(net.m, &samples);
  request.float_ops = {"SOFTMAX"};
  const QuantizeResult result = Quantize(request);
  EXPECT_EQ(OpNames(result.model).back(), "SOFTMAX");
  EXPECT_EQ(result.float_ops.size(), 1U);
  request.float_ops = {};
  request.float_tensors = {"left"};
  EXPECT_EQ(Named(Quantize(request).model, "left/weights").dtype, DType::kFloat32);
  request.float_tensors = {"nothing"};
  EXPECT_THAT(Message(request), HasSubstr("--float-tensor nothing"));
}

TEST(QuantizeBadInputTest, EachIsNamed) {
  const SmallNetwork net;
  MemorySamples samples = MemorySamples::Random(6, {1, 4, 4, 3});
  EXPECT_THAT(Message(Request(net.m, nullptr)), HasSubstr("needs samples"));
  const MemorySamples none({});
  EXPECT_THAT(Message(Request(net.m, &none)), HasSubstr("has no samples"));
  const MemorySamples constant({Array(DType::kFloat32, {1, 4, 4, 3}), Array(DType::kFloat32, {1, 4, 4, 3})});
  EXPECT_THAT(Message(Request(net.m, &constant)), HasSubstr("input 'x' holds 0 everywhere"));
  const MemorySamples one = MemorySamples::Random(1, {1, 4, 4, 3});
  EXPECT_THAT(Quantize(Request(net.m, &one)).warnings, testing::Contains(HasSubstr("one sample")));
  samples.samples()[4].values<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Message(Request(net.m, &samples)), HasSubstr("sample 4: input 'x': value 7 is NaN"));
  QuantizeRequest request = Request(net.m, &one);
  request.input_type = DType::kInt16;
  EXPECT_THAT(Message(request), HasSubstr("--input-type int16"));
  request = Request(net.m, &one, Scheme::kDynamic);
  request.output_type = DType::kInt8;
  EXPECT_THAT(Message(request), HasSubstr("scheme dynamic computes in float32"));
}

TEST(QuantizeBadInputTest, TheFirstLayerWithNanIsNamed) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 2});
  const int a = m.Tensor("a", DType::kFloat32, {1, 2}), b = m.Tensor("b", DType::kFloat32, {1, 2});
  m.Op(BuiltinOp::kLog, {x}, {a});
  m.Op(BuiltinOp::kRelu, {a}, {b});
  m.Output(b);
  Array good(DType::kFloat32, {1, 2}), bad(DType::kFloat32, {1, 2});
  good.values<float>()[0] = good.values<float>()[1] = 2;
  bad.values<float>()[0] = 1;
  bad.values<float>()[1] = -1;
  const MemorySamples samples({good, bad});
  EXPECT_THAT(Message(Request(m, &samples)), testing::AllOf(HasSubstr("sample 1"), HasSubstr("op 0 LOG"),
                                                            HasSubstr("'a'"), HasSubstr("value 1 is NaN")));
}

TEST(QuantizeBadInputTest, WeightsThatAreNoNumbers) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 2});
  const int y = m.Tensor("y", DType::kFloat32, {1, 1});
  m.Op(BuiltinOp::kFullyConnected,
       {x, m.Constant("w", {1, 2}, std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}), -1}, {y});
  m.Output(y);
  const MemorySamples samples = MemorySamples::Random(3, {1, 2});
  EXPECT_THAT(Message(Request(m, &samples)), HasSubstr("op 0 FULLY_CONNECTED: value 1 of 'w' is NaN"));
}

TEST(QuantizeBadInputTest, AQuantizedModelIsNoFloatModel) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(3, {1, 4, 4, 3});
  QuantizeRequest request = Request(net.m, &samples);
  request.model = std::make_shared<const graph::Model>(Quantize(request).model);
  EXPECT_THAT(Message(request), HasSubstr("is quantized already"));
}

TEST(QuantizeTest, TheFileSaysHowItWasMade) {
  const SmallNetwork net;
  const MemorySamples samples = MemorySamples::Random(3, {1, 4, 4, 3});
  const QuantizeResult result = Quantize(Request(net.m, &samples));
  ASSERT_EQ(result.model.metadata.size(), 1U);
  EXPECT_EQ(result.model.metadata[0].name, "ASSAY_QUANTIZATION");
  const auto bytes = result.model.metadata[0].data.bytes();
  EXPECT_THAT(
      std::string(bytes.begin(), bytes.end()),
      testing::AllOf(HasSubstr("\"scheme\":\"int8\""), HasSubstr("\"samples\":3"), HasSubstr("\"data\":\"memory\"")));
}

TEST(QuantizeDynamicTest, LargeWeightsBecomeInt8) {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 64});
  const int h = m.Tensor("h", DType::kFloat32, {1, 32}), y = m.Tensor("y", DType::kFloat32, {1, 4});
  m.Op(BuiltinOp::kFullyConnected, {x, m.Constant("large", {32, 64}, RandomValues(2048, 5)), -1}, {h});
  m.Op(BuiltinOp::kFullyConnected, {h, m.Constant("small", {4, 32}, RandomValues(128, 6)), -1}, {y});
  m.Output(y);
  const QuantizeResult result = Quantize(Request(m, nullptr, Scheme::kDynamic));
  EXPECT_EQ(Named(result.model, "large").dtype, DType::kInt8);
  EXPECT_EQ(Named(result.model, "large").quantization.scale.size(), 32U);
  EXPECT_EQ(Named(result.model, "small").dtype, DType::kFloat32);
  EXPECT_EQ(result.weights, 1);
  EXPECT_EQ(result.weights_too_small, 1);
  const graph::Operator& op = result.model.subgraphs[0].operators[0];
  EXPECT_GE(op.version, 9);
  EXPECT_EQ(*op.attributes.Find("asymmetric_quantize_inputs"), graph::AttributeValue(int64_t{1}));
  const Array input = InputOf(MemorySamples::Random(1, {1, 64}), 0);
  const Array want = RunOn(*m.Build(), input), got = RunOn(result.model, input);
  for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(got.values<float>()[k], want.values<float>()[k], 1.0);
}

ModelBuilder TwoConvolutions() {
  ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1, 6, 6, 16});
  const int h = m.Tensor("h", DType::kFloat32, {1, 6, 6, 16}), y = m.Tensor("y", DType::kFloat32, {1, 6, 6, 128});
  m.Op(BuiltinOp::kConv2D, {x, m.Constant("w", {16, 3, 3, 16}, RandomValues(2304, 5, 0.1F)), -1}, {h},
       {{"padding", 0}, {"stride_w", 1}, {"stride_h", 1}});
  m.Op(BuiltinOp::kDepthwiseConv2D, {h, m.Constant("d", {1, 3, 3, 128}, RandomValues(1152, 6)), -1}, {y},
       {{"padding", 0}, {"stride_w", 1}, {"stride_h", 1}, {"depth_multiplier", 8}});
  m.Output(y);
  return m;
}

double RelativeError(const graph::Model& model, const graph::Model& real, const Array& input) {
  const Array got = RunOn(model, input), want = RunOn(real, input);
  double error = 0, power = 0;
  for (int64_t k = 0; k < want.size(); ++k) {
    error += std::pow(ElementAsDouble(got, k) - ElementAsDouble(want, k), 2);
    power += std::pow(ElementAsDouble(want, k), 2);
  }
  return std::sqrt(error / power);
}

TEST(QuantizeWeightOnlyTest, WeightsAreWidenedBeforeFloatKernels) {
  const ModelBuilder m = TwoConvolutions();
  QuantizeRequest request = Request(m, nullptr, Scheme::kWeightOnly);
  const Array input = InputOf(MemorySamples::Random(1, {1, 6, 6, 16}), 0);
  const graph::Model eight = Quantize(request).model;
  EXPECT_EQ(OpNames(eight), (std::vector<std::string>{"DEQUANTIZE", "DEQUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D"}));
  EXPECT_LT(RelativeError(eight, *m.Build(), input), 0.02);
  request.weights = DType::kInt4;
  const graph::Model four = Quantize(request).model;
  EXPECT_EQ(Named(four, "d").dtype, DType::kInt4);
  const double error = RelativeError(four, *m.Build(), input);
  EXPECT_LT(error, 0.3);
  EXPECT_GT(error, 0.02);
}

TEST(QuantizeInt4Test, WhereTheOpsTakeIt) {
  const ModelBuilder m = TwoConvolutions();
  const MemorySamples samples = MemorySamples::Random(8, {1, 6, 6, 16});
  QuantizeRequest request = Request(m, &samples);
  request.weights = DType::kInt4;
  const graph::Model integer = Quantize(request).model;
  EXPECT_EQ(Named(integer, "w").dtype, DType::kInt4);
  EXPECT_EQ(Named(integer, "w").data->bytes().size(), 1152U);
  EXPECT_EQ(Named(integer, "d").dtype, DType::kInt4);
  EXPECT_LT(RelativeError(integer, *m.Build(), InputOf(samples, 0)), 0.3);
  request.scheme = Scheme::kDynamic;
  const graph::Model dynamic = Quantize(request).model;
  EXPECT_EQ(Named(dynamic, "w").dtype, DType::kInt4);
  EXPECT_EQ(Named(dynamic, "d").dtype, DType::kInt8);  // no float kernel takes int4 there
  EXPECT_LT(RelativeError(dynamic, *m.Build(), InputOf(samples, 0)), 0.3);
  request.scheme = Scheme::kInt16x8;
  EXPECT_THAT(Message(request), HasSubstr("--weights int4: scheme int16x8"));
}

TEST(QuantizeFloat16Test, WeightsBecomeHalf) {
  const SmallNetwork net;
  const QuantizeResult result = Quantize(Request(net.m, nullptr, Scheme::kFloat16));
  EXPECT_EQ(Named(result.model, "left/weights").dtype, DType::kFloat16);
  EXPECT_EQ(result.weights, 6);
}

TEST(ChooseSamplesTest, ASeedChoosesTheSame) {
  const std::vector<size_t> a = ChooseSamples(1000, 50, 7);
  EXPECT_EQ(a, ChooseSamples(1000, 50, 7));
  EXPECT_NE(a, ChooseSamples(1000, 50, 8));
  EXPECT_EQ(std::set<size_t>(a.begin(), a.end()).size(), 50U);
  EXPECT_TRUE(std::is_sorted(a.begin(), a.end()));
  EXPECT_EQ(ChooseSamples(3, 50, 7), (std::vector<size_t>{0, 1, 2}));
}

TEST(SchemeTest, UnknownNamesGetAHint) {
  EXPECT_EQ(SchemeFromName("int8").scheme, Scheme::kInt8);
  EXPECT_EQ(SchemeFromName("int4").scheme, Scheme::kDynamic);
  EXPECT_EQ(SchemeFromName("int4").weights, DType::kInt4);
  try {
    SchemeFromName("dinamic");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'dynamic'?"));
    EXPECT_THAT(error.what(), HasSubstr("int4"));
  }
}

}  // namespace
}  // namespace assay::quantize
