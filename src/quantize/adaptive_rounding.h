// Rounds the weights of a model layer by layer, each on what the layers before it, quantized already, hand to it: so
// that the layer's result comes as near to the float model's as its codes can bring it (AdaRound, Nagel et al., 2020,
// with asymmetric reconstruction).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "eval/evaluate.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "quantize/parameters.h"
#include "runtime/interpreter.h"

namespace assay::quantize {

// By tensor: weights whose codes were chosen; none where rounding to the nearest is meant.
using ChosenCodes = std::vector<std::optional<Codes>>;

struct RoundingRequest {
  const data::Dataset* dataset = nullptr;
  std::vector<size_t> samples;  // which of the data set
  Pipeline pipeline;
  runtime::InterpreterOptions options;
  int threads = 1;
  uint64_t seed = 0;          // which windows of a layer are looked at
  bool search_scale = false;  // also narrower scales, where the result comes nearer with them
  bool biases_only = false;   // weights stay as they are, to be rounded to the nearest; the mean error is made up for
  // The quantized model of a float one whose chosen weights lie on their codes; tensors that ops compute keep their
  // indices.
  std::function<graph::Model(const graph::Model&, const ChosenCodes&)> quantize;
  eval::Progress progress;
};

struct RoundingLayer {
  int32_t op = 0;
  Codes codes;  // as the nearest would have them
};

struct RoundingStats {
  int layers = 0;
  int64_t weights = 0, moved = 0;  // not the nearest code of the scale that was chosen
  int narrowed = 0;                // scales
  std::vector<bool> corrected;     // by op: its bias holds what its own and earlier layers' errors do to its mean
};

// Puts the chosen weights, and biases that make up for what is left of the mean error, into `model`, and their scales
// into `chosen`. Layers of the main subgraph, in the order of its ops.
RoundingStats RoundAdaptively(graph::Model& model, std::span<const RoundingLayer> layers,
                              const RoundingRequest& request, ChosenCodes& chosen);

}  // namespace assay::quantize
