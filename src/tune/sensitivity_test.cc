#include "tune/sensitivity.h"

#include <gtest/gtest.h>

#include "quantize/quantize.h"
#include "quantize/test_samples.h"

namespace assay::tune {
namespace {

// What the cut models give is what the whole model gives of which that one op is quantized.
TEST(RankLayersTest, ACutModelGivesWhatTheWholeOneGives) {
  const auto samples = quantize::MemorySamples::Random(16, {1, 4, 4, 3});
  const auto model = quantize::SmallNetwork().m.Build();
  JudgeRequest ask;
  ask.source = model;
  ask.samples = &samples;
  const Judge judge(ask);
  quantize::CalibrationRequest calibrate;
  calibrate.model = model;
  calibrate.dataset = &samples;
  for (size_t i = 0; i < samples.size(); ++i) calibrate.samples.push_back(i);
  calibrate.channels = true;
  const quantize::Calibration calibration = quantize::Calibrate(calibrate);
  SensitivityRequest request;
  request.model = model;
  request.samples = &samples;
  request.calibration = &calibration;
  request.judge = &judge;
  request.count = 16;
  request.threads = 2;
  const std::vector<LayerCost> layers = RankLayers(request);
  ASSERT_EQ(layers.size(), 4U) << "two convolutions, FULLY_CONNECTED, SOFTMAX";
  const graph::Subgraph& graph = model->subgraphs[0];
  for (const LayerCost& layer : layers) {
    EXPECT_EQ(layer.samples, 16);
    EXPECT_GT(layer.int8.noise, 0) << layer.name;
    EXPECT_EQ(layer.int4.has_value(), layer.weights > 0);
    if (layer.int4.has_value()) {
      EXPECT_GT(layer.int4->noise, layer.int8.noise) << layer.name;
    }
    quantize::QuantizeRequest whole;
    whole.model = model;
    whole.dataset = &samples;
    whole.data_spec = "memory";
    whole.samples = samples.size();
    whole.forms.assign(graph.operators.size(), quantize::OpForm::kFloat);
    whole.forms[static_cast<size_t>(layer.op)] = quantize::OpForm::kScheme;
    const auto quantized = std::make_shared<const graph::Model>(quantize::Quantize(whole).model);
    const Answers answers = judge.Ask(quantized, 0, 16);
    EXPECT_DOUBLE_EQ(answers.noise, layer.int8.noise) << layer.name;
    EXPECT_DOUBLE_EQ(answers.signal, layer.int8.signal) << layer.name;
  }
  // Bounded memory: fewer samples.
  request.memory_bytes = 4000;
  for (const LayerCost& layer : RankLayers(request)) {
    EXPECT_LT(layer.samples, 16);
    EXPECT_GE(layer.samples, 1);
  }
}

}  // namespace
}  // namespace assay::tune
