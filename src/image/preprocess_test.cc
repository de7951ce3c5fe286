#include "image/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(auto&& call, ErrorCode code) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

std::string UsageErrorOf(std::string_view spec) {
  return ErrorOf([&] { ParsePreprocess(spec); }, ErrorCode::kUsage);
}

Array Picture(int32_t height, int32_t width, int32_t channels, const std::vector<uint8_t>& pixels) {
  Array array(DType::kUInt8, Shape{height, width, channels});
  std::copy(pixels.begin(), pixels.end(), array.values<uint8_t>().begin());
  return array;
}

std::vector<float> Floats(const Array& array) {
  const auto values = array.values<float>();
  return {values.begin(), values.end()};
}

std::vector<int> Pixels(const Array& array) {
  const auto values = array.values<uint8_t>();
  return {values.begin(), values.end()};
}

TEST(ParsePreprocess, CanonicalFormReadsBackEqual) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"decode=pillow", "decode=pillow"},
      {"crop=.875,resize=224x160:opencv-linear", "crop=0.875,resize=224x160:opencv-linear"},
      {"crop=200x100", "crop=200x100"},
      {"resize=short:256:opencv-area,color=bgr", "resize=short:256:opencv-area,color=bgr"},
      {"scale=1/255", "scale=1/255"},
      {"scale=0.00392156862745098", "scale=1/255"},
      {"scale=0.00784313725490196", "scale=1/127.5"},
      {"scale=0,offset=-0", "scale=0,offset=-0"},
      {"scale=0.5,shift=-1", "scale=0.5,offset=-1"},
      {"mean=123.68:116.779:103.939,std=58.4:57.12:57.38", "mean=123.68:116.779:103.939,std=58.4:57.12:57.38"},
      {"scale=+2e0,offset=-10/4", "scale=2,offset=-2.5"},
      {"scale=-1/128", "scale=-1/128"},
  };
  for (const auto& [text, canonical] : cases) {
    const Pipeline pipeline = ParsePreprocess(text);
    EXPECT_EQ(pipeline.ToString(), canonical);
    EXPECT_EQ(ParsePreprocess(canonical), pipeline) << text;
  }
}

TEST(ParsePreprocess, EveryResizeMethodReadsBack) {
  for (const std::string& name : ResizeMethodNames()) {
    EXPECT_EQ(ParseResizeMethod(name).ToString(), name);
    EXPECT_EQ(ParsePreprocess("resize=8x9:" + name).ToString(), "resize=8x9:" + name);
  }
}

TEST(ParsePreprocess, NamesWhatIsUnknownAndTheNearestKnown) {
  EXPECT_THAT(UsageErrorOf("croop=0.5"), HasSubstr("unknown preprocessing step 'croop' (did you mean 'crop'?)"));
  EXPECT_THAT(UsageErrorOf("decode=pilow"), HasSubstr("'pilow' (did you mean 'pillow'?)"));
  EXPECT_THAT(UsageErrorOf("resize=8x8:opencv-linea"), HasSubstr("'opencv-linea' (did you mean 'opencv-linear'?)"));
  EXPECT_THAT(UsageErrorOf("color=gray"), HasSubstr("'gray' (did you mean 'grey'?)"));
}

TEST(ParsePreprocess, RefusesWhatMakesNoSense) {
  for (const char* spec : {",",
                           "crop",
                           "crop=",
                           "crop=0",
                           "crop=1.5",
                           "crop=nan",
                           "crop=0x5",
                           "crop=99999x5",
                           "crop=5x",
                           "resize=8x8",
                           "resize=8:opencv-linear",
                           "resize=short:0:opencv-linear",
                           "resize=long:8:opencv-linear",
                           "resize=-8x8:opencv-linear",
                           "scale=",
                           "scale=1/0",
                           "scale=inf",
                           "scale=nan",
                           "scale=1e39",
                           "scale=1:",
                           "scale=abc",
                           "scale=1/2/3",
                           "std=0",
                           "std=1:0:1",
                           "std=1e-60",
                           "decode=opencv,decode=opencv",
                           "crop=0.5,decode=opencv",
                           "color=grey,color=rgb",
                           "decode=pillow,scale=2,color=grey",
                           "scale=1 ",
                           " scale=1",
                           "scale=0x10"}) {
    EXPECT_FALSE(UsageErrorOf(spec).empty()) << spec;
  }
}

TEST(ApplyPreprocess, StaysInBytesUntilTheFirstRealStep) {
  const Array picture = Picture(2, 2, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Array bytes = ApplyPreprocess(ParsePreprocess("crop=1x2,color=bgr"), picture);
  EXPECT_EQ(bytes.shape(), (Shape{2, 1, 3}));
  EXPECT_THAT(Pixels(bytes), ElementsAre(3, 2, 1, 9, 8, 7));
  const Array reals = ApplyPreprocess(ParsePreprocess("crop=1x1,scale=1/255,mean=0.5:0.25:0.125,std=2"), picture);
  const float inverse = 1.0F / 255.0F;
  EXPECT_THAT(Floats(reals),
              ElementsAre((1 * inverse - 0.5F) / 2, (2 * inverse - 0.25F) / 2, (3 * inverse - 0.125F) / 2));
}

TEST(ApplyPreprocess, RoundsEachStepOnce) {
  // 3 * (1/3) rounds to exactly 1 in float32 only when the product is rounded before the subtraction.
  const Array picture = Picture(1, 1, 1, {3});
  EXPECT_THAT(Floats(ApplyPreprocess(ParsePreprocess("scale=1/3,offset=-1"), picture)), ElementsAre(0.0F));
}

TEST(ApplyPreprocess, PicksTheCropLikePython) {
  std::vector<uint8_t> pixels(7 * 5);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i);
  // int(0.6 * 5) = 3 rows from (5 - 3) // 2 = 1; int(0.6 * 7) = 4 columns from (7 - 4) // 2 = 1.
  const Array cropped = ApplyPreprocess(ParsePreprocess("crop=0.6"), Picture(5, 7, 1, pixels));
  EXPECT_THAT(Pixels(cropped), ElementsAre(8, 9, 10, 11, 15, 16, 17, 18, 22, 23, 24, 25));
}

TEST(ApplyPreprocess, ShorterSideKeepsTheAspect) {
  const Array wide = Array(DType::kUInt8, Shape{100, 333, 3});
  EXPECT_EQ(ApplyPreprocess(ParsePreprocess("resize=short:64:opencv-linear"), wide).shape(), (Shape{64, 213, 3}));
  const Array tall = Array(DType::kUInt8, Shape{333, 100, 3});
  EXPECT_EQ(ApplyPreprocess(ParsePreprocess("resize=short:64:opencv-area"), tall).shape(), (Shape{213, 64, 3}));
}

TEST(ApplyPreprocess, RealStepsWorkOnAnyArray) {
  Array features(DType::kInt8, Shape{1, 2, 1, 2});
  const auto values = features.values<int8_t>();
  std::copy_n(std::vector<int8_t>{-128, 0, 5, 127}.begin(), 4, values.begin());
  EXPECT_THAT(Floats(ApplyPreprocess(ParsePreprocess("shift=-83,scale=0.5"), features)),
              ElementsAre(-105.5F, -41.5F, -39.0F, 22.0F));
  EXPECT_THAT(Floats(ApplyPreprocess(ParsePreprocess("std=2:4"), features)), ElementsAre(-64.0F, 0.0F, 2.5F, 31.75F));
}

TEST(ApplyPreprocess, RefusesWhatDoesNotFit) {
  const Array picture(DType::kUInt8, Shape{4, 6, 3});
  const auto error_of = [](const char* spec, const Array& array) {
    return ErrorOf([&] { ApplyPreprocess(ParsePreprocess(spec), array); }, ErrorCode::kInput);
  };
  EXPECT_THAT(error_of("crop=7x2", picture), HasSubstr("crop of 7x2 does not fit a picture of 6x4"));
  EXPECT_THAT(error_of("crop=0.1", picture), HasSubstr("crop of 0x0"));
  EXPECT_THAT(error_of("mean=1:2", picture), HasSubstr("2 values for 3 channels"));
  EXPECT_THAT(error_of("color=bgr", Array(DType::kUInt8, Shape{4, 6, 1})), HasSubstr("three channels"));
  EXPECT_THAT(error_of("crop=0.5", Array(DType::kInt8, Shape{4, 6, 3})), HasSubstr("int8"));
  EXPECT_THAT(error_of("crop=0.5", Array(DType::kUInt8, Shape{4, 6})), HasSubstr("[4,6]"));
  EXPECT_THAT(error_of("resize=short:32768:opencv-nearest", Array(DType::kUInt8, Shape{1, 32768, 1})),
              HasSubstr("exceeds"));
}

}  // namespace
}  // namespace assay
