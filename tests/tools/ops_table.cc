// Prints docs/ops.md from the op table; a test compares the two.
#include <fmt/core.h>

#include <string>
#include <vector>

#include "graph/builtin_op.h"
#include "ops/registry.h"

namespace {

std::string Row(std::string_view name, const assay::ops::OpRow& row) {
  return fmt::format("| {} | {} | {} | {} |\n", name, row.types, row.max_version,
                     row.xnnpack_takes == nullptr ? "never" : "where it can");
}

}  // namespace

int main() {
  std::string with, custom, without;
  int implemented = 0;
  for (const assay::graph::BuiltinOpFacts& facts : assay::graph::AllBuiltinOps()) {
    const assay::ops::OpRow* found = nullptr;
    for (const assay::ops::OpRow& row : assay::ops::AllOpRows()) {
      if (row.op == facts.op && row.custom_name.empty()) found = &row;
    }
    if (found != nullptr) {
      with += Row(facts.name, *found);
      ++implemented;
    } else {
      without += fmt::format("{}`{}`", without.empty() ? "" : ", ", facts.name);
    }
  }
  for (const assay::ops::OpRow& row : assay::ops::AllOpRows()) {
    if (!row.custom_name.empty()) custom += Row(row.custom_name, row);
  }
  fmt::print(
      "# Operators\n\n"
      "Made by `build/release/tests/tools/ops_table` from the op table (`src/ops/registry.cc`); a test compares the "
      "two.\n\n"
      "`max version` is the newest version of the operator whose meaning the kernel covers. The last column says "
      "whether the\n"
      "profile `xnnpack` follows XNNPACK's arithmetic for it: `where it can` means that types, constant operands and "
      "options\n"
      "decide, as they do in LiteRT; the rest follows `builtin`. `int16x8` is 16-bit activations with 8-bit weights, "
      "`hybrid`\n"
      "float activations with 8-bit weights. How exact each is: [numerics.md](numerics.md).\n\n"
      "## With a kernel ({} builtin operators)\n\n| operator | types | max version | XNNPACK "
      "|\n|---|---|---|---|\n{}{}\n"
      "## Without a kernel\n\nThey load, inspect and round-trip; running one names it, its version and its "
      "place.\n\n{}\n",
      implemented, with, custom, without);
  return 0;
}
