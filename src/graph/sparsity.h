// Sparse constants as dense arrays.
#pragma once

#include <cstdint>
#include <span>

#include "graph/model.h"

namespace assay::graph {

// Writes the elements that the tensor, a verified sparse constant, stores to their places in `dense`, a zeroed array of
// its shape. Throws InputError for types of less than 8 bits.
void ExpandSparse(const Tensor& tensor, std::span<uint8_t> dense);

}  // namespace assay::graph
