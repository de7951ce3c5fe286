// Histograms of bounded size, and ranges that give up rare values for finer steps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/parameters.h"

namespace assay::quantize {

// Counts of values in equal bins over a range that holds them all.
class Histogram {
 public:
  static constexpr size_t kBins = 2048;

  explicit Histogram(Range range);
  void Add(std::span<const float> values);
  void Merge(const Histogram& other);  // of the same range

  Range range() const { return range_; }
  const std::vector<int64_t>& counts() const { return counts_; }
  double Center(size_t bin) const { return low_ + (static_cast<double>(bin) + 0.5) * width_; }
  double Edge(size_t bin) const { return low_ + static_cast<double>(bin) * width_; }
  double width() const { return width_; }

 private:
  Range range_;
  double low_ = 0, width_ = 0;
  float inverse_width_ = 0;
  std::vector<int64_t> counts_;
};

// Leaves (100 - percent) / 2 percent of the values out at each end.
Range PercentileRange(const Histogram& histogram, double percent);

// The least squared error of rounding to `levels` codes and clipping to the range: widths of (range / levels)^2 / 12
// inside, distances outside. Both ends shrink together first, then each by itself.
Range LeastErrorRange(const Histogram& histogram, int levels);

// The least Kullback-Leibler divergence between what is clipped to the range and the same spread over `levels` steps
// (Migacz, "8-bit inference with TensorRT", 2017, for ranges that need not be symmetric).
Range LeastDivergenceRange(const Histogram& histogram, int levels);

}  // namespace assay::quantize
