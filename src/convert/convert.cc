#include "convert/convert.h"

#include "base/error.h"
#include "convert/load_model.h"
#include "format/keras/lower.h"
#include "format/keras/source.h"
#include "format/savedmodel/lower.h"
#include "format/savedmodel/source.h"
#include "graph/verifier.h"

namespace assay::convert {
namespace {

// Which ops of the graph carry the layer's name, in front or after a ';'.
std::vector<std::string> OpsOf(const graph::Subgraph& graph, const std::string& scope) {
  std::vector<std::string> ops;
  for (const graph::Operator& op : graph.operators) {
    for (const int32_t output : op.outputs) {
      const std::string& name = graph.tensors[static_cast<size_t>(output)].name;
      bool found = false;
      for (size_t at = 0; !found && at != std::string::npos;) {
        const size_t end = at + scope.size();
        found = name.compare(at, scope.size(), scope) == 0 &&
                (end >= name.size() || name[end] == '/' || name[end] == ';' || name[end] == ':');
        at = name.find(';', at);
        if (at != std::string::npos) ++at;
      }
      if (!found) continue;
      ops.emplace_back(op.Name());
      break;
    }
  }
  return ops;
}

// A layer of the source and what the names of its tensors start with.
struct Scope {
  std::string path, class_name, scope;
  std::vector<std::string> outputs;
};

std::vector<Scope> ReadKeras(const ConvertRequest& request, Conversion& result) {
  if (!request.signature.empty()) throw UsageError("--signature: a Keras file has no signatures");
  const keras::Source source = keras::ReadSource(request.source);
  result.source_kind = "Keras " + (source.keras_version.empty() ? std::string("1 or 2") : source.keras_version);
  keras::Lowered lowered = keras::Lower(source, request.source, {request.batch, request.input_shapes});
  result.model = std::move(lowered.model);
  std::vector<Scope> layers;
  for (const keras::LoweredLayer& layer : lowered.layers) {
    layers.push_back({layer.path, layer.class_name, layer.scope, layer.outputs});
  }
  return layers;
}

std::vector<Scope> ReadTensorFlow(const ConvertRequest& request, Conversion& result) {
  savedmodel::Source source = savedmodel::ReadSource(request.source);
  savedmodel::Lowered lowered =
      savedmodel::Lower(source, request.source, {request.signature, request.batch, request.input_shapes});
  result.source_kind = source.is_frozen ? std::string("frozen TensorFlow graph")
                                        : fmt::format("SavedModel of TensorFlow {}, signature {}",
                                                      source.tensorflow_version, lowered.signature);
  result.unit = "node";
  result.model = std::move(lowered.model);
  std::vector<Scope> nodes;
  for (const savedmodel::LoweredNode& node : lowered.nodes) nodes.push_back({node.path, node.op, node.path, {}});
  return nodes;
}

}  // namespace

Conversion Convert(const ConvertRequest& request) {
  Conversion result;
  const std::vector<Scope> layers =
      KindOf(request.source) == FileKind::kTensorFlow ? ReadTensorFlow(request, result) : ReadKeras(request, result);
  InContext([&] { return request.source; }, [&] { graph::Verify(result.model); });
  for (const graph::Subgraph& graph : result.model.subgraphs) result.ops_before += graph.operators.size();
  if (request.keep_unsimplified) result.unsimplified = result.model;
  result.passes = passes::Simplify(result.model, request.without_passes);
  InContext([&] { return request.source; }, [&] { graph::Verify(result.model); });
  for (const Scope& layer : layers) {
    result.layers.push_back(
        {layer.path, layer.class_name, OpsOf(result.model.subgraphs[0], layer.scope), layer.outputs});
  }
  return result;
}

}  // namespace assay::convert
