// TensorFlow writes a dilated convolution as SPACE_TO_BATCH_ND, a plain convolution and BATCH_TO_SPACE_ND: here it
// becomes a convolution with a dilation again, behind a PAD where there was padding (which fold_pad then takes away).
#include <algorithm>

#include "graph/ops/conv_2d.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace assay::passes {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;

bool IsStaticExceptBatch(const graph::Tensor& tensor) {
  if (!tensor.shape_signature.has_value()) return true;
  for (size_t i = 1; i < tensor.shape_signature->size(); ++i) {
    if ((*tensor.shape_signature)[i] < 0) return false;
  }
  return true;
}

void SetDims(graph::Tensor& tensor, const graph::Tensor& batch_like, const std::vector<int32_t>& dims) {
  tensor.shape = Shape(dims);
  tensor.shape[0] = batch_like.shape[0];
  tensor.shape_signature.reset();
  if (batch_like.shape_signature.has_value() && (*batch_like.shape_signature)[0] < 0) {
    tensor.shape_signature = dims;
    (*tensor.shape_signature)[0] = -1;
  }
}

// The op that computes what `op` reads first, where nothing else reads it.
Operator* OnlyBefore(Subgraph& graph, const Uses& uses, const Operator& op) {
  const int32_t tensor = op.inputs.empty() ? graph::kNoTensor : op.inputs[0];
  if (tensor == graph::kNoTensor || uses.readers(tensor) != 1 || uses.producer(tensor) < 0) return nullptr;
  return &graph.operators[static_cast<size_t>(uses.producer(tensor))];
}

// Blocks and amounts per image dimension: rows and columns, or columns alone (a line, reshaped to an image of one row).
struct Amounts {
  std::vector<int32_t> block, amounts;
};

std::optional<Amounts> AmountsOf(const Subgraph& graph, const Operator& op) {
  if (op.inputs.size() != 3) return std::nullopt;
  const auto block = IntValues(graph, op.inputs[1]), amounts = IntValues(graph, op.inputs[2]);
  if (!block.has_value() || !amounts.has_value() || block->empty() || block->size() > 2 ||
      amounts->size() != 2 * block->size()) {
    return std::nullopt;
  }
  return Amounts{*block, *amounts};
}

bool Undo(Subgraph& graph, const Uses& uses, Operator& last, std::vector<bool>& erase) {
  if (last.code != BuiltinOp::kBatchToSpaceNd) return false;
  const auto crops = AmountsOf(graph, last);
  Operator* behind = OnlyBefore(graph, uses, last);
  if (!crops.has_value() || behind == nullptr) return false;
  const bool is_line = crops->block.size() == 1;
  Operator* conv = is_line && behind->code == BuiltinOp::kReshape ? OnlyBefore(graph, uses, *behind) : behind;
  if (conv == nullptr || (conv->code != BuiltinOp::kConv2D && conv->code != BuiltinOp::kDepthwiseConv2D)) return false;
  const auto a = conv->attributes.As<graph::Conv2DAttributes>();  // the members that both have
  if (a.padding != graph::Padding::kValid || a.stride_h != 1 || a.stride_w != 1 || a.dilation_h_factor != 1 ||
      a.dilation_w_factor != 1) {
    return false;
  }
  Operator* before = OnlyBefore(graph, uses, *conv);
  if (before == nullptr || is_line != (before->code == BuiltinOp::kReshape)) return false;
  Operator* first = is_line ? OnlyBefore(graph, uses, *before) : before;
  if (first == nullptr || first->code != BuiltinOp::kSpaceToBatchNd) return false;
  const auto pads = AmountsOf(graph, *first);
  if (!pads.has_value() || pads->block != crops->block) return false;
  // Copies: the list of tensors grows below.
  const graph::Tensor input = TensorAt(graph, first->inputs[0]), output = TensorAt(graph, last.outputs[0]);
  const int rank = is_line ? 3 : 4;
  if (input.shape.rank() != rank || output.shape.rank() != rank || !IsStaticExceptBatch(input) ||
      !IsStaticExceptBatch(output)) {
    return false;
  }
  // What is cut off behind the convolution need not be padded before it.
  std::vector<int32_t> amounts = pads->amounts;
  bool any_padding = false;
  for (size_t i = 0; i < amounts.size(); ++i) {
    amounts[i] -= crops->amounts[i];
    if (amounts[i] < 0) return false;
    any_padding |= amounts[i] > 0;
  }
  std::vector<int32_t> padded(input.shape.dims().begin(), input.shape.dims().end());
  for (size_t i = 0; i < crops->block.size(); ++i) padded[i + 1] += amounts[2 * i] + amounts[2 * i + 1];
  if (is_line) {
    // A line becomes an image of one row, or of one column.
    const Shape from = TensorAt(graph, before->outputs[0]).shape, to = TensorAt(graph, conv->outputs[0]).shape;
    if (from.rank() != 4 || to.rank() != 4 || before->inputs.size() != 2 || behind->inputs.size() != 2) return false;
    const bool is_row = from[1] == 1 && to[1] == 1;
    if (!is_row && (from[2] != 1 || to[2] != 1)) return false;
    const auto image = [&](int32_t length, int32_t channels, int32_t batch) {
      return is_row ? std::vector<int32_t>{batch, 1, length, channels}
                    : std::vector<int32_t>{batch, length, 1, channels};
    };
    const bool is_open = input.shape_signature.has_value();
    const int32_t batch = is_open ? -1 : input.shape[0];
    const auto reshape = [&](Operator& op, const std::vector<int32_t>& dims) {
      std::vector<int64_t> wide(dims.begin(), dims.end());
      op.inputs[1] = AddIntConstant(graph, TensorAt(graph, op.outputs[0]).name + "/shape",
                                    {static_cast<int32_t>(dims.size())}, dims);
      op.attributes.Set("new_shape", wide);
    };
    const int32_t length = output.shape[1], channels = output.shape[2];
    SetDims(TensorAt(graph, before->outputs[0]), input, image(padded[1], padded[2], input.shape[0]));
    SetDims(TensorAt(graph, conv->outputs[0]), input, image(length, channels, input.shape[0]));
    reshape(*before, image(padded[1], padded[2], batch));
    reshape(*behind, {batch, length, channels});
    conv->attributes.Set(is_row ? "dilation_w_factor" : "dilation_h_factor", int64_t{crops->block[0]});
  } else {
    conv->attributes.Set("dilation_h_factor", int64_t{crops->block[0]});
    conv->attributes.Set("dilation_w_factor", int64_t{crops->block[1]});
  }
  if (conv->code == BuiltinOp::kDepthwiseConv2D) conv->version = std::max(conv->version, 2);
  (is_line ? behind : conv)->outputs[0] = last.outputs[0];
  erase[static_cast<size_t>(&last - graph.operators.data())] = true;
  // Tensors that mean something else now get names of their own.
  const auto rename = [&](int32_t tensor, const char* what) { TensorAt(graph, tensor).name = output.name + what; };
  rename(first->outputs[0], "/padded");
  if (is_line) rename(before->outputs[0], "/image"), rename(conv->outputs[0], "/convolved");
  if (!any_padding) {
    (is_line ? before : conv)->inputs[0] = first->inputs[0];
    erase[static_cast<size_t>(first - graph.operators.data())] = true;
    return true;
  }
  std::vector<int32_t> whole = {0, 0};
  whole.insert(whole.end(), amounts.begin(), amounts.end());
  whole.insert(whole.end(), {0, 0});
  SetDims(TensorAt(graph, first->outputs[0]), input, padded);
  const std::string name = TensorAt(graph, first->outputs[0]).name;
  first->code = BuiltinOp::kPad;
  first->version = 1;
  first->options_table = graph::BuiltinOpOptionsTable(BuiltinOp::kPad);
  first->attributes = {};
  first->inputs = {first->inputs[0], AddIntConstant(graph, name + "/paddings", {rank, 2}, whole)};
  return true;
}

}  // namespace

int UndoSpaceToBatch(PassContext& context) {
  Subgraph& graph = context.graph;
  std::vector<bool> erase(graph.operators.size(), false);
  int count = 0;
  const Uses uses(graph);
  // AddIntConstant grows the list of tensors, never that of ops.
  for (Operator& op : graph.operators) count += Undo(graph, uses, op, erase) ? 1 : 0;
  EraseOps(graph, erase);
  return count;
}

}  // namespace assay::passes
