// The samples of a search: three disjoint parts.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/dataset.h"

namespace assay::tune {

// Indices of the data set, each part ascending.
struct Split {
  std::vector<size_t> calibration, search, report;
};

struct SplitRequest {
  size_t size = 0;                         // of the data set
  std::optional<size_t> calibration = {};  // unset: 100, or a quarter where there are fewer than 400
  size_t search = 200, report = 1000;
  uint64_t seed = 0;
};

// The calibration part is the one that `assay quantize --seed --samples` takes. Of the others at most half choose.
// Throws UsageError or InputError where a part would be empty.
Split SplitSamples(const SplitRequest& request);

// Of the names, labels and bytes of the samples as they are stored.
uint64_t Fingerprint(const data::Dataset& all, const std::vector<size_t>& chosen, int threads);

}  // namespace assay::tune
