#include "report/convert_report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace assay::report {
namespace {

using nlohmann::ordered_json;

size_t CountOps(const graph::Model& model) {
  size_t count = 0;
  for (const graph::Subgraph& graph : model.subgraphs) count += graph.operators.size();
  return count;
}

uint64_t ConstantBytes(const graph::Model& model) {
  uint64_t bytes = 0;
  for (const graph::Subgraph& graph : model.subgraphs) {
    for (const graph::Tensor& tensor : graph.tensors)
      bytes += tensor.data.has_value() ? tensor.data->bytes().size() : 0;
  }
  return bytes;
}

// Kind of op to number, the most frequent first.
std::vector<std::pair<std::string, int>> OpKinds(const graph::Model& model) {
  std::map<std::string, int> counts;
  for (const graph::Subgraph& graph : model.subgraphs) {
    for (const graph::Operator& op : graph.operators) ++counts[std::string(op.Name())];
  }
  std::vector<std::pair<std::string, int>> list(counts.begin(), counts.end());
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

std::string Joined(const std::vector<std::string>& ops) {
  std::string text;
  for (const std::string& op : ops) text += (text.empty() ? "" : ", ") + op;
  return text.empty() ? "nothing of its own" : text;
}

ordered_json DeviationJson(const convert::Deviation& d) {
  return {{"tensor", d.tensor}, {"max_abs", d.max_abs}, {"range", d.range}, {"relative", d.relative}};
}

}  // namespace

std::string ConvertText(const ConvertContext& context, const convert::Conversion& conversion) {
  std::string text = fmt::format("{} ({}, {} {}s)\n  -> {}\n\n", context.source, conversion.source_kind,
                                 conversion.layers.size(), conversion.unit, context.destination);
  // Layers by class: how many, and what they became.
  std::map<std::string, std::pair<int, std::map<std::string, int>>> classes;
  for (const convert::SourceLayer& layer : conversion.layers) {
    auto& [count, ops] = classes[layer.class_name];
    ++count;
    ++ops[Joined(layer.ops)];
  }
  if (context.list_layers) {
    for (const convert::SourceLayer& layer : conversion.layers) {
      text += fmt::format("  {:<44} {:<24} {}\n", layer.path, layer.class_name, Joined(layer.ops));
    }
  } else {
    for (const auto& [name, entry] : classes) {
      auto best = entry.second.begin();
      for (auto at = entry.second.begin(); at != entry.second.end(); ++at) {
        if (at->second > best->second) best = at;
      }
      const std::string also =
          entry.second.size() > 1 ? fmt::format(" ({} of them; --layers lists all)", best->second) : "";
      text += fmt::format("  {:>4} {:<26} {}{}\n", entry.first, name, best->first, also);
    }
  }
  text += "\nsimplified:\n";
  for (const passes::PassResult& pass : conversion.passes) {
    if (pass.count > 0) text += fmt::format("  {:<22} {:>5} times\n", pass.name, pass.count);
  }
  const size_t before = conversion.ops_before, after = CountOps(conversion.model);
  text += fmt::format("  {} ops of {} are left:", after, before);
  for (const auto& [kind, count] : OpKinds(conversion.model)) text += fmt::format(" {} {}", count, kind);
  text += "\n";
  if (context.half.has_value()) {
    text += fmt::format("  {} constants stored as float16, {} bytes instead of {}", context.half->constants,
                        context.half->bytes_after, context.half->bytes_before);
    if (context.half->kept > 0) text += fmt::format("; {} stay float32, beyond its range", context.half->kept);
    text += "\n";
  }
  text += fmt::format("  weights {} bytes, file {} bytes; converted in {:.2f} s\n", ConstantBytes(conversion.model),
                      context.destination_bytes, context.seconds);
  if (context.verification.has_value()) {
    const convert::Verification& v = *context.verification;
    text += fmt::format(
        "\nverified on {} random input{}: {} tensors of the file against the graph before the passes, in double "
        "precision\n  largest deviation {:.2e} of the tensor's range, at {}; at the outputs {:.2e}\n",
        v.inputs, v.inputs == 1 ? "" : "s", v.tensors, v.worst.relative, v.worst.tensor, v.worst_output.relative);
    if (v.worst.relative <= 1e-4) text += "  the passes lost nothing beyond the rounding of float32\n";
  } else if (!context.verification_missing.empty()) {
    text += fmt::format("\nnot verified: {}\n", context.verification_missing);
  }
  if (context.expectation.has_value()) {
    const convert::Expectation& e = *context.expectation;
    text += fmt::format("\nexpected predictions: {} samples\n", e.samples);
    for (const convert::Deviation& d : e.outputs) {
      text += fmt::format("  {:<30} largest difference {:.2e}, {:.2e} of its range\n", d.tensor, d.max_abs, d.relative);
    }
    if (e.has_answers) text += fmt::format("  {} of {} answers are the same\n", e.same_answers, e.samples);
  }
  return text;
}

std::string ConvertJson(const ConvertContext& context, const convert::Conversion& conversion) {
  ordered_json json = {{"source", context.source},
                       {"destination", context.destination},
                       {"source_kind", conversion.source_kind},
                       {"seconds", context.seconds},
                       {"ops_before", conversion.ops_before},
                       {"ops", CountOps(conversion.model)},
                       {"weight_bytes", ConstantBytes(conversion.model)},
                       {"file_bytes", context.destination_bytes}};
  for (const auto& [kind, count] : OpKinds(conversion.model)) json["op_kinds"][kind] = count;
  json["layers"] = ordered_json::array();
  for (const convert::SourceLayer& layer : conversion.layers) {
    json["layers"].push_back(
        {{"path", layer.path}, {"class", layer.class_name}, {"ops", layer.ops}, {"outputs", layer.outputs}});
  }
  for (const passes::PassResult& pass : conversion.passes) json["passes"][std::string(pass.name)] = pass.count;
  if (context.half.has_value()) {
    json["float16"] = {{"constants", context.half->constants},
                       {"kept", context.half->kept},
                       {"bytes_before", context.half->bytes_before},
                       {"bytes_after", context.half->bytes_after}};
  }
  if (context.verification.has_value()) {
    const convert::Verification& v = *context.verification;
    json["verification"] = {{"inputs", v.inputs},
                            {"tensors", v.tensors},
                            {"worst", DeviationJson(v.worst)},
                            {"worst_output", DeviationJson(v.worst_output)}};
    for (const convert::Deviation& d : v.worst_tensors)
      json["verification"]["worst_tensors"].push_back(DeviationJson(d));
  } else if (!context.verification_missing.empty()) {
    json["verification"] = {{"missing", context.verification_missing}};
  }
  if (context.expectation.has_value()) {
    const convert::Expectation& e = *context.expectation;
    json["expectation"] = {
        {"samples", e.samples}, {"relative", e.relative}, {"max_difference", context.max_difference}};
    if (e.has_answers) json["expectation"]["same_answers"] = e.same_answers;
    for (const convert::Deviation& d : e.outputs) json["expectation"]["outputs"].push_back(DeviationJson(d));
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace assay::report
