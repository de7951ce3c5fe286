// Declarations of every op's entry points; each pair is defined in the file named after the op or its family.
#pragma once

#include "ops/op.h"

namespace assay::ops {

// ---- matrix ops
RunFn PrepareConv2D(PrepareContext& context);
bool XnnpackTakesConv2D(const PrepareContext& context);

// ---- elementwise, binary

// ---- elementwise, unary; quantize, dequantize, cast; softmax

// ---- data movement

// ---- pooling, reductions, resizing, detection

// ---- control flow, variables, recurrent

}  // namespace assay::ops
