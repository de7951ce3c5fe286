// What XNNPACK's delegate asks of an operand before it takes an op. Nothing here throws: operands are unverified yet.
#pragma once

#include "ops/op.h"

namespace assay::ops {

inline constexpr int kXnnpackMaxRank = 6;

// True where the op has these operands, none absent.
bool HasOperands(const PrepareContext& context, int inputs, int outputs);
// Rank at most 6, no dimension 0.
bool XnnpackTakesShape(const TensorRef& tensor);
// int8 or uint8, one scale, quantized_dimension 0.
bool XnnpackTakesQuantized8(const TensorRef& tensor);
bool XnnpackTakesFloatOr8Bit(const TensorRef& tensor);
// float(input scale / output scale) for 8-bit tensors that passed XnnpackTakesQuantized8.
float ScaleRatio(const TensorRef& input, const TensorRef& output);

}  // namespace assay::ops
