// A PAD with zeros around an image, behind it a convolution without padding: where the amounts are those of SAME, the
// convolution pads itself.
#include <algorithm>

#include "graph/ops/conv_2d.h"
#include "graph/ops/depthwise_conv_2d.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;

// What SAME puts in front and behind.
std::pair<int64_t, int64_t> SamePadding(int64_t input, int64_t filter, int64_t stride, int64_t dilation) {
  const int64_t output = (input + stride - 1) / stride;
  const int64_t total = std::max<int64_t>((output - 1) * stride + (filter - 1) * dilation + 1 - input, 0);
  return {total / 2, total - total / 2};
}

bool Fold(Subgraph& graph, const Uses& uses, Operator& op) {
  if (op.code != BuiltinOp::kConv2D && op.code != BuiltinOp::kDepthwiseConv2D) return false;
  const auto a = op.attributes.As<graph::Conv2DAttributes>();  // the members that both have
  if (a.padding != graph::Padding::kValid || a.stride_h < 1 || a.stride_w < 1) return false;
  const int32_t producer = uses.producer(op.inputs[0]);
  if (producer < 0) return false;
  const Operator& pad = graph.operators[static_cast<size_t>(producer)];
  if (pad.code != BuiltinOp::kPad) return false;  // others that read it keep it
  const auto amounts = IntValues(graph, pad.inputs[1]);
  const graph::Tensor &input = TensorAt(graph, pad.inputs[0]), &filter = TensorAt(graph, op.inputs[1]);
  if (!amounts.has_value() || amounts->size() != 8 || input.shape.rank() != 4 || filter.shape.rank() != 4) return false;
  if (input.shape_signature.has_value() && ((*input.shape_signature)[1] < 0 || (*input.shape_signature)[2] < 0))
    return false;
  const std::vector<int32_t>& p = *amounts;
  if (p[0] != 0 || p[1] != 0 || p[6] != 0 || p[7] != 0) return false;
  const auto rows = SamePadding(input.shape[1], filter.shape[1], a.stride_h, a.dilation_h_factor);
  const auto columns = SamePadding(input.shape[2], filter.shape[2], a.stride_w, a.dilation_w_factor);
  const auto same_size = [](int64_t in, int64_t before, int64_t after, int64_t size, int64_t stride, int64_t dilation) {
    const int64_t valid = (in + before + after - ((size - 1) * dilation + 1)) / stride + 1;
    return valid == (in + stride - 1) / stride;
  };
  // What lies behind the last window is never read, so there may be more of it than SAME has.
  const auto fits = [&](std::pair<int64_t, int64_t> same, int32_t before, int32_t after, int64_t in, int64_t size,
                        int64_t stride, int64_t dilation) {
    return before == same.first && after >= same.second && same_size(in, before, after, size, stride, dilation);
  };
  if (!fits(rows, p[2], p[3], input.shape[1], filter.shape[1], a.stride_h, a.dilation_h_factor) ||
      !fits(columns, p[4], p[5], input.shape[2], filter.shape[2], a.stride_w, a.dilation_w_factor)) {
    return false;
  }
  op.attributes.Set("padding", static_cast<int64_t>(graph::Padding::kSame));
  op.inputs[0] = pad.inputs[0];
  return true;
}

}  // namespace

int FoldPad(PassContext& context) {
  const Uses uses(context.graph);
  int count = 0;
  for (Operator& op : context.graph.operators) count += Fold(context.graph, uses, op) ? 1 : 0;
  return count;
}

}  // namespace assay::passes
