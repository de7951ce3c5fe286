#include "quantize/output_splitting.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "graph/attributes.h"
#include "passes/rewrite.h"
#include "quantize/weighted_layer.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;
using passes::TensorAt;

constexpr float kStarving = 4;  // two of the eight bits are lost
constexpr size_t kMostParts = 4;

bool IsJoin(BuiltinOp code) { return code == BuiltinOp::kConcatenation || code == BuiltinOp::kPack; }

bool MovesValues(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kConcatenation:
    case BuiltinOp::kPack:
    case BuiltinOp::kReshape:
    case BuiltinOp::kSqueeze:
    case BuiltinOp::kExpandDims:
    case BuiltinOp::kTranspose:
    case BuiltinOp::kSlice:
    case BuiltinOp::kStridedSlice:
    case BuiltinOp::kSplit:
    case BuiltinOp::kSplitV:
    case BuiltinOp::kUnpack:
    case BuiltinOp::kGather:
      return true;
    default:
      return false;
  }
}

float Width(float low, float high) { return std::max(high, 0.0F) - std::min(low, 0.0F); }

// Channels of a layer's result whose ranges are alike, ascending; the widest group first.
std::vector<std::vector<int32_t>> GroupsOf(const ChannelStatistics& channels) {
  const auto width = [&](int32_t c) {
    return Width(channels.low[static_cast<size_t>(c)], channels.high[static_cast<size_t>(c)]);
  };
  std::vector<int32_t> order(channels.low.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return width(a) > width(b); });
  std::vector<std::vector<int32_t>> groups;
  float widest = 0;
  for (const int32_t c : order) {
    // What is 0 throughout fits any scale.
    const bool starves = width(c) > 0 && width(c) * kStarving <= widest && groups.size() < kMostParts;
    if (groups.empty() || starves) {
      groups.emplace_back();
      widest = width(c);
    }
    groups.back().push_back(c);
  }
  for (auto& group : groups) std::sort(group.begin(), group.end());
  return groups;
}

class Splitter {
 public:
  Splitter(Subgraph& graph, Calibration& calibration, const std::vector<bool>& keep_float)
      : graph_(graph),
        calibration_(calibration),
        keep_float_(keep_float),
        uses_(graph),
        readers_(graph.tensors.size()) {
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      for (const int32_t t : graph.operators[i].inputs) {
        if (t != graph::kNoTensor) readers_[static_cast<size_t>(t)].push_back(i);
      }
    }
    result_.stays_float = keep_float;
    result_.stays_float.resize(graph.operators.size());
  }

  SplitOutputs Run() {
    std::vector<std::vector<std::vector<int32_t>>> groups(graph_.operators.size());
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      const Operator& op = graph_.operators[i];
      if (op.outputs.size() != 1 || op.outputs[0] == graph::kNoTensor || Stays(i)) continue;
      std::set<size_t> movers;
      if (!LeadsToOutputs(op.outputs[0], movers)) continue;
      if (IsJoin(op.code) && HasStarvingOperand(op)) {
        movers.insert(i);
        ++result_.joins;
      } else if (IsDivisible(i)) {
        groups[i] = GroupsOf(calibration_.channels[static_cast<size_t>(op.outputs[0])]);
        if (groups[i].size() < 2) continue;
        ++result_.layers;
        result_.parts += static_cast<int>(groups[i].size());
      } else {
        continue;
      }
      for (const size_t mover : movers) result_.stays_float[mover] = true;
    }
    std::vector<Operator> before = std::move(graph_.operators);
    std::vector<bool> stays_float = std::move(result_.stays_float);
    graph_.operators.clear();
    result_.stays_float.clear();
    for (size_t i = 0; i < before.size(); ++i) {
      from_ = static_cast<int32_t>(i);
      groups[i].size() < 2 ? Add(std::move(before[i]), stays_float[i]) : AddParts(before[i], groups[i]);
    }
    return std::move(result_);
  }

 private:
  bool Stays(size_t op) const { return op < keep_float_.size() && keep_float_[op]; }

  // True where all that reads the tensor moves values to outputs, or stays float; `movers` collects those ops.
  bool LeadsToOutputs(int32_t tensor, std::set<size_t>& movers) const {
    if (uses_.readers(tensor) == 0) return false;
    std::vector<int32_t> pending = {tensor};
    while (!pending.empty()) {
      const int32_t next = pending.back();
      pending.pop_back();
      for (const size_t reader : readers_[static_cast<size_t>(next)]) {
        const Operator& op = graph_.operators[reader];
        if (Stays(reader)) continue;
        if (!MovesValues(op.code)) return false;
        if (!movers.insert(reader).second) continue;
        for (const int32_t t : op.outputs) {
          if (t != graph::kNoTensor) pending.push_back(t);
        }
      }
    }
    return true;
  }

  std::optional<float> WidthOf(int32_t tensor) const {
    if (tensor == graph::kNoTensor || TensorAt(graph_, tensor).dtype != DType::kFloat32) return std::nullopt;
    if (const auto values = passes::FloatValues(graph_, tensor); values.has_value()) {
      const Range extent = ExtentWithZero(*values);
      return Width(extent.low, extent.high);
    }
    const auto t = static_cast<size_t>(tensor);
    if (t >= calibration_.ranges.size() || !calibration_.ranges[t].has_value()) return std::nullopt;
    return Width(calibration_.ranges[t]->low, calibration_.ranges[t]->high);
  }

  bool HasStarvingOperand(const Operator& op) const {
    const std::optional<float> all = WidthOf(op.outputs[0]);
    if (!all.has_value()) return false;
    return std::any_of(op.inputs.begin(), op.inputs.end(), [&](int32_t t) {
      const std::optional<float> width = WidthOf(t);
      return width.has_value() && *width > 0 && *width * kStarving <= *all;
    });
  }

  bool IsDivisible(size_t index) const {
    const std::optional<WeightedLayer> layer = WeightedLayerOf(graph_, uses_, static_cast<int32_t>(index));
    if (!layer.has_value() || layer->depthwise) return false;
    const Operator& op = graph_.operators[index];
    if (op.code == BuiltinOp::kConv2D) {
      // In groups, a channel's place says which operands it reads.
      const Shape& input = TensorAt(graph_, op.inputs[0]).shape;
      if (input.rank() != 4 || static_cast<size_t>(input[3]) != layer->operands) return false;
    }
    const auto result = static_cast<size_t>(layer->result);
    const Shape& shape = TensorAt(graph_, layer->result).shape;
    return result < calibration_.channels.size() && calibration_.channels[result].low.size() == layer->results &&
           shape.rank() > 0 && static_cast<size_t>(shape[shape.rank() - 1]) == layer->results;
  }

  void Add(Operator op, bool stays_float) {
    graph_.operators.push_back(std::move(op));
    result_.origin.push_back(from_);
    result_.stays_float.push_back(stays_float);
  }

  // A tensor like `like`, with `channels` of its last dimension.
  int32_t AddResult(int32_t like, std::string name, const std::vector<int32_t>& channels) {
    graph::Tensor tensor = TensorAt(graph_, like);
    tensor.name = std::move(name);
    const auto count = static_cast<int32_t>(channels.size());
    tensor.shape[tensor.shape.rank() - 1] = count;
    if (tensor.shape_signature.has_value()) tensor.shape_signature->back() = count;
    graph_.tensors.push_back(std::move(tensor));
    return static_cast<int32_t>(graph_.tensors.size()) - 1;
  }

  void Calibrate(int32_t tensor, int32_t like, const std::vector<int32_t>& channels) {
    const auto at = static_cast<size_t>(tensor);
    calibration_.ranges.resize(graph_.tensors.size());
    calibration_.channels.resize(graph_.tensors.size());
    const ChannelStatistics& all = calibration_.channels[static_cast<size_t>(like)];
    ChannelStatistics part;
    for (const int32_t channel : channels) {
      const auto c = static_cast<size_t>(channel);
      part.low.push_back(all.low[c]);
      part.high.push_back(all.high[c]);
      if (c < all.mean.size()) part.mean.push_back(all.mean[c]);
      if (c < all.deviation.size()) part.deviation.push_back(all.deviation[c]);
      if (c < all.share_at_six.size()) part.share_at_six.push_back(all.share_at_six[c]);
    }
    Range range = {*std::min_element(part.low.begin(), part.low.end()),
                   *std::max_element(part.high.begin(), part.high.end())};
    // What the calibration's method took off the whole is off its parts, too.
    if (const std::optional<Range>& whole = calibration_.ranges[static_cast<size_t>(like)]; whole.has_value()) {
      const Range narrowed = {std::max(range.low, whole->low), std::min(range.high, whole->high)};
      if (narrowed.low < narrowed.high) range = narrowed;
    }
    calibration_.ranges[at] = range;
    calibration_.channels[at] = std::move(part);
  }

  int32_t Rows(int32_t constant, const std::vector<int32_t>& rows, const std::string& name) {
    const Shape whole = TensorAt(graph_, constant).shape;
    const std::vector<float> values = *passes::FloatValues(graph_, constant);
    const size_t size = values.size() / static_cast<size_t>(whole[0]);
    std::vector<float> taken;
    taken.reserve(rows.size() * size);
    for (const int32_t row : rows) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(row) * size);
      taken.insert(taken.end(), first, first + static_cast<std::ptrdiff_t>(size));
    }
    Shape shape = whole;
    shape[0] = static_cast<int32_t>(rows.size());
    return passes::AddFloatConstant(graph_, name, shape, taken);
  }

  void AddParts(const Operator& op, const std::vector<std::vector<int32_t>>& groups) {
    const int32_t whole = op.outputs[0];
    const std::string name = TensorAt(graph_, whole).name;
    const int32_t axis = TensorAt(graph_, whole).shape.rank() - 1;
    std::vector<int32_t> joined, order;
    for (size_t g = 0; g < groups.size(); ++g) {
      Operator part = op;
      const std::string suffix = fmt::format("/part{}", g);
      part.inputs[1] = Rows(op.inputs[1], groups[g], TensorAt(graph_, op.inputs[1]).name + suffix);
      if (op.inputs.size() > 2 && op.inputs[2] != graph::kNoTensor) {
        part.inputs[2] = Rows(op.inputs[2], groups[g], TensorAt(graph_, op.inputs[2]).name + suffix);
      }
      part.outputs[0] = AddResult(whole, name + suffix, groups[g]);
      Calibrate(part.outputs[0], whole, groups[g]);
      joined.push_back(part.outputs[0]);
      order.insert(order.end(), groups[g].begin(), groups[g].end());
      Add(std::move(part), /*stays_float=*/false);
    }
    const bool in_order = std::is_sorted(order.begin(), order.end());
    Operator join;
    join.code = BuiltinOp::kConcatenation;
    join.options_table = graph::BuiltinOpOptionsTable(join.code);
    join.attributes.Set("axis", int64_t{axis});
    join.inputs = std::move(joined);
    join.outputs = {in_order ? whole : AddResult(whole, name + "/parts", order)};
    const int32_t parts = join.outputs[0];
    Add(std::move(join), /*stays_float=*/true);
    if (in_order) return;
    std::vector<int32_t> place(order.size());
    for (size_t i = 0; i < order.size(); ++i) place[static_cast<size_t>(order[i])] = static_cast<int32_t>(i);
    Operator gather;
    gather.code = BuiltinOp::kGather;
    gather.options_table = graph::BuiltinOpOptionsTable(gather.code);
    gather.attributes.Set("axis", int64_t{axis});
    const int32_t indices =
        passes::AddIntConstant(graph_, name + "/order", {static_cast<int32_t>(place.size())}, place);
    gather.inputs = {parts, indices};
    gather.outputs = {whole};
    Add(std::move(gather), /*stays_float=*/true);
  }

  Subgraph& graph_;
  Calibration& calibration_;
  const std::vector<bool>& keep_float_;
  const passes::Uses uses_;
  std::vector<std::vector<size_t>> readers_;
  SplitOutputs result_;
  int32_t from_ = 0;
};

}  // namespace

SplitOutputs SplitStarvedOutputs(Subgraph& graph, Calibration& calibration, const std::vector<bool>& keep_float) {
  return Splitter(graph, calibration, keep_float).Run();
}

}  // namespace assay::quantize
