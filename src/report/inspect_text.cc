// The text of `inspect`.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graph/verifier.h"
#include "report/inspect_report.h"
#include "report/inspect_words.h"

namespace assay::report {
namespace {

using runtime::ModelFacts;
using runtime::OpFacts;
using runtime::SubgraphFacts;

constexpr size_t kOptionsInRow = 50;  // longer ones get a line of their own

std::string Shown(std::string_view name) { return CleanText(graph::Printable(name)); }

double Share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string TensorLine(const graph::Subgraph& graph, const SubgraphFacts& facts, int32_t index) {
  const auto i = static_cast<size_t>(index);
  const graph::Tensor& tensor = graph.tensors[i];
  std::string line = fmt::format("  {:<32} {:<8} {}", Shown(tensor.name), DTypeName(tensor.dtype),
                                 ShapeText(tensor, facts.tensors[i]));
  if (tensor.shape_signature.has_value() &&
      std::count(tensor.shape_signature->begin(), tensor.shape_signature->end(), -1)) {
    line += fmt::format("  signature [{}]", fmt::join(*tensor.shape_signature, ","));
  }
  const std::string quantization = QuantizationText(tensor);
  return line + (quantization.empty() ? "" : "  " + quantization) + "\n";
}

// Columns as wide as their longest cell; `alignment` has < or > for each.
class Table {
 public:
  Table(std::vector<std::string> head, std::string alignment) : alignment_(std::move(alignment)) {
    Add(std::move(head));
  }
  // `below` is a line of its own under the row.
  void Add(std::vector<std::string> row, std::string below = {}) {
    rows_.push_back(std::move(row));
    below_.push_back(std::move(below));
  }
  std::string Text() const {
    std::vector<size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()), 0);
      for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], Width(row[c]));
    }
    std::string text;
    for (size_t r = 0; r < rows_.size(); ++r) {
      const auto& row = rows_[r];
      std::string line;
      for (size_t c = 0; c < row.size(); ++c) {
        const std::string space(widths[c] - Width(row[c]), ' ');
        line += "  " + (alignment_[c] == '<' ? row[c] + space : space + row[c]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
      if (!below_[r].empty()) text += "        " + below_[r] + "\n";
    }
    return text;
  }

 private:
  // Code points, not bytes.
  static size_t Width(const std::string& text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  }
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::string> below_;
  std::string alignment_;
};

std::string MacsText(const OpFacts& op) {
  if (!op.macs.has_value()) return "?";
  return *op.macs == 0 ? "" : CountText(*op.macs);
}

std::string KindsText(const ModelFacts& facts) {
  struct Kind {
    int64_t ops = 0, macs = 0, parameters = 0;
  };
  std::map<std::string, Kind> kinds;
  for (size_t s = 0; s < facts.subgraphs.size(); ++s) {
    for (const OpFacts& op : facts.subgraphs[s].ops) {
      Kind& kind = kinds[Shown(facts.model->subgraphs[s].operators[static_cast<size_t>(op.index)].Name())];
      ++kind.ops;
      kind.macs += op.macs.value_or(0);
      kind.parameters += op.parameters;
    }
  }
  std::vector<std::pair<std::string, Kind>> order(kinds.begin(), kinds.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.second.macs, a.second.ops) > std::make_pair(b.second.macs, b.second.ops);
  });
  Table table({"ops by kind", "ops", "MACs", "share", "parameters"}, "<>>>>");
  for (const auto& [name, kind] : order) {
    table.Add({name, std::to_string(kind.ops), kind.macs == 0 ? "" : CountText(kind.macs),
               kind.macs == 0 ? "" : fmt::format("{:.1f} %", 100 * Share(kind.macs, facts.macs)),
               kind.parameters == 0 ? "" : GroupedText(kind.parameters)});
  }
  return table.Text();
}

std::string OpsText(const ModelFacts& facts, size_t s) {
  const graph::Subgraph& graph = facts.model->subgraphs[s];
  const SubgraphFacts& sub = facts.subgraphs[s];
  Table table({"op", "kind", "options", "output", "", "MACs", "share", "parameters", "engine", "tensor"}, "><<<<>>><<");
  for (const OpFacts& op : sub.ops) {
    const graph::Operator& info = graph.operators[static_cast<size_t>(op.index)];
    std::string dtype = "-", shape, name;
    if (!info.outputs.empty()) {
      const auto i = static_cast<size_t>(info.outputs[0]);
      dtype = DTypeName(graph.tensors[i].dtype);
      shape = ShapeText(graph.tensors[i], sub.tensors[i]);
      name = Shown(graph.tensors[i].name);
      if (info.outputs.size() > 1) shape += fmt::format(" and {} more", info.outputs.size() - 1);
    }
    const std::string options = CleanText(OptionsText(graph, info));
    const bool is_long = options.size() > kOptionsInRow;
    table.Add({std::to_string(op.index), Shown(info.Name()), is_long ? "(below)" : options, dtype, shape, MacsText(op),
               op.macs.value_or(0) == 0 ? "" : fmt::format("{:.1f} %", 100 * Share(*op.macs, facts.macs)),
               op.parameters == 0 ? "" : GroupedText(op.parameters), EngineText(op), name},
              is_long ? options : "");
  }
  return table.Text();
}

std::string EnginesText(const ModelFacts& facts) {
  std::map<std::string, int64_t> counts;
  for (const SubgraphFacts& sub : facts.subgraphs) {
    for (const OpFacts& op : sub.ops) ++counts[EngineText(op)];
  }
  std::string text;
  const auto add = [&](const char* key, const char* words) {
    if (counts.count(key) > 0) text += fmt::format("{}{} {}", text.empty() ? ": " : ", ", counts[key], words);
  };
  add("xnnpack", "ops as XNNPACK");
  add("builtin", "as the built-in kernels");
  add("reference", "as the reference kernels");
  add("once", "computed once while preparing");
  if (facts.cannot_run.empty()) add("-", "decided when they run");
  add("none", "without a kernel");
  return text;
}

// The XNNPACK profile's ops that it does not take, by kind and reason.
std::string RemarksText(const ModelFacts& facts) {
  std::map<std::string, int64_t> counts;
  for (size_t s = 0; s < facts.subgraphs.size(); ++s) {
    for (const OpFacts& op : facts.subgraphs[s].ops) {
      if (op.remark.empty() || op.folded) continue;
      ++counts[fmt::format("{}: {}", Shown(facts.model->subgraphs[s].operators[static_cast<size_t>(op.index)].Name()),
                           op.remark)];
    }
  }
  std::string text;
  for (const auto& [remark, count] : counts)
    text += fmt::format("  {} ({} op{})\n", remark, count, count > 1 ? "s" : "");
  return text.empty() ? "" : "\nremarks\n" + text;
}

std::string NamedTensors(const std::vector<graph::SignatureTensor>& list) {
  std::string text;
  for (const graph::SignatureTensor& one : list) {
    text += fmt::format("{}{} (tensor {})", text.empty() ? "" : ", ", Shown(one.name), one.tensor);
  }
  return text.empty() ? "nothing" : text;
}

std::string SignaturesText(const graph::Model& model) {
  if (model.signatures.empty()) return {};
  std::string text = "\nsignatures\n";
  for (const graph::Signature& signature : model.signatures) {
    text += fmt::format("  {}{}: {} to {}\n", Shown(signature.key),
                        signature.subgraph == 0 ? "" : fmt::format(", subgraph {}", signature.subgraph),
                        NamedTensors(signature.inputs), NamedTensors(signature.outputs));
  }
  return text;
}

std::string MetadataText(const graph::Model& model) {
  if (model.metadata.empty() && model.appended_archive.bytes().empty()) return {};
  std::string text = "\nmetadata\n";
  for (const graph::Metadata& one : model.metadata) {
    const auto bytes = one.data.bytes();
    // Versions and the like are text, padded with zeros.
    size_t length = 0;
    while (length < bytes.size() && bytes[length] >= 0x20 && bytes[length] < 0x7f) ++length;
    const bool is_text =
        length > 0 && length <= 64 &&
        std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(length), bytes.end(), [](uint8_t b) { return b == 0; });
    text += fmt::format(
        "  {:<32} {} bytes{}\n", Shown(one.name), bytes.size(),
        is_text ? fmt::format("  '{}'", std::string(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)))
                : "");
  }
  if (!model.appended_archive.bytes().empty()) {
    text += fmt::format("  {:<32} {} bytes\n", "ZIP archive behind the model", model.appended_archive.bytes().size());
  }
  return text;
}

std::string MemoryText(const runtime::Interpreter::MemoryUse& memory) {
  return fmt::format("arena {} bytes (all tensors side by side {}, largest set alive at once {})",
                     GroupedText(static_cast<int64_t>(memory.arena_bytes)),
                     GroupedText(static_cast<int64_t>(memory.sum_bytes)),
                     GroupedText(static_cast<int64_t>(memory.peak_live_bytes)));
}

}  // namespace

std::string InspectText(const std::string& model, const ModelFacts& facts) {
  const graph::Model& info = *facts.model;
  const graph::Subgraph& main = info.subgraphs[0];
  const SubgraphFacts& main_facts = facts.subgraphs[0];
  std::string text = fmt::format("{}\n", model);
  if (!facts.cannot_run.empty()) text += fmt::format("  cannot run   {}\n", CleanText(facts.cannot_run));
  if (!info.description.empty()) text += fmt::format("  description  {}\n", Shown(info.description));
  text += fmt::format("  file         {}, of them {} constants\n", BytesText(info.file_bytes),
                      BytesText(facts.constant_bytes));
  text += fmt::format("  scheme       {}\n               {}\n", facts.scheme, facts.scheme_detail);
  text += fmt::format("  size         {} ops, {} tensors{}, {} parameters\n", facts.operators, facts.tensors,
                      facts.subgraphs.size() > 1 ? fmt::format(", {} subgraphs", facts.subgraphs.size()) : "",
                      GroupedText(facts.parameters));
  text += fmt::format(
      "  work         {} MACs ({}){}\n", GroupedText(facts.macs), CountText(facts.macs),
      facts.ops_with_unknown_macs > 0
          ? fmt::format(", and those of {} ops whose shapes only running shows", facts.ops_with_unknown_macs)
          : "");
  if (main_facts.memory.has_value()) text += fmt::format("  memory       {}\n", MemoryText(*main_facts.memory));
  text += fmt::format("  numerics     {}{}\n", facts.profile, EnginesText(facts));
  if (info.has_unknown_fields) text += "  note         it has fields of a newer format: it may be run, not rewritten\n";
  text += "\ninputs\n";
  for (const int32_t i : main.inputs) text += TensorLine(main, main_facts, i);
  text += "outputs\n";
  for (const int32_t i : main.outputs) text += TensorLine(main, main_facts, i);
  text += SignaturesText(info) + MetadataText(info);
  text += "\n" + KindsText(facts);
  text += RemarksText(facts);
  for (size_t s = 0; s < facts.subgraphs.size(); ++s) {
    text += "\n";
    if (facts.subgraphs.size() > 1) {
      const auto& callers = facts.subgraphs[s].callers;
      constexpr size_t kShown = 4;
      const std::vector<std::string> some(
          callers.begin(), callers.begin() + static_cast<std::ptrdiff_t>(std::min(callers.size(), kShown)));
      text += fmt::format(
          "subgraph {}{}{}{}\n", s,
          info.subgraphs[s].name.empty() ? "" : fmt::format(" '{}'", Shown(info.subgraphs[s].name)),
          callers.empty() ? "" : fmt::format(", called by {}", CleanText(fmt::format("{}", fmt::join(some, ", ")))),
          callers.size() > kShown ? fmt::format(" and {} more", callers.size() - kShown) : "");
      if (s > 0 && facts.subgraphs[s].memory.has_value()) text += "  " + MemoryText(*facts.subgraphs[s].memory) + "\n";
    }
    text += OpsText(facts, s);
  }
  return text;
}

}  // namespace assay::report
