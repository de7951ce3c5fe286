#include "quantize/range_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace assay::quantize {
namespace {

struct Ends {
  double low, high;
};

// Shrinks the range, which holds 0, while `cost` falls: both ends by the same factor, then one after the other.
Range Shrink(const Histogram& histogram, const std::function<double(Ends)>& cost) {
  constexpr int kSteps = 50;
  const double low = std::min(static_cast<double>(histogram.range().low), 0.0);
  const double high = std::max(static_cast<double>(histogram.range().high), 0.0);
  Ends best = {low, high};
  double least = cost(best);
  const auto consider = [&](Ends ends) {
    const double c = cost(ends);
    if (c >= least) return;
    least = c;
    best = ends;
  };
  for (int i = kSteps - 1; i > 0; --i) {
    const double f = static_cast<double>(i) / kSteps;
    consider({low * f, high * f});
  }
  const Ends together = best;
  for (int i = 2 * kSteps; i > 0; --i) {
    const double f = static_cast<double>(i) / kSteps;  // up to twice what both had
    consider({together.low, std::min(together.high * f, high)});
  }
  const double chosen_high = best.high;
  for (int i = 2 * kSteps; i > 0; --i) {
    const double f = static_cast<double>(i) / kSteps;
    consider({std::max(together.low * f, low), chosen_high});
  }
  return {static_cast<float>(best.low), static_cast<float>(best.high)};
}

}  // namespace

Histogram::Histogram(Range range) : range_(range), counts_(kBins) {
  low_ = static_cast<double>(range.low);
  width_ = (static_cast<double>(range.high) - low_) / static_cast<double>(kBins);
  inverse_width_ = width_ > 0 ? static_cast<float>(1 / width_) : 0;
}

void Histogram::Add(std::span<const float> values) {
  constexpr auto kLast = static_cast<float>(kBins - 1);
  for (const float v : values) {
    const float at = (v - range_.low) * inverse_width_;
    ++counts_[static_cast<size_t>(at > 0 ? std::min(at, kLast) : 0)];
  }
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBins; ++i) counts_[i] += other.counts_[i];
}

Range PercentileRange(const Histogram& histogram, double percent) {
  const std::vector<int64_t>& counts = histogram.counts();
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  const double tail = total * (1 - percent / 100) / 2;
  size_t first = 0, last = counts.size();
  for (double below = 0; first + 1 < last; ++first) {
    below += static_cast<double>(counts[first]);
    if (below > tail) break;
  }
  for (double above = 0; last > first + 1; --last) {
    above += static_cast<double>(counts[last - 1]);
    if (above > tail) break;
  }
  return {std::max(static_cast<float>(histogram.Edge(first)), histogram.range().low),
          std::min(static_cast<float>(histogram.Edge(last)), histogram.range().high)};
}

Range LeastErrorRange(const Histogram& histogram, int levels) {
  const std::vector<int64_t>& counts = histogram.counts();
  return Shrink(histogram, [&](Ends ends) {
    const double step = (ends.high - ends.low) / (levels - 1);
    const double rounding = step * step / 12;
    double error = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      const double x = histogram.Center(i);
      const double beyond = x < ends.low ? ends.low - x : (x > ends.high ? x - ends.high : 0);
      error += static_cast<double>(counts[i]) * (rounding + beyond * beyond);
    }
    return error;
  });
}

Range LeastDivergenceRange(const Histogram& histogram, int levels) {
  const std::vector<int64_t>& counts = histogram.counts();
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  if (total == 0 || histogram.width() == 0) return histogram.range();
  return Shrink(histogram, [&](Ends ends) {
    const double step = (ends.high - ends.low) / levels;
    if (step <= 0) return HUGE_VAL;
    // Bins inside; what lies outside counts to the outermost.
    size_t first = counts.size(), last = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      if (histogram.Center(i) < ends.low || histogram.Center(i) > ends.high) continue;
      first = std::min(first, i);
      last = i;
    }
    if (first > last) return HUGE_VAL;
    std::vector<double> clipped(last - first + 1);
    for (size_t i = 0; i < counts.size(); ++i) {
      clipped[std::clamp(i, first, last) - first] += static_cast<double>(counts[i]);
    }
    // The mass inside of a step is spread evenly over its bins that are not empty; clipped mass is not in it.
    std::vector<double> mass(static_cast<size_t>(levels)), filled(static_cast<size_t>(levels));
    const auto level_of = [&](size_t i) {
      const double at = (histogram.Center(i) - ends.low) / step;
      return std::min(static_cast<size_t>(std::max(at, 0.0)), static_cast<size_t>(levels) - 1);
    };
    double inside = 0;
    for (size_t i = first; i <= last; ++i) {
      mass[level_of(i)] += static_cast<double>(counts[i]);
      filled[level_of(i)] += counts[i] > 0 ? 1 : 0;
      inside += static_cast<double>(counts[i]);
    }
    if (inside == 0) return HUGE_VAL;
    constexpr double kFloor = 1e-9;
    double divergence = 0;
    for (size_t i = first; i <= last; ++i) {
      const double p = clipped[i - first] / total;
      if (p == 0) continue;
      const double q = counts[i] > 0 ? mass[level_of(i)] / filled[level_of(i)] / inside : 0;
      divergence += p * std::log(p / std::max(q, kFloor));
    }
    return divergence;
  });
}

}  // namespace assay::quantize
