// Whether a model is faster on one thread than on all that it was given: cores far apart cost a small model more than
// they bring, and which cores it gets is up to the system. Results do not depend on it, so it is tried out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace assay::runtime {

// First all threads, then one: by turns, each would find in its cache what the other has left there.
class ThreadTrial {
 public:
  static constexpr int kWarmUps = 2, kTrials = 8;  // invocations, of each kind
  static constexpr int64_t kLongNs = 2'000'000;    // what takes longer has work enough for all
  static constexpr double kWorthIt = 0.97;         // share of the time on all threads that one must stay below

  explicit ThreadTrial(int threads) : left_(threads > 1 ? 2 * (kWarmUps + kTrials) : 0) {}

  bool over() const { return left_ == 0; }
  // How the next invocation runs.
  bool alone() const { return over() ? chosen_alone_ : left_ <= kWarmUps + kTrials; }
  // How long it took.
  void Record(int64_t ns) {
    if (over()) return;
    const bool counts = (left_ - 1) % (kWarmUps + kTrials) < kTrials;
    int64_t& least = alone() ? least_alone_ : least_together_;
    if (counts) least = std::min(least, ns);
    --left_;
    if (counts && ns > kLongNs) left_ = 0;
    if (over()) chosen_alone_ = static_cast<double>(least_alone_) < kWorthIt * static_cast<double>(least_together_);
  }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  int left_;
  int64_t least_alone_ = kNever, least_together_ = kNever;
  bool chosen_alone_ = false;
};

}  // namespace assay::runtime
