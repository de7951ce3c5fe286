#include "numerics/error_metrics.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace assay::numerics {

void ErrorMeter::Add(std::span<const float> reference, std::span<const float> value) {
  ASSAY_CHECK(reference.size() == value.size());
  for (size_t i = 0; i < reference.size(); ++i) {
    const auto r = static_cast<double>(reference[i]), v = static_cast<double>(value[i]);
    if (!std::isfinite(r) || !std::isfinite(v)) {
      const bool same = r == v || (std::isnan(r) && std::isnan(v));
      not_finite_ += same ? 0 : 1;
      continue;
    }
    const double error = v - r;
    ++count_;
    different_ += error != 0;
    sum_ += error;
    sum_abs_ += std::abs(error);
    sum_square_ += error * error;
    max_abs_ = std::max(max_abs_, std::abs(error));
    reference_square_ += r * r;
    value_square_ += v * v;
    product_ += r * v;
  }
}

void ErrorMeter::Merge(const ErrorMeter& other) {
  count_ += other.count_, not_finite_ += other.not_finite_, different_ += other.different_;
  sum_ += other.sum_, sum_abs_ += other.sum_abs_, sum_square_ += other.sum_square_;
  max_abs_ = std::max(max_abs_, other.max_abs_);
  reference_square_ += other.reference_square_, value_square_ += other.value_square_, product_ += other.product_;
}

double SignalToNoiseDb(double signal, double noise) {
  if (noise <= 0) return HUGE_VAL;
  if (signal <= 0 || !std::isfinite(noise)) return -HUGE_VAL;
  return 10 * std::log10(signal / noise);
}

double ErrorMeter::sqnr_db() const { return SignalToNoiseDb(reference_square_, sum_square_); }

double ErrorMeter::cosine() const {
  if (reference_square_ <= 0 && value_square_ <= 0) return 1;
  if (reference_square_ <= 0 || value_square_ <= 0) return 0;
  return std::clamp(product_ / (std::sqrt(reference_square_) * std::sqrt(value_square_)), -1.0, 1.0);
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

void GrowingHistogram::Add(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    largest = std::max(largest, std::abs(value));
  }
  if (values.empty()) return;
  Fit(largest);
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    min_ = std::min(min_, value), max_ = std::max(max_, value);
    const double place = static_cast<double>(value) / width_;  // Fit keeps it within the bins
    const int towards_zero = static_cast<int>(place);
    const int bin = towards_zero - (static_cast<double>(towards_zero) > place ? 1 : 0) + kMiddle;
    ++counts_[static_cast<size_t>(std::clamp(bin, 0, kBins - 1))];
    ++count_;
  }
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
