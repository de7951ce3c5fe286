// Ops that no output needs, tensors that nothing uses, subgraphs that nothing runs.
#include "base/error.h"
#include "graph/verifier.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {

using graph::Operator;
using graph::Subgraph;

namespace {

std::vector<int32_t> ParameterTensors(const graph::Tensor& tensor) {
  std::vector<int32_t> tensors;
  if (tensor.blockwise.has_value()) tensors = {tensor.blockwise->scales, tensor.blockwise->zero_points};
  if (tensor.multi_axis.has_value()) {
    tensors.insert(tensors.end(), {tensor.multi_axis->scales, tensor.multi_axis->zero_points});
  }
  return tensors;
}

}  // namespace

int RemoveDead(PassContext& context) {
  Subgraph& graph = context.graph;
  std::vector<bool> needed(graph.tensors.size(), false), erase(graph.operators.size(), true);
  for (const int32_t t : graph.outputs) needed[static_cast<size_t>(t)] = true;
  int count = 0;
  for (size_t i = graph.operators.size(); i-- > 0;) {
    const Operator& op = graph.operators[i];
    bool keep = HasSideEffects(op.code) && op.code != graph::BuiltinOp::kWhile && op.code != graph::BuiltinOp::kIf;
    for (const int32_t t : op.outputs) keep |= needed[static_cast<size_t>(t)];
    if (!keep) {
      ++count;
      continue;
    }
    erase[i] = false;
    for (const auto* list : {&op.inputs, &op.outputs, &op.intermediates}) {
      for (const int32_t t : *list) {
        if (t != graph::kNoTensor) needed[static_cast<size_t>(t)] = true;
      }
    }
  }
  for (const int32_t t : graph.inputs) needed[static_cast<size_t>(t)] = true;
  std::vector<graph::SignatureTensor*> named;
  for (graph::Signature& signature : context.model.signatures) {
    if (static_cast<size_t>(signature.subgraph) >= context.model.subgraphs.size() ||
        &context.model.subgraphs[static_cast<size_t>(signature.subgraph)] != &graph) {
      continue;
    }
    for (auto* list : {&signature.inputs, &signature.outputs}) {
      for (graph::SignatureTensor& tensor : *list) named.push_back(&tensor);
    }
  }
  for (const graph::SignatureTensor* tensor : named) needed[static_cast<size_t>(tensor->tensor)] = true;
  // Blockwise parameters are tensors of their own.
  for (size_t t = 0; t < needed.size(); ++t) {
    if (!needed[t]) continue;
    for (const int32_t parameters : ParameterTensors(graph.tensors[t])) {
      if (parameters != graph::kNoTensor) needed[static_cast<size_t>(parameters)] = true;
    }
  }
  EraseOps(graph, erase);
  std::vector<int32_t> new_index(graph.tensors.size(), -1);
  std::vector<graph::Tensor> kept;
  for (size_t t = 0; t < graph.tensors.size(); ++t) {
    if (!needed[t]) continue;
    new_index[t] = static_cast<int32_t>(kept.size());
    kept.push_back(std::move(graph.tensors[t]));
  }
  graph.tensors = std::move(kept);
  const auto renumber = [&](std::vector<int32_t>& list) {
    for (int32_t& t : list) {
      if (t != graph::kNoTensor) t = new_index[static_cast<size_t>(t)];
    }
  };
  for (Operator& op : graph.operators) renumber(op.inputs), renumber(op.outputs), renumber(op.intermediates);
  renumber(graph.inputs);
  renumber(graph.outputs);
  for (graph::SignatureTensor* tensor : named) tensor->tensor = new_index[static_cast<size_t>(tensor->tensor)];
  const auto move = [&](int32_t& t) {
    if (t != graph::kNoTensor) t = new_index[static_cast<size_t>(t)];
  };
  for (graph::Tensor& tensor : graph.tensors) {
    if (tensor.blockwise.has_value()) move(tensor.blockwise->scales), move(tensor.blockwise->zero_points);
    if (tensor.multi_axis.has_value()) move(tensor.multi_axis->scales), move(tensor.multi_axis->zero_points);
  }
  return count;
}

void RemoveUnusedSubgraphs(graph::Model& model) {
  std::vector<bool> used(model.subgraphs.size(), false);
  std::vector<size_t> pending;
  const auto use = [&](int32_t index) {
    ASSAY_CHECK(index >= 0 && static_cast<size_t>(index) < used.size());
    if (used[static_cast<size_t>(index)]) return;
    used[static_cast<size_t>(index)] = true;
    pending.push_back(static_cast<size_t>(index));
  };
  use(0);
  for (const graph::Signature& signature : model.signatures) use(signature.subgraph);
  while (!pending.empty()) {
    const Subgraph& graph = model.subgraphs[pending.back()];
    pending.pop_back();
    for (const Operator& op : graph.operators) {
      for (const int32_t called : graph::CalledSubgraphs(op)) use(called);
    }
  }
  std::vector<int64_t> new_index(used.size(), -1);
  std::vector<Subgraph> kept;
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    new_index[i] = static_cast<int64_t>(kept.size());
    kept.push_back(std::move(model.subgraphs[i]));
  }
  model.subgraphs = std::move(kept);
  for (Subgraph& graph : model.subgraphs) {
    for (Operator& op : graph.operators) {
      for (const graph::SubgraphReference& reference : graph::SubgraphReferences()) {
        const graph::AttributeValue* value =
            reference.table == op.options_table ? op.attributes.Find(reference.field) : nullptr;
        if (value == nullptr) continue;
        if (!reference.is_list) {
          op.attributes.Set(reference.field, new_index[static_cast<size_t>(std::get<int64_t>(*value))]);
          continue;
        }
        auto list = std::get<std::vector<int64_t>>(*value);
        for (int64_t& index : list) index = new_index[static_cast<size_t>(index)];
        op.attributes.Set(reference.field, std::move(list));
      }
    }
  }
  for (graph::Signature& signature : model.signatures) {
    signature.subgraph = static_cast<int32_t>(new_index[static_cast<size_t>(signature.subgraph)]);
  }
}

}  // namespace assay::passes
