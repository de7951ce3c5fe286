// The passes that simplify a converted graph: their list, what each may change in the numbers, and the one way to run
// them. A pass is one file; it works on one subgraph and says how often it did something.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/model.h"

namespace assay::passes {

struct PassContext {
  graph::Model& model;
  graph::Subgraph& graph;  // the one being worked on
};

struct PassInfo {
  std::string_view name;
  std::string_view what;     // one line for users
  std::string_view effect;   // on the numbers: "none", or what may differ
  int (*run)(PassContext&);  // how often it applied
};

// In the order in which they run; the whole list is repeated until nothing applies any more.
std::span<const PassInfo> AllPasses();

struct PassResult {
  std::string_view name;
  int count = 0;
};

// Throws UsageError where `without` names no pass.
std::vector<PassResult> Simplify(graph::Model& model, const std::set<std::string>& without);

// ---- the passes, one per file
int FoldConstants(PassContext& context);
int FoldShapes(PassContext& context);
int DropIdentities(PassContext& context);
int FoldBatchNorm(PassContext& context);
int UndoSpaceToBatch(PassContext& context);
int FoldPad(PassContext& context);
int FuseActivation(PassContext& context);
int FuseLstm(PassContext& context);
int RecognizeActivations(PassContext& context);
int CancelTransposes(PassContext& context);
int CancelReshapes(PassContext& context);
int MergeCommon(PassContext& context);
int RemoveDead(PassContext& context);
void RemoveUnusedSubgraphs(graph::Model& model);  // the end of remove_dead

}  // namespace assay::passes
