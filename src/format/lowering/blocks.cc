// GraphBuilder's blocks: one function per TFLite op that importers use, with the operands as the op wants them.
#include <cstring>

#include "format/lowering/graph_builder.h"
#include "graph/ops/activations.h"
#include "graph/ops/arithmetic.h"
#include "graph/ops/batch_matmul.h"
#include "graph/ops/cast.h"
#include "graph/ops/concatenation.h"
#include "graph/ops/conv_2d.h"
#include "graph/ops/depthwise_conv_2d.h"
#include "graph/ops/fully_connected.h"
#include "graph/ops/gather.h"
#include "graph/ops/pool_2d.h"
#include "graph/ops/reduce.h"
#include "graph/ops/reshape.h"
#include "graph/ops/resize.h"
#include "graph/ops/shape.h"
#include "graph/ops/strided_slice.h"
#include "graph/ops/transpose_conv.h"

namespace assay::lowering {

using graph::Attributes;
using graph::BuiltinOp;

Id GraphBuilder::Add(std::string_view name, Id a, Id b) {
  return Op(BuiltinOp::kAdd, name, {a, b}, Attributes::From(graph::AddAttributes{}));
}
Id GraphBuilder::Sub(std::string_view name, Id a, Id b) {
  return Op(BuiltinOp::kSub, name, {a, b}, Attributes::From(graph::AddAttributes{}));
}
Id GraphBuilder::Mul(std::string_view name, Id a, Id b) {
  return Op(BuiltinOp::kMul, name, {a, b}, Attributes::From(graph::MulAttributes{}));
}
Id GraphBuilder::Div(std::string_view name, Id a, Id b) {
  return Op(BuiltinOp::kDiv, name, {a, b}, Attributes::From(graph::MulAttributes{}));
}

// LiteRT wants a bias with every convolution.
Id GraphBuilder::BiasOrZeros(std::string_view name, Id bias, int32_t channels) {
  if (bias != graph::kNoTensor) return bias;
  return Floats(std::string(name) + "/bias", {channels}, std::vector<float>(static_cast<size_t>(channels), 0.0F));
}

Id GraphBuilder::Conv2D(std::string_view name, Id x, Id filter, Id bias, const Window& w) {
  bias = BiasOrZeros(name, bias, shape(filter)[0]);
  return Op(BuiltinOp::kConv2D, name, {x, filter, bias},
            Attributes::From(graph::Conv2DAttributes{.padding = w.padding,
                                                     .stride_w = w.stride_w,
                                                     .stride_h = w.stride_h,
                                                     .dilation_w_factor = w.dilation_w,
                                                     .dilation_h_factor = w.dilation_h}));
}

Id GraphBuilder::DepthwiseConv2D(std::string_view name, Id x, Id filter, Id bias, const Window& w) {
  const int32_t in = shape(x).FromEnd(1), out = shape(filter).FromEnd(1);
  if (in < 1 || out % in != 0) throw InputError("{} filters for {} channels", out, in);
  bias = BiasOrZeros(name, bias, out);
  return Op(BuiltinOp::kDepthwiseConv2D, name, {x, filter, bias},
            Attributes::From(graph::DepthwiseConv2DAttributes{.padding = w.padding,
                                                              .stride_w = w.stride_w,
                                                              .stride_h = w.stride_h,
                                                              .depth_multiplier = out / in,
                                                              .dilation_w_factor = w.dilation_w,
                                                              .dilation_h_factor = w.dilation_h}));
}

Id GraphBuilder::TransposeConv(std::string_view name, Id x, Id filter, Id bias, const Window& w, int32_t output_h,
                               int32_t output_w) {
  const std::string base(name);
  const int32_t channels = shape(filter)[0];
  Id size;
  if (IsOpen(x, 0)) {
    const Id dims = Op(BuiltinOp::kShape, base + "/Shape", {x},
                       Attributes::From(graph::ShapeAttributes{static_cast<int32_t>(DType::kInt32)}), DType::kInt32);
    const Id batch = Op(BuiltinOp::kStridedSlice, base + "/strided_slice",
                        {dims, Ints(base + "/begin", {0}), Ints(base + "/end", {1}), Ints(base + "/strides", {1})},
                        Attributes::From(graph::StridedSliceAttributes{.shrink_axis_mask = 1}));
    size = Op(BuiltinOp::kPack, base + "/stack",
              {batch, IntScalar(base + "/height", output_h), IntScalar(base + "/width", output_w),
               IntScalar(base + "/channels", channels)},
              Attributes::From(graph::PackAttributes{.values_count = 4, .axis = 0}));
  } else {
    size = Ints(base + "/output_shape", {shape(x)[0], output_h, output_w, channels});
  }
  std::vector<Id> inputs = {size, filter, x};
  if (bias != graph::kNoTensor) inputs.push_back(bias);
  return Op(BuiltinOp::kTransposeConv, name, inputs,
            Attributes::From(
                graph::TransposeConvAttributes{.padding = w.padding, .stride_w = w.stride_w, .stride_h = w.stride_h}),
            DType::kFloat32);
}

Id GraphBuilder::FullyConnected(std::string_view name, Id x, Id weights, Id bias) {
  return Op(BuiltinOp::kFullyConnected, name, {x, weights, bias},
            Attributes::From(graph::FullyConnectedAttributes{.keep_num_dims = rank(x) != 2}));
}

Id GraphBuilder::BatchMatMul(std::string_view name, Id a, Id b, bool transpose_a, bool transpose_b) {
  return Op(BuiltinOp::kBatchMatmul, name, {a, b},
            Attributes::From(graph::BatchMatMulAttributes{.adj_x = transpose_a, .adj_y = transpose_b}));
}

Id GraphBuilder::Pool2D(BuiltinOp code, std::string_view name, Id x, int32_t filter_h, int32_t filter_w,
                        const Window& w) {
  return Op(code, name, {x},
            Attributes::From(graph::Pool2DAttributes{.padding = w.padding,
                                                     .stride_w = w.stride_w,
                                                     .stride_h = w.stride_h,
                                                     .filter_width = filter_w,
                                                     .filter_height = filter_h}));
}

Id GraphBuilder::Reshape(std::string_view name, Id x, const std::vector<int32_t>& dims) {
  const Id size = Ints(std::string(name) + "/shape", dims);
  return Op(BuiltinOp::kReshape, name, {x, size},
            Attributes::From(graph::ReshapeAttributes{std::vector<int64_t>(dims.begin(), dims.end())}));
}

Id GraphBuilder::Transpose(std::string_view name, Id x, const std::vector<int32_t>& permutation) {
  return Op(BuiltinOp::kTranspose, name, {x, Ints(std::string(name) + "/perm", permutation)});
}

Id GraphBuilder::Pad(std::string_view name, Id x, const std::vector<std::pair<int32_t, int32_t>>& amounts,
                     float value) {
  std::vector<int32_t> flat;
  for (const auto& [before, after] : amounts) {
    if (before < 0 || after < 0) throw InputError("{}: padding of {} and {}", name, before, after);
    flat.push_back(before), flat.push_back(after);
  }
  std::vector<uint8_t> bytes(flat.size() * sizeof(int32_t));
  if (!bytes.empty()) std::memcpy(bytes.data(), flat.data(), bytes.size());
  const Id paddings = ConstantBytes(std::string(name) + "/paddings", DType::kInt32,
                                    {static_cast<int32_t>(amounts.size()), 2}, graph::Constant::Own(std::move(bytes)));
  if (value == 0) return Op(BuiltinOp::kPad, name, {x, paddings});
  return Op(BuiltinOp::kPadv2, name, {x, paddings, Scalar(std::string(name) + "/value", value)});
}

Id GraphBuilder::Concat(std::string_view name, const std::vector<Id>& xs, int axis) {
  return Op(BuiltinOp::kConcatenation, name, xs, Attributes::From(graph::ConcatenationAttributes{.axis = axis}));
}

Id GraphBuilder::Reduce(BuiltinOp code, std::string_view name, Id x, const std::vector<int32_t>& axes, bool keep_dims) {
  return Op(code, name, {x, Ints(std::string(name) + "/reduction_indices", axes)},
            Attributes::From(graph::ReducerAttributes{keep_dims}));
}

Id GraphBuilder::Softmax(std::string_view name, Id x, int axis) {
  const int32_t at = Axis(x, axis);
  const int last = rank(x) - 1;
  std::vector<int32_t> permutation;
  for (int i = 0; i <= last; ++i) permutation.push_back(i);
  std::swap(permutation[static_cast<size_t>(at)], permutation[static_cast<size_t>(last)]);
  const bool moved = at != last;
  if (moved) x = Transpose(std::string(name) + "/transpose", x, permutation);
  x = Op(BuiltinOp::kSoftmax, name, {x}, Attributes::From(graph::SoftmaxAttributes{1.0F}));
  return moved ? Transpose(std::string(name) + "/transpose_1", x, permutation) : x;
}

Id GraphBuilder::Slice(std::string_view name, Id x, int axis, int32_t begin, int32_t size) {
  std::vector<int32_t> begins(static_cast<size_t>(rank(x)), 0), sizes(static_cast<size_t>(rank(x)), -1);
  begins[static_cast<size_t>(axis)] = begin;
  sizes[static_cast<size_t>(axis)] = size;
  return Op(BuiltinOp::kSlice, name,
            {x, Ints(std::string(name) + "/begin", begins), Ints(std::string(name) + "/size", sizes)});
}

Id GraphBuilder::Select(std::string_view name, Id x, int axis, int32_t index) {
  const auto n = static_cast<size_t>(rank(x));
  std::vector<int32_t> begin(n, 0), end(n, 0), strides(n, 1);
  const int32_t mask = (1 << n) - 1 - (1 << axis);
  begin[static_cast<size_t>(axis)] = index;
  end[static_cast<size_t>(axis)] = index + 1;
  const std::string base(name);
  return Op(
      BuiltinOp::kStridedSlice, name,
      {x, Ints(base + "/stack", begin), Ints(base + "/stack_1", end), Ints(base + "/stack_2", strides)},
      Attributes::From(graph::StridedSliceAttributes{
          .begin_mask = mask, .end_mask = index == -1 ? mask | (1 << axis) : mask, .shrink_axis_mask = 1 << axis}));
}

Id GraphBuilder::Reverse(std::string_view name, Id x, int axis) {
  return Op(BuiltinOp::kReverseV2, name, {x, Ints(std::string(name) + "/axis", {axis})});
}

Id GraphBuilder::Gather(std::string_view name, Id x, Id indices, int axis, int batch_dims) {
  return Op(BuiltinOp::kGather, name, {x, indices},
            Attributes::From(graph::GatherAttributes{.axis = axis, .batch_dims = batch_dims}));
}

Id GraphBuilder::Cast(std::string_view name, Id x, DType to) {
  if (info(x).dtype == to) return x;
  return Op(BuiltinOp::kCast, name, {x},
            Attributes::From(graph::CastAttributes{static_cast<int32_t>(info(x).dtype), static_cast<int32_t>(to)}), to);
}

Id GraphBuilder::Tile(std::string_view name, Id x, const std::vector<int32_t>& counts) {
  return Op(BuiltinOp::kTile, name, {x, Ints(std::string(name) + "/multiples", counts)});
}

Id GraphBuilder::Resize(BuiltinOp code, std::string_view name, Id x, int32_t height, int32_t width,
                        bool half_pixel_centers, bool align_corners) {
  return Op(code, name, {x, Ints(std::string(name) + "/size", {height, width})},
            Attributes::From(graph::ResizeAttributes{align_corners, half_pixel_centers}));
}

Id GraphBuilder::FillLike(std::string_view name, Id x, const std::vector<int32_t>& dims, float value) {
  const std::string base(name);
  if (!IsOpen(x, 0)) {
    std::vector<int32_t> whole = {shape(x)[0]};
    whole.insert(whole.end(), dims.begin(), dims.end());
    const Shape full(whole);
    if (!full.IsValid(int64_t{1} << 28)) throw InputError("{}: a constant of the shape {}", name, full.ToString());
    return Floats(base, full, std::vector<float>(static_cast<size_t>(full.NumElements()), value));
  }
  const Id shape_of = Op(BuiltinOp::kShape, base + "/Shape", {x},
                         Attributes::From(graph::ShapeAttributes{static_cast<int32_t>(DType::kInt32)}), DType::kInt32);
  const Id batch = Slice(base + "/batch", shape_of, 0, 0, 1);
  const Id whole = dims.empty() ? batch : Concat(base + "/dims", {batch, Ints(base + "/rest", dims)}, 0);
  return Op(BuiltinOp::kFill, name, {whole, Scalar(base + "/value", value)}, {}, DType::kFloat32);
}

}  // namespace assay::lowering
