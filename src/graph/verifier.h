// Checks a model against every rule that the code behind it relies on: indices, shapes, constant data, quantization,
// sparsity, the order of operators, the calls between subgraphs. Readers run it on what a file says, writers on what
// they are given.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/model.h"

namespace assay::graph {

// Generous bounds on what a file may ask for.
struct Limits {
  uint64_t max_bytes = uint64_t{1} << 40;  // of the file
  uint64_t max_subgraphs = 10'000;
  uint64_t max_tensors = 2'000'000;    // of all subgraphs together
  uint64_t max_operators = 2'000'000;  // of all subgraphs together
  int max_rank = 16;
  int64_t max_elements = int64_t{1} << 36;  // of one tensor
  uint64_t max_calls = 1'000'000;           // runs of subgraphs in one invocation, loops counted as one trip
  int max_call_depth = 64;                  // subgraphs calling subgraphs
};

// Throws InputError with the place: "subgraph 0: op 17 CONV_2D: input 2 is tensor 999, the subgraph has 40".
void Verify(const Model& model, const Limits& limits = {});

// The options that name other subgraphs: one index, or a list of them.
struct SubgraphReference {
  std::string_view table, field;
  bool is_list = false;
};
std::span<const SubgraphReference> SubgraphReferences();

// The subgraphs that `op` names, in the order of its options; an absent index counts as the format's default, 0.
std::vector<int32_t> CalledSubgraphs(const Operator& op);

// Text from a file as a message can show it: control characters replaced, long text cut.
std::string Printable(std::string_view text);

}  // namespace assay::graph
