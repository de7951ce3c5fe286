// Checks a sparse constant's description, level by level, against its dense shape.
#pragma once

#include <cstdint>

#include "graph/model.h"

namespace assay::graph {

// The number of elements that the constant stores. Throws InputError. `shape` must have passed the shape checks.
uint64_t CheckSparsity(const Sparsity& sparsity, const Shape& shape);

}  // namespace assay::graph
