// A Keras model as its file describes it: the tree of layers, how they are called, their weights. Nothing here knows
// what a layer means (lower.h does); the forms of Keras 1, 2 and 3 are brought into one.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/model.h"

namespace assay::keras {

using Json = nlohmann::json;

// Output `tensor` of call `node` of a layer.
struct TensorRef {
  std::string layer;
  int node = 0, tensor = 0;
  bool operator==(const TensorRef&) const = default;
};

// One call of a layer. In `args` and `kwargs` tensors stand as {"$tensor": [layer, node, tensor]}.
struct Node {
  std::vector<TensorRef> inputs;  // every tensor of the arguments, in order
  Json args = Json::array(), kwargs = Json::object();
};

struct Weight {
  std::vector<std::string> path;  // "forward_lstm", "lstm_cell", "kernel"; "#2" for the third of unnamed ones
  bool is_number = true;
  DType dtype = DType::kFloat32;
  Shape shape;
  graph::Constant data;

  std::string Name() const;  // the path joined
};

struct Network;

struct Layer {
  std::string class_name, name, module;
  Json config = Json::object();
  Json build_config;  // Keras 3: the shape that it was built with
  std::vector<Node> nodes;
  std::vector<Weight> weights;      // own, and those of the layers inside of a wrapper
  std::shared_ptr<Network> nested;  // where the layer is a model
};

struct Network {
  std::string name;
  std::vector<Layer> layers;
  std::vector<TensorRef> inputs, outputs;
  std::vector<std::string> output_names;
};

struct Source {
  Network network;
  std::string keras_version;
};

// Reads an .h5 or .keras file. Throws InputError where it is no whole model (weights only), or damaged.
Source ReadSource(const std::string& path);

// True where the file starts like HDF5, or is a ZIP with a Keras model in it.
bool IsHdf5(std::span<const uint8_t> first_bytes);
bool IsKerasArchive(const std::string& path);

// The value with tensors replaced by {"$tensor": ...}; they are appended to `inputs`.
Json TakeTensors(const Json& value, std::vector<TensorRef>* inputs);

// "MultiHeadAttention" to "multi_head_attention", as Keras names its groups of weights.
std::string SnakeCase(const std::string& class_name);

}  // namespace assay::keras
