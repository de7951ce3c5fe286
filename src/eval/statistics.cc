#include "eval/statistics.h"

#include <algorithm>
#include <cmath>

namespace assay::eval {
namespace {

constexpr double kZ95 = 1.959963984540054;

}  // namespace

Proportion WilsonInterval(int64_t correct, int64_t total) {
  Proportion p;
  p.correct = correct, p.total = total;
  if (total <= 0) return p;
  const auto n = static_cast<double>(total);
  p.accuracy = static_cast<double>(correct) / n;
  const double z2 = kZ95 * kZ95;
  const double center = (p.accuracy + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ95 / (1 + z2 / n) * std::sqrt(p.accuracy * (1 - p.accuracy) / n + z2 / (4 * n * n));
  p.low = correct == 0 ? 0 : std::max(0.0, center - half);
  p.high = correct == total ? 1 : std::min(1.0, center + half);
  return p;
}

double McNemarExact(int64_t only_first, int64_t only_second) {
  const int64_t n = only_first + only_second;
  if (n <= 0) return 1;
  const int64_t k = std::min(only_first, only_second);
  // 2 * sum over i <= k of C(n, i) / 2^n, each term from the logarithm so that no n overflows.
  const auto total = static_cast<double>(n);
  double sum = 0;
  for (int64_t i = 0; i <= k; ++i) {
    const auto at = static_cast<double>(i);
    sum += std::exp(std::lgamma(total + 1) - std::lgamma(at + 1) - std::lgamma(total - at + 1) - total * std::log(2.0));
  }
  return std::min(1.0, 2 * sum);
}

DifferenceInterval PairedDifference(int64_t only_first, int64_t only_second, int64_t total) {
  DifferenceInterval d;
  if (total <= 0) return d;
  const auto n = static_cast<double>(total);
  d.difference = static_cast<double>(only_second - only_first) / n;
  const double b = (static_cast<double>(only_first) + 0.5) / (n + 2),
               c = (static_cast<double>(only_second) + 0.5) / (n + 2);
  const double half = kZ95 * std::sqrt((b + c - (c - b) * (c - b)) / (n + 2));
  d.low = std::max(-1.0, c - b - half);
  d.high = std::min(1.0, c - b + half);
  return d;
}

}  // namespace assay::eval
