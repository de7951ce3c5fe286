#include "report/inspect_boxes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graph/verifier.h"

namespace assay::report {
namespace {

using runtime::ModelFacts;
using runtime::OpFacts;
using runtime::SubgraphFacts;

constexpr size_t kMaxEnds = 24;          // inputs or outputs with a box of their own
constexpr size_t kMaxLabelledPorts = 4;  // outputs of one op whose shapes are written, not only in the tooltip
constexpr size_t kMaxName = 160;         // bytes of a tensor's name in a tooltip

std::string Name(const graph::Tensor& tensor) {
  const std::string clean = CleanText(tensor.name.substr(0, kMaxName));
  return tensor.name.size() > kMaxName ? clean + "\u2026" : clean;
}

class Maker {
 public:
  Maker(const ModelFacts& facts, size_t subgraph, int64_t most_macs)
      : facts_(facts),
        graph_(facts.model->subgraphs[subgraph]),
        sub_(facts.subgraphs[subgraph]),
        most_macs_(most_macs) {}

  GraphBoxes Make() {
    MakeBoxes();
    Connect();
    return std::move(result_);
  }

 private:
  const graph::Tensor& tensor(int32_t i) const { return graph_.tensors[static_cast<size_t>(i)]; }
  const runtime::TensorFacts& facts(int32_t i) const { return sub_.tensors[static_cast<size_t>(i)]; }

  bool IsHidden(const OpFacts& op) const {
    const graph::Operator& info = graph_.operators[static_cast<size_t>(op.index)];
    const bool unpacks = (info.code == graph::BuiltinOp::kDequantize || info.code == graph::BuiltinOp::kDensify) &&
                         !info.inputs.empty() && info.inputs[0] != graph::kNoTensor &&
                         tensor(info.inputs[0]).data.has_value();
    return op.folded || unpacks;
  }

  Box EndBox(const char* what, const std::vector<int32_t>& tensors) const {
    Box box;
    box.css = "g end";
    box.is_end = true;
    if (tensors.size() == 1) {
      box.title = Name(tensor(tensors[0]));
      box.lines.push_back(fmt::format("{} {}", what, DTypeName(tensor(tensors[0]).dtype)));
    } else {
      box.title = fmt::format("{} {}s", tensors.size(), what);
    }
    for (const int32_t i : tensors) box.tooltip.push_back(TensorLine(tensor(i), facts(i)));
    return box;
  }

  Box OpBox(const OpFacts& op) {
    const graph::Operator& info = graph_.operators[static_cast<size_t>(op.index)];
    const OpFamily family = FamilyOf(info.code);
    result_.families.insert(family);
    Box box;
    box.css = fmt::format("g f{}", static_cast<int>(family));
    if (!op.has_kernel) box.css += " n0";
    const bool builtin = op.engine == numerics::Engine::kBuiltin && facts_.profile.rfind("xnnpack", 0) == 0;
    if (builtin) box.css += " n1";
    result_.has_builtin |= builtin;
    box.title = CleanText(graph::Printable(info.Name()));
    box.side = fmt::format("{}", op.index);
    const std::string options = CleanText(OptionsText(graph_, info));
    if (!options.empty()) box.lines.push_back(options);
    const std::string weights = WeightsText(info);
    if (!weights.empty()) box.lines.push_back(weights);
    std::string cost;
    if (op.macs.value_or(0) > 0) cost = fmt::format("{} MACs", CountText(*op.macs));
    if (op.parameters > 0)
      cost += fmt::format("{}{} parameters", cost.empty() ? "" : " \u00b7 ", CountText(op.parameters));
    if (!cost.empty()) box.lines.push_back(cost);
    if (!op.has_kernel) box.lines.push_back(op.remark);
    if (most_macs_ > 0) box.share = static_cast<double>(op.macs.value_or(0)) / static_cast<double>(most_macs_);
    result_.has_bars |= box.share > 0;
    box.tooltip.push_back(fmt::format("op {} {} version {}", op.index, box.title, info.version));
    if (!options.empty()) box.tooltip.push_back(options);
    if (op.macs.value_or(0) > 0) {
      box.tooltip.push_back(fmt::format("{} MACs, {:.1f} % of the model", GroupedText(*op.macs),
                                        100.0 * static_cast<double>(*op.macs) / static_cast<double>(facts_.macs)));
    }
    for (const int32_t i : info.inputs) {
      if (i != graph::kNoTensor) box.tooltip.push_back("in: " + TensorLine(tensor(i), facts(i)));
    }
    for (const int32_t i : info.outputs) box.tooltip.push_back("out: " + TensorLine(tensor(i), facts(i)));
    if (op.has_kernel) box.tooltip.push_back("engine: " + EngineText(op) + (op.remark.empty() ? "" : ", " + op.remark));
    return box;
  }

  // The largest constant that the op computes with.
  std::string WeightsText(const graph::Operator& info) const {
    int32_t largest = graph::kNoTensor;
    for (const int32_t i : info.inputs) {
      if (i == graph::kNoTensor || !IsConstant(i)) continue;
      const DType dtype = tensor(i).dtype;
      if (dtype == DType::kInt32 || dtype == DType::kInt64 || dtype == DType::kBool) continue;
      if (facts(i).shape.NumElements() < 2) continue;
      if (largest == graph::kNoTensor || facts(i).shape.NumElements() > facts(largest).shape.NumElements()) largest = i;
    }
    if (largest == graph::kNoTensor) return {};
    const auto unpacked = unpacked_from_.find(largest);
    const graph::Tensor& stored = tensor(unpacked == unpacked_from_.end() ? largest : unpacked->second);
    return fmt::format("{} {}{}", ShapeLabel(tensor(largest), facts(largest)), DTypeName(stored.dtype),
                       !stored.quantization.is_quantized()    ? ""
                       : stored.quantization.is_per_channel() ? " per channel"
                                                              : " per tensor");
  }

  bool IsConstant(int32_t i) const {
    return tensor(i).data.has_value() || tensor(i).external_buffer != 0 || constant_.count(i) > 0;
  }

  // Several ops that follow each other in the order of execution; no line can then go back.
  Box GroupBox(const std::vector<const OpFacts*>& ops) {
    Box box;
    std::map<std::string, int64_t> kinds;
    std::map<OpFamily, int64_t> families;
    int64_t macs = 0, missing = 0;
    for (const OpFacts* op : ops) {
      const graph::Operator& info = graph_.operators[static_cast<size_t>(op->index)];
      ++kinds[CleanText(graph::Printable(info.Name()))];
      ++families[FamilyOf(info.code)];
      macs += op->macs.value_or(0);
      missing += !op->has_kernel;
    }
    const auto most = std::max_element(families.begin(), families.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    result_.families.insert(most->first);
    box.css = fmt::format("g f{}{}", static_cast<int>(most->first), missing > 0 ? " n0" : "");
    box.title = fmt::format("{} ops", ops.size());
    box.side = fmt::format("{}\u2013{}", ops.front()->index, ops.back()->index);
    std::vector<std::pair<int64_t, std::string>> order;
    order.reserve(kinds.size());
    for (const auto& [name, count] : kinds) order.emplace_back(-count, name);
    std::sort(order.begin(), order.end());
    for (size_t k = 0; k < order.size(); ++k) {
      const std::string line = fmt::format("{} {}", -order[k].first, order[k].second);
      if (k < 3) box.lines.push_back(line);
      box.tooltip.push_back(line);
    }
    if (macs > 0) box.lines.push_back(CountText(macs) + " MACs");
    if (most_macs_ > 0) box.share = std::min(1.0, static_cast<double>(macs) / static_cast<double>(most_macs_));
    return box;
  }

  void MakeBoxes() {
    box_of_op_.assign(sub_.ops.size(), -1);
    std::vector<const OpFacts*> shown;
    for (const OpFacts& op : sub_.ops) {
      if (!IsHidden(op)) {
        shown.push_back(&op);
        continue;
      }
      const graph::Operator& info = graph_.operators[static_cast<size_t>(op.index)];
      for (const int32_t i : info.outputs) {
        constant_.insert(i);
        if (info.inputs.size() == 1 && info.inputs[0] != graph::kNoTensor) unpacked_from_[i] = info.inputs[0];
      }
    }
    if (shown.size() < sub_.ops.size()) {
      result_.notes.push_back(
          fmt::format("{} ops that only prepare constants are not drawn.", sub_.ops.size() - shown.size()));
    }
    AddEnds("input", graph_.inputs, box_of_input_);
    size_t together = 1;
    if (shown.size() > kMaxBoxes) {
      together = (shown.size() + kMaxBoxes - 1) / kMaxBoxes * 2;
      result_.notes.push_back(fmt::format("{} ops are too many to draw: each box stands for {} that follow each other.",
                                          shown.size(), together));
    }
    for (size_t first = 0; first < shown.size(); first += together) {
      const std::vector<const OpFacts*> ops(
          shown.begin() + static_cast<std::ptrdiff_t>(first),
          shown.begin() + static_cast<std::ptrdiff_t>(std::min(first + together, shown.size())));
      for (const OpFacts* op : ops) box_of_op_[static_cast<size_t>(op->index)] = static_cast<int>(result_.boxes.size());
      result_.boxes.push_back(ops.size() == 1 ? OpBox(*ops[0]) : GroupBox(ops));
    }
    AddEnds("output", graph_.outputs, box_of_output_);
  }

  void AddEnds(const char* what, const std::vector<int32_t>& tensors, std::vector<int>& box_of) {
    for (size_t k = 0; k < tensors.size(); ++k) {
      if (tensors.size() <= kMaxEnds || k == 0) {
        result_.boxes.push_back(tensors.size() <= kMaxEnds ? EndBox(what, {tensors[k]}) : EndBox(what, tensors));
      }
      box_of.push_back(static_cast<int>(result_.boxes.size()) - 1);
    }
  }

  // One net per tensor that a box gives and others read.
  void Connect() {
    std::map<int32_t, int> source;  // by tensor
    std::map<int32_t, std::vector<int>> readers;
    for (size_t k = 0; k < graph_.inputs.size(); ++k) source.emplace(graph_.inputs[k], box_of_input_[k]);
    for (const OpFacts& op : sub_.ops) {
      const int box = box_of_op_[static_cast<size_t>(op.index)];
      if (box < 0) continue;
      const graph::Operator& info = graph_.operators[static_cast<size_t>(op.index)];
      for (const int32_t i : info.inputs) {
        if (i != graph::kNoTensor && source.count(i) > 0 && source[i] != box) readers[i].push_back(box);
      }
      for (const int32_t i : info.outputs) source[i] = box;
    }
    for (size_t k = 0; k < graph_.outputs.size(); ++k) {
      if (source.count(graph_.outputs[k]) > 0) readers[graph_.outputs[k]].push_back(box_of_output_[k]);
    }
    for (auto& [i, boxes] : readers) {
      std::sort(boxes.begin(), boxes.end());
      boxes.erase(std::unique(boxes.begin(), boxes.end()), boxes.end());
      Box& from = result_.boxes[static_cast<size_t>(source[i])];
      LayoutNet net = {source[i], static_cast<int>(from.ports.size()), boxes};
      from.ports.push_back(i);
      result_.nets.push_back(std::move(net));
      result_.tensor_of_net.push_back(i);
    }
    MergeManyPorts();
  }

  // Boxes with many outputs (groups, splits) get one net to all readers.
  void MergeManyPorts() {
    std::vector<LayoutNet> nets;
    std::vector<int32_t> tensors;
    std::map<int, size_t> merged;
    for (size_t k = 0; k < result_.nets.size(); ++k) {
      LayoutNet& net = result_.nets[k];
      if (result_.boxes[static_cast<size_t>(net.from)].ports.size() <= kMaxLabelledPorts) {
        nets.push_back(net);
        tensors.push_back(result_.tensor_of_net[k]);
        continue;
      }
      const auto [at, is_new] = merged.emplace(net.from, nets.size());
      if (is_new) {
        net.port = 0;
        nets.push_back(net);
        tensors.push_back(-1);
      } else {
        auto& to = nets[at->second].to;
        to.insert(to.end(), net.to.begin(), net.to.end());
      }
    }
    for (const auto& [box, k] : merged) {
      auto& to = nets[k].to;
      std::sort(to.begin(), to.end());
      to.erase(std::unique(to.begin(), to.end()), to.end());
      result_.boxes[static_cast<size_t>(box)].ports = {-1};
    }
    result_.nets = std::move(nets);
    result_.tensor_of_net = std::move(tensors);
  }

  const ModelFacts& facts_;
  const graph::Subgraph& graph_;
  const SubgraphFacts& sub_;
  int64_t most_macs_;
  GraphBoxes result_;
  std::vector<int> box_of_op_, box_of_input_, box_of_output_;
  std::set<int32_t> constant_;                // tensors that hidden ops prepare
  std::map<int32_t, int32_t> unpacked_from_;  // and what they unpack
};

}  // namespace

std::string TensorLine(const graph::Tensor& tensor, const runtime::TensorFacts& facts) {
  const std::string quantization = QuantizationText(tensor);
  return fmt::format("{} {} {}{}", Name(tensor), DTypeName(tensor.dtype), ShapeText(tensor, facts),
                     quantization.empty() ? "" : ", " + quantization);
}

GraphBoxes MakeGraphBoxes(const ModelFacts& facts, size_t subgraph, int64_t most_macs) {
  return Maker(facts, subgraph, most_macs).Make();
}

}  // namespace assay::report
