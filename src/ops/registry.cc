#include "ops/registry.h"

#include "ops/ops.h"

namespace assay::ops {
namespace {

using Op = graph::BuiltinOp;

// clang-format off
constexpr OpRow kRows[] = {
    // ---- matrix ops -------------------------------------------------------------------------------------------------
    {Op::kConv2D, "", PrepareConv2D, XnnpackTakesConv2D, 8, "float32 int8 uint8 int16x8 hybrid int4-weights"},


    // ---- elementwise, binary ----------------------------------------------------------------------------------------
    {Op::kAdd, "", PrepareAdd, XnnpackTakesAdd, 5, "float32 int8 uint8 int16 int32 int64"},
    {Op::kMul, "", PrepareMul, XnnpackTakesMul, 7, "float32 int8 uint8 int16 int32 int64"},
    {Op::kSub, "", PrepareSub, XnnpackTakesAdd, 5, "float32 int8 uint8 int16 int32 int64"},


    // ---- elementwise, unary; quantize, dequantize, cast; softmax ----------------------------------------------------


    // ---- data movement ----------------------------------------------------------------------------------------------


    // ---- pooling, reductions, resizing, detection -------------------------------------------------------------------
    {Op::kAveragePool2D, "", PrepareAveragePool2D, XnnpackTakesAveragePool2D, 3, "float32 int8 uint8 int16"},
    {Op::kMaxPool2D, "", PrepareMaxPool2D, XnnpackTakesMaxPool2D, 3, "float32 int8 uint8 int16"},
    {Op::kL2Pool2D, "", PrepareL2Pool2D, nullptr, 1, "float32"},
    {Op::kMean, "", PrepareMean, XnnpackTakesReduce, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kSum, "", PrepareSum, XnnpackTakesReduce, 2, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceProd, "", PrepareReduceProd, nullptr, 2, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceMax, "", PrepareReduceMax, XnnpackTakesReduce, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceMin, "", PrepareReduceMin, XnnpackTakesReduce, 3, "float32 int8 uint8 int16 int32 int64"},
    {Op::kReduceAny, "", PrepareReduceAny, nullptr, 1, "bool"},
    {Op::kReduceAll, "", PrepareReduceAll, nullptr, 1, "bool"},


    // ---- control flow, variables, recurrent -------------------------------------------------------------------------


};
// clang-format on

}  // namespace

std::span<const OpRow> AllOpRows() { return kRows; }

const OpRow* FindOpRow(const graph::Operator& op) {
  for (const OpRow& row : kRows) {
    if (row.op == op.code && (op.code != Op::kCustom || row.custom_name == op.custom_code)) return &row;
  }
  return nullptr;
}

}  // namespace assay::ops
