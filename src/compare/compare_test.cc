#include "compare/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "compare/test_networks.h"
#include "runtime/run_model.h"

namespace assay::compare {
namespace {

using testing::BuildModel;
using testing::Calibrate;
using testing::Layer;
using testing::MakeNetwork;
using testing::Network;
using testing::Quantizer;

// One network with its data on disk.
class CompareTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    net_ = MakeNetwork(GetParam());
    clean_ = Calibrate(net_, 200);
    path_ = std::filesystem::temp_directory_path() / fmt::format("assay_compare_{}_{}.npz", ::getpid(), GetParam());
    testing::WriteData(net_, 120, path_);
    data_ = data::OpenNpz(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  CompareResult Run(const Quantizer& q, const std::string& suffix = "") const {
    return Run(BuildModel(net_, &q, suffix));
  }
  CompareResult Run(std::shared_ptr<const graph::Model> model, const Pipeline& pipeline = {}) const {
    CompareRequest request;
    request.reference = {.path = "float", .model = BuildModel(net_), .dump = {}, .pipeline = {}};
    request.model = {.path = "int8", .model = std::move(model), .dump = {}, .pipeline = pipeline};
    request.dataset = data_.get();
    request.threads = 2;
    request.label_offset = 0;
    return Compare(request);
  }
  static std::string Layer(const CompareResult& result) {
    return result.verdict.layer < 0 ? "" : result.layers[static_cast<size_t>(result.verdict.layer)].short_name;
  }

  Network net_;
  Quantizer clean_;
  std::string path_;
  std::unique_ptr<data::Dataset> data_;
};

TEST_P(CompareTest, CleanPairRaisesNoAlarm) {
  const CompareResult result = Run(clean_);
  EXPECT_EQ(result.verdict.cause, Cause::kNone) << result.verdict.sentence;
  EXPECT_EQ(result.matched, 7);
  EXPECT_EQ(result.unmatched, 0);
  ASSERT_TRUE(result.accuracy.has_value());
  EXPECT_EQ(result.accuracy->reference.top1.correct, 120);
  EXPECT_TRUE(result.loss.has_simulation);
  EXPECT_GT(result.loss.simulation_sqnr_db, 30);
  // The worst layer is named all the same, with what it costs or that this is not known.
  EXPECT_THAT(result.verdict.sentence, ::testing::StartsWith("No layer stands out: the scores' error is "));
  EXPECT_GE(result.verdict.layer, 0);
  if (result.verdict.recovered.has_value()) {
    EXPECT_GT(*result.verdict.recovered, result.verdict.recovered_margin.value());
  }
}

TEST_P(CompareTest, NamesWideRange) {
  for (const char* layer : {"stem/Relu", "block/pointwise", "top/Relu"}) {
    Quantizer q = clean_;
    q.stretch[layer] = 16;
    const CompareResult result = Run(q);
    EXPECT_EQ(result.verdict.cause, Cause::kRangeTooWide) << layer << ": " << result.verdict.sentence;
    EXPECT_EQ(Layer(result), layer) << result.verdict.sentence;
    EXPECT_GT(result.verdict.recovered.value_or(0), 0.1) << layer;
  }
}

TEST_P(CompareTest, NamesNarrowRange) {
  for (const char* layer : {"stem/Relu", "block/depthwise", "down/Relu", "logits"}) {
    Quantizer q = clean_;
    q.stretch[layer] = 0.3;
    const CompareResult result = Run(q);
    EXPECT_EQ(result.verdict.cause, Cause::kRangeTooNarrow) << layer << ": " << result.verdict.sentence;
    EXPECT_EQ(Layer(result), layer) << result.verdict.sentence;
    EXPECT_GT(result.verdict.recovered.value_or(0), 0.5) << layer;
  }
}

TEST_P(CompareTest, NamesZeroBias) {
  for (const char* layer : {"stem/Relu", "block/pointwise", "logits"}) {
    Quantizer q = clean_;
    q.zero_bias[layer] = true;
    const CompareResult result = Run(q);
    EXPECT_EQ(result.verdict.cause, Cause::kBiasDiffers) << layer << ": " << result.verdict.sentence;
    EXPECT_EQ(Layer(result), layer) << result.verdict.sentence;
  }
}

TEST_P(CompareTest, NamesScaledChannel) {
  Quantizer q = clean_;
  q.change_weights = [](const testing::Layer& layer, std::vector<float>& w) {
    if (layer.name != "down/Relu") return;
    for (size_t i = 0; i < 9 * 12; ++i) w[3 * 9 * 12 + i] *= 4;
  };
  const CompareResult result = Run(q);
  EXPECT_EQ(result.verdict.cause, Cause::kWeightChannelScale) << result.verdict.sentence;
  EXPECT_EQ(Layer(result), "down/Relu");
  EXPECT_THAT(result.verdict.sentence, ::testing::HasSubstr("weights of channel 3 are "));
}

TEST_P(CompareTest, NamesManyScaledChannels) {
  Quantizer q = clean_;
  q.change_weights = [](const testing::Layer& layer, std::vector<float>& w) {
    if (layer.name != "top/Relu") return;
    for (size_t i = 0; i < w.size(); ++i) w[i] *= i / (9 * 16) % 2 == 0 ? 2.6F : 1.0F;
  };
  const CompareResult result = Run(q);
  EXPECT_EQ(result.verdict.cause, Cause::kWeightChannelScale) << result.verdict.sentence;
  EXPECT_EQ(Layer(result), "top/Relu");
  EXPECT_THAT(result.verdict.sentence, ::testing::ContainsRegex("weights of 8 of 16 channels are 2\\.[56]"));
}

TEST_P(CompareTest, NamesChangedWeights) {
  Quantizer q = clean_;
  q.change_weights = [](const testing::Layer& layer, std::vector<float>& w) {
    if (layer.name != "top/Relu") return;
    Random random(7);
    for (float& x : w) x += static_cast<float>(0.1 * random.Normal());
  };
  const CompareResult result = Run(q);
  EXPECT_EQ(result.verdict.cause, Cause::kWeightsDiffer) << result.verdict.sentence;
  EXPECT_EQ(Layer(result), "top/Relu");
}

TEST_P(CompareTest, NamesInputOfAnotherRange) {
  const CompareResult result = Run(BuildModel(net_, &clean_), ParsePreprocess("scale=0.25"));
  EXPECT_EQ(result.verdict.cause, Cause::kInputRange) << result.verdict.sentence;
  EXPECT_EQ(result.verdict.layer, -1);
  EXPECT_GT(result.verdict.recovered.value_or(0), 0.5);
}

TEST_P(CompareTest, NamesInvertedInput) {
  const CompareResult result = Run(BuildModel(net_, &clean_), ParsePreprocess("scale=-1,offset=1"));
  EXPECT_EQ(result.verdict.cause, Cause::kInputInverted) << result.verdict.sentence;
}

TEST_P(CompareTest, NamesShiftedLabels) {
  // The last layer's rows move by two places.
  Network shifted = net_;
  testing::Layer& last = shifted.layers.back();
  std::rotate(last.w.begin(), last.w.begin() + 2 * 16, last.w.end());
  std::rotate(last.b.begin(), last.b.begin() + 2, last.b.end());
  const CompareResult result = Run(BuildModel(shifted, &clean_));
  EXPECT_EQ(result.verdict.cause, Cause::kLabelShift) << result.verdict.sentence;
  EXPECT_GT(result.verdict.recovered.value_or(0), 0.9);
}

TEST_P(CompareTest, SaysThatTheTwoWereTrainedApart) {
  const Network other = MakeNetwork(GetParam() + 77);
  const Quantizer q = Calibrate(other, 100);
  const CompareResult result = Run(BuildModel(other, &q));
  EXPECT_EQ(result.verdict.cause, Cause::kTrainedApart) << result.verdict.sentence;
  EXPECT_TRUE(result.self_reference);
  // Quantization changes few answers; what is lost is lost by training.
  ASSERT_TRUE(result.float_form.has_value());
  EXPECT_EQ(result.float_form->samples, 120);
  EXPECT_EQ(result.float_form->model_correct, result.accuracy->model.top1.correct);
  EXPECT_EQ(result.float_form->correct - result.float_form->model_correct,
            result.float_form->only_float - result.float_form->only_model);
  EXPECT_GT(result.float_form->mcnemar_p, 0.01);
  EXPECT_THAT(result.verdict.sentence, ::testing::HasSubstr("points through training and by "));
}

TEST_P(CompareTest, SaysThatManyRangesClipAndHowMuchTheyCostTogether) {
  Quantizer q = clean_;
  for (const char* layer : {"stem/Relu", "block/depthwise", "block/pointwise", "down/Relu", "top/Relu"}) {
    q.stretch[layer] = 0.6;
  }
  const CompareResult result = Run(q);
  EXPECT_GE(result.loss.clipping, 4);
  ASSERT_TRUE(result.loss.recovered_by_clipping.has_value());
  EXPECT_GT(*result.loss.recovered_by_clipping, 0.8);
  EXPECT_LT(*result.loss.recovered_by_clipping_margin, 0.2);
  for (const LayerResult& layer : result.layers) {
    EXPECT_LT(layer.recovered.value_or(0), *result.loss.recovered_by_clipping) << layer.name;
  }
  EXPECT_GE(result.verdict.layer, 0) << result.verdict.sentence;
  EXPECT_THAT(result.verdict.sentence, ::testing::HasSubstr("clip"));
}

TEST_P(CompareTest, MatchesByStructureWhereNamesDiffer) {
  const CompareResult result = Run(clean_, "/other_converter");
  EXPECT_EQ(result.matched, 7);
  EXPECT_EQ(result.layers[0].match, MatchKind::kStructure);
  EXPECT_EQ(result.verdict.cause, Cause::kNone) << result.verdict.sentence;
}

TEST_P(CompareTest, FindsWhatTheLabelsSayOfInputsThatBothShare) {
  CompareRequest request;
  request.reference = {
      .path = "float", .model = BuildModel(net_), .dump = {}, .pipeline = ParsePreprocess("scale=-1,offset=1")};
  request.model = {
      .path = "int8", .model = BuildModel(net_, &clean_), .dump = {}, .pipeline = request.reference.pipeline};
  request.dataset = data_.get();
  request.label_offset = 0;
  const CompareResult result = Compare(request);
  EXPECT_EQ(result.verdict.cause, Cause::kInputInverted) << result.verdict.sentence;
  EXPECT_THAT(result.verdict.sentence, ::testing::HasSubstr("Both sides get wrong inputs: with the input inverted"));
}

TEST_P(CompareTest, FindsPicturesThatAreTurnedForBoth) {
  CompareRequest request;
  request.reference = {.path = "float", .model = BuildModel(net_), .dump = {}, .pipeline = {}};
  request.model = {.path = "int8", .model = BuildModel(net_, &clean_), .dump = {}, .pipeline = {}};
  request.label_offset = 0;
  const NamedArrays arrays = ReadNpz(path_);
  constexpr int kSide = testing::kSide;
  const auto run = [&](const std::function<int(int, int)>& from) {  // (y, x) to the old pixel; -1: none
    NamedArrays changed = arrays;
    for (auto& [name, array] : changed) {
      if (name != "x") continue;
      const auto values = array.values<float>();
      const std::vector<float> old(values.begin(), values.end());
      for (size_t i = 0; i < old.size(); ++i) {
        const int pixel = static_cast<int>(i % (kSide * kSide));
        const int source = from(pixel / kSide, pixel % kSide);
        values[i] = source < 0 ? 0.0F : old[i - static_cast<size_t>(pixel) + static_cast<size_t>(source)];
      }
    }
    WriteNpz(path_, changed);
    const auto dataset = data::OpenNpz(path_);
    request.dataset = dataset.get();
    return Compare(request);
  };
  CompareResult result = run([](int y, int x) { return x * kSide + y; });
  EXPECT_EQ(result.verdict.cause, Cause::kInputTransposed) << result.verdict.sentence;
  result = run([](int y, int x) { return (kSide - 1 - y) * kSide + x; });
  EXPECT_EQ(result.verdict.cause, Cause::kInputFlipped) << result.verdict.sentence;
}

TEST_P(CompareTest, FindsLabelsThatAreShiftedForBoth) {
  CompareRequest request;
  request.reference = {.path = "float", .model = BuildModel(net_), .dump = {}, .pipeline = {}};
  request.model = {.path = "int8", .model = BuildModel(net_, &clean_), .dump = {}, .pipeline = {}};
  NamedArrays arrays = ReadNpz(path_);
  for (auto& [name, array] : arrays) {
    if (name != "y") continue;
    for (int64_t& label : array.values<int64_t>()) label = (label + 1) % testing::kClasses;
  }
  WriteNpz(path_, arrays);
  const auto shifted = data::OpenNpz(path_);
  request.dataset = shifted.get();
  request.label_offset = 0;
  const CompareResult result = Compare(request);
  EXPECT_EQ(result.verdict.cause, Cause::kLabelShift) << result.verdict.sentence;
  EXPECT_THAT(result.verdict.sentence, ::testing::HasSubstr("shifted for both sides"));
}

TEST_P(CompareTest, ADumpOfTheSameModelIsEqualToTheBit) {
  const auto model = BuildModel(net_, &clean_);
  runtime::RunRequest run;
  run.all_tensors = true;
  CompareRequest request;
  request.reference = {
      .path = "dump.npz", .model = nullptr, .dump = runtime::RunModel(model, run).arrays, .pipeline = {}};
  request.model = {.path = "int8", .model = model, .dump = {}, .pipeline = {}};
  EXPECT_THAT(Compare(request).verdict.sentence, ::testing::HasSubstr("equal to the bit"));

  // One value of one tensor changes: the op behind it is named, wherever the dump stands.
  const graph::Subgraph& graph = model->subgraphs[0];
  const int32_t changed = graph.operators[2].outputs[0];
  for (auto& [key, array] : request.reference.dump) {
    if (key == fmt::format("tensor/{}", changed)) array.values<int8_t>()[5] ^= 0x40;
  }
  for (int turn = 0; turn < 2; ++turn) {
    const CompareResult result = Compare(request);
    EXPECT_EQ(result.verdict.cause, Cause::kKernelDiffers) << result.verdict.sentence;
    EXPECT_EQ(Layer(result), "block/pointwise");
    std::swap(request.reference, request.model);
  }
}

TEST_P(CompareTest, ResultsDoNotDependOnThreads) {
  Quantizer q = clean_;
  q.stretch["top/Relu"] = 0.4;
  CompareRequest request;
  request.reference = {.path = "float", .model = BuildModel(net_), .dump = {}, .pipeline = {}};
  request.model = {.path = "int8", .model = BuildModel(net_, &q), .dump = {}, .pipeline = {}};
  request.dataset = data_.get();
  const CompareResult one = Compare(request);
  request.threads = 3;
  const CompareResult three = Compare(request);
  EXPECT_EQ(one.verdict.sentence, three.verdict.sentence);
  ASSERT_EQ(one.layers.size(), three.layers.size());
  for (size_t i = 0; i < one.layers.size(); ++i) {
    EXPECT_EQ(one.layers[i].accumulated->sqnr_db, three.layers[i].accumulated->sqnr_db);
    EXPECT_EQ(one.layers[i].local->sqnr_db, three.layers[i].local->sqnr_db);
    EXPECT_EQ(one.layers[i].recovered, three.layers[i].recovered);
  }
}

TEST_P(CompareTest, RandomInputsAndInterruption) {
  CompareRequest request;
  request.reference = {.path = "float", .model = BuildModel(net_), .dump = {}, .pipeline = {}};
  request.model = {.path = "int8", .model = BuildModel(net_, &clean_), .dump = {}, .pipeline = {}};
  const CompareResult result = Compare(request);
  EXPECT_TRUE(result.inputs_are_random);
  EXPECT_FALSE(result.accuracy.has_value());
  std::atomic<bool> cancelled = true;
  request.options.cancelled = &cancelled;
  try {
    Compare(request);
    FAIL() << "not interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CompareTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace assay::compare
