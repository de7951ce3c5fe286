// What the parts of RunInDouble's arithmetic share.
#pragma once

#include <vector>

#include "convert/double_run.h"
#include "graph/attributes.h"
#include "graph/model.h"

namespace assay::convert {

using DoubleInputs = std::vector<const DoubleValue*>;  // null where an operand is absent
using DoubleFn = DoubleValue (*)(const graph::Operator& op, const DoubleInputs& inputs);

DoubleValue MakeDouble(Shape shape);                          // zeros
std::vector<int32_t> WholeNumbers(const DoubleValue& value);  // of an int32 operand
double Clamp(graph::Activation activation, double x);
// Index of an element of a broadcast operand, for each element of the result.
std::vector<size_t> BroadcastIndex(const Shape& from, const Shape& to);

// ---- windows and matrices (double_windows.cc)
DoubleValue Conv2DInDouble(const graph::Operator& op, const DoubleInputs& inputs);
DoubleValue DepthwiseConv2DInDouble(const graph::Operator& op, const DoubleInputs& inputs);
DoubleValue Conv3DInDouble(const graph::Operator& op, const DoubleInputs& inputs);
DoubleValue TransposeConvInDouble(const graph::Operator& op, const DoubleInputs& inputs);
DoubleValue FullyConnectedInDouble(const graph::Operator& op, const DoubleInputs& inputs);
DoubleValue BatchMatMulInDouble(const graph::Operator& op, const DoubleInputs& inputs);
DoubleValue Pool2DInDouble(const graph::Operator& op, const DoubleInputs& inputs);
DoubleValue ResizeInDouble(const graph::Operator& op, const DoubleInputs& inputs);

}  // namespace assay::convert
