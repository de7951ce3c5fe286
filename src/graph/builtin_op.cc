#include "graph/builtin_op.h"

namespace assay::graph {
namespace {

constexpr BuiltinOpFacts kFacts[] = {
#define ASSAY_FACT(name, format_name, id, options) {BuiltinOp::k##name, #format_name, options},
    ASSAY_BUILTIN_OPS(ASSAY_FACT)
#undef ASSAY_FACT
};

}  // namespace

std::span<const BuiltinOpFacts> AllBuiltinOps() { return kFacts; }

std::string_view BuiltinOpName(BuiltinOp op) {
  const auto id = static_cast<size_t>(op);
  return id < std::size(kFacts) ? kFacts[id].name : "UNKNOWN";
}

std::string_view BuiltinOpOptionsTable(BuiltinOp op) {
  const auto id = static_cast<size_t>(op);
  return id < std::size(kFacts) ? kFacts[id].options : "";
}

std::optional<BuiltinOp> BuiltinOpFromName(std::string_view name) {
  for (const BuiltinOpFacts& facts : kFacts) {
    if (facts.name == name) return facts.op;
  }
  return std::nullopt;
}

}  // namespace assay::graph
