// The JSON of `inspect`.
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/inspect_report.h"
#include "report/inspect_words.h"
#include "report/json_values.h"

namespace assay::report {
namespace {

using nlohmann::ordered_json;
using runtime::ModelFacts;
using runtime::OpFacts;
using runtime::SubgraphFacts;

// The shortest decimal that reads back to the same float.
double Short(float value) { return std::stod(fmt::format("{}", value)); }

std::vector<int32_t> Dims(const Shape& shape) {
  const auto dims = shape.dims();
  return {dims.begin(), dims.end()};
}

ordered_json Json(const Quantization& q) {
  if (!q.is_quantized()) return nullptr;
  std::vector<double> scales;
  for (const float scale : q.scale) scales.push_back(Short(scale));
  return {{"scale", scales}, {"zero_point", q.zero_point}, {"quantized_dimension", q.quantized_dimension}};
}

ordered_json Json(const graph::Tensor& tensor, size_t index, const runtime::TensorFacts& facts) {
  const bool is_constant = tensor.data.has_value() || tensor.external_buffer != 0;
  ordered_json json = {{"index", index},
                       {"name", tensor.name},
                       {"dtype", DTypeName(tensor.dtype)},
                       {"shape", facts.shape_known ? ordered_json(Dims(facts.shape)) : ordered_json(nullptr)},
                       {"shape_signature", tensor.shape_signature.value_or(Dims(tensor.shape))},
                       {"bytes", facts.shape_known ? ordered_json(facts.bytes) : ordered_json(nullptr)},
                       {"constant", is_constant},
                       {"variable", tensor.is_variable},
                       {"quantization", Json(tensor.quantization)}};
  if (tensor.blockwise.has_value()) {
    json["blockwise"] = {{"scales", tensor.blockwise->scales},
                         {"zero_points", tensor.blockwise->zero_points},
                         {"block_size", tensor.blockwise->block_size}};
  }
  if (tensor.sparsity.has_value()) json["stored_bytes"] = tensor.data->bytes().size();
  return json;
}

ordered_json Json(const graph::Operator& op, const graph::AttributeValue& value, const std::string& name) {
  return std::visit(
      [&](const auto& held) -> ordered_json {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, int64_t>) {
          const std::string_view known = OptionValueName(op, name, held);
          return known.empty() ? ordered_json(held) : ordered_json(known);
        } else if constexpr (std::is_same_v<T, double>) {
          return JsonNumber(held);
        } else if constexpr (std::is_same_v<T, std::vector<double>>) {
          ordered_json list = ordered_json::array();
          for (const double x : held) list.push_back(JsonNumber(x));
          return list;
        } else {
          return held;
        }
      },
      value);
}

ordered_json Json(const graph::Subgraph& graph, const graph::Operator& op, const OpFacts& facts) {
  ordered_json options = ordered_json::object();
  for (const graph::Attributes::Field& field : op.attributes.fields()) {
    options[field.name] = Json(op, field.value, field.name);
  }
  return {
      {"index", facts.index},
      {"op", op.Name()},
      {"version", op.version},
      {"options", options},
      {"options_text", OptionsText(graph, op)},
      {"custom_option_bytes", op.custom_options.size()},
      {"inputs", op.inputs},
      {"outputs", op.outputs},
      {"intermediates", op.intermediates},
      {"macs", facts.macs.has_value() ? ordered_json(*facts.macs) : ordered_json(nullptr)},
      {"parameters", facts.parameters},
      {"constant_bytes", facts.constant_bytes},
      {"has_kernel", facts.has_kernel},
      {"engine", facts.engine.has_value() ? ordered_json(numerics::EngineName(*facts.engine)) : ordered_json(nullptr)},
      {"folded", facts.folded},
      {"remark", facts.remark}};
}

void AddMemory(ordered_json& json, const std::optional<runtime::Interpreter::MemoryUse>& memory) {
  const auto number = [&](uint64_t runtime::Interpreter::MemoryUse::*field) {
    return memory.has_value() ? ordered_json((*memory).*field) : ordered_json(nullptr);
  };
  json["arena_bytes"] = number(&runtime::Interpreter::MemoryUse::arena_bytes);
  json["tensor_bytes"] = number(&runtime::Interpreter::MemoryUse::sum_bytes);
  json["peak_live_bytes"] = number(&runtime::Interpreter::MemoryUse::peak_live_bytes);
}

ordered_json Json(const std::vector<graph::SignatureTensor>& tensors) {
  ordered_json list = ordered_json::array();
  for (const graph::SignatureTensor& one : tensors) list.push_back({{"name", one.name}, {"tensor", one.tensor}});
  return list;
}

ordered_json Ends(const graph::Subgraph& graph, const SubgraphFacts& facts, const std::vector<int32_t>& tensors) {
  ordered_json list = ordered_json::array();
  for (const int32_t i : tensors) {
    list.push_back(
        Json(graph.tensors[static_cast<size_t>(i)], static_cast<size_t>(i), facts.tensors[static_cast<size_t>(i)]));
  }
  return list;
}

}  // namespace

std::string InspectJson(const std::string& model, const ModelFacts& facts) {
  const graph::Model& info = *facts.model;
  ordered_json json;
  json["model"] = model;
  json["profile"] = facts.profile;
  json["runs"] = facts.cannot_run.empty();
  json["cannot_run"] = facts.cannot_run.empty() ? ordered_json(nullptr) : ordered_json(facts.cannot_run);
  json["missing_kernels"] = facts.missing_kernels;
  json["description"] = info.description;
  json["format_version"] = info.version;
  json["file_bytes"] = info.file_bytes;
  json["warnings"] = info.warnings;
  json["has_unknown_fields"] = info.has_unknown_fields;
  json["scheme"] = facts.scheme;
  json["scheme_detail"] = facts.scheme_detail;
  json["operators"] = facts.operators;
  json["tensors"] = facts.tensors;
  json["macs"] = facts.macs;
  json["ops_with_unknown_macs"] = facts.ops_with_unknown_macs;
  json["parameters"] = facts.parameters;
  json["constant_bytes"] = facts.constant_bytes;
  AddMemory(json, facts.subgraphs[0].memory);
  json["inputs"] = Ends(info.subgraphs[0], facts.subgraphs[0], info.subgraphs[0].inputs);
  json["outputs"] = Ends(info.subgraphs[0], facts.subgraphs[0], info.subgraphs[0].outputs);
  json["signatures"] = ordered_json::array();
  for (const graph::Signature& signature : info.signatures) {
    json["signatures"].push_back({{"key", signature.key},
                                  {"subgraph", signature.subgraph},
                                  {"inputs", Json(signature.inputs)},
                                  {"outputs", Json(signature.outputs)}});
  }
  json["metadata"] = ordered_json::array();
  for (const graph::Metadata& one : info.metadata) {
    json["metadata"].push_back({{"name", one.name}, {"bytes", one.data.bytes().size()}});
  }
  json["appended_archive_bytes"] = info.appended_archive.bytes().size();
  json["subgraphs"] = ordered_json::array();
  for (size_t s = 0; s < info.subgraphs.size(); ++s) {
    const graph::Subgraph& graph = info.subgraphs[s];
    const SubgraphFacts& sub = facts.subgraphs[s];
    ordered_json one = {{"index", s},
                        {"name", graph.name},
                        {"called_by", sub.callers},
                        {"inputs", graph.inputs},
                        {"outputs", graph.outputs}};
    AddMemory(one, sub.memory);
    one["ops"] = ordered_json::array();
    for (const OpFacts& op : sub.ops)
      one["ops"].push_back(Json(graph, graph.operators[static_cast<size_t>(op.index)], op));
    one["tensors"] = ordered_json::array();
    for (size_t i = 0; i < graph.tensors.size(); ++i)
      one["tensors"].push_back(Json(graph.tensors[i], i, sub.tensors[i]));
    json["subgraphs"].push_back(std::move(one));
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace assay::report
