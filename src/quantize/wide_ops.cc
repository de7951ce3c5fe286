#include "quantize/wide_ops.h"

#include <algorithm>

#include "passes/rewrite.h"
#include "quantize/corrections.h"

namespace assay::quantize {
namespace {

// What the codes of an 8-bit tensor hold.
std::optional<Range> RangeOfCodes(const graph::Tensor& tensor) {
  const Quantization& codes = tensor.quantization;
  if (tensor.dtype != DType::kInt8 || codes.scale.size() != 1) return std::nullopt;
  const int64_t zero_point = codes.zero_point.empty() ? 0 : codes.zero_point[0];
  return Range{codes.scale[0] * static_cast<float>(-128 - zero_point),
               codes.scale[0] * static_cast<float>(127 - zero_point)};
}

}  // namespace

IntegerModelStats WidenOps(graph::Model& model, std::span<const int32_t> results, const Calibration& calibration,
                           AssignmentOptions options, bool correct_biases) {
  graph::Subgraph& graph = model.subgraphs[0];
  Calibration known = calibration;
  const size_t calibrated = known.ranges.size();
  known.ranges.resize(graph.tensors.size());
  if (!known.channels.empty()) known.channels.resize(graph.tensors.size());
  options.activations = DType::kInt16;
  options.int4_ops.clear();
  options.weights = DType::kInt8;
  options.keep_float.assign(graph.operators.size(), true);
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    if (op.outputs.empty()) continue;
    if (std::find(results.begin(), results.end(), op.outputs[0]) != results.end()) options.keep_float[i] = false;
    if (op.code != graph::BuiltinOp::kDequantize) continue;
    // What comes out of an 8-bit neighbour: the range of its codes, the means that were seen.
    const auto from = static_cast<size_t>(op.inputs[0]), to = static_cast<size_t>(op.outputs[0]);
    if (to < calibrated && known.ranges[to].has_value()) continue;
    known.ranges[to] = RangeOfCodes(graph.tensors[from]);
    if (from < calibrated && !known.channels.empty()) known.channels[to] = known.channels[from];
  }
  const Assignment assignment = Assign(graph, known.ranges, options);
  if (correct_biases) CorrectBiases(graph, assignment, known);
  return MakeIntegerModel(model, assignment, {});
}

}  // namespace assay::quantize
