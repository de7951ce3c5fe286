#include "compare/labels.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::compare {
namespace {

constexpr int64_t kMinSamples = 10;
constexpr int64_t kMaxPermutedClasses = 2000;
constexpr double kShiftGain = 0.25, kPermutationGain = 0.1;  // of all samples, that a mapping must bring

}  // namespace

ClassMapping FindClassMapping(const std::vector<int32_t>& wanted, const std::vector<int32_t>& found, int64_t classes) {
  ClassMapping mapping;
  std::map<int64_t, int64_t> shifts;
  std::map<std::pair<int32_t, int32_t>, int64_t> pairs;
  int64_t total = 0;
  const size_t count = std::min(wanted.size(), found.size());
  for (size_t i = 0; i < count; ++i) {
    if (wanted[i] < 0 || found[i] < 0 || wanted[i] >= classes || found[i] >= classes) continue;
    ++total;
    ++shifts[((static_cast<int64_t>(found[i]) - wanted[i]) % classes + classes) % classes];
    ++pairs[{wanted[i], found[i]}];
  }
  if (total < kMinSamples || classes < 3) return mapping;
  const auto share = [&](int64_t n) { return static_cast<double>(n) / static_cast<double>(total); };
  mapping.agreement_before = mapping.agreement_after = share(shifts[0]);
  int64_t best_shift = 0;
  for (const auto& [shift, n] : shifts) {
    if (n > shifts[best_shift]) best_shift = shift;
  }
  // One class alone says nothing of a shift: the answers must move together.
  std::map<int32_t, int64_t> classes_seen;
  for (const auto& [pair, n] : pairs) classes_seen[pair.first] += n;
  if (classes_seen.size() < 3) return mapping;
  if (best_shift != 0 && share(shifts[best_shift]) >= mapping.agreement_before + kShiftGain) {
    mapping.cause = Cause::kLabelShift;
    mapping.shift = best_shift > classes / 2 ? best_shift - classes : best_shift;
    mapping.agreement_after = share(shifts[best_shift]);
    for (int64_t c = 0; c < classes; ++c) mapping.found_of.push_back(static_cast<int32_t>((c + best_shift) % classes));
    return mapping;
  }
  if (classes > kMaxPermutedClasses) return mapping;
  // Greedy assignment: the most frequent pairs first, each class once.
  std::vector<std::pair<int64_t, std::pair<int32_t, int32_t>>> order;
  order.reserve(pairs.size());
  for (const auto& [pair, n] : pairs) order.emplace_back(n, pair);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<int32_t> to(static_cast<size_t>(classes), -1);
  std::vector<bool> used(static_cast<size_t>(classes), false);
  int64_t right = 0, moved = 0;
  for (const auto& [n, pair] : order) {
    const auto w = static_cast<size_t>(pair.first), f = static_cast<size_t>(pair.second);
    if (to[w] >= 0 || used[f]) continue;
    to[w] = pair.second;
    used[f] = true;
    right += n;
    moved += pair.first != pair.second;
  }
  // With few samples per class an assignment fits by chance: ask for several of each.
  const bool enough = total >= 4 * static_cast<int64_t>(classes_seen.size());
  if (!enough || moved < 2 || share(right) < 0.5) return mapping;
  if (share(right) < mapping.agreement_before + kPermutationGain) return mapping;
  mapping.cause = Cause::kLabelPermutation;
  mapping.agreement_after = share(right);
  for (int64_t c = 0; c < classes; ++c) {
    mapping.found_of.push_back(to[static_cast<size_t>(c)] >= 0 ? to[static_cast<size_t>(c)] : static_cast<int32_t>(c));
  }
  return mapping;
}

}  // namespace assay::compare
