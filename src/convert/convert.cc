#include "convert/convert.h"

#include "base/error.h"
#include "format/keras/lower.h"
#include "format/keras/source.h"
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
        found = name.compare(at, scope.size() + 1, scope + "/") == 0;
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

}  // namespace

Conversion Convert(const ConvertRequest& request) {
  Conversion result;
  std::vector<keras::LoweredLayer> layers;
  {
    const keras::Source source = keras::ReadSource(request.source);
    result.source_kind = "Keras " + (source.keras_version.empty() ? std::string("1 or 2") : source.keras_version);
    keras::Lowered lowered = keras::Lower(source, request.source, {request.batch, request.input_shapes});
    result.model = std::move(lowered.model);
    layers = std::move(lowered.layers);
  }
  InContext([&] { return request.source; }, [&] { graph::Verify(result.model); });
  for (const graph::Subgraph& graph : result.model.subgraphs) result.ops_before += graph.operators.size();
  if (request.keep_unsimplified) result.unsimplified = result.model;
  result.passes = passes::Simplify(result.model, request.without_passes);
  InContext([&] { return request.source; }, [&] { graph::Verify(result.model); });
  for (const keras::LoweredLayer& layer : layers) {
    result.layers.push_back({layer.path, layer.class_name, OpsOf(result.model.subgraphs[0], layer.scope)});
  }
  return result;
}

}  // namespace assay::convert
