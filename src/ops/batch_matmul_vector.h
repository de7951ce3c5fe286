// BATCH_MATMUL over kernels/simd/batch_matmul.h. Each gives the vector kernels' form; none where they do not serve: no
// such kernels on this machine, no work at all, or so little that packing would cost more than it saves.
#pragma once

#include <optional>
#include <vector>

#include "kernels/ref/batch_matmul.h"
#include "ops/op.h"

namespace assay::ops {

std::optional<RunFn> PrepareVectorMatMulFloat(PrepareContext& context, const kernels::ref::BatchMatMulGeometry& g);

std::optional<RunFn> PrepareVectorMatMul8Bit(PrepareContext& context, const kernels::ref::BatchMatMulGeometry& g,
                                             const numerics::ChannelScale& scale, const numerics::OutputStage& stage);
std::optional<RunFn> PrepareVectorMatMulInt8ToInt32(PrepareContext& context,
                                                    const kernels::ref::BatchMatMulGeometry& g);

// The second operand is int8 or int16.
std::optional<RunFn> PrepareVectorMatMulInt16(PrepareContext& context, const kernels::ref::BatchMatMulGeometry& g,
                                              const numerics::ChannelScale& scale, const numerics::OutputStage& stage);

// scales: one per column of the second operand.
std::optional<RunFn> PrepareVectorMatMulHybrid(PrepareContext& context, const kernels::ref::BatchMatMulGeometry& g,
                                               const kernels::ref::BatchMatMulHybridRule& rule,
                                               const std::vector<float>& scales);

}  // namespace assay::ops
