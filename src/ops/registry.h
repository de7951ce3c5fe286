// The one table of implemented ops: format name to Prepare, types, state. It feeds the runtime, docs/ops.md and the
// completeness test.
#pragma once

#include <span>
#include <string_view>

#include "graph/builtin_op.h"
#include "ops/op.h"

namespace assay::ops {

struct OpRow {
  graph::BuiltinOp op;
  std::string_view custom_name;  // where op is kCustom
  PrepareFn prepare;
  DelegatedFn xnnpack_takes;  // null: XNNPACK never takes it
  int max_version;            // the newest version of the op whose meaning is covered
  std::string_view types;     // for the documentation: "float32 int8 uint8 int16x8 hybrid int4-weights"
};

std::span<const OpRow> AllOpRows();

// Null where there is no kernel.
const OpRow* FindOpRow(const graph::Operator& op);

}  // namespace assay::ops
