// Which candidates are worth having: nothing else is as accurate, as small and as fast. And which of them a budget
// chooses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tune/judge.h"

namespace assay::tune {

struct Budget {
  std::optional<uint64_t> max_bytes = {};  // the most accurate one within these two...
  std::optional<double> max_us = {};
  std::optional<double> max_drop = {};  // ...or the smallest (fastest) that loses at most so much of the accuracy
  bool prefer_latency = false;

  bool is_given() const { return max_bytes.has_value() || max_us.has_value() || max_drop.has_value(); }
};

// Where no budget is given, the smallest one is chosen that loses at most so much.
constexpr double kDefaultDrop = 0.01;

// A candidate as the search saw it. `right` counts no more than the float model's right answers: what a rounded model
// gets right by chance is no merit, and the error of the scores decides among equals.
struct Seen {
  int64_t right = 0, samples = 0;
  double sqnr_db = 0;
  uint64_t bytes = 0;
  double us = 0;
};

// True where `a` is the more accurate one: more right answers, or as many and a smaller error.
bool IsBetter(const Seen& a, const Seen& b);

// Indices, from the most accurate to the least. Sizes within 0.5 % and times within 4 % count as equal, and so do
// errors within 1 dB.
std::vector<size_t> ParetoFront(const std::vector<Seen>& seen);

struct Choice {
  std::optional<size_t> index;  // of the front's members; none where nothing is within the budget
  std::string reason;           // "the most accurate within --max-size 200000"; what came nearest where nothing is
  size_t nearest = 0;
};

// `names` of the members. `source_right` of as many samples as theirs.
Choice Choose(const std::vector<Seen>& front, const std::vector<std::string>& names, int64_t source_right,
              Objective objective, const Budget& budget);

}  // namespace assay::tune
