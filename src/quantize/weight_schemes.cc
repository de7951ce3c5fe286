#include "quantize/weight_schemes.h"

#include <cmath>
#include <map>

#include "base/error.h"
#include "graph/verifier.h"
#include "passes/rewrite.h"
#include "quantize/blockwise.h"
#include "quantize/conversion_ops.h"
#include "quantize/op_rules.h"
#include "quantize/parameters.h"

namespace assay::quantize {
namespace {

// The float tensor that the narrow one becomes.
int32_t AddDequantize(graph::Subgraph& graph, int32_t weights, int32_t narrow, std::vector<graph::Operator>& ops) {
  graph::Tensor wide = passes::TensorAt(graph, weights);
  wide.data.reset();
  wide.name += "/dequantized";
  graph.tensors.push_back(std::move(wide));
  const int32_t result = static_cast<int32_t>(graph.tensors.size()) - 1;
  ops.push_back(ConversionOp(graph, narrow, result));
  return result;
}

// Whether the weights of an op of this rule can have a scale for every block: no other op has a kernel for them.
bool TakesBlocks(const OpRule& rule, const Shape& shape, int32_t block) {
  return block > 0 && rule.op == graph::BuiltinOp::kFullyConnected && shape.rank() == 2 && shape[1] % block == 0;
}

// The index of the blockwise form of the constant `weights`; its scales are a tensor beside it.
int32_t AddBlockwise(graph::Subgraph& graph, int32_t weights, std::span<const float> values, int32_t block, bool clip,
                     int& narrowed) {
  for (size_t k = 0; k < values.size(); ++k) {
    if (std::abs(values[k]) <= kMostBlockwise) continue;
    throw InputError("value {} of '{}' is {}: a block that holds it has no scale in float16", k,
                     graph::Printable(passes::TensorAt(graph, weights).name), values[k]);
  }
  BlockwiseCodes codes = EncodeBlockwise(values, block, clip);
  narrowed += codes.narrowed;
  graph::Tensor narrow = passes::TensorAt(graph, weights), scales;
  scales.name = narrow.name + "/scales";
  scales.dtype = DType::kFloat16;
  scales.shape = Shape{narrow.shape[0], narrow.shape[1] / block};
  scales.data = std::move(codes.scales);
  graph.tensors.push_back(std::move(scales));
  narrow.dtype = DType::kInt4;
  narrow.quantization = {};
  narrow.blockwise =
      graph::BlockwiseQuantization{static_cast<int32_t>(graph.tensors.size()) - 1, graph::kNoTensor, block, {}};
  narrow.data = std::move(codes.codes);
  graph.tensors.push_back(std::move(narrow));
  return static_cast<int32_t>(graph.tensors.size()) - 1;
}

}  // namespace

WeightStats QuantizeWeights(graph::Model& model, const WeightOptions& options) {
  WeightStats stats;
  for (size_t s = 0; s < model.subgraphs.size(); ++s) {
    graph::Subgraph& graph = model.subgraphs[s];
    // By float constant and dimension (-1: one scale, -2: blocks): a constant may have readers that stay float.
    std::map<std::pair<int32_t, int>, int32_t> quantized;
    std::vector<graph::Operator> dequantize;
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      graph::Operator& op = graph.operators[i];
      const OpRule* rule = FindOpRule(op);
      if (rule == nullptr || rule->hybrid_version == 0 || rule->weights < 0) continue;
      if (s == 0 && i < options.keep_float.size() && options.keep_float[i]) continue;
      if (static_cast<size_t>(rule->weights) >= op.inputs.size()) continue;
      const int32_t weights = op.inputs[static_cast<size_t>(rule->weights)];
      if (!passes::IsFloatConstant(graph, weights)) continue;
      const Shape shape = passes::TensorAt(graph, weights).shape;
      if (shape.NumElements() < options.min_elements) {
        ++stats.too_small;
        continue;
      }
      const DType dtype = options.dequantize || rule->hybrid_int4 ? options.weights : DType::kInt8;
      const bool per_channel = options.per_channel && rule->channel_dim < shape.rank();
      const bool blocks = dtype == DType::kInt4 && TakesBlocks(*rule, shape, options.block_size);
      const int kind = blocks ? -2 : per_channel ? rule->channel_dim : -1;
      const auto [place, is_new] = quantized.try_emplace({weights, kind}, -1);
      std::vector<float> values;
      if (is_new) {
        values = *passes::FloatValues(graph, weights);
        CheckNumbers(values, passes::TensorAt(graph, weights).name, /*may_be_infinite=*/false);
      }
      if (is_new && blocks) {
        place->second = AddBlockwise(graph, weights, values, options.block_size, options.clip_weights, stats.narrowed);
        ++stats.quantized;
        ++stats.blockwise;
      } else if (is_new) {
        Codes codes =
            per_channel ? WeightCodesPerChannel(values, shape, rule->channel_dim, dtype) : WeightCodes(values, dtype);
        if (options.clip_weights) stats.narrowed += ClipWeightScales(values, shape, codes);
        graph::Tensor narrow = passes::TensorAt(graph, weights);
        narrow.dtype = codes.dtype;
        narrow.quantization = codes.quantization;
        narrow.data = EncodeWeights(values, shape, codes);
        graph.tensors.push_back(std::move(narrow));
        place->second = static_cast<int32_t>(graph.tensors.size()) - 1;
        if (options.dequantize) place->second = AddDequantize(graph, weights, place->second, dequantize);
        ++stats.quantized;
      }
      op.inputs[static_cast<size_t>(rule->weights)] = place->second;
      if (options.dequantize) continue;
      op.version = std::max(op.version, dtype == DType::kInt4 ? std::max(rule->int4_version, rule->hybrid_version)
                                                              : rule->hybrid_version);
      if (op.code == graph::BuiltinOp::kFullyConnected) op.attributes.Set("asymmetric_quantize_inputs", int64_t{1});
    }
    graph.operators.insert(graph.operators.begin(), dequantize.begin(), dequantize.end());
  }
  return stats;
}

}  // namespace assay::quantize
