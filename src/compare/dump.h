// Comparison with a dump of a device's tensors: `in/<name>`, `out/<k>`, `tensor/<index>` of one invocation.
#pragma once

#include "compare/compare.h"

namespace assay::compare {

// One side is a model, the other a dump of the same model: every tensor against the dump's, each op also alone on the
// dump's values. Or both are dumps: tensors of the same index and shape are compared.
CompareResult CompareWithDump(const CompareRequest& request);

}  // namespace assay::compare
