// Decides which op computes in integers, and each tensor's scale and zero point: ranges first, then what TFLite's
// specification demands of neighbours (same-scale ops, fixed results), in the order in which TensorFlow's converter
// settles conflicts, so that the same ranges end in the same parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/model.h"
#include "quantize/parameters.h"

namespace assay::quantize {

struct AssignmentOptions {
  DType activations = DType::kInt8;
  DType weights = DType::kInt8;              // int8 or int4
  bool per_channel = true;                   // of convolutions
  bool per_channel_dense = true;             // of FULLY_CONNECTED
  std::vector<bool> keep_float;              // by op: asked to stay float
  std::vector<bool> int4_ops;                // by op: weights in int4, whatever `weights` says
  bool clip_weights = false;                 // see ClipWeightScales
  std::vector<std::optional<Codes>> chosen;  // by tensor: weights whose codes are settled already
};

// One op's operand.
struct Use {
  int32_t op = 0, operand = 0;
  bool operator==(const Use&) const = default;
};

struct TensorCodes {
  std::optional<Codes> codes;     // what readers get
  std::optional<Codes> produced;  // what the op that computes it writes, where that differs (a QUANTIZE follows)
  struct Other {
    Codes codes;  // by a QUANTIZE of their own, these readers get
    std::vector<Use> readers;
  };
  std::vector<Other> others;
};

struct Assignment {
  std::vector<TensorCodes> tensors;
  std::vector<bool> is_integer;            // by op
  std::vector<std::string> float_reason;   // by op that has float operands or results but stays float
  int widened_for_bias = 0, narrowed = 0;  // weight scales
};

// Why the op cannot compute on `activations` whatever the samples show, to follow the op's name: "has no integer form".
// Empty where it can, and where it has no floats to begin with.
std::string_view WhyNotInteger(const graph::Subgraph& graph, const graph::Operator& op, DType activations);

// Gives every use of a float constant a tensor of its own (the bytes stay shared): its parameters may follow from its
// reader. What comes out equal again is stored once by the writer.
void SeparateConstants(graph::Subgraph& graph);

// `ranges` by tensor; tensors beyond its end are constants. Constants were separated.
Assignment Assign(const graph::Subgraph& graph, std::span<const std::optional<Range>> ranges,
                  const AssignmentOptions& options);

}  // namespace assay::quantize
