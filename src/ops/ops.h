// Declarations of every op's entry points; each pair is defined in the file named after the op or its family.
#pragma once

#include "ops/op.h"

namespace assay::ops {

// ---- matrix ops
RunFn PrepareConv2D(PrepareContext& context);
bool XnnpackTakesConv2D(const PrepareContext& context);

// ---- elementwise, binary
RunFn PrepareAdd(PrepareContext& context);
RunFn PrepareSub(PrepareContext& context);
RunFn PrepareMul(PrepareContext& context);
bool XnnpackTakesAdd(const PrepareContext& context);  // and SUB
bool XnnpackTakesMul(const PrepareContext& context);

// ---- elementwise, unary; quantize, dequantize, cast; softmax

// ---- data movement

// ---- pooling, reductions, resizing, detection
RunFn PrepareAveragePool2D(PrepareContext& context);
RunFn PrepareMaxPool2D(PrepareContext& context);
RunFn PrepareL2Pool2D(PrepareContext& context);
bool XnnpackTakesAveragePool2D(const PrepareContext& context);
bool XnnpackTakesMaxPool2D(const PrepareContext& context);
RunFn PrepareMean(PrepareContext& context);
RunFn PrepareSum(PrepareContext& context);
RunFn PrepareReduceProd(PrepareContext& context);
RunFn PrepareReduceMax(PrepareContext& context);
RunFn PrepareReduceMin(PrepareContext& context);
RunFn PrepareReduceAny(PrepareContext& context);
RunFn PrepareReduceAll(PrepareContext& context);
bool XnnpackTakesReduce(const PrepareContext& context);

// ---- control flow, variables, recurrent

}  // namespace assay::ops
