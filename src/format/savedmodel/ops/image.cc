// Resizing of images.
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

constexpr OpRow kImageRows[] = {
    {"ResizeBilinear", Resize<BuiltinOp::kResizeBilinear>},
    {"ResizeNearestNeighbor", Resize<BuiltinOp::kResizeNearestNeighbor>},
};

}  // namespace

std::span<const OpRow> ImageOps() { return kImageRows; }

}  // namespace assay::savedmodel
