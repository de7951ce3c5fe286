#include <gtest/gtest.h>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

// max_detections 3, max_classes_per_detection 1, num_classes 2, nms_score_threshold 0.25, nms_iou_threshold 0.5, scales
// 1, use_regular_nms true.
const std::vector<uint8_t> kOptions = {
    0x6d, 0x61, 0x78, 0x5f, 0x64, 0x65, 0x74, 0x65, 0x63, 0x74, 0x69, 0x6f, 0x6e, 0x73, 0x00, 0x6d, 0x61, 0x78, 0x5f,
    0x63, 0x6c, 0x61, 0x73, 0x73, 0x65, 0x73, 0x5f, 0x70, 0x65, 0x72, 0x5f, 0x64, 0x65, 0x74, 0x65, 0x63, 0x74, 0x69,
    0x6f, 0x6e, 0x00, 0x6e, 0x75, 0x6d, 0x5f, 0x63, 0x6c, 0x61, 0x73, 0x73, 0x65, 0x73, 0x00, 0x6e, 0x6d, 0x73, 0x5f,
    0x73, 0x63, 0x6f, 0x72, 0x65, 0x5f, 0x74, 0x68, 0x72, 0x65, 0x73, 0x68, 0x6f, 0x6c, 0x64, 0x00, 0x6e, 0x6d, 0x73,
    0x5f, 0x69, 0x6f, 0x75, 0x5f, 0x74, 0x68, 0x72, 0x65, 0x73, 0x68, 0x6f, 0x6c, 0x64, 0x00, 0x79, 0x5f, 0x73, 0x63,
    0x61, 0x6c, 0x65, 0x00, 0x78, 0x5f, 0x73, 0x63, 0x61, 0x6c, 0x65, 0x00, 0x68, 0x5f, 0x73, 0x63, 0x61, 0x6c, 0x65,
    0x00, 0x77, 0x5f, 0x73, 0x63, 0x61, 0x6c, 0x65, 0x00, 0x75, 0x73, 0x65, 0x5f, 0x72, 0x65, 0x67, 0x75, 0x6c, 0x61,
    0x72, 0x5f, 0x6e, 0x6d, 0x73, 0x00, 0x0a, 0x21, 0x7e, 0x8e, 0x46, 0x5b, 0x68, 0x17, 0x20, 0x31, 0x3a, 0x00, 0x00,
    0x0c, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x3f, 0x01, 0x00, 0x00,
    0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3f, 0x00, 0x00, 0x80, 0x3e, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x80, 0x3f, 0x01, 0x00, 0x00, 0x00, 0x0e, 0x06, 0x06, 0x0e, 0x0e,
    0x06, 0x6a, 0x0e, 0x0e, 0x06, 0x32, 0x26, 0x01};

// Three unit boxes around the anchors: the second overlaps the first by 0.8, the third lies apart.
OneOpModel Detector(const std::vector<uint8_t>& options, std::vector<float> scores, Shape scores_shape = {1, 3, 2}) {
  OneOpModel model("TFLite_Detection_PostProcess", options);
  model.Input<float>({1, 3, 4}, std::vector<float>(12, 0)).Input<float>(std::move(scores_shape), scores);
  model.Constant<float>({3, 4}, {0.5F, 0.5F, 1, 1, 0.6F, 0.5F, 1, 1, 5, 5, 1, 1});
  for (int i = 0; i < 4; ++i) model.Output(DType::kFloat32);
  return model;
}

std::vector<float> Values(const Array& array) {
  const auto values = array.values<float>();
  return {values.begin(), values.end()};
}

TEST(DetectionPostprocess, SuppressesWithinAClassAndSortsAcross) {
  const auto out = Detector(kOptions, {0.9F, 0.1F, 0.8F, 0.3F, 0.1F, 0.7F}).RunAll();
  EXPECT_EQ(Values(out[3]), (std::vector<float>{3}));
  EXPECT_EQ(Values(out[2]), (std::vector<float>{0.9F, 0.7F, 0.3F}));  // 0.8 is too close to 0.9
  EXPECT_EQ(Values(out[1]), (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(Values(out[0]), (std::vector<float>{0, 0, 1, 1, 4.5F, 4.5F, 5.5F, 5.5F, 0.6F - 0.5F, 0, 1.1F, 1}));
}

TEST(DetectionPostprocess, OfEqualScoresTheFirstClassComesFirstButNotIn2024) {
  const auto model = Detector(kOptions, {0.5F, 0.5F, 0.1F, 0.1F, 0.1F, 0.5F});
  EXPECT_EQ(Values(model.RunAll("reference")[1]), (std::vector<float>{0, 1, 1}));
  EXPECT_EQ(Values(model.RunAll("reference-2024")[1]), (std::vector<float>{1, 1, 0}));
}

TEST(DetectionPostprocess, FillsUpWithZeros) {
  const auto out = Detector(kOptions, {0.2F, 0.1F, 0.8F, 0.2F, 0.1F, 0.1F}).RunAll();
  EXPECT_EQ(Values(out[3]), (std::vector<float>{1}));
  EXPECT_EQ(Values(out[2]), (std::vector<float>{0.8F, 0, 0}));
}

TEST(DetectionPostprocess, ABackgroundClassIsPassedOver) {
  const auto out = Detector(kOptions, {1, 0.9F, 0.1F, 1, 0.1F, 0.1F, 1, 0.1F, 0.1F}, {1, 3, 3}).RunAll();
  EXPECT_EQ(Values(out[3]), (std::vector<float>{1}));
  EXPECT_EQ(Values(out[1])[0], 0);
}

TEST(DetectionPostprocess, RefusesWhatCannotBe) {
  const std::vector<float> scores(6, 0.5F);
  EXPECT_EQ(Detector(kOptions, scores).Message(), "");
  EXPECT_NE(Detector({}, scores).Message().find("custom options: 0 bytes"), std::string::npos);
  EXPECT_NE(
      Detector(kOptions, std::vector<float>(12, 0.5F), {1, 3, 4}).Message().find("4 classes, expected 2 or one more"),
      std::string::npos);
  OneOpModel model("TFLite_Detection_PostProcess", kOptions);
  model.Input<float>({1, 1, 4}, {0, 0, 0, 0}).Input<float>({1, 1, 2}, {1, 1}).Constant<float>({1, 4}, {0, 0, -1, 1});
  for (int i = 0; i < 4; ++i) model.Output(DType::kFloat32);
  EXPECT_NE(model.Message().find("box 0 is inside out"), std::string::npos);
}

TEST(DetectionPostprocess, AnyOptionsRunOrAreRefused) {
  const std::vector<float> scores = {0.9F, 0.1F, 0.8F, 0.3F, 0.1F, 0.7F};
  size_t refused = 0;
  for (size_t at = 0; at < kOptions.size(); ++at) {
    for (const uint8_t value : {0x00, 0x01, 0x24, 0x7F, 0x80, 0xFF}) {
      std::vector<uint8_t> options = kOptions;
      options[at] = value;
      refused += Detector(options, scores).Message().empty() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 50U);
}

}  // namespace
}  // namespace assay::runtime
