#include "compare/same_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "compare/test_delegate.h"
#include "compare/test_networks.h"

namespace assay::compare {
namespace {

using testing::BuildModel;
using testing::Calibrate;
using ::testing::HasSubstr;
using testing::MakeNetwork;
using testing::Network;
using testing::Other;
using testing::Quantizer;

class SameModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Network net = MakeNetwork(1);
    const Quantizer quantizer = Calibrate(net, 200);
    int8_ = BuildModel(net, &quantizer);
    float_ = BuildModel(net);
    path_ = std::filesystem::temp_directory_path() / fmt::format("assay_same_model_{}.npz", ::getpid());
    testing::WriteData(net, 40, path_);
    data_ = data::OpenNpz(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // The model by `other` and by our kernels.
  CompareResult Run(const std::shared_ptr<const graph::Model>& model, const Other& other, bool with_data = true) const {
    CompareRequest request;
    request.reference.model = request.model.model = model;
    request.reference.delegate = std::make_shared<Other>(other);
    request.dataset = with_data ? data_.get() : nullptr;
    request.threads = 2;
    request.label_offset = 0;
    request.layer_samples = 8;
    return Compare(request);
  }

  std::shared_ptr<const graph::Model> int8_, float_;
  std::string path_;
  std::unique_ptr<data::Dataset> data_;
};

TEST_F(SameModelTest, TheSameArithmeticIsEqualToTheBit) {
  const CompareResult result = Run(int8_, Other("xnnpack"));
  EXPECT_THAT(result.verdict.sentence, HasSubstr("every tensor is equal to the bit"));
  EXPECT_EQ(result.layer_samples, 8U);
  EXPECT_EQ(result.unmatched, 0);
  ASSERT_TRUE(result.accuracy.has_value());
  EXPECT_EQ(result.accuracy->agreeing, 40);
  EXPECT_THAT(Run(float_, Other("xnnpack"), /*with_data=*/false).verdict.sentence, HasSubstr("equal to the bit"));
}

TEST_F(SameModelTest, NamesTheOpThatComputesOtherwise) {
  for (const int op : {0, 2, 4}) {
    const CompareResult result = Run(int8_, Other("xnnpack", op));
    EXPECT_EQ(result.verdict.cause, Cause::kKernelDiffers) << result.verdict.sentence;
    ASSERT_GE(result.verdict.layer, 0);
    EXPECT_EQ(result.layers[static_cast<size_t>(result.verdict.layer)].op_index, op) << result.verdict.sentence;
    EXPECT_EQ(result.worst.size(), 1U) << "what follows computes right from wrong values";
  }
}

TEST_F(SameModelTest, NamesTheProfileThatGivesTheSame) {
  const CompareResult result = Run(int8_, Other("reference"));
  EXPECT_THAT(result.verdict.sentence, HasSubstr("the profile reference@2.3.0 gives other's values to the bit"));
}

TEST_F(SameModelTest, TheModelInQuestionMayBeComputedByTheOtherRuntime) {
  CompareRequest request;
  request.reference = {.path = "float", .model = float_, .dump = {}, .pipeline = {}};
  request.model = {.path = "int8", .model = int8_, .dump = {}, .pipeline = {}};
  request.dataset = data_.get();
  request.label_offset = 0;
  const CompareResult ours = Compare(request);
  request.model.delegate = std::make_shared<Other>("xnnpack");
  const CompareResult same = Compare(request);
  EXPECT_EQ(same.verdict.sentence, ours.verdict.sentence);
  request.model.delegate = std::make_shared<Other>("xnnpack", 3);
  const CompareResult faulty = Compare(request);
  ASSERT_EQ(faulty.layers.size(), ours.layers.size());
  EXPECT_EQ(faulty.layers[2].accumulated->sqnr_db, ours.layers[2].accumulated->sqnr_db);
  EXPECT_LT(faulty.layers[3].accumulated->sqnr_db, ours.layers[3].accumulated->sqnr_db - 3);
}

}  // namespace
}  // namespace assay::compare
