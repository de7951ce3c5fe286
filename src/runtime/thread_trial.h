// Whether a model is faster on one thread than on all that it was given: cores far apart cost a small model more than
// they bring, and which cores it gets is up to the system and changes. Results do not depend on it, so both ways are
// tried out, again and again, ever more rarely while the answer stays the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace assay::runtime {

class ThreadTrial {
 public:
  static constexpr int kWarmUps = 2, kTimed = 4;  // invocations of a trial, the least of which counts
  // A thread that has just been made or that sleeps is not there at once.
  static constexpr int64_t kStartNs = 2'000'000, kWakeNs = 200'000;
  static constexpr int64_t kLongNs = 2'000'000;  // what takes longer has work enough for all
  static constexpr double kWorthIt = 0.97;       // share of the time on all threads that one must stay below
  static constexpr double kHopeless = 1.5;       // of the way in use: a trial ends at once
  // How long the way in use stays until the next trial: at first, and at most; of models that take longer so many
  // invocations.
  static constexpr int64_t kFirstTermNs = 4'000'000, kLastTermNs = 500'000'000;
  static constexpr int64_t kFirstTerm = 16, kLastTerm = 500;

  explicit ThreadTrial(int threads) : phase_(threads > 1 ? Phase::kStart : Phase::kOver) {}

  // How the next invocation runs, and whether it is to be timed.
  bool alone() const { return (phase_ == Phase::kWake || phase_ == Phase::kOther) != alone_; }
  bool timed() const { return phase_ != Phase::kOver && phase_ != Phase::kTerm; }
  // After an invocation that was not timed.
  void Pass() {
    if (phase_ == Phase::kTerm && --left_ <= 0) Enter(Phase::kOwn);
  }
  // How long one took that was.
  void Record(int64_t ns) {
    ++count_;
    elapsed_ += ns;
    switch (phase_) {
      case Phase::kStart:
        if (count_ >= kWarmUps && elapsed_ >= kStartNs) Enter(ns > kLongNs ? Phase::kOver : Phase::kOwn);
        break;
      case Phase::kOwn:
        own_ = std::min(own_, ns);
        if (count_ == kTimed) Enter(own_ > kLongNs && !alone_ ? Phase::kOver : Phase::kWake);
        break;
      case Phase::kWake:
        if (count_ >= kWarmUps && elapsed_ >= kWakeNs) Enter(Phase::kOther);
        break;
      case Phase::kOther:
        other_ = std::min(other_, ns);
        if (count_ == kTimed || static_cast<double>(ns) > kHopeless * static_cast<double>(own_)) Decide();
        break;
      case Phase::kTerm:
      case Phase::kOver:
        break;
    }
  }

 private:
  // Both ways: first the one in use is timed, then the other one woken and timed; the better stays for a term.
  enum class Phase : uint8_t { kStart, kOwn, kWake, kOther, kTerm, kOver };
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  void Enter(Phase phase) {
    phase_ = phase;
    count_ = 0, elapsed_ = 0;
    if (phase == Phase::kOwn) own_ = kNever;
    if (phase == Phase::kWake) other_ = kNever;
  }
  void Decide() {
    const int64_t by_one = alone_ ? own_ : other_, by_all = alone_ ? other_ : own_;
    const bool alone = static_cast<double>(by_one) < kWorthIt * static_cast<double>(by_all);
    const int64_t each = std::max<int64_t>(1, alone ? by_one : by_all);
    const int64_t first = std::max(kFirstTermNs / each, kFirstTerm), last = std::max(kLastTermNs / each, kLastTerm);
    term_ = alone != alone_ || term_ == 0 ? first : std::min(2 * term_, last);
    alone_ = alone;
    left_ = term_;
    Enter(Phase::kTerm);
  }

  Phase phase_;
  bool alone_ = false;  // the way in use
  int count_ = 0;       // in this phase
  int64_t elapsed_ = 0;
  int64_t own_ = kNever, other_ = kNever;  // least times of the trial at hand
  int64_t term_ = 0, left_ = 0;            // invocations
};

}  // namespace assay::runtime
