// Whether one side's classes are numbered otherwise: all shifted by a constant, or permuted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"

namespace assay::compare {

struct ClassMapping {
  Cause cause = Cause::kNone;     // kLabelShift or kLabelPermutation
  int64_t shift = 0;              // found = (wanted + shift) modulo the number of classes
  std::vector<int32_t> found_of;  // by wanted class
  double agreement_before = 0, agreement_after = 0;
};

// The mapping of classes under which `found` says the same as `wanted` far more often than as it stands; cause kNone
// where there is none. Negative entries are left out.
ClassMapping FindClassMapping(const std::vector<int32_t>& wanted, const std::vector<int32_t>& found, int64_t classes);

}  // namespace assay::compare
