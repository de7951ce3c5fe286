// Where two models differ, for tests and for the check after a rewrite.
#pragma once

#include <string>

#include "graph/model.h"

namespace assay::graph {

// The first difference as "subgraph 0: tensor 3 \"x\": shape [1,2] and [1,3]", or "" where the models are the same.
// Bytes and floats are compared bit by bit; the source, the warnings and the size of the file do not count.
std::string FirstDifference(const Model& a, const Model& b);

}  // namespace assay::graph
