#include "passes/passes.h"

#include <algorithm>

#include "base/error.h"

namespace assay::passes {
namespace {

constexpr int kMaxRounds = 20;

constexpr PassInfo kPasses[] = {
    {"fold_constants", "ops whose operands are all constant become constants, shapes that are known too",
     "none: the ops' own kernels compute them", FoldConstants},
    {"fold_shapes", "what is computed from shapes and does not depend on the batch becomes constant", "none",
     FoldShapes},
    {"drop_identities", "sums with 0 and products with 1 go", "none", DropIdentities},
    {"merge_common", "ops that compute the same from the same, and equal constants, are kept once", "none",
     MergeCommon},
    {"cancel_reshapes",
     "a reshape of a reshape becomes one, one that changes nothing goes, a slice of everything is a reshape", "none",
     CancelReshapes},
    {"cancel_transposes", "transposes move behind elementwise ops, meet and cancel", "none", CancelTransposes},
    {"recognize_activations", "x * relu6(x + 3) / 6 becomes HARD_SWISH, the formula of GELU by tanh becomes GELU",
     "the same formula, rounded in another place: about 1e-7 of the value", RecognizeActivations},
    {"undo_space_to_batch", "a dilated convolution written as SPACE_TO_BATCH_ND around a plain one is one op again",
     "none", UndoSpaceToBatch},
    {"fold_batch_norm", "factors and offsets per channel go into the weights and biases of the linear op before",
     "weights and biases are computed in double precision and rounded once: about 1e-7 of the value", FoldBatchNorm},
    {"fold_pad", "zeros padded around an image become the padding SAME of the convolution behind", "none", FoldPad},
    {"fuse_activation", "RELU, RELU6 and RELU_N1_TO_1 become part of the op before", "none", FuseActivation},
    {"fuse_lstm",
     "a loop over the steps of an LSTM becomes UNIDIRECTIONAL_SEQUENCE_LSTM where the batch is fixed; its states last "
     "until "
     "the runtime's variables are reset",
     "sums in another order: about 1e-7 of the value a step", FuseLstm},
    {"remove_dead", "what no output needs is dropped", "none", RemoveDead},
};

}  // namespace

std::span<const PassInfo> AllPasses() { return kPasses; }

std::vector<PassResult> Simplify(graph::Model& model, const std::set<std::string>& without) {
  std::vector<std::string_view> names;
  for (const PassInfo& pass : kPasses) names.push_back(pass.name);
  for (const std::string& name : without) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::string all;
    for (const std::string_view known : names) all += (all.empty() ? "" : ", ") + std::string(known);
    throw UsageError("unknown pass '{}'{}; the passes are: {}", name, NearestHint(name, names.data(), names.size()),
                     all);
  }
  // Outputs keep their places in the graph's list; the signatures' tensors follow from those, where they are among
  // them.
  std::vector<std::vector<size_t>> places(model.signatures.size()), input_places(model.signatures.size());
  const auto place = [](const std::vector<int32_t>& list, int32_t tensor) {
    return static_cast<size_t>(std::find(list.begin(), list.end(), tensor) - list.begin());
  };
  for (size_t s = 0; s < model.signatures.size(); ++s) {
    const graph::Subgraph& graph = model.subgraphs[static_cast<size_t>(model.signatures[s].subgraph)];
    for (const auto& output : model.signatures[s].outputs) places[s].push_back(place(graph.outputs, output.tensor));
    for (const auto& input : model.signatures[s].inputs) input_places[s].push_back(place(graph.inputs, input.tensor));
  }
  std::vector<PassResult> results;
  for (const PassInfo& pass : kPasses) results.push_back({pass.name, 0});
  for (int round = 0; round < kMaxRounds; ++round) {
    bool any = false;
    for (size_t p = 0; p < std::size(kPasses); ++p) {
      if (without.count(std::string(kPasses[p].name)) > 0) continue;
      for (graph::Subgraph& graph : model.subgraphs) {
        PassContext context{model, graph};
        const int count = kPasses[p].run(context);
        results[p].count += count;
        any |= count > 0;
      }
    }
    if (!any) break;
  }
  for (size_t s = 0; s < model.signatures.size(); ++s) {
    const graph::Subgraph& graph = model.subgraphs[static_cast<size_t>(model.signatures[s].subgraph)];
    for (size_t i = 0; i < places[s].size(); ++i) {
      if (places[s][i] < graph.outputs.size()) model.signatures[s].outputs[i].tensor = graph.outputs[places[s][i]];
    }
    for (size_t i = 0; i < input_places[s].size(); ++i) {
      if (input_places[s][i] < graph.inputs.size()) {
        model.signatures[s].inputs[i].tensor = graph.inputs[input_places[s][i]];
      }
    }
  }
  if (without.count("remove_dead") == 0) RemoveUnusedSubgraphs(model);
  return results;
}

}  // namespace assay::passes
