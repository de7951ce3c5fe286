// What an op costs, counted from the shapes of its operands.
#pragma once

#include <cstdint>
#include <span>

#include "graph/model.h"
#include "tensor/shape.h"

namespace assay::runtime {

// Multiplications that are added up: the products of convolutions, matrix products and recurrent ops. Positions in the
// padding count like all others, as is usual; element-wise work, pooling and reductions count as nothing. An absent
// operand has the shape [0]. Saturates at INT64_MAX; shapes that make no sense for the op give 0.
int64_t CountMacs(const graph::Operator& op, std::span<const Shape> inputs, std::span<const Shape> outputs);

// Whether ops of this kind have MACs at all.
bool HasMacs(graph::BuiltinOp op);

// a + b, saturating; neither is negative.
int64_t AddCounts(int64_t a, int64_t b);

}  // namespace assay::runtime
