// TimeDistributed: the wrapped layer on every step, with the steps among the samples. SpectralNormalization: the
// wrapped layer alone, whose kernel was normalized while training.
#include "base/error.h"
#include "format/keras/layer_call.h"

namespace assay::keras {
namespace {

std::vector<Id> TimeDistributed(LayerCall& c) {
  const Json& wrapped = c.config.at("layer");
  const std::string class_name = wrapped.at("class_name").get<std::string>();
  const LayerRow* row = FindLayer(class_name);
  if (row == nullptr) c.Unsupported("a wrapped layer of class " + class_name);
  Layer modern = c.layer;
  modern.config = wrapped.at("config");
  modern.class_name = class_name;
  LayerCall call(c.g, c.layer, modern.config, c.weights, c.keras_major);
  call.class_name = class_name;
  call.within = c.within;
  const std::vector<int32_t> d = c.g.Dims(c.input());
  if (d.size() < 3) throw InputError("its input has {} dimensions", d.size());
  // What works on the last axis alone needs no reshape.
  if (class_name == "Dense") {
    call.inputs = {c.input()};
    return row->lower(call);
  }
  std::vector<int32_t> folded = {d[0] < 0 ? -1 : d[0] * d[1]};
  folded.insert(folded.end(), d.begin() + 2, d.end());
  call.inputs = {c.g.Reshape("Reshape", c.input(), folded)};
  const Id y = row->lower(call).at(0);
  std::vector<int32_t> unfolded = {d[0], d[1]};
  const std::vector<int32_t> result = c.g.Dims(y);
  unfolded.insert(unfolded.end(), result.begin() + 1, result.end());
  return {c.g.Reshape("Reshape_1", y, unfolded)};
}

std::vector<Id> SpectralNormalization(LayerCall& c) {
  const Json& wrapped = c.config.at("layer");
  const std::string class_name = wrapped.at("class_name").get<std::string>();
  const LayerRow* row = FindLayer(class_name);
  if (row == nullptr) c.Unsupported("a wrapped layer of class " + class_name);
  LayerCall call(c.g, c.layer, wrapped.at("config"), c.weights, c.keras_major);
  call.class_name = class_name;
  // Beside the wrapped layer's weights there is one of the wrapper itself.
  for (const std::string& part : {wrapped.at("config").value("name", std::string()), std::string("layer")}) {
    if (call.within.empty() && !part.empty() && (c.weights.Has("kernel", part) || c.weights.Has("embeddings", part))) {
      call.within = part;
    }
  }
  call.inputs = c.inputs;
  call.masks = c.masks;
  std::vector<Id> outputs = row->lower(call);
  // The vector that the training's power iteration goes on with.
  for (const char* name : {"sn_u", "vector_u"}) {
    if (c.weights.Has(name)) c.weights.Take(name);
  }
  return outputs;
}

constexpr LayerRow kWrapperRows[] = {
    {"SpectralNormalization", SpectralNormalization, "the layer's ops"},
    {"TimeDistributed", TimeDistributed, "RESHAPE, the layer's ops, RESHAPE"},
};

}  // namespace

std::span<const LayerRow> WrapperLayers() { return kWrapperRows; }

}  // namespace assay::keras
