#include "quantize/observer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "kernels/simd/channel_totals.h"

namespace assay::quantize {
namespace {

std::optional<Range> RangeOf(std::span<const float> values) {
  const kernels::ref::Extent extent = kernels::simd::ExtentOf(values.data(), values.size());
  if (!extent.all_finite) return std::nullopt;
  return Range{extent.low, extent.high};
}

// Instruction sets differ in which zero is the less.
float WithoutSignOfZero(float v) { return v + 0.0F; }

}  // namespace

std::optional<Range> ChannelSums::See(std::span<const float> values, size_t channels) {
  const size_t rows = values.size() / channels;
  std::vector<float> low(channels), high(channels);
  std::vector<double> sum(channels), square(channels);
  std::vector<int32_t> at_six(channels);
  const kernels::ref::ChannelTotals totals = {low.data(), high.data(), sum.data(), square.data(), at_six.data()};
  kernels::simd::TotalChannels(values.data(), rows, channels, 6, totals);
  if (!std::all_of(square.begin(), square.end(), [](double s) { return std::isfinite(s); })) return std::nullopt;
  if (low_.size() != channels) Resize(channels);
  ++samples_;
  rows_ += static_cast<int64_t>(rows);
  const auto mean_of = [rows](double s) {
    return std::llround(std::clamp(s / static_cast<double>(rows), -0x1p40, 0x1p40) * kUnit);
  };
  for (size_t c = 0; c < channels; ++c) {
    low_[c] = std::min(low_[c], WithoutSignOfZero(low[c]));
    high_[c] = std::max(high_[c], WithoutSignOfZero(high[c]));
    mean_[c] += mean_of(sum[c]);
    square_[c] += mean_of(square[c]);
    at_six_[c] += at_six[c];
  }
  return Range{*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

void ChannelSums::Merge(const ChannelSums& other) {
  if (other.samples_ == 0) return;
  if (low_.size() != other.low_.size()) Resize(other.low_.size());
  for (size_t c = 0; c < low_.size(); ++c) {
    low_[c] = std::min(low_[c], other.low_[c]);
    high_[c] = std::max(high_[c], other.high_[c]);
    mean_[c] += other.mean_[c];
    square_[c] += other.square_[c];
    at_six_[c] += other.at_six_[c];
  }
  samples_ += other.samples_;
  rows_ += other.rows_;
}

ChannelStatistics ChannelSums::Statistics() const {
  ChannelStatistics channels;
  channels.low = low_;
  channels.high = high_;
  const double per_sample = 1 / kUnit / static_cast<double>(samples_);
  for (size_t c = 0; c < low_.size(); ++c) {
    const double mean = static_cast<double>(mean_[c]) * per_sample;
    const double square = static_cast<double>(square_[c]) * per_sample;
    channels.mean.push_back(mean);
    channels.deviation.push_back(std::sqrt(std::max(square - mean * mean, 0.0)));
    channels.share_at_six.push_back(static_cast<double>(at_six_[c]) / static_cast<double>(rows_));
  }
  return channels;
}

void ChannelSums::Resize(size_t channels) {
  low_.assign(channels, std::numeric_limits<float>::infinity());
  high_.assign(channels, -std::numeric_limits<float>::infinity());
  mean_.assign(channels, 0);
  square_.assign(channels, 0);
  at_six_.assign(channels, 0);
}

void Observer::See(int32_t tensor, const Shape& shape, std::span<const float> values,
                   const std::function<std::string()>& place) {
  if (values.empty()) return;
  const auto t = static_cast<size_t>(tensor);
  const std::optional<Range> seen = !channels_.empty() && shape.rank() > 0
                                        ? channels_[t].See(values, static_cast<size_t>(shape[shape.rank() - 1]))
                                        : RangeOf(values);
  if (!seen.has_value()) {
    const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    throw InputError("{}: value {} is {}", place(), bad - values.begin(), std::isnan(*bad) ? "NaN" : "infinite");
  }
  if (!ranges_[t].has_value()) ranges_[t] = seen;
  ranges_[t]->low = std::min(ranges_[t]->low, WithoutSignOfZero(seen->low));
  ranges_[t]->high = std::max(ranges_[t]->high, WithoutSignOfZero(seen->high));
}

void Observer::MergeInto(std::vector<ChannelSums>& channels) const {
  for (size_t t = 0; t < channels_.size(); ++t) channels[t].Merge(channels_[t]);
}

void Observer::MergeInto(std::vector<std::optional<Range>>& ranges) const {
  for (size_t t = 0; t < ranges.size(); ++t) {
    if (!ranges_[t].has_value()) continue;
    if (!ranges[t].has_value()) ranges[t] = ranges_[t];
    ranges[t]->low = std::min(ranges[t]->low, ranges_[t]->low);
    ranges[t]->high = std::max(ranges[t]->high, ranges_[t]->high);
  }
}

}  // namespace assay::quantize
