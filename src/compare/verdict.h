// Weighs everything that was found and says the one thing that matters most.
#pragma once

#include <vector>

#include "compare/ablation.h"
#include "compare/inputs.h"
#include "compare/labels.h"
#include "compare/study.h"

namespace assay::compare {

struct Evidence {
  const Study* study = nullptr;
  const Ablation* ablation = nullptr;  // null: no simulation
  InputRelation inputs;
  std::optional<ClassMapping> mapping;  // of the model's answers to the reference's
  std::vector<Finding> from_labels;     // found with labels: what both sides share
};

// Fills `findings` and `verdict` of the result, whose layers and losses are known.
void Judge(const Evidence& evidence, CompareResult& result);

}  // namespace assay::compare
