#include "format/keras/lower.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/utf8.h"
#include "format/keras/layer_call.h"
#include "format/keras/masks.h"

namespace assay::keras {
namespace {

// A tensor's name inside of one network.
using Key = std::pair<std::string, int>;  // layer, call

// What the layer really is: the class of the layer, or the function that it stands for.
bool IsSupported(const Layer& layer, std::string* reason) {
  if (layer.nested != nullptr || layer.class_name == "InputLayer") return true;
  if (FindLayer(layer) == nullptr) {
    *reason = layer.class_name == "Lambda" ? "a Lambda holds Python code, which is never executed"
              : layer.class_name == "TFOpLambda" || layer.class_name == "SlicingOpLambda"
                  ? "function tf." + layer.config.value("function", std::string("?"))
                  : "no such layer is known";
    return false;
  }
  if (layer.config.is_object() && layer.config.contains("layer") && layer.config["layer"].is_object()) {
    Layer inner;
    inner.class_name = layer.config["layer"].value("class_name", std::string());
    if (inner.class_name != "Sequential" && inner.class_name != "Functional" && inner.class_name != "Model" &&
        FindLayer(inner.class_name) == nullptr) {
      *reason = "it wraps a layer of class " + inner.class_name;
      return false;
    }
  }
  if (layer.config.is_object() && layer.config.contains("activation") &&
      !IsKnownActivation(layer.config["activation"])) {
    *reason = "activation " + layer.config["activation"].dump().substr(0, 100);
    return false;
  }
  return true;
}

void ListUnsupported(const Network& network, const std::string& path, std::vector<std::string>& lines) {
  for (const Layer& layer : network.layers) {
    const std::string here = path.empty() ? layer.name : path + "/" + layer.name;
    if (layer.nested != nullptr) {
      ListUnsupported(*layer.nested, here, lines);
      continue;
    }
    std::string reason;
    if (!IsSupported(layer, &reason)) lines.push_back(fmt::format("{} ({}): {}", here, layer.class_name, reason));
  }
}

class Lowering {
 public:
  Lowering(const Source& source, const std::string& path, const LowerOptions& options)
      : source_(source), options_(options), graph_(path) {
    keras_major_ = source.keras_version.empty() ? 2 : std::max(1, std::atoi(source.keras_version.c_str()));
  }

  Lowered Run() {
    const Network& network = source_.network;
    std::vector<std::string> unsupported;
    ListUnsupported(network, "", unsupported);
    if (!unsupported.empty()) {
      std::string lines;
      for (const std::string& line : unsupported) lines += "\n" + CleanUtf8(line, "?");
      throw InputError(
          "{} of its layers cannot be converted:{}\nReplace them by layers of Keras (docs/convert.md lists what is "
          "supported) and save the model again, or export it as a SavedModel.",
          unsupported.size(), lines);
    }
    std::vector<Id> inputs;
    std::vector<graph::SignatureTensor> in, out;
    for (const TensorRef& ref : network.inputs) {
      const Layer& layer = Find(network, ref.layer);
      inputs.push_back(MakeInput(layer));
      in.push_back({layer.name, inputs.back()});
    }
    CheckShapeNames(network);
    const std::vector<Id> outputs = ValuesOf(LowerNetwork(network, network.name, "", WithoutMasks(inputs)));
    std::set<std::string> used;
    for (size_t i = 0; i < outputs.size(); ++i) {
      std::string name = i < network.output_names.size() ? network.output_names[i] : network.outputs[i].layer;
      for (int n = 1; !used.insert(name).second; ++n) name = fmt::format("{}_{}", network.outputs[i].layer, n);
      out.push_back({name, outputs[i]});
    }
    graph_.AddSignature("serving_default", in, out);
    Lowered lowered;
    lowered.model = graph_.Finish(outputs);
    lowered.model.description = "converted by assay";
    lowered.layers = std::move(layers_);
    return lowered;
  }

 private:
  static const Layer& Find(const Network& network, const std::string& name) {
    for (const Layer& layer : network.layers) {
      if (layer.name == name) return layer;
    }
    throw InputError("the config names a layer '{}', which it does not have", name);
  }

  void CheckShapeNames(const Network& network) const {
    for (const auto& [name, dims] : options_.input_shapes) {
      bool known = network.inputs.size() == 1 && name.empty();
      std::string names;
      for (const TensorRef& ref : network.inputs) {
        known |= ref.layer == name;
        names += (names.empty() ? "" : ", ") + ref.layer;
      }
      if (!known) throw UsageError("--input-shape names '{}'; the inputs are: {}", name, names);
    }
  }

  Id MakeInput(const Layer& layer) {
    return InContext(
        [&] { return "input '" + layer.name + "'"; },
        [&] {
          std::vector<int32_t> dims;
          const Json* shape = nullptr;
          for (const char* key : {"batch_shape", "batch_input_shape"}) {
            if (layer.config.is_object() && layer.config.contains(key) && layer.config[key].is_array())
              shape = &layer.config[key];
          }
          if (shape != nullptr) {
            for (const Json& dim : *shape) {
              if (!dim.is_null() &&
                  (!dim.is_number_integer() || dim.get<int64_t>() < 1 || dim.get<int64_t>() > (1 << 24))) {
                throw InputError("its shape is {}", shape->dump().substr(0, 100));
              }
              dims.push_back(dim.is_null() ? -1 : dim.get<int32_t>());
            }
          }
          auto given = options_.input_shapes.find(layer.name);
          if (given == options_.input_shapes.end()) given = options_.input_shapes.find("");
          if (given != options_.input_shapes.end()) {
            if (!dims.empty() && dims.size() != given->second.size()) {
              throw UsageError("--input-shape gives {} dimensions, the model has {}", given->second.size(),
                               dims.size());
            }
            for (size_t i = 1; i < dims.size(); ++i) {
              if (dims[i] > 0 && dims[i] != given->second[i]) {
                throw UsageError("--input-shape gives {} for dimension {}, which is {} in the model", given->second[i],
                                 i, dims[i]);
              }
            }
            dims = given->second;
          }
          if (shape == nullptr && given == options_.input_shapes.end()) {
            throw InputError("the file does not say its shape; give it with --input-shape {}=1,...", layer.name);
          }
          if (!dims.empty() && options_.batch.has_value()) dims[0] = *options_.batch;
          for (size_t i = 1; i < dims.size(); ++i) {
            if (dims[i] < 0) {
              throw InputError("dimension {} is left open; give the shape with --input-shape {}=1,...", i, layer.name);
            }
          }
          DType dtype = DType::kFloat32;
          const std::string type =
              layer.config.is_object() && layer.config.contains("dtype") && layer.config["dtype"].is_string()
                  ? layer.config["dtype"].get<std::string>()
                  : "float32";
          if (type.rfind("int", 0) == 0 || type.rfind("uint", 0) == 0 || type == "bool") {
            dtype = DTypeFromName(type).value_or(DType::kFloat32);
          } else if (type == "string") {
            throw InputError("it takes texts, which is not supported");
          }
          return graph_.Input("serving_default_" + layer.name + ":0", dtype, dims);
        });
  }

  struct Value {
    Id tensor = graph::kNoTensor, mask = graph::kNoTensor;
  };
  static std::vector<Value> WithoutMasks(const std::vector<Id>& tensors) {
    std::vector<Value> values;
    values.reserve(tensors.size());
    for (const Id tensor : tensors) values.push_back({tensor, graph::kNoTensor});
    return values;
  }
  static std::vector<Id> ValuesOf(const std::vector<Value>& values) {
    std::vector<Id> tensors;
    tensors.reserve(values.size());
    for (const Value& value : values) tensors.push_back(value.tensor);
    return tensors;
  }

  // The tensors of a layer's calls, in an order in which each call's inputs come first.
  std::vector<Value> LowerNetwork(const Network& network, const std::string& scope, const std::string& path,
                                  const std::vector<Value>& inputs) {
    std::map<std::string, const Layer*> by_name;
    for (const Layer& layer : network.layers) by_name[layer.name] = &layer;
    std::map<Key, std::vector<Value>> done;
    if (inputs.size() != network.inputs.size()) {
      throw InputError("model '{}' is called with {} inputs and has {}", network.name, inputs.size(),
                       network.inputs.size());
    }
    for (size_t i = 0; i < inputs.size(); ++i) done[{network.inputs[i].layer, network.inputs[i].node}] = {inputs[i]};
    std::vector<Key> open;
    std::set<Key> on_stack;
    const auto push = [&](const TensorRef& ref) {
      const Key key = {ref.layer, ref.node};
      if (done.count(key) > 0) return;
      const auto found = by_name.find(ref.layer);
      if (found == by_name.end() || static_cast<size_t>(ref.node) >= found->second->nodes.size()) {
        throw InputError("the config uses call {} of a layer '{}', which is not there", ref.node, ref.layer);
      }
      open.push_back(key);
    };
    for (auto it = network.outputs.rbegin(); it != network.outputs.rend(); ++it) push(*it);
    while (!open.empty()) {
      const Key key = open.back();
      if (done.count(key) > 0) {
        open.pop_back();
        continue;
      }
      const Layer& layer = *by_name.at(key.first);
      const Node& node = layer.nodes[static_cast<size_t>(key.second)];
      const size_t before = open.size();
      for (auto it = node.inputs.rbegin(); it != node.inputs.rend(); ++it) push(*it);
      if (open.size() != before) {
        if (!on_stack.insert(key).second) throw InputError("the calls of layer '{}' go in a circle", layer.name);
        continue;
      }
      std::vector<std::pair<TensorRef, Value>> tensors;
      for (const TensorRef& ref : node.inputs) tensors.emplace_back(ref, Output(done, ref));
      const std::string here = path.empty() ? layer.name : path + "/" + layer.name;
      done[key] = InContext([&] { return fmt::format("layer '{}' ({})", here, layer.class_name); },
                            [&] { return LowerCall(layer, node, tensors, scope + "/" + layer.name, here); });
      on_stack.erase(key);
      open.pop_back();
    }
    std::vector<Value> outputs;
    outputs.reserve(network.outputs.size());
    for (const TensorRef& ref : network.outputs) outputs.push_back(Output(done, ref));
    return outputs;
  }

  static Value Output(const std::map<Key, std::vector<Value>>& done, const TensorRef& ref) {
    const std::vector<Value>& outputs = done.at({ref.layer, ref.node});
    if (static_cast<size_t>(ref.tensor) >= outputs.size()) {
      throw InputError("the config uses output {} of layer '{}', which has {}", ref.tensor, ref.layer, outputs.size());
    }
    return outputs[static_cast<size_t>(ref.tensor)];
  }

  std::vector<Value> LowerCall(const Layer& layer, const Node& node,
                               const std::vector<std::pair<TensorRef, Value>>& values, const std::string& scope,
                               const std::string& path) {
    std::vector<Value> inputs;
    std::vector<std::pair<TensorRef, Id>> tensors;
    inputs.reserve(values.size());
    tensors.reserve(values.size());
    for (const auto& [ref, value] : values) {
      inputs.push_back(value);
      tensors.emplace_back(ref, value.tensor);
    }
    if (layer.nested != nullptr) return LowerNetwork(*layer.nested, scope, path, inputs);
    if (layer.class_name == "InputLayer") throw InputError("it is no input of the model and nothing computes it");
    graph_.SetScope(scope);
    WeightBag weights(layer);
    LayerCall call(graph_, layer, layer.config, weights, keras_major_);
    call.class_name = layer.class_name;
    call.inputs = ValuesOf(inputs);
    for (const Value& input : inputs) call.masks.push_back(input.mask);
    call.node = &node;
    call.tensors = &tensors;
    std::vector<Id> outputs;
    Id mask = graph::kNoTensor;
    try {
      if (inputs.empty() && OperationKey(layer).empty()) throw InputError("it is called without a tensor");
      outputs = FindLayer(layer)->lower(call);
      if (call.output_masks.empty()) mask = MaskByClass(call);
    } catch (const Json::exception& error) {
      throw InputError("its config has an unexpected form: {}", error.what());
    } catch (const std::out_of_range&) {
      throw InputError("its config lacks a value that its class needs");
    }
    weights.CheckAllTaken();
    LoweredLayer& record = layers_.emplace_back();
    record.path = path;
    record.class_name = layer.class_name;
    record.scope = scope;
    for (const Id id : outputs) record.outputs.push_back(graph_.info(id).name);
    std::vector<Value> results = WithoutMasks(outputs);
    if (!results.empty()) results[0].mask = mask;
    for (size_t i = 0; i < std::min(results.size(), call.output_masks.size()); ++i) {
      results[i].mask = call.output_masks[i];
    }
    return results;
  }

  const Source& source_;
  const LowerOptions& options_;
  GraphBuilder graph_;
  int keras_major_ = 2;
  std::vector<LoweredLayer> layers_;
};

std::vector<std::span<const LayerRow>> Tables() {
  return {ConvolutionLayers(), DenseLayers(),   LocallyConnectedLayers(), PoolingLayers(),       NormalizationLayers(),
          ActivationLayers(),  MergeLayers(),   ReshapeLayers(),          PreprocessingLayers(), RecurrentLayers(),
          AttentionLayers(),   WrapperLayers(), OperationLayers()};
}

}  // namespace

const LayerRow* FindLayer(std::string_view class_name) {
  for (const auto& table : Tables()) {
    for (const LayerRow& row : table) {
      if (row.class_name == class_name) return &row;
    }
  }
  return nullptr;
}

std::vector<std::pair<std::string_view, std::string_view>> KnownLayers() {
  std::vector<std::pair<std::string_view, std::string_view>> layers;
  for (const auto& table : Tables()) {
    for (const LayerRow& row : table) {
      if (row.class_name.rfind("op:", 0) != 0) layers.emplace_back(row.class_name, row.ops);
    }
  }
  return layers;
}

const LayerRow* FindLayer(const Layer& layer) {
  const std::string operation = OperationKey(layer);
  return FindLayer(operation.empty() ? std::string_view(layer.class_name) : std::string_view(operation));
}

Lowered Lower(const Source& source, const std::string& path, const LowerOptions& options) {
  return InContext([&] { return path; }, [&] { return Lowering(source, path, options).Run(); });
}

}  // namespace assay::keras
