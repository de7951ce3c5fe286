// What the labels say of faults that both sides share, and which therefore no comparison of the two can show: inputs in
// another range or turned, labels that are numbered otherwise.
#pragma once

#include <vector>

#include "compare/compare.h"

namespace assay::compare {

// Tries changes of the inputs on the reference, and shifts of the labels, on the accuracy that was measured. Only what
// brings far more right answers than chance explains becomes a finding; the best one comes first.
std::vector<Finding> FindSharedFaults(const CompareRequest& request, const AccuracyComparison& accuracy);

}  // namespace assay::compare
