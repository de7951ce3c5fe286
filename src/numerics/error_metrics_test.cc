#include "numerics/error_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace assay::numerics {
namespace {

TEST(ErrorMeterTest, MeasuresAndMerges) {
  const std::vector<float> reference = {3, -4, 0, 0}, value = {3, -4, 0.5F, 0};
  ErrorMeter meter;
  meter.Add(reference, value);
  EXPECT_EQ(meter.count(), 4);
  EXPECT_EQ(meter.different(), 1);
  EXPECT_DOUBLE_EQ(meter.sqnr_db(), 20.0);  // 25 / 0.25
  EXPECT_DOUBLE_EQ(meter.max_abs(), 0.5);
  EXPECT_DOUBLE_EQ(meter.mean_abs(), 0.125);
  EXPECT_NEAR(meter.cosine(), 25 / (5 * std::sqrt(25.25)), 1e-12);
  ErrorMeter halves, second;
  halves.Add(std::span(reference).first(2), std::span(value).first(2));
  EXPECT_TRUE(halves.is_exact());
  EXPECT_TRUE(std::isinf(halves.sqnr_db()));
  second.Add(std::span(reference).last(2), std::span(value).last(2));
  halves.Merge(second);
  EXPECT_DOUBLE_EQ(halves.sqnr_db(), meter.sqnr_db());
  EXPECT_DOUBLE_EQ(halves.max_abs(), meter.max_abs());
}

TEST(ErrorMeterTest, CountsWhatIsNotFiniteApart) {
  ErrorMeter meter;
  meter.Add(std::vector<float>{1, NAN, INFINITY, 2}, std::vector<float>{1, NAN, 3, NAN});
  EXPECT_EQ(meter.count(), 1);
  EXPECT_EQ(meter.not_finite(), 2);
  EXPECT_FALSE(meter.is_exact());
}

TEST(GrowingHistogramTest, ValuesMayBeAddedManyAtOnceOrCountedOutside) {
  std::vector<float> values(3000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) * 0.3F - 0.9F;
  GrowingHistogram one_by_one, many, outside;
  one_by_one.Add(values);
  for (int k = 0; k < 7; ++k) {
    many.Add(static_cast<float>(k) * 0.3F - 0.9F,
             std::count(values.begin(), values.end(), values[static_cast<size_t>(k)]));
  }
  const auto bins = outside.Reserve(one_by_one.min(), one_by_one.max(), 3000);
  ASSERT_TRUE(bins.has_value());
  for (const float v : values) {
    ++bins->counts[static_cast<size_t>(static_cast<int32_t>(std::floor(v * bins->per_width)) + bins->middle)];
  }
  for (const GrowingHistogram* other : {&many, &outside}) {
    EXPECT_EQ(other->count(), one_by_one.count());
    EXPECT_EQ(other->min(), one_by_one.min());
    EXPECT_EQ(other->max(), one_by_one.max());
    EXPECT_EQ(other->Resample(-1, 1, 50), one_by_one.Resample(-1, 1, 50));
    EXPECT_EQ(other->Quantile(0.4), one_by_one.Quantile(0.4));
  }
  GrowingHistogram zeros;
  EXPECT_FALSE(zeros.Reserve(0, 0, 5).has_value());  // bins too narrow for a float factor
  EXPECT_EQ(zeros.count(), 0);
}

TEST(GrowingHistogramTest, KeepsCountsWhileItGrows) {
  GrowingHistogram histogram;
  histogram.Add(std::vector<float>{0.001F, -0.001F, 0.0F});
  histogram.Add(std::vector<float>{100, -50});
  std::vector<float> ramp(1000);
  std::iota(ramp.begin(), ramp.end(), 0.0F);
  histogram.Add(ramp);
  EXPECT_EQ(histogram.count(), 1005);
  EXPECT_EQ(histogram.min(), -50);
  EXPECT_EQ(histogram.max(), 999);
  const auto bins = histogram.Resample(-50, 999, 10);
  EXPECT_EQ(std::accumulate(bins.begin(), bins.end(), int64_t{0}), 1005);
  EXPECT_NEAR(histogram.Quantile(0.5), 500, 5);
  GrowingHistogram other;
  other.Add(std::vector<float>{4000, -4000});
  other.Merge(histogram);
  EXPECT_EQ(other.count(), 1007);
  EXPECT_EQ(other.min(), -4000);
}

}  // namespace
}  // namespace assay::numerics
