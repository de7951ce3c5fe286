// Which tensor of one model corresponds to which of another: by name, by a part of a fused name, or by structure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/model.h"

namespace assay::compare {

enum class MatchKind : uint8_t {
  kNone,
  kIndex,      // the same model: tensors have the same number
  kName,       // equal names
  kNamePart,   // names of fused ops share a part: "a/Relu;a/BiasAdd" and "a/BiasAdd"
  kStructure,  // the same place among ops of the same kind with outputs of the same shape
  kPosition,   // inputs and outputs: the same number in the list
};
std::string_view MatchKindName(MatchKind kind);  // "index", "name", "part of the name", ...

struct TensorMatch {
  int32_t reference = -1;  // tensor of the reference's main subgraph, -1: none
  MatchKind kind = MatchKind::kNone;
};

// One entry per tensor of the model's main subgraph; constants have no match. Tensors of as many elements only; each
// tensor of the reference is given once, but for values that are only quantized or dequantized again.
std::vector<TensorMatch> MatchTensors(const graph::Model& reference, const graph::Model& model);

// Tensor i with tensor i: for two runs of one model.
std::vector<TensorMatch> MatchByIndex(const graph::Model& model);

// A name as a person wants to read it: the first part of a fused one, without the converter's additions.
std::string ShortName(std::string_view name);

// What an op does to its results; 0 where it has no such option.
int64_t FusedActivation(const graph::Operator& op);

}  // namespace assay::compare
