// Products with a matrix of weights as CONV_2D defines them, for it and for FULLY_CONNECTED, which is the same on
// images of one pixel: on vectors where these serve, else on the plain loops. Operands: input, weights, bias or none.
// Types and scales are the ops' to check.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/ref/conv_2d.h"
#include "numerics/requantize.h"
#include "ops/checks.h"
#include "ops/op.h"

namespace assay::ops {

RunFn PrepareMatrixProduct(PrepareContext& context, const kernels::ref::Conv2DGeometry& g, FloatRange clamp);

// int8 input with int8 or int4 weights, or uint8 input and weights.
RunFn PrepareMatrixProduct(PrepareContext& context, const kernels::ref::Conv2DGeometry& g,
                           const numerics::OutputStage& stage, const std::vector<numerics::ChannelScale>& scales,
                           int32_t weights_zero_point);

// int16 input, int8 or int4 weights. `wide_bias`: sums of 64 bits, and multipliers of 15.
RunFn PrepareMatrixProduct16Bit(PrepareContext& context, const kernels::ref::Conv2DGeometry& g,
                                const numerics::OutputStage& stage, const std::vector<numerics::ChannelScale>& scales,
                                bool wide_bias);

}  // namespace assay::ops
