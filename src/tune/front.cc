#include "tune/front.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace assay::tune {
namespace {

constexpr double kEqualSize = 0.005, kEqualTime = 0.04, kEqualDb = 1;

bool IsSmaller(const Seen& a, const Seen& b) {
  return static_cast<double>(a.bytes) < (1 - kEqualSize) * static_cast<double>(b.bytes);
}
bool IsFaster(const Seen& a, const Seen& b) { return a.us < (1 - kEqualTime) * b.us; }

double Accuracy(const Seen& seen, Objective objective) {
  // Without answers: what is left of the outputs' power when the error's is taken off.
  if (objective == Objective::kError) return 1 - std::pow(10.0, -seen.sqnr_db / 10);
  return seen.samples > 0 ? static_cast<double>(seen.right) / static_cast<double>(seen.samples) : 0;
}

// By how much a member is beyond the budget, relative to it; 0 within.
double Excess(const Seen& seen, double source_accuracy, Objective objective, const Budget& budget) {
  double excess = 0;
  if (budget.max_bytes.has_value()) {
    const auto most = static_cast<double>(*budget.max_bytes);
    excess = std::max(excess, static_cast<double>(seen.bytes) / most - 1);
  }
  if (budget.max_us.has_value()) excess = std::max(excess, seen.us / *budget.max_us - 1);
  if (budget.max_drop.has_value()) {
    excess = std::max(excess, source_accuracy - Accuracy(seen, objective) - *budget.max_drop - 1e-12);
  }
  return excess;
}

std::string BudgetText(const Budget& budget) {
  std::string text;
  if (budget.max_bytes.has_value()) text += fmt::format(" --max-size {}", *budget.max_bytes);
  if (budget.max_us.has_value()) text += fmt::format(" --max-latency-us {:g}", *budget.max_us);
  if (budget.max_drop.has_value()) text += fmt::format(" --max-drop {:g}", *budget.max_drop);
  return text.substr(1);
}

}  // namespace

bool IsBetter(const Seen& a, const Seen& b) { return a.right != b.right ? a.right > b.right : a.sqnr_db > b.sqnr_db; }

std::vector<size_t> ParetoFront(const std::vector<Seen>& seen) {
  std::vector<size_t> order(seen.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return IsBetter(seen[a], seen[b]); });
  // From the most accurate one down, each has to be smaller or faster than all before it.
  std::vector<size_t> front;
  for (const size_t i : order) {
    const bool gains = std::all_of(front.begin(), front.end(), [&](size_t member) {
      return IsSmaller(seen[i], seen[member]) || IsFaster(seen[i], seen[member]);
    });
    if (gains) front.push_back(i);
  }
  // And one that is hardly more accurate than another has to be smaller or faster than that, too.
  std::vector<size_t> kept;
  for (const size_t i : front) {
    const bool hardly = std::any_of(front.begin(), front.end(), [&](size_t other) {
      return other != i && seen[other].right == seen[i].right && seen[i].sqnr_db - seen[other].sqnr_db <= kEqualDb &&
             seen[i].sqnr_db >= seen[other].sqnr_db && !IsSmaller(seen[i], seen[other]) &&
             !IsFaster(seen[i], seen[other]);
    });
    if (!hardly) kept.push_back(i);
  }
  return kept;
}

Choice Choose(const std::vector<Seen>& front, const std::vector<std::string>& names, int64_t source_right,
              Objective objective, const Budget& budget) {
  ASSAY_CHECK(!front.empty() && names.size() == front.size());
  Budget effective = budget;
  if (!budget.is_given()) effective.max_drop = kDefaultDrop;
  const int64_t samples = front.front().samples;
  const double source_accuracy = objective == Objective::kError ? 1
                                 : samples > 0 ? static_cast<double>(source_right) / static_cast<double>(samples)
                                               : 0;
  const bool by_cost = effective.max_drop.has_value();
  Choice choice;
  double least_excess = HUGE_VAL;
  for (size_t i = 0; i < front.size(); ++i) {
    const double excess = Excess(front[i], source_accuracy, objective, effective);
    if (excess < least_excess) least_excess = excess, choice.nearest = i;
    if (excess > 0) continue;
    if (!choice.index.has_value()) {
      choice.index = i;
      continue;
    }
    const Seen &best = front[*choice.index], &here = front[i];
    const bool better =
        !by_cost ? IsBetter(here, best) : (effective.prefer_latency ? here.us < best.us : here.bytes < best.bytes);
    if (better) choice.index = i;
  }
  if (choice.index.has_value()) {
    choice.nearest = *choice.index;
    const char* cheapest = effective.prefer_latency ? "fastest" : "smallest";
    const char* what = objective == Objective::kTop1        ? "right answers"
                       : objective == Objective::kAgreement ? "equal answers"
                                                            : "outputs' power";
    if (!budget.is_given()) {
      choice.reason =
          fmt::format("no budget was given: the {} that loses at most {:g} of the {}", cheapest, kDefaultDrop, what);
    } else {
      choice.reason = fmt::format("the {} within {}", by_cost ? cheapest : "most accurate", BudgetText(budget));
    }
    return choice;
  }
  const Seen& nearest = front[choice.nearest];
  choice.reason = fmt::format(
      "nothing is within {}; {} comes nearest: {} bytes, {:.0f} us, {:+.4f} against float on the samples "
      "that choose",
      BudgetText(budget), names[choice.nearest], nearest.bytes, nearest.us,
      Accuracy(nearest, objective) - source_accuracy);
  return choice;
}

}  // namespace assay::tune
