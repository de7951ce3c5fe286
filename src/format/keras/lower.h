// Turns a Keras model into a graph of TFLite ops, layer by layer.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "format/keras/source.h"
#include "graph/model.h"

namespace assay::keras {

struct LowerOptions {
  std::optional<int32_t> batch;                              // none: the batch stays open
  std::map<std::string, std::vector<int32_t>> input_shapes;  // with the batch, by input name; overrides the config's
};

struct LoweredLayer {
  std::string path, class_name;      // "block/conv", "Conv2D"
  std::vector<std::string> outputs;  // names of the tensors that it returns
  std::string scope;                 // what the names of its tensors start with
};

struct Lowered {
  graph::Model model;  // nothing simplified yet
  std::vector<LoweredLayer> layers;
};

// The classes of layers that are known, without the functions on tensors: name and what it becomes.
std::vector<std::pair<std::string_view, std::string_view>> KnownLayers();

// Throws InputError: one message that lists every layer that is not supported, or the place of what is wrong.
Lowered Lower(const Source& source, const std::string& path, const LowerOptions& options);

}  // namespace assay::keras
