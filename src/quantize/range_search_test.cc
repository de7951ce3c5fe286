#include "quantize/range_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "quantize/calibration.h"
#include "quantize/test_samples.h"

namespace assay::quantize {
namespace {

Histogram Normal(size_t count, float outlier) {
  Histogram histogram({-6, outlier});
  Random random(1);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(random.Normal());
  values[0] = outlier;
  histogram.Add(values);
  return histogram;
}

TEST(HistogramTest, EveryValueIsCountedAndOrderDoesNotMatter) {
  const Range range = {-1, 3};
  Histogram a(range), b(range);
  a.Add(std::vector<float>{-1, 3, 0, 2.999F});
  b.Add(std::vector<float>{1, 1, 1});
  Histogram ab = a;
  ab.Merge(b);
  b.Merge(a);
  EXPECT_EQ(ab.counts(), b.counts());
  EXPECT_EQ(ab.counts()[0], 1);
  EXPECT_EQ(ab.counts()[Histogram::kBins - 1], 2);
  EXPECT_EQ(ab.counts()[Histogram::kBins / 2], 3);
  Histogram flat({2, 2});
  flat.Add(std::vector<float>{2, 2});
  EXPECT_EQ(flat.counts()[0], 2);
}

TEST(RangeSearchTest, PercentilesLeaveTailsOut) {
  Histogram even({0, 100});
  std::vector<float> values;
  for (int i = 0; i <= 1000; ++i) values.push_back(static_cast<float>(i) / 10);
  even.Add(values);
  const Range ninety = PercentileRange(even, 90);
  EXPECT_NEAR(ninety.low, 5, 0.2);
  EXPECT_NEAR(ninety.high, 95, 0.2);
  EXPECT_EQ(PercentileRange(even, 100), (Range{0, 100}));
}

TEST(RangeSearchTest, AnOutlierIsGivenUp) {
  const Histogram histogram = Normal(2'000'000, 60);
  for (const Range range : {LeastErrorRange(histogram, 256), LeastDivergenceRange(histogram, 256)}) {
    EXPECT_LT(range.high, 15);
    EXPECT_GT(range.high, 2);
    EXPECT_LT(range.low, -2);
  }
  // With 65536 codes rounding costs next to nothing, and clipping does not pay.
  EXPECT_GT(LeastErrorRange(histogram, 65536).high, 30);
}

TEST(RangeSearchTest, EvenValuesKeepTheirRange) {
  Histogram even({0, 6});
  std::vector<float> values;
  for (int i = 0; i <= 60'000; ++i) values.push_back(static_cast<float>(i) / 10'000);
  even.Add(values);
  EXPECT_GT(LeastErrorRange(even, 256).high, 5.9);
  EXPECT_GT(LeastDivergenceRange(even, 256).high, 5.8);
}

TEST(CalibrationMethodTest, ParsesNamesAndNumbers) {
  EXPECT_EQ(ParseCalibrationMethod("minmax").ToString(), "minmax");
  EXPECT_EQ(ParseCalibrationMethod("percentile").ToString(), "percentile:99.99");
  EXPECT_EQ(ParseCalibrationMethod("percentile:99.9").parameter, 99.9);
  EXPECT_EQ(ParseCalibrationMethod("moving-average:0.5").parameter, 0.5);
  for (const char* wrong :
       {"percentile:", "percentile:101", "percentile:9x", "mse:3", "minmux", "moving-average:2", "percentile:nan"}) {
    EXPECT_THROW(ParseCalibrationMethod(wrong), Error) << wrong;
  }
}

Calibration RunMethod(const char* method, int threads) {
  static const SmallNetwork net;
  static const MemorySamples samples = MemorySamples::Random(100, {1, 4, 4, 3});
  CalibrationRequest request;
  request.model = net.m.Build();
  request.dataset = &samples;
  for (size_t i = 0; i < samples.size(); ++i) request.samples.push_back(i);
  request.method = ParseCalibrationMethod(method);
  request.threads = threads;
  return Calibrate(request);
}

TEST(CalibrationMethodTest, EveryMethodStaysInsideTheSeenRangeWhateverTheThreads) {
  const Calibration all = RunMethod("minmax", 1);
  for (const char* method : {"moving-average", "percentile:99", "mse", "entropy"}) {
    const Calibration one = RunMethod(method, 1), four = RunMethod(method, 4);
    EXPECT_EQ(one.ranges, four.ranges) << method;
    int narrower = 0;
    for (size_t t = 0; t < all.ranges.size(); ++t) {
      ASSERT_EQ(one.ranges[t].has_value(), all.ranges[t].has_value());
      if (!one.ranges[t].has_value()) continue;
      EXPECT_GE(one.ranges[t]->low, std::min(all.ranges[t]->low, 0.0F)) << method;
      EXPECT_LE(one.ranges[t]->high, std::max(all.ranges[t]->high, 0.0F)) << method;
      narrower += one.ranges[t]->high < all.ranges[t]->high;
    }
    EXPECT_GT(narrower, 0) << method;
  }
}

}  // namespace
}  // namespace assay::quantize
