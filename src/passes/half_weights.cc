#include "passes/half_weights.h"

#include <cmath>
#include <cstring>
#include <map>

#include "passes/rewrite.h"
#include "tensor/float16.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;

bool HasWeights(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kConv3D:
    case BuiltinOp::kTransposeConv:
    case BuiltinOp::kFullyConnected:
    case BuiltinOp::kBatchMatmul:
    case BuiltinOp::kGather:
      return true;
    default:
      return false;
  }
}

}  // namespace

HalfWeights StoreWeightsAsHalf(graph::Model& model) {
  HalfWeights result;
  for (graph::Subgraph& graph : model.subgraphs) {
    std::map<int32_t, int32_t> widened;  // constant to the output of its DEQUANTIZE; -1: it stays
    std::vector<graph::Operator> dequantize;
    for (graph::Operator& op : graph.operators) {
      if (!HasWeights(op.code)) continue;
      for (int32_t& t : op.inputs) {
        if (!IsFloatConstant(graph, t)) continue;
        auto found = widened.find(t);
        if (found == widened.end()) {
          const std::vector<float> values = *FloatValues(graph, t);
          std::vector<uint8_t> bytes(values.size() * sizeof(uint16_t));
          bool fits = true;
          for (size_t i = 0; i < values.size(); ++i) {
            const uint16_t half = FloatToHalf(values[i]);
            fits &= std::isfinite(HalfToFloat(half)) || !std::isfinite(values[i]);
            std::memcpy(bytes.data() + i * sizeof(half), &half, sizeof(half));
          }
          if (!fits) {
            ++result.kept;
            found = widened.emplace(t, -1).first;
          } else {
            ++result.constants;
            result.bytes_before += values.size() * sizeof(float);
            result.bytes_after += bytes.size();
            graph::Tensor wide = TensorAt(graph, t);
            wide.data.reset();
            wide.name += "/dequantized";
            graph::Tensor& narrow = TensorAt(graph, t);
            narrow.dtype = DType::kFloat16;
            narrow.data = graph::Constant::Own(std::move(bytes));
            graph.tensors.push_back(std::move(wide));
            const auto out = static_cast<int32_t>(graph.tensors.size()) - 1;
            graph::Operator& one = dequantize.emplace_back();
            one.code = BuiltinOp::kDequantize;
            one.version = 3;
            one.options_table = graph::BuiltinOpOptionsTable(one.code);
            one.inputs = {t};
            one.outputs = {out};
            found = widened.emplace(t, out).first;
          }
        }
        if (found->second >= 0) t = found->second;
      }
    }
    graph.operators.insert(graph.operators.begin(), dequantize.begin(), dequantize.end());
  }
  return result;
}

}  // namespace assay::passes
