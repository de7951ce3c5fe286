// Ops of the same kind with the same options and operands, and equal constants, are kept once.
#include <fmt/core.h>

#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::Operator;
using graph::Subgraph;

// Small constants only: shapes, paddings, scalars. Large equal weights are stored once by the writer anyway.
constexpr size_t kMaxConstantBytes = 1024;

std::string Key(const Operator& op) {
  std::string key = fmt::format("{}:{}:", static_cast<int>(op.code), op.version);
  for (const int32_t t : op.inputs) key += fmt::format("{},", t);
  for (const auto& field : op.attributes.fields()) {
    key += fmt::format("|{}=", field.name);
    std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double> || std::is_same_v<T, std::string>) {
            key += fmt::format("{}", value);
          } else {
            for (const auto& entry : value) key += fmt::format("{};", entry);
          }
        },
        field.value);
  }
  return key;
}

int MergeConstants(Subgraph& graph) {
  std::map<std::tuple<int, std::vector<int32_t>, std::string_view>, int32_t> first;
  std::vector<int32_t> stands_for(graph.tensors.size(), -1);
  int count = 0;
  for (size_t t = 0; t < graph.tensors.size(); ++t) {
    const graph::Tensor& tensor = graph.tensors[t];
    if (!tensor.data.has_value() || tensor.is_variable || tensor.sparsity.has_value() ||
        tensor.quantization.is_quantized()) {
      continue;
    }
    const auto bytes = tensor.data->bytes();
    if (bytes.size() > kMaxConstantBytes) continue;
    const auto dims = tensor.shape.dims();
    const auto [at, added] = first.try_emplace({static_cast<int>(tensor.dtype),
                                                {dims.begin(), dims.end()},
                                                {reinterpret_cast<const char*>(bytes.data()), bytes.size()}},
                                               static_cast<int32_t>(t));
    if (!added) stands_for[t] = at->second;
  }
  for (Operator& op : graph.operators) {
    for (int32_t& t : op.inputs) {
      if (t == graph::kNoTensor || stands_for[static_cast<size_t>(t)] < 0) continue;
      t = stands_for[static_cast<size_t>(t)];
      ++count;
    }
  }
  return count;
}

}  // namespace

int MergeCommon(PassContext& context) {
  Subgraph& graph = context.graph;
  MergeConstants(graph);  // not counted: users think in ops
  const Uses uses(graph);
  std::unordered_map<std::string, std::vector<int32_t>> first;
  std::unordered_map<int32_t, int32_t> stands_for;
  std::vector<bool> erase(graph.operators.size(), false);
  int count = 0;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    Operator& op = graph.operators[i];
    for (int32_t& t : op.inputs) {
      if (const auto found = stands_for.find(t); found != stands_for.end()) t = found->second;
    }
    if (HasSideEffects(op.code)) continue;
    bool is_output = false;
    for (const int32_t t : op.outputs) is_output |= uses.IsOutput(t);
    const auto [at, added] = first.try_emplace(Key(op), op.outputs);
    if (added || is_output || at->second.size() != op.outputs.size()) continue;
    bool same = true;
    for (size_t k = 0; k < op.outputs.size(); ++k) {
      same &= TensorAt(graph, op.outputs[k]).dtype == TensorAt(graph, at->second[k]).dtype;
    }
    if (!same) continue;
    for (size_t k = 0; k < op.outputs.size(); ++k) stands_for[op.outputs[k]] = at->second[k];
    erase[i] = true;
    ++count;
  }
  EraseOps(graph, erase);
  return count;
}

}  // namespace assay::passes
