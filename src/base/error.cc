#include "base/error.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace assay {
namespace {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      const bool same =
          std::tolower(static_cast<unsigned char>(a[i - 1])) == std::tolower(static_cast<unsigned char>(b[j - 1]));
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (same ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

void CheckFailed(const char* condition, const char* file, int line) {
  throw Error(ErrorCode::kInternal,
              fmt::format("internal error: {} does not hold at {}:{}; please report it", condition, file, line));
}

std::string NearestHint(std::string_view typed, const std::string_view* known, size_t count) {
  constexpr size_t kLongestTyped = 64;
  if (typed.empty() || typed.size() > kLongestTyped) return "";
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, typed.size() / 2);
  for (size_t i = 0; i < count; ++i) {
    const size_t distance = EditDistance(typed, known[i]);
    if (distance <= best_distance && (best.empty() || distance < best_distance)) {
      best = known[i];
      best_distance = distance;
    }
  }
  return best.empty() ? "" : fmt::format(" (did you mean '{}'?)", best);
}

}  // namespace assay
