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


    // ---- elementwise, unary; quantize, dequantize, cast; softmax ----------------------------------------------------


    // ---- data movement ----------------------------------------------------------------------------------------------


    // ---- pooling, reductions, resizing, detection -------------------------------------------------------------------


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
