// Resizing of images; boxes that overlap.
#include "format/savedmodel/node_call.h"
#include "graph/ops/resize.h"

namespace assay::savedmodel {
namespace {

using graph::Attributes;
using graph::BuiltinOp;

template <BuiltinOp kOp>
void Resize(Call& c) {
  GraphBuilder& g = c.g;
  Id x = c.In(0);
  const DType dtype = g.info(x).dtype;
  // Bilinear results are real numbers whatever the input is.
  if (kOp == BuiltinOp::kResizeBilinear && dtype != DType::kFloat32) x = g.Cast(c.name + "/Cast", x, DType::kFloat32);
  c.Return(g.Op(
      kOp, c.name, {x, c.AsInt32(c.In(1), "/size")},
      Attributes::From(graph::ResizeAttributes{c.Bool("align_corners", false), c.Bool("half_pixel_centers", false)})));
}

// The results have max_output_size elements in TFLite, zeros behind those that were selected: TensorFlow's padded form.
template <BuiltinOp kOp>
void Suppress(Call& c) {
  if (!c.Bool("pad_to_max_output_size", false)) {
    throw Unsupported{"without pad_to_max_output_size: how many boxes are left is known only when it runs"};
  }
  if (c.Scalar(2, "max_output_size") < 0) throw Unsupported{"a negative max_output_size"};
  std::vector<Id> inputs = c.Tensors(0, c.size());
  inputs[2] = c.AsInt32(inputs[2], "/max_output_size");
  std::vector<DType> types = {DType::kInt32, DType::kFloat32, DType::kInt32};
  if (kOp == BuiltinOp::kNonMaxSuppressionV4) types.erase(types.begin() + 1);
  c.Return(c.g.Ops(kOp, c.name, inputs, {}, types));
}

constexpr OpRow kImageRows[] = {
    {"ResizeBilinear", Resize<BuiltinOp::kResizeBilinear>},
    {"ResizeNearestNeighbor", Resize<BuiltinOp::kResizeNearestNeighbor>},
    {"NonMaxSuppressionV4", Suppress<BuiltinOp::kNonMaxSuppressionV4>, "selected_indices,valid_outputs"},
    {"NonMaxSuppressionV5", Suppress<BuiltinOp::kNonMaxSuppressionV5>,
     "selected_indices,selected_scores,valid_outputs"},
};

}  // namespace

std::span<const OpRow> ImageOps() { return kImageRows; }

}  // namespace assay::savedmodel
