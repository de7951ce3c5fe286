// Intervals and tests for counts of right and wrong answers.
#pragma once

#include <cstdint>

namespace assay::eval {

struct Proportion {
  int64_t correct = 0, total = 0;
  double accuracy = 0;       // correct / total; 0 without samples
  double low = 0, high = 1;  // 95 % Wilson score interval
};

// Wilson, "Probable inference, the law of succession, and statistical inference", 1927; z = 1.959963984540054.
Proportion WilsonInterval(int64_t correct, int64_t total);

// McNemar's exact test: given `only_first` samples that only the first model gets right and `only_second` that only the
// second does, the two-sided probability of a split at least this uneven when both are equally good. In (0, 1].
double McNemarExact(int64_t only_first, int64_t only_second);

// 95 % interval of the difference second - first of two accuracies on the same samples (Agresti and Min's for paired
// proportions, 2005: 0.5 added to each cell of the 2x2 table), as fractions.
struct DifferenceInterval {
  double difference = 0, low = 0, high = 0;
};
DifferenceInterval PairedDifference(int64_t only_first, int64_t only_second, int64_t total);

}  // namespace assay::eval
