#include "compare/samples.h"

#include <gtest/gtest.h>

#include "compare/layer_errors.h"
#include "compare/match.h"
#include "compare/test_delegate.h"
#include "compare/test_networks.h"

namespace assay::compare {
namespace {

using testing::BuildModel;
using testing::Calibrate;
using testing::MakeNetwork;
using testing::Network;
using testing::Other;
using testing::PictureArray;
using testing::Quantizer;

constexpr size_t kSamples = 23;

class SamplesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    net_ = MakeNetwork(1);
    const Quantizer quantizer = Calibrate(net_, 50);
    float_ = BuildModel(net_);
    int8_ = BuildModel(net_, &quantizer);
  }

  Study NewStudy(int threads) const {
    Study study;
    study.reference = float_;
    study.model = int8_;
    study.matches = MatchTensors(*float_, *int8_);
    study.threads = threads;
    PrepareStudy(study, testing::kClasses);
    return study;
  }

  FillBoth Fill() const {
    return [this](size_t i, runtime::Interpreter& reference, runtime::Interpreter& model) {
      const Array picture = PictureArray(net_.seed, i);
      reference.SetInput(0, picture);
      model.SetInput(0, model.InputDetails(0).dtype == DType::kFloat32
                            ? picture
                            : StoreAs(picture.values<float>(), int8_->subgraphs[0].tensors[0], picture.shape()));
    };
  }

  Network net_;
  std::shared_ptr<const graph::Model> float_, int8_;
};

// `ideal`: the layers of the kept samples alone.
void ExpectSameLayers(const std::vector<LayerResult>& actual, const std::vector<LayerResult>& expected,
                      const std::vector<LayerResult>& ideal) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const LayerResult &a = actual[i], &e = expected[i];
    ASSERT_TRUE(a.accumulated.has_value() && e.accumulated.has_value()) << i;
    ASSERT_TRUE(a.local.has_value() && e.local.has_value()) << i;
    EXPECT_EQ(a.accumulated->values, e.accumulated->values) << i;
    EXPECT_EQ(a.accumulated->sqnr_db, e.accumulated->sqnr_db) << i;
    EXPECT_EQ(a.accumulated->cosine, e.accumulated->cosine) << i;
    EXPECT_EQ(a.local->sqnr_db, e.local->sqnr_db) << i;
    EXPECT_EQ(a.ideal_sqnr_db, ideal[i].ideal_sqnr_db) << i;
    EXPECT_EQ(a.excess_db(), ideal[i].excess_db()) << i;
    EXPECT_EQ(a.histogram.reference, e.histogram.reference) << i;
    EXPECT_EQ(a.histogram.model, e.histogram.model) << i;
    ASSERT_EQ(a.range.has_value(), e.range.has_value()) << i;
    if (!e.range.has_value()) continue;
    EXPECT_EQ(a.range->clipped_high, e.range->clipped_high) << i;
    EXPECT_EQ(a.range->levels_used, e.range->levels_used) << i;
    EXPECT_EQ(a.range->reference_p999, e.range->reference_p999) << i;
    EXPECT_EQ(a.range->needed_scale, e.range->needed_scale) << i;
  }
}

TEST_F(SamplesTest, LayersAreTheSameWhetherSamplesAreKeptOrPass) {
  Study whole = NewStudy(1);
  RunSamples(whole, kSamples, uint64_t{1} << 30, Fill());
  ASSERT_EQ(whole.traces.size(), kSamples);
  const std::vector<LayerResult> expected = MeasureLayers(whole, ObserveReference(whole), {}, kSamples);
  const uint64_t bytes =
      whole.traces[0].reference.bytes() + whole.traces[0].model.bytes() + whole.traces[0].simulated.bytes();
  Study kept = NewStudy(1);
  RunSamples(kept, 4, uint64_t{1} << 30, Fill());
  const std::vector<LayerResult> ideal = MeasureLayers(kept, ObserveReference(kept), {}, 4);
  for (const int threads : {1, 3}) {
    for (const bool watched : {true, false}) {
      Study few = NewStudy(threads);
      // A runtime whose ops cannot be watched is asked for its tensors.
      if (!watched) few.reference_delegate = std::make_shared<Other>("xnnpack");
      RunSamples(few, kSamples, 4 * bytes, Fill());
      ASSERT_EQ(few.traces.size(), 4U);
      const FurtherSamples further = SamplesBeyond(few, kSamples, 5 * bytes, Fill());
      ExpectSameLayers(MeasureLayers(few, ObserveReference(few), further, kSamples), expected, ideal);
    }
  }
}

TEST_F(SamplesTest, AnInterruptEndsThem) {
  Study study = NewStudy(2);
  std::atomic<bool> cancelled = false;
  study.options.cancelled = &cancelled;
  RunSamples(study, 2, uint64_t{1} << 30, Fill());
  const FurtherSamples further = SamplesBeyond(study, kSamples, 1, Fill());
  int blocks = 0;
  EXPECT_THROW(further([&](std::span<const SampleTrace>) { cancelled = ++blocks == 3; }), Error);
  EXPECT_EQ(blocks, 3);
}

}  // namespace
}  // namespace assay::compare
