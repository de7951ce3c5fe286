#include "passes/extract_segment.h"

#include <algorithm>

#include "base/error.h"

namespace assay::passes {
namespace {

bool HasOutsideState(graph::BuiltinOp code) {
  switch (code) {
    case graph::BuiltinOp::kVarHandle:
    case graph::BuiltinOp::kReadVariable:
    case graph::BuiltinOp::kAssignVariable:
    case graph::BuiltinOp::kCallOnce:
    case graph::BuiltinOp::kHashtable:
    case graph::BuiltinOp::kHashtableFind:
    case graph::BuiltinOp::kHashtableImport:
    case graph::BuiltinOp::kHashtableSize:
      return true;
    default:
      return false;
  }
}

}  // namespace

Segment ExtractSegment(const graph::Model& model, std::span<const int32_t> wanted, const std::vector<bool>& given) {
  const graph::Subgraph& whole = model.subgraphs[0];
  std::vector<int32_t> producer(whole.tensors.size(), -1);
  for (size_t op = 0; op < whole.operators.size(); ++op) {
    for (const int32_t output : whole.operators[op].outputs) {
      producer[static_cast<size_t>(output)] = static_cast<int32_t>(op);
    }
  }
  std::vector<bool> needed_op(whole.operators.size(), false), is_input(whole.tensors.size(), false);
  std::vector<int32_t> open;
  const auto need_op_of = [&](int32_t tensor) {
    const int32_t op = producer[static_cast<size_t>(tensor)];
    if (op < 0) {
      throw InputError("tensor {} '{}' is needed and nothing computes it", tensor,
                       whole.tensors[static_cast<size_t>(tensor)].name);
    }
    if (needed_op[static_cast<size_t>(op)]) return;
    const graph::Operator& found = whole.operators[static_cast<size_t>(op)];
    if (HasOutsideState(found.code)) {
      throw InputError("op {} {} depends on more than its operands", op, found.Name());
    }
    needed_op[static_cast<size_t>(op)] = true;
    open.push_back(op);
  };
  for (const int32_t tensor : wanted) {
    if (!whole.tensors[static_cast<size_t>(tensor)].data.has_value()) need_op_of(tensor);
  }
  while (!open.empty()) {
    const int32_t op = open.back();
    open.pop_back();
    for (const int32_t input : whole.operators[static_cast<size_t>(op)].inputs) {
      if (input == graph::kNoTensor) continue;
      const auto i = static_cast<size_t>(input);
      const graph::Tensor& tensor = whole.tensors[i];
      if (tensor.data.has_value() || (tensor.is_variable && producer[i] < 0)) continue;
      if (given[i] && std::find(wanted.begin(), wanted.end(), input) == wanted.end()) {
        is_input[i] = true;
      } else {
        need_op_of(input);
      }
    }
  }
  Segment segment;
  segment.model = model;
  segment.model.signatures.clear();
  segment.model.metadata.clear();
  graph::Subgraph& cut = segment.model.subgraphs[0];
  cut.operators.clear();
  for (size_t op = 0; op < needed_op.size(); ++op) {
    if (!needed_op[op]) continue;
    cut.operators.push_back(whole.operators[op]);
    segment.ops.push_back(static_cast<int32_t>(op));
    for (const int32_t output : whole.operators[op].outputs) is_input[static_cast<size_t>(output)] = false;
  }
  for (size_t t = 0; t < is_input.size(); ++t) {
    if (is_input[t]) segment.inputs.push_back(static_cast<int32_t>(t));
  }
  segment.outputs.assign(wanted.begin(), wanted.end());
  cut.inputs = segment.inputs;
  cut.outputs = segment.outputs;
  return segment;
}

}  // namespace assay::passes
