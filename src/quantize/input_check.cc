#include "quantize/input_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/verifier.h"
#include "passes/rewrite.h"
#include "quantize/weighted_layer.h"

namespace assay::quantize {

double Liveliness(const ChannelStatistics& channels) {
  double moved = 0, stood = 0;
  for (size_t c = 0; c < channels.mean.size(); ++c) {
    moved += channels.deviation[c] * channels.deviation[c];
    stood += channels.mean[c] * channels.mean[c];
  }
  return stood > 0 ? std::sqrt(moved / stood) : std::numeric_limits<double>::infinity();
}

std::vector<std::string> WarnOfDullInputs(const graph::Subgraph& graph, const Calibration& calibration) {
  constexpr double kLeast = 0.05;
  std::vector<int32_t> inputs = graph.inputs;
  std::vector<std::string> warnings;
  for (const int32_t input : graph.inputs) {
    if (static_cast<size_t>(input) >= calibration.channels.size()) continue;
    const double share = Liveliness(calibration.channels[static_cast<size_t>(input)]);
    if (share >= kLeast) continue;
    warnings.push_back(
        fmt::format("input '{}' holds nearly the same everywhere (its values vary by {:.2g} % of their "
                    "mean): are the samples normalised twice?",
                    graph::Printable(passes::TensorAt(graph, input).name), 100 * share));
  }
  if (!warnings.empty()) return warnings;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    if (op.inputs.empty() || op.outputs.empty()) continue;
    if (std::find(inputs.begin(), inputs.end(), op.inputs[0]) == inputs.end()) continue;
    if (op.code == graph::BuiltinOp::kPad) inputs.push_back(op.outputs[0]);
    const auto result = static_cast<size_t>(op.outputs[0]);
    if (!IsWeightedOp(op.code) || result >= calibration.channels.size()) continue;
    const double share = Liveliness(calibration.channels[result]);
    if (share >= kLeast) continue;
    warnings.push_back(
        fmt::format("op {} {} ('{}'), the first layer, gives nearly the same whatever the sample (its values vary by "
                    "{:.2g} % of their mean): are the samples normalised twice?",
                    i, op.Name(), graph::Printable(passes::TensorAt(graph, op.outputs[0]).name), 100 * share));
  }
  return warnings;
}

}  // namespace assay::quantize
