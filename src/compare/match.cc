#include "compare/match.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "graph/attributes.h"

namespace assay::compare {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;

constexpr size_t kMaxAlignmentCells = 16'000'000;

// What an op looks like from outside; chains that other converters fuse into one op count as that op.
struct Node {
  int32_t op = 0;
  int32_t tensor = 0;         // its first output
  std::string kind;           // "CONV_2D"; "CONV_2D inner" for what a chain passes through
  int64_t activation = 0;     // graph::Activation
  bool after_matrix = false;  // a matrix op, or what scales and shifts the result of one
  Shape weights;              // of the second operand where that is a constant
  std::set<std::string> parts;
  std::string first_part;
};

bool IsRequantization(BuiltinOp code) { return code == BuiltinOp::kQuantize || code == BuiltinOp::kDequantize; }

std::vector<std::string> NameParts(std::string_view name) {
  std::vector<std::string> parts;
  while (!name.empty()) {
    const size_t end = std::min(name.find(';'), name.size());
    std::string part = ShortName(name.substr(0, end));
    if (!part.empty()) parts.push_back(std::move(part));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return parts;
}

std::optional<int64_t> ActivationOp(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kRelu:
      return static_cast<int64_t>(graph::Activation::kRelu);
    case BuiltinOp::kRelu6:
      return static_cast<int64_t>(graph::Activation::kRelu6);
    case BuiltinOp::kReluN1To1:
      return static_cast<int64_t>(graph::Activation::kReluN1To1);
    default:
      return std::nullopt;
  }
}

bool IsMatrixOp(BuiltinOp code) {
  return code == BuiltinOp::kConv2D || code == BuiltinOp::kDepthwiseConv2D || code == BuiltinOp::kFullyConnected ||
         code == BuiltinOp::kTransposeConv || code == BuiltinOp::kConv3D;
}

// The ops of a graph that are layers, in order.
std::vector<Node> Nodes(const Subgraph& graph) {
  std::vector<int> uses(graph.tensors.size(), 0), node_of(graph.tensors.size(), -1);
  std::vector<bool> constant(graph.tensors.size(), false);
  for (size_t t = 0; t < graph.tensors.size(); ++t) constant[t] = graph.tensors[t].data.has_value();
  for (const Operator& op : graph.operators) {
    for (const int32_t input : op.inputs) {
      if (input != graph::kNoTensor) ++uses[static_cast<size_t>(input)];
    }
  }
  for (const int32_t output : graph.outputs) ++uses[static_cast<size_t>(output)];
  std::vector<Node> nodes;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    if (op.outputs.empty()) continue;
    const bool all_constant = std::all_of(op.inputs.begin(), op.inputs.end(), [&](int32_t t) {
      return t == graph::kNoTensor || constant[static_cast<size_t>(t)];
    });
    if (all_constant && !op.inputs.empty()) {
      for (const int32_t output : op.outputs) constant[static_cast<size_t>(output)] = true;
      continue;
    }
    if (IsRequantization(op.code)) continue;
    Node node;
    node.op = static_cast<int32_t>(i);
    node.tensor = op.outputs[0];
    node.kind = op.Name();
    node.activation = FusedActivation(op);
    node.after_matrix = IsMatrixOp(op.code);
    const auto parts = NameParts(graph.tensors[static_cast<size_t>(node.tensor)].name);
    node.parts.insert(parts.begin(), parts.end());
    if (!parts.empty()) node.first_part = parts.front();
    if (op.inputs.size() > 1 && op.inputs[1] != graph::kNoTensor && constant[static_cast<size_t>(op.inputs[1])]) {
      node.weights = graph.tensors[static_cast<size_t>(op.inputs[1])].shape;
    }
    // conv -> (scale -> offset ->) activation, each used once, ends up as one layer under the matrix op's kind.
    const auto activation = ActivationOp(op.code);
    const bool affine = op.code == BuiltinOp::kMul || op.code == BuiltinOp::kAdd || op.code == BuiltinOp::kSub;
    if (activation.has_value() || affine) {
      int32_t before = -1;
      int variable_operands = 0;
      for (const int32_t input : op.inputs) {
        if (input == graph::kNoTensor || constant[static_cast<size_t>(input)]) continue;
        ++variable_operands;
        before = input;
      }
      if (variable_operands == 1 && uses[static_cast<size_t>(before)] == 1 &&
          node_of[static_cast<size_t>(before)] >= 0) {
        Node& previous = nodes[static_cast<size_t>(node_of[static_cast<size_t>(before)])];
        if ((previous.after_matrix || activation.has_value()) && previous.activation == 0) {
          node.kind = previous.kind;
          node.after_matrix = previous.after_matrix;
          previous.kind += " inner";
          node.weights = previous.weights;
          if (activation.has_value()) node.activation = *activation;
        }
      }
    }
    node_of[static_cast<size_t>(node.tensor)] = static_cast<int>(nodes.size());
    nodes.push_back(std::move(node));
  }
  return nodes;
}

bool SameDimensions(const Shape& a, const Shape& b) {
  // Dimensions of 1 come and go between conversions.
  const auto without_ones = [](const Shape& shape) {
    std::vector<int32_t> dims;
    for (const int32_t d : shape.dims()) {
      if (d != 1) dims.push_back(d);
    }
    return dims;
  };
  return without_ones(a) == without_ones(b);
}

class Aligner {
 public:
  Aligner(const Subgraph& reference, const Subgraph& model)
      : r_(reference), m_(model), r_nodes_(Nodes(reference)), m_nodes_(Nodes(model)) {
    for (const Node& node : r_nodes_) {
      ++r_names_[Name(r_, node)];
      for (const std::string& part : node.parts) ++r_parts_[part];
    }
    for (const Node& node : m_nodes_) {
      ++m_names_[Name(m_, node)];
      for (const std::string& part : node.parts) ++m_parts_[part];
    }
  }

  std::vector<TensorMatch> Match() {
    std::vector<TensorMatch> matches(m_.tensors.size());
    std::vector<bool> taken(r_.tensors.size(), false);
    const auto take = [&](int32_t reference, int32_t model, MatchKind kind) {
      if (taken[static_cast<size_t>(reference)] || matches[static_cast<size_t>(model)].reference >= 0) return;
      taken[static_cast<size_t>(reference)] = true;
      matches[static_cast<size_t>(model)] = {reference, kind};
    };
    MatchEnds(r_.inputs, m_.inputs, take);
    Align(take);
    // Equal names that the order of ops kept apart.
    std::map<std::string, int32_t> by_name;
    for (const Node& node : r_nodes_) by_name[Name(r_, node)] = node.tensor;
    for (const Node& node : m_nodes_) {
      const std::string& name = Name(m_, node);
      const auto found = by_name.find(name);
      if (found != by_name.end() && IsUnique(name) && SameSize(found->second, node.tensor)) {
        take(found->second, node.tensor, MatchKind::kName);
      }
    }
    MatchEnds(r_.outputs, m_.outputs, take);
    PassThroughRequantization(matches);
    return matches;
  }

 private:
  static const std::string& Name(const Subgraph& graph, const Node& node) {
    return graph.tensors[static_cast<size_t>(node.tensor)].name;
  }
  bool IsUnique(const std::string& name) const {
    const auto r = r_names_.find(name), m = m_names_.find(name);
    return !name.empty() && r != r_names_.end() && m != m_names_.end() && r->second == 1 && m->second == 1;
  }
  bool SameSize(int32_t reference, int32_t model) const {
    return SameDimensions(r_.tensors[static_cast<size_t>(reference)].shape,
                          m_.tensors[static_cast<size_t>(model)].shape);
  }

  // Equal names first, else the same position where both lists are equally long.
  template <typename Take>
  void MatchEnds(const std::vector<int32_t>& reference, const std::vector<int32_t>& model, const Take& take) {
    for (const int32_t m : model) {
      for (const int32_t r : reference) {
        const std::string& name = m_.tensors[static_cast<size_t>(m)].name;
        if (!name.empty() && name == r_.tensors[static_cast<size_t>(r)].name && SameSize(r, m)) {
          take(r, m, MatchKind::kName);
        }
      }
    }
    if (reference.size() != model.size()) return;
    for (size_t k = 0; k < model.size(); ++k) {
      if (SameSize(reference[k], model[k])) take(reference[k], model[k], MatchKind::kPosition);
    }
  }

  struct Score {
    float value = 0;
    MatchKind kind = MatchKind::kNone;
  };

  // How well two nodes fit; no kind where they must not be matched.
  Score Compare(const Node& r, const Node& m) const {
    Score score;
    if (!SameSize(r.tensor, m.tensor)) return score;
    const std::string &r_name = Name(r_, r), &m_name = Name(m_, m);
    if (r_name == m_name && IsUnique(r_name)) return {100, MatchKind::kName};
    float names = 0;
    for (const std::string& part : m.parts) {
      if (r.parts.count(part) == 0) continue;
      names += 30.0F / static_cast<float>(r_parts_.at(part) * m_parts_.at(part));
    }
    const bool same_kind = r.kind == m.kind;
    if (names == 0 && !same_kind) return score;
    score.kind = names > 0 ? MatchKind::kNamePart : MatchKind::kStructure;
    score.value = std::min(names, 60.0F) + (same_kind ? 4.0F : 0.0F);
    if (names > 0 && r.first_part == m.first_part) score.value += 10;
    if (r.activation == m.activation) score.value += 2;
    if (r.weights.rank() > 0 && m.weights.rank() > 0) {
      if (r.weights == m.weights) {
        score.value += 6;
      } else if (names == 0) {
        return {};  // the same place, but another filter
      }
    }
    if (r_.tensors[static_cast<size_t>(r.tensor)].shape == m_.tensors[static_cast<size_t>(m.tensor)].shape) {
      score.value += 1;
    }
    return score;
  }

  // The alignment of both op sequences with the greatest sum of scores, neither order changed.
  template <typename Take>
  void Align(const Take& take) {
    const size_t rows = r_nodes_.size(), columns = m_nodes_.size();
    if (rows == 0 || columns == 0 || rows > kMaxAlignmentCells / columns) return;
    std::vector<float> best((rows + 1) * (columns + 1), 0);
    std::vector<uint8_t> step(best.size(), 0);  // 1: matched, 2: the reference's op is skipped, 3: the model's is
    const auto at = [&](size_t i, size_t j) { return i * (columns + 1) + j; };
    for (size_t i = rows; i-- > 0;) {
      for (size_t j = columns; j-- > 0;) {
        const Score score = Compare(r_nodes_[i], m_nodes_[j]);
        float value = best[at(i + 1, j)];
        uint8_t taken_step = 2;
        if (best[at(i, j + 1)] > value) value = best[at(i, j + 1)], taken_step = 3;
        if (score.kind != MatchKind::kNone && score.value + best[at(i + 1, j + 1)] > value) {
          value = score.value + best[at(i + 1, j + 1)], taken_step = 1;
        }
        best[at(i, j)] = value;
        step[at(i, j)] = taken_step;
      }
    }
    for (size_t i = 0, j = 0; i < rows && j < columns;) {
      switch (step[at(i, j)]) {
        case 1: {
          const Operator& r_op = r_.operators[static_cast<size_t>(r_nodes_[i].op)];
          const Operator& m_op = m_.operators[static_cast<size_t>(m_nodes_[j].op)];
          const MatchKind kind = Compare(r_nodes_[i], m_nodes_[j]).kind;
          take(r_nodes_[i].tensor, m_nodes_[j].tensor, kind);
          for (size_t k = 1; k < std::min(r_op.outputs.size(), m_op.outputs.size()); ++k) {
            if (SameSize(r_op.outputs[k], m_op.outputs[k])) take(r_op.outputs[k], m_op.outputs[k], kind);
          }
          ++i, ++j;
          break;
        }
        case 2:
          ++i;
          break;
        default:
          ++j;
      }
    }
  }

  // What is only quantized or dequantized again stands for the same tensor of the reference.
  void PassThroughRequantization(std::vector<TensorMatch>& matches) const {
    for (const Operator& op : m_.operators) {
      if (!IsRequantization(op.code)) continue;
      const auto from = static_cast<size_t>(op.inputs[0]), to = static_cast<size_t>(op.outputs[0]);
      if (matches[to].reference < 0) matches[to] = matches[from];
    }
    for (size_t i = m_.operators.size(); i-- > 0;) {
      const Operator& op = m_.operators[i];
      if (!IsRequantization(op.code)) continue;
      const auto from = static_cast<size_t>(op.inputs[0]), to = static_cast<size_t>(op.outputs[0]);
      if (matches[from].reference < 0 && !m_.tensors[from].data.has_value()) matches[from] = matches[to];
    }
  }

  const Subgraph &r_, &m_;
  std::vector<Node> r_nodes_, m_nodes_;
  std::map<std::string, int> r_names_, m_names_, r_parts_, m_parts_;
};

}  // namespace

int64_t FusedActivation(const Operator& op) {
  const graph::AttributeValue* value = op.attributes.Find("fused_activation_function");
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number == nullptr ? 0 : *number;
}

std::string_view MatchKindName(MatchKind kind) {
  constexpr std::array<std::string_view, 6> kNames = {"none",      "index",   "name", "part of the name",
                                                      "structure", "position"};
  return kNames[static_cast<size_t>(kind)];
}

std::vector<TensorMatch> MatchTensors(const graph::Model& reference, const graph::Model& model) {
  return Aligner(reference.subgraphs[0], model.subgraphs[0]).Match();
}

std::vector<TensorMatch> MatchByIndex(const graph::Model& model) {
  const Subgraph& main = model.subgraphs[0];
  std::vector<TensorMatch> matches(main.tensors.size());
  for (size_t t = 0; t < matches.size(); ++t) {
    if (!main.tensors[t].data.has_value()) matches[t] = {static_cast<int32_t>(t), MatchKind::kIndex};
  }
  return matches;
}

std::string ShortName(std::string_view name) {
  name = name.substr(0, name.find(';'));
  const size_t colon = name.rfind(':');
  if (colon != std::string_view::npos && colon + 1 < name.size() &&
      name.find_first_not_of("0123456789", colon + 1) == std::string_view::npos) {
    name = name.substr(0, colon);
  }
  constexpr std::array<std::string_view, 6> kSuffixes = {"_int8",     "_uint8",      "_int16",
                                                         "_quantize", "_dequantize", "_requantized"};
  for (const std::string_view suffix : kSuffixes) {
    if (name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix) {
      name.remove_suffix(suffix.size());
    }
  }
  return std::string(name);
}

}  // namespace assay::compare
