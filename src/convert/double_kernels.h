// The arithmetic of RunInDouble.
#pragma once

#include "convert/double_run.h"
#include "graph/model.h"

namespace assay::convert {

// The op's result on these operands; null where one is absent. Knows arithmetic ops with one float32 output.
DoubleValue ComputeInDouble(const graph::Operator& op, const std::vector<const DoubleValue*>& inputs);
bool IsComputedInDouble(graph::BuiltinOp code);
// Ops that only move values: they go through their own kernels, as float64.
bool OnlyMoves(graph::BuiltinOp code);

}  // namespace assay::convert
