// One call of one layer, as the lowering functions see it: the inputs, the config with checked getters, the weights,
// and the graph to build into.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/keras/source.h"
#include "format/lowering/graph_builder.h"

namespace assay::keras {

using lowering::GraphBuilder;
using lowering::Id;
using lowering::Window;

// The weights of one layer; each may be taken once.
class WeightBag {
 public:
  explicit WeightBag(const Layer& layer);
  // The weight of this name, inside of the layer `within` where that is given ("forward" finds "forward_lstm"); where
  // the file numbers them instead, the next one. Throws InputError where there is none.
  const Weight& Take(std::string_view name, std::string_view within = {});
  bool Has(std::string_view name, std::string_view within = {}) const;
  bool IsNumbered() const;
  void CheckAllTaken() const;

 private:
  int Find(std::string_view name, std::string_view within) const;
  const Layer& layer_;
  std::vector<bool> taken_;
};

// Of an argument that is only ever given by name.
inline constexpr size_t kNoPosition = 99;

// A value of the call's arguments: a tensor, or what the config says.
struct Argument {
  std::optional<Id> tensor;
  const Json* json = nullptr;  // null: not given
};

class LayerCall {
 public:
  LayerCall(GraphBuilder& graph, const Layer& of, const Json& with, WeightBag& bag, int major)
      : g(graph), layer(of), config(with), weights(bag), keras_major(major) {}

  GraphBuilder& g;
  const Layer& layer;
  const Json& config;  // the layer's; the wrapped layer's inside of a wrapper
  WeightBag& weights;
  int keras_major;  // 1, 2 or 3: some functions changed their meaning
  std::string class_name;
  std::vector<Id> inputs;
  std::vector<Id> masks;         // of the inputs; kNoTensor where there is none
  std::vector<Id> output_masks;  // what a layer's own function says of its outputs
  std::string within;            // of the weights: the wrapped layer's part

  // Values of the call: arguments by position or name. Tensors are bound through `tensors`.
  const Node* node = nullptr;
  const std::vector<std::pair<TensorRef, Id>>* tensors = nullptr;
  Argument Arg(size_t position, const char* name) const;
  Id TensorOf(const Json& reference) const;

  Id input() const { return inputs.at(0); }
  // The mask that the call is given, or that of an input; kNoTensor where there is none.
  Id Mask(size_t input = 0) const;
  // ---- config; each throws InputError where the value has another type
  bool Has(const char* key) const;  // and not null
  int64_t Int(const char* key) const;
  int64_t Int(const char* key, int64_t otherwise) const;
  double Real(const char* key, double otherwise) const;
  bool Bool(const char* key, bool otherwise) const;
  std::string Text(const char* key, const std::string& otherwise) const;
  // One integer for all, or a list of `count`.
  std::vector<int32_t> Sizes(const char* key, size_t count, std::optional<int32_t> otherwise = {}) const;
  std::vector<int32_t> IntList(const char* key) const;
  bool ChannelsFirst() const { return Text("data_format", "channels_last") == "channels_first"; }

  // ---- weights as constants; each throws InputError where the weight has another shape
  std::vector<float> Floats(std::string_view name, const Shape& shape);
  // The weight with its dimensions in another order.
  Id Permuted(std::string_view name, const Shape& shape, const std::vector<int>& order, const std::string& as);
  Id Constant(std::string_view name, const Shape& shape, const std::string& as, std::optional<Shape> as_shape = {});
  Id Bias(std::string_view name, int32_t size, const std::string& as) { return Constant(name, {size}, as); }

  // The function's result, named after it. `activation` is a name or a serialised function.
  Id Activate(Id x, const Json& activation);
  Id Activate(Id x) { return config.contains("activation") ? Activate(x, config["activation"]) : x; }

  // Channels to the back and to the front again.
  Id ToChannelsLast(Id x);
  Id FromChannelsLast(Id x);

  // The weight's values as float32, in the memory of the file where they are that already.
  graph::Constant FloatWeight(std::string_view name, const Shape& shape);
  [[noreturn]] void Unsupported(const std::string& what) const;
};

// Row-major values with their dimensions in another order: out dimension i is dimension order[i].
std::vector<float> PermuteValues(std::span<const float> values, const Shape& shape, const std::vector<int>& order);

using LowerFn = std::vector<Id> (*)(LayerCall&);
struct LayerRow {
  std::string_view class_name;
  LowerFn lower;
  std::string_view ops;  // what it becomes, for the documentation
};
// The tables of the layer families, one per file in layers/.
// A layer that does nothing in inference.
inline std::vector<Id> PassThrough(LayerCall& c) { return {c.input()}; }

std::span<const LayerRow> ConvolutionLayers();
std::span<const LayerRow> DenseLayers();
std::span<const LayerRow> LocallyConnectedLayers();
std::span<const LayerRow> PoolingLayers();
std::span<const LayerRow> NormalizationLayers();
std::span<const LayerRow> ActivationLayers();
std::span<const LayerRow> MergeLayers();
std::span<const LayerRow> ReshapeLayers();
std::span<const LayerRow> PreprocessingLayers();
std::span<const LayerRow> RecurrentLayers();
std::span<const LayerRow> AttentionLayers();
std::span<const LayerRow> WrapperLayers();
std::span<const LayerRow> OperationLayers();  // functions called on Keras tensors

const LayerRow* FindLayer(const Layer& layer);
const LayerRow* FindLayer(std::string_view class_name);
// The key of the table for a function called on tensors: "op:add".
std::string OperationKey(const Layer& layer);
bool IsKnownActivation(const Json& activation);

}  // namespace assay::keras
