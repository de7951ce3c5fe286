// How far values lie from a reference: signal to quantization noise, cosine, maximum and mean error. Meters add up, so
// that many samples on many threads give one result, the same whatever the threads when they are merged in order.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace assay::numerics {

// Of two sums of squares, in dB: infinite without noise, minus infinite without a signal or with noise that is not
// finite.
double SignalToNoiseDb(double signal, double noise);

// Sums over pairs of a reference value and a value, e = value - reference. Pair i of a call goes to the sum i % kLanes
// first, and these are added up in order, so that vectors of any width give the same bits.
struct PairSums {
  static constexpr size_t kLanes = 8;
  int64_t count = 0, different = 0;  // different: pairs that are not equal
  double sum = 0, sum_abs = 0, sum_square = 0, max_abs = 0;
  double reference_square = 0, value_square = 0, product = 0;

  // Whether no value was NaN or infinite; asked for the sums of all pairs.
  bool is_finite() const { return std::isfinite(reference_square) && std::isfinite(value_square); }
  void Add(const PairSums& other);
};

class ErrorMeter {
 public:
  // The spans have equal lengths. Pairs where either is NaN or infinite are counted apart and left out.
  void Add(std::span<const float> reference, std::span<const float> value);
  void Add(const PairSums& sums) { sums_.Add(sums); }  // of finite values
  void Merge(const ErrorMeter& other);

  int64_t count() const { return sums_.count; }
  int64_t not_finite() const { return not_finite_; }
  int64_t different() const { return sums_.different; }
  bool is_exact() const { return different() == 0 && not_finite_ == 0; }
  // Signal: the mean square of the reference, its mean included. Infinite where nothing differs.
  double sqnr_db() const;
  // 1 where both are all zero, 0 where one of them is.
  double cosine() const;
  double max_abs() const { return sums_.max_abs; }
  double mean_abs() const { return PerPair(sums_.sum_abs); }
  double mean() const { return PerPair(sums_.sum); }  // of value - reference
  double mean_square() const { return PerPair(sums_.sum_square); }
  double reference_mean_square() const { return PerPair(sums_.reference_square); }
  double value_mean_square() const { return PerPair(sums_.value_square); }

 private:
  double PerPair(double sum) const { return sums_.count > 0 ? sum / static_cast<double>(sums_.count) : 0; }

  PairSums sums_;
  int64_t not_finite_ = 0;
};

// Counts of values over equal bins whose width grows by doubling as larger values arrive: one pass, any range.
class GrowingHistogram {
 public:
  void Add(std::span<const float> values);
  void Add(float value, int64_t times);
  // For `count` finite values from least to greatest that the caller counts, each in
  // counts[floor(value * per_width) + middle]. None where a float cannot hold per_width.
  struct Bins {
    float per_width = 0;
    int32_t middle = 0;
    std::span<int64_t> counts;
  };
  std::optional<Bins> Reserve(float least, float greatest, int64_t count);
  void Merge(const GrowingHistogram& other);

  int64_t count() const { return count_; }
  float min() const { return min_; }  // of what was added; infinite before
  float max() const { return max_; }
  // The smallest value that at least `share` of all values do not exceed, up to the width of a bin.
  double Quantile(double share) const;
  // `bins` equal bins from `low` to `high`; what lies outside goes into the outermost ones. Resolution is that of the
  // bins that were kept.
  std::vector<int64_t> Resample(double low, double high, int bins) const;

 private:
  static constexpr int kBins = 4096, kMiddle = kBins / 2;  // half of them below zero
  void Grow();
  void Fit(float magnitude);
  size_t BinOf(float value) const;

  std::vector<int64_t> counts_;
  double width_ = 0;  // of a bin, a power of two; 0 before the first value
  int64_t count_ = 0;
  float min_ = std::numeric_limits<float>::infinity(), max_ = -std::numeric_limits<float>::infinity();
};

}  // namespace assay::numerics
