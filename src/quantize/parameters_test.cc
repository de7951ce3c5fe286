#include "quantize/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/real_values.h"

namespace assay::quantize {
namespace {

using testing::ElementsAre;

template <typename T>
std::vector<T> Values(const graph::Constant& constant) {
  const auto* data = reinterpret_cast<const T*>(constant.bytes().data());
  return {data, data + constant.bytes().size() / sizeof(T)};
}

// Scales and zero points that TensorFlow 2.21 wrote for these ranges (ResNet-8 and MobileNet inputs and layers).
TEST(ActivationCodesTest, AreTheConvertersOnes) {
  const Codes pixels = ActivationCodes({0, 255}, DType::kInt8);
  EXPECT_EQ(pixels.quantization.scale[0], 1.0F);
  EXPECT_EQ(pixels.quantization.zero_point[0], -128);
  const Codes symmetric = ActivationCodes({-1, 1}, DType::kInt8);
  EXPECT_EQ(symmetric.quantization.scale[0], 2.0F / 255.0F);
  EXPECT_EQ(symmetric.quantization.zero_point[0], -1);
  const Codes six = ActivationCodes({0, 6}, DType::kInt8);
  EXPECT_EQ(six.quantization.scale[0], 6.0F / 255.0F);
  EXPECT_EQ(six.quantization.zero_point[0], -128);
}

TEST(ActivationCodesTest, TheRangeIsWidenedToHoldZero) {
  const Codes above = ActivationCodes({3, 5.1F}, DType::kInt8);
  EXPECT_EQ(above.quantization.scale[0], 5.1F / 255.0F);
  EXPECT_EQ(above.quantization.zero_point[0], -128);
  const Codes below = ActivationCodes({-5.1F, -3}, DType::kInt8);
  EXPECT_EQ(below.quantization.zero_point[0], 127);
}

TEST(ActivationCodesTest, AnEmptyRangeStillHasAScale) {
  const Codes none = ActivationCodes({0, 0}, DType::kInt8);
  EXPECT_FLOAT_EQ(none.quantization.scale[0], 2e-6F / 255);
  EXPECT_GT(ActivationCodes({0, 0}, DType::kInt16).quantization.scale[0], 0);
}

TEST(ActivationCodesTest, SixteenBitsAreSymmetric) {
  const Codes codes = ActivationCodes({-2, 1}, DType::kInt16);
  EXPECT_EQ(codes.quantization.scale[0], 2.0F / 32767.0F);
  EXPECT_EQ(codes.quantization.zero_point[0], 0);
}

TEST(WeightCodesTest, EveryChannelHasItsOwnScaleAlongItsDimension) {
  const std::vector<float> values = {1, -20, 0.5F, 10};  // [2, 2]
  const Codes rows = WeightCodesPerChannel(values, {2, 2}, 0);
  EXPECT_THAT(rows.quantization.scale, ElementsAre(20.0F / 127, 10.0F / 127));
  EXPECT_THAT(Values<int8_t>(EncodeWeights(values, {2, 2}, rows)), ElementsAre(6, -127, 6, 127));
  const Codes columns = WeightCodesPerChannel(values, {2, 2}, 1);
  EXPECT_THAT(columns.quantization.scale, ElementsAre(1.0F / 127, 20.0F / 127));
  EXPECT_EQ(columns.quantization.quantized_dimension, 1);
  EXPECT_THAT(Values<int8_t>(EncodeWeights(values, {2, 2}, columns)), ElementsAre(127, -127, 64, 64));
  const Codes all = WeightCodes(values);
  EXPECT_THAT(all.quantization.scale, ElementsAre(20.0F / 127));
  EXPECT_THAT(Values<int8_t>(EncodeWeights(values, {2, 2}, all)), ElementsAre(6, -127, 3, 64));
}

TEST(WeightCodesTest, ZerosStayZero) {
  const std::vector<float> values = {0, 0};
  const Codes codes = WeightCodes(values);
  EXPECT_GT(codes.quantization.scale[0], 0);
  EXPECT_THAT(Values<int8_t>(EncodeWeights(values, {2}, codes)), ElementsAre(0, 0));
}

TEST(BiasCodesTest, AreInputScaleTimesWeightScale) {
  const Codes input = ActivationCodes({0, 255}, DType::kInt8);
  Codes weights = WeightCodesPerChannel(std::vector<float>{127, 254}, {2, 1}, 0);
  Codes bias = BiasCodes(input, weights);
  EXPECT_EQ(bias.dtype, DType::kInt32);
  EXPECT_THAT(bias.quantization.scale, ElementsAre(1.0F, 2.0F));
  const std::vector<float> values = {2.5F, -3};
  EXPECT_EQ(MakeRoomForBias(values, input, weights, bias), 0);
  EXPECT_THAT(Values<int32_t>(EncodeBias(values, bias)), ElementsAre(3, -2));
  EXPECT_EQ(BiasCodes(ActivationCodes({-1, 1}, DType::kInt16), weights).dtype, DType::kInt64);
}

TEST(BiasCodesTest, ALargeBiasWidensItsChannelAlone) {
  const Codes input = ActivationCodes({0, 255e-6F}, DType::kInt8);
  const std::vector<float> filter = {127e-6F, 127};
  Codes weights = WeightCodesPerChannel(filter, {2, 1}, 0);
  const float before = weights.quantization.scale[1];
  Codes bias = BiasCodes(input, weights);
  const std::vector<float> values = {10, 10};
  EXPECT_EQ(MakeRoomForBias(values, input, weights, bias), 1);
  EXPECT_EQ(weights.quantization.scale[1], before);
  const std::vector<int32_t> codes = Values<int32_t>(EncodeBias(values, bias));
  EXPECT_NEAR(codes[0], std::numeric_limits<int32_t>::max() / 2, 200);
  EXPECT_NEAR(bias.quantization.scale[0] / weights.quantization.scale[0] / input.quantization.scale[0], 1, 1e-6);
}

TEST(EncodeTest, ValuesBeyondTheRangeSaturate) {
  const Codes codes = ActivationCodes({-1, 1}, DType::kInt8);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Values<int8_t>(EncodeActivation(std::vector<float>{-infinity, -2, 0, 2, infinity}, codes)),
              ElementsAre(-128, -128, -1, 127, 127));
  Codes bias;
  bias.dtype = DType::kInt32;
  bias.quantization = {{1e-30F}, {0}, 0, {}, {}};
  EXPECT_THAT(Values<int32_t>(EncodeBias(std::vector<float>{1e30F, -1e30F}, bias)),
              ElementsAre(std::numeric_limits<int32_t>::max(), -std::numeric_limits<int32_t>::max()));
}

TEST(ClipWeightScalesTest, AnOutlierIsClippedWhereThatCostsLess) {
  // 200 values around 0 and one far away, in the first of two channels.
  std::vector<float> values(402, 0.0F);
  for (size_t i = 0; i < 402; ++i) values[i] = std::sin(static_cast<float>(i) * 0.7F);
  values[0] = 2.5F;
  const auto error = [&](const Codes& codes, size_t channel) {
    const graph::Constant data = EncodeWeights(values, {2, 201}, codes);
    const std::vector<float> got = RealValues(codes.dtype, data.bytes(), {2, 201}, codes.quantization);
    double sum = 0;
    for (size_t i = channel * 201; i < (channel + 1) * 201; ++i)
      sum += std::pow(static_cast<double>(got[i] - values[i]), 2);
    return sum;
  };
  const Codes widest = WeightCodesPerChannel(values, {2, 201}, 0, DType::kInt4);
  Codes clipped = widest;
  EXPECT_GE(ClipWeightScales(values, {2, 201}, clipped), 1);
  EXPECT_LT(clipped.quantization.scale[0], 0.9F * widest.quantization.scale[0]);
  EXPECT_LT(error(clipped, 0), error(widest, 0));
  EXPECT_LE(error(clipped, 1), error(widest, 1));
}

}  // namespace
}  // namespace assay::quantize
