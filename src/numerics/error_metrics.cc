#include "numerics/error_metrics.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay::numerics {

void PairSums::Add(const PairSums& other) {
  count += other.count, different += other.different;
  sum += other.sum, sum_abs += other.sum_abs, sum_square += other.sum_square;
  max_abs = std::max(max_abs, other.max_abs);
  reference_square += other.reference_square, value_square += other.value_square, product += other.product;
}

void ErrorMeter::Add(std::span<const float> reference, std::span<const float> value) {
  ASSAY_CHECK(reference.size() == value.size());
  PairSums lanes[PairSums::kLanes];
  for (size_t i = 0; i < reference.size(); ++i) {
    const auto r = static_cast<double>(reference[i]), v = static_cast<double>(value[i]);
    if (!std::isfinite(r) || !std::isfinite(v)) {
      const bool same = r == v || (std::isnan(r) && std::isnan(v));
      not_finite_ += same ? 0 : 1;
      continue;
    }
    const double error = v - r;
    PairSums& lane = lanes[i % PairSums::kLanes];
    ++lane.count;
    lane.different += error != 0;
    lane.sum += error;
    lane.sum_abs += std::abs(error);
    lane.sum_square += error * error;
    lane.max_abs = std::max(lane.max_abs, std::abs(error));
    lane.reference_square += r * r;
    lane.value_square += v * v;
    lane.product += r * v;
  }
  PairSums all;
  for (const PairSums& lane : lanes) all.Add(lane);
  sums_.Add(all);
}

void ErrorMeter::Merge(const ErrorMeter& other) {
  sums_.Add(other.sums_);
  not_finite_ += other.not_finite_;
}

double SignalToNoiseDb(double signal, double noise) {
  if (noise <= 0) return HUGE_VAL;
  if (signal <= 0 || !std::isfinite(noise)) return -HUGE_VAL;
  return 10 * std::log10(signal / noise);
}

double ErrorMeter::sqnr_db() const { return SignalToNoiseDb(sums_.reference_square, sums_.sum_square); }

double ErrorMeter::cosine() const {
  const double reference = sums_.reference_square, value = sums_.value_square;
  if (reference <= 0 && value <= 0) return 1;
  if (reference <= 0 || value <= 0) return 0;
  return std::clamp(sums_.product / (std::sqrt(reference) * std::sqrt(value)), -1.0, 1.0);
}

void GrowingHistogram::Grow() {
  // Bin pairs merge towards zero, which stays the border between the two middle bins.
  std::vector<int64_t> wider(kBins, 0);
  for (int i = 0; i < kBins; ++i) {
    const int from_zero = i - kMiddle;
    const int to = kMiddle + (from_zero >= 0 ? from_zero / 2 : -((-from_zero + 1) / 2));
    wider[static_cast<size_t>(to)] += counts_[static_cast<size_t>(i)];
  }
  counts_ = std::move(wider);
  width_ *= 2;
}

void GrowingHistogram::Fit(float magnitude) {
  if (counts_.empty()) {
    counts_.assign(kBins, 0);
    int exponent = -120;
    if (magnitude > 0) std::frexp(magnitude, &exponent);
    width_ = std::ldexp(1.0, std::max(exponent, -120)) / kMiddle;
  }
  while (static_cast<double>(magnitude) >= width_ * kMiddle) Grow();
}

size_t GrowingHistogram::BinOf(float value) const {
  const double place = static_cast<double>(value) / width_;  // Fit keeps it within the bins
  const int towards_zero = static_cast<int>(place);
  const int bin = towards_zero - (static_cast<double>(towards_zero) > place ? 1 : 0) + kMiddle;
  return static_cast<size_t>(std::clamp(bin, 0, kBins - 1));
}

void GrowingHistogram::Add(float value, int64_t times) {
  if (times == 0 || !std::isfinite(value)) return;
  Fit(std::abs(value));
  min_ = std::min(min_, value), max_ = std::max(max_, value);
  counts_[BinOf(value)] += times;
  count_ += times;
}

void GrowingHistogram::Add(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  if (values.empty()) return;
  Fit(largest);
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    min_ = std::min(min_, value), max_ = std::max(max_, value);
    ++counts_[BinOf(value)];
    ++count_;
  }
}

std::optional<GrowingHistogram::Bins> GrowingHistogram::Reserve(float least, float greatest, int64_t count) {
  Fit(std::max(std::abs(least), std::abs(greatest)));
  const double per_width = 1 / width_;
  if (per_width > 0x1p126) return std::nullopt;
  min_ = std::min(min_, least), max_ = std::max(max_, greatest);
  count_ += count;
  return Bins{static_cast<float>(per_width), kMiddle, counts_};
}

void GrowingHistogram::Merge(const GrowingHistogram& other) {
  if (other.counts_.empty()) return;
  if (counts_.empty()) {
    *this = other;
    return;
  }
  GrowingHistogram copy = other;
  while (copy.width_ < width_) copy.Grow();
  while (width_ < copy.width_) Grow();
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += copy.counts_[i];
  count_ += copy.count_;
  min_ = std::min(min_, copy.min_), max_ = std::max(max_, copy.max_);
}

double GrowingHistogram::Quantile(double share) const {
  const double wanted = share * static_cast<double>(count_);
  double seen = 0;
  for (int i = 0; i < kBins && !counts_.empty(); ++i) {
    seen += static_cast<double>(counts_[static_cast<size_t>(i)]);
    if (seen >= wanted && seen > 0) {
      return std::clamp((i + 1 - kMiddle) * width_, static_cast<double>(min_), static_cast<double>(max_));
    }
  }
  return count_ > 0 ? static_cast<double>(max_) : 0;
}

std::vector<int64_t> GrowingHistogram::Resample(double low, double high, int bins) const {
  std::vector<int64_t> out(static_cast<size_t>(bins), 0);
  const double step = (high - low) / bins;
  for (int i = 0; i < kBins && !counts_.empty(); ++i) {
    if (counts_[static_cast<size_t>(i)] == 0) continue;
    const double center =
        std::clamp((i + 0.5 - kMiddle) * width_, static_cast<double>(min_), static_cast<double>(max_));
    const int bin = step > 0 ? static_cast<int>(std::floor((center - low) / step)) : 0;
    out[static_cast<size_t>(std::clamp(bin, 0, bins - 1))] += counts_[static_cast<size_t>(i)];
  }
  return out;
}

}  // namespace assay::numerics
