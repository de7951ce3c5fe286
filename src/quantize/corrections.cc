#include "quantize/corrections.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/attributes.h"
#include "graph/ops/conv_2d.h"
#include "graph/ops/depthwise_conv_2d.h"
#include "passes/rewrite.h"
#include "quantize/weighted_layer.h"
#include "tensor/real_values.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;
using passes::TensorAt;

// One side of a pair, with the scales that its weights will have.
struct Side : WeightedLayer {
  bool per_channel = true;  // one scale per result
};

size_t LastDimension(const Subgraph& graph, int32_t tensor) {
  const Shape& shape = TensorAt(graph, tensor).shape;
  return shape.rank() == 0 ? 0 : static_cast<size_t>(shape[shape.rank() - 1]);
}

// Ops between two layers that hand every channel's scale on.
bool KeepsScale(const Subgraph& graph, const Operator& op) {
  switch (op.code) {
    case BuiltinOp::kMean: {
      const auto axes = op.inputs.size() > 1 ? passes::IntValues(graph, op.inputs[1]) : std::nullopt;
      const int rank = TensorAt(graph, op.inputs[0]).shape.rank();
      return axes.has_value() && std::all_of(axes->begin(), axes->end(),
                                             [&](int32_t axis) { return (axis < 0 ? axis + rank : axis) != rank - 1; });
    }
    case BuiltinOp::kPad:
    case BuiltinOp::kMaxPool2D:
    case BuiltinOp::kRelu:
    case BuiltinOp::kReshape:
      return true;
    case BuiltinOp::kAveragePool2D:
      return passes::FusedActivation(op) == graph::Activation::kNone;
    default:
      return false;
  }
}

// By tensor: the last op that reads it; -1: none.
std::vector<int32_t> LastReaders(const Subgraph& graph) {
  std::vector<int32_t> reader(graph.tensors.size(), -1);
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    for (const int32_t t : graph.operators[i].inputs) {
      if (t != graph::kNoTensor) reader[static_cast<size_t>(t)] = static_cast<int32_t>(i);
    }
  }
  return reader;
}

// The layer that alone reads `tensor`, over ops that keep scales; -1: none.
int32_t NextLayer(const Subgraph& graph, const passes::Uses& uses, const std::vector<int32_t>& reader, int32_t tensor) {
  const size_t channels = LastDimension(graph, tensor);
  for (size_t steps = 0; steps < graph.operators.size(); ++steps) {
    if (uses.readers(tensor) != 1 || uses.IsOutput(tensor) || LastDimension(graph, tensor) != channels) return -1;
    const int32_t next = reader[static_cast<size_t>(tensor)];
    if (next < 0) return -1;
    const Operator& op = graph.operators[static_cast<size_t>(next)];
    if (IsWeightedOp(op.code)) return op.inputs[0] == tensor ? next : -1;
    if (!KeepsScale(graph, op) || op.inputs[0] != tensor) return -1;
    tensor = op.outputs[0];
  }
  return -1;
}

struct Pair {
  Side *first, *second;
  const ChannelStatistics* between;
  bool clips_at_six;
};

template <typename ChannelOf>
std::vector<double> Magnitudes(const Side& layer, size_t channels, const ChannelOf& channel_of) {
  std::vector<double> magnitudes(channels);
  for (size_t i = 0; i < layer.values.size(); ++i) {
    double& magnitude = magnitudes[channel_of(i)];
    magnitude = std::max(magnitude, static_cast<double>(std::abs(layer.values[i])));
  }
  return magnitudes;
}

double Largest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

void WriteBack(Subgraph& graph, int32_t tensor, const std::vector<float>& values) {
  TensorAt(graph, tensor).data = graph::Constant::Own(values);
}

// Walks the ops that keep scales from `tensor` to the next layer; `visit` says of each whether to go on. False where it
// did not get there.
template <typename Visit>
bool WalkToLayer(const Subgraph& graph, int32_t tensor, const std::vector<int32_t>& reader, const Visit& visit) {
  for (size_t steps = 0; steps < graph.operators.size(); ++steps) {
    const int32_t next = reader[static_cast<size_t>(tensor)];
    if (next < 0) return false;
    const Operator& op = graph.operators[static_cast<size_t>(next)];
    if (!visit(op)) return false;
    if (IsWeightedOp(op.code)) return true;
    tensor = op.outputs[0];
  }
  return false;
}

// True where a number added to a whole channel arrives at every window of the next layer.
bool PadsNothing(const Subgraph& graph, int32_t tensor, const std::vector<int32_t>& reader) {
  return WalkToLayer(graph, tensor, reader, [&](const Operator& op) {
    if (op.code == BuiltinOp::kPad) return false;
    if (op.code != BuiltinOp::kConv2D && op.code != BuiltinOp::kDepthwiseConv2D) return true;
    const Shape& weights = TensorAt(graph, op.inputs[1]).shape;
    if (weights.rank() == 4 && weights[1] == 1 && weights[2] == 1) return true;
    // A member that both have.
    return op.attributes.As<graph::Conv2DAttributes>().padding == graph::Padding::kValid;
  });
}

bool FeedsRelu(const Subgraph& graph, int32_t tensor, const std::vector<int32_t>& reader) {
  bool found = false;
  WalkToLayer(graph, tensor, reader, [&](const Operator& op) {
    found |= op.code == BuiltinOp::kRelu;
    return true;
  });
  return found;
}

// What the next layer's bias can take over of channel c.
double Absorbed(const ChannelStatistics& channels, size_t c, graph::Activation activation, bool feeds_relu) {
  const auto low = static_cast<double>(channels.low[c]), high = static_cast<double>(channels.high[c]);
  if (activation == graph::Activation::kNone && !feeds_relu) return (low + high) / 2;
  const bool clips_at_six = activation == graph::Activation::kRelu6;
  if (activation != graph::Activation::kNone && activation != graph::Activation::kRelu && !clips_at_six) return 0;
  if (clips_at_six && high >= 6) return 0;
  return std::max(0.0, channels.mean[c] - 3 * channels.deviation[c]);
}

// The ranges that channels had on the samples, scaled by 1 / total. A channel that was 0 throughout gets what it would
// have with weights like its own that others reach.
std::vector<double> RangesSeen(const ChannelStatistics& between, const std::vector<double>& total,
                               const std::vector<double>& out) {
  std::vector<double> seen(total.size()), ratios;
  for (size_t c = 0; c < seen.size(); ++c) {
    const double low = static_cast<double>(between.low[c]), high = static_cast<double>(between.high[c]);
    seen[c] = std::max(std::abs(low), std::abs(high)) / total[c];
    if (seen[c] > 0 && out[c] > 0) ratios.push_back(seen[c] / out[c]);
  }
  if (ratios.empty()) return seen;
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  const double most = Largest(seen);
  for (size_t c = 0; c < seen.size(); ++c) {
    if (seen[c] == 0) seen[c] = std::min(most, *middle * out[c]);
  }
  return seen;
}

// One step on one pair; `total` collects the factors of the channels of the tensor between. Returns the largest change.
double Balance(Pair& pair, std::vector<float>& bias, std::vector<double>& total) {
  constexpr double kMost = 1e4, kRarely = 1e-3;
  Side& first = *pair.first;
  Side& second = *pair.second;
  const size_t channels = first.results;
  const std::vector<double> out = Magnitudes(first, channels, [&](size_t i) { return first.ResultOf(i); });
  const std::vector<double> in = Magnitudes(second, channels, [&](size_t i) { return second.OperandOf(i); });
  const std::vector<double> seen = RangesSeen(*pair.between, total, out);
  const double most_out = Largest(out), most_in = Largest(in), most_seen = Largest(seen);
  double largest = 0;
  std::vector<double> factor(channels, 1.0);
  for (size_t c = 0; c < channels; ++c) {
    if (out[c] == 0 || in[c] == 0) continue;
    const double reached = static_cast<double>(pair.between->high[c]);
    if (pair.clips_at_six && pair.between->share_at_six[c] > kRarely) continue;
    // The squared relative rounding errors of what would be divided by s and of what would be multiplied by s; s^4 is
    // the quotient of the two.
    double shrinks = 0, grows = 0;
    if (!first.per_channel) shrinks += std::pow(most_out / out[c], 2);
    if (seen[c] > 0) shrinks += std::pow(most_seen / seen[c], 2);
    if (!second.per_channel || !second.depthwise) grows += std::pow(most_in / in[c], 2);
    if (shrinks == 0 || (grows == 0 && seen[c] == 0)) continue;
    // Where only the tensor between shares a scale, nothing speaks against ranges that are all the same.
    double s = grows == 0 ? seen[c] / most_seen : std::pow(grows / shrinks, 0.25);
    s = std::clamp(total[c] * s, 1 / kMost, kMost) / total[c];
    if (pair.clips_at_six) s = std::max(s, std::min(reached, 6.0) / 6 / total[c]);
    largest = std::max(largest, std::abs(std::log(s)));
    total[c] *= s;
    factor[c] = s;
    if (!bias.empty()) bias[c] = static_cast<float>(static_cast<double>(bias[c]) / s);
  }
  for (size_t i = 0; i < first.values.size(); ++i) {
    first.values[i] = static_cast<float>(static_cast<double>(first.values[i]) / factor[first.ResultOf(i)]);
  }
  for (size_t i = 0; i < second.values.size(); ++i) {
    second.values[i] = static_cast<float>(static_cast<double>(second.values[i]) * factor[second.OperandOf(i)]);
  }
  return largest;
}

}  // namespace

EqualizeStats Equalize(Subgraph& graph, const Calibration& calibration, const EqualizeOptions& options) {
  const passes::Uses uses(graph);
  const std::vector<int32_t> reader = LastReaders(graph);
  std::vector<std::optional<Side>> layers(graph.operators.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    std::optional<WeightedLayer> layer = WeightedLayerOf(graph, uses, static_cast<int32_t>(i));
    if (!layer.has_value()) continue;
    const bool is_dense = graph.operators[i].code == BuiltinOp::kFullyConnected;
    layers[i] = Side{std::move(*layer), is_dense ? options.per_channel_dense : options.per_channel};
  }
  std::vector<Pair> pairs;
  for (std::optional<Side>& first : layers) {
    if (!first.has_value()) continue;
    const graph::Activation activation = passes::FusedActivation(graph.operators[static_cast<size_t>(first->op)]);
    const bool clips_at_six = activation == graph::Activation::kRelu6;
    if (activation != graph::Activation::kNone && activation != graph::Activation::kRelu && !clips_at_six) continue;
    const int32_t next = NextLayer(graph, uses, reader, first->result);
    if (next < 0 || !layers[static_cast<size_t>(next)].has_value()) continue;
    Side& second = *layers[static_cast<size_t>(next)];
    const auto result = static_cast<size_t>(first->result);
    if (second.operands != first->results || result >= calibration.channels.size()) continue;
    const ChannelStatistics& between = calibration.channels[result];
    if (between.high.size() != first->results) continue;
    pairs.push_back({&*first, &second, &between, clips_at_six});
  }
  std::vector<std::vector<float>> biases;
  std::vector<std::vector<double>> totals;
  for (const Pair& pair : pairs) {
    const int32_t bias = pair.first->bias;
    biases.push_back(bias == graph::kNoTensor ? std::vector<float>{} : *passes::FloatValues(graph, bias));
    totals.emplace_back(pair.first->results, 1.0);
  }
  for (int round = 0; round < options.rounds; ++round) {
    double largest = 0;
    for (size_t p = 0; p < pairs.size(); ++p) largest = std::max(largest, Balance(pairs[p], biases[p], totals[p]));
    if (largest < 1e-3) break;
  }
  EqualizeStats stats;
  for (size_t p = 0; p < pairs.size(); ++p) {
    ++stats.pairs;
    for (const double s : totals[p]) stats.channels += s != 1;
    WriteBack(graph, pairs[p].first->weights, pairs[p].first->values);
    WriteBack(graph, pairs[p].second->weights, pairs[p].second->values);
    if (!biases[p].empty()) WriteBack(graph, pairs[p].first->bias, biases[p]);
  }
  return stats;
}

AbsorbStats AbsorbBiases(Subgraph& graph, const Calibration& calibration) {
  const passes::Uses uses(graph);
  const std::vector<int32_t> reader = LastReaders(graph);
  AbsorbStats stats;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const std::optional<WeightedLayer> first = WeightedLayerOf(graph, uses, static_cast<int32_t>(i));
    if (!first.has_value() || first->bias == graph::kNoTensor) continue;
    const auto result = static_cast<size_t>(first->result);
    if (result >= calibration.channels.size()) continue;
    const ChannelStatistics& between = calibration.channels[result];
    const int32_t next = NextLayer(graph, uses, reader, first->result);
    if (next < 0 || between.mean.size() != first->results || !PadsNothing(graph, first->result, reader)) continue;
    const std::optional<WeightedLayer> second = WeightedLayerOf(graph, uses, next);
    if (!second.has_value() || second->bias == graph::kNoTensor || second->operands != first->results) continue;
    const graph::Activation activation = passes::FusedActivation(graph.operators[i]);
    std::vector<double> absorbed(first->results);
    bool any = false;
    for (size_t c = 0; c < absorbed.size(); ++c) {
      absorbed[c] = Absorbed(between, c, activation, FeedsRelu(graph, first->result, reader));
      any |= absorbed[c] != 0;
      stats.channels += absorbed[c] != 0;
    }
    if (!any) continue;
    ++stats.layers;
    std::vector<float> from = *passes::FloatValues(graph, first->bias), to = *passes::FloatValues(graph, second->bias);
    std::vector<double> shift(second->results);
    for (size_t k = 0; k < second->values.size(); ++k) {
      shift[second->ResultOf(k)] += static_cast<double>(second->values[k]) * absorbed[second->OperandOf(k)];
    }
    for (size_t c = 0; c < from.size(); ++c) from[c] = static_cast<float>(static_cast<double>(from[c]) - absorbed[c]);
    for (size_t c = 0; c < to.size(); ++c) to[c] = static_cast<float>(static_cast<double>(to[c]) + shift[c]);
    WriteBack(graph, first->bias, from);
    WriteBack(graph, second->bias, to);
  }
  return stats;
}

int CorrectBiases(Subgraph& graph, const Assignment& assignment, const Calibration& calibration,
                  const std::vector<bool>& done) {
  const passes::Uses uses(graph);
  int changed = 0;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    if (!assignment.is_integer[i] || (i < done.size() && done[i])) continue;
    const std::optional<WeightedLayer> layer = WeightedLayerOf(graph, uses, static_cast<int32_t>(i));
    if (!layer.has_value() || layer->bias == graph::kNoTensor) continue;
    const auto input = static_cast<size_t>(graph.operators[i].inputs[0]);
    if (input >= calibration.channels.size()) continue;
    const std::vector<double>& mean = calibration.channels[input].mean;
    if (mean.size() != layer->operands) continue;
    const Codes& codes = *assignment.tensors[static_cast<size_t>(layer->weights)].codes;
    const Shape& shape = TensorAt(graph, layer->weights).shape;
    const graph::Constant encoded = EncodeWeights(layer->values, shape, codes);
    const std::vector<float> rounded = RealValues(codes.dtype, encoded.bytes(), shape, codes.quantization);
    std::vector<double> shift(layer->results);
    for (size_t k = 0; k < rounded.size(); ++k) {
      shift[layer->ResultOf(k)] +=
          (static_cast<double>(rounded[k]) - static_cast<double>(layer->values[k])) * mean[layer->OperandOf(k)];
    }
    std::vector<float> bias = *passes::FloatValues(graph, layer->bias);
    if (bias.size() != shift.size()) continue;
    for (size_t c = 0; c < bias.size(); ++c) {
      bias[c] = static_cast<float>(static_cast<double>(bias[c]) - shift[c]);
    }
    WriteBack(graph, layer->bias, bias);
    ++changed;
  }
  return changed;
}

}  // namespace assay::quantize
