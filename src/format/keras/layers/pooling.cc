// Pooling over windows, over a given number of cells and over everything.
#include "base/error.h"
#include "format/keras/layer_call.h"

namespace assay::keras {
namespace {

using graph::BuiltinOp;
using graph::Padding;

constexpr std::string_view Name(BuiltinOp code) { return code == BuiltinOp::kMaxPool2D ? "MaxPool" : "AvgPool"; }

template <int kRank, BuiltinOp kCode>
std::vector<Id> Pool(LayerCall& c) {
  const std::vector<int32_t> size = c.Sizes("pool_size", kRank, 2);
  const std::vector<int32_t> strides = c.Has("strides") ? c.Sizes("strides", kRank) : size;
  const std::string padding = c.Text("padding", "valid");
  if (padding != "valid" && padding != "same") c.Unsupported("padding '" + padding + "'");
  Window w;
  w.padding = padding == "same" ? Padding::kSame : Padding::kValid;
  if (c.g.rank(c.input()) != kRank + 2) throw InputError("its input has {} dimensions", c.g.rank(c.input()));
  Id x = c.ChannelsFirst() ? c.ToChannelsLast(c.input()) : c.input();
  const std::vector<int32_t> d = c.g.Dims(x);
  if constexpr (kRank == 1) {
    x = c.g.Reshape("ExpandDims", x, {d[0], 1, d[1], d[2]});
    w.stride_w = strides[0];
    x = c.g.Pool2D(kCode, Name(kCode), x, 1, size[0], w);
    x = c.g.Reshape("Squeeze", x, {d[0], c.g.shape(x)[2], d[2]});
  } else if constexpr (kRank == 2) {
    w.stride_h = strides[0], w.stride_w = strides[1];
    x = c.g.Pool2D(kCode, Name(kCode), x, size[0], size[1], w);
  } else {
    // Planes first, then along the depth: both maxima and means (whose padding is not counted) come apart so.
    x = c.g.Reshape("Reshape", x, {d[0] < 0 ? -1 : d[0] * d[1], d[2], d[3], d[4]});
    Window plane = w, deep = w;
    plane.stride_h = strides[1], plane.stride_w = strides[2];
    deep.stride_h = strides[0];
    x = c.g.Pool2D(kCode, Name(kCode), x, size[1], size[2], plane);
    const int32_t height = c.g.shape(x)[1], width = c.g.shape(x)[2];
    x = c.g.Reshape("Reshape_1", x, {d[0], d[1], height * width, d[4]});
    x = c.g.Pool2D(kCode, Name(kCode), x, size[0], 1, deep);
    x = c.g.Reshape("Reshape_2", x, {d[0], c.g.shape(x)[1], height, width, d[4]});
  }
  return {c.ChannelsFirst() ? c.FromChannelsLast(x) : x};
}

template <int kRank, BuiltinOp kCode>
std::vector<Id> Global(LayerCall& c) {
  if (c.g.rank(c.input()) != kRank + 2) throw InputError("its input has {} dimensions", c.g.rank(c.input()));
  std::vector<int32_t> axes;
  axes.reserve(kRank);
  for (int i = 0; i < kRank; ++i) axes.push_back((c.ChannelsFirst() ? 2 : 1) + i);
  return {c.g.Reduce(kCode, kCode == BuiltinOp::kMean ? "Mean" : "Max", c.input(), axes, c.Bool("keepdims", false))};
}

// The mean of the steps that count: sum(x * mask) / sum(mask).
std::vector<Id> GlobalAverage1D(LayerCall& c) {
  const Id mask = c.Mask();
  if (mask == graph::kNoTensor) return Global<1, BuiltinOp::kMean>(c);
  const Id x = c.input();
  const int steps_axis = c.ChannelsFirst() ? 2 : 1;
  std::vector<int32_t> dims = c.g.Dims(mask);
  dims.insert(dims.begin() + (c.ChannelsFirst() ? 1 : 2), 1);
  const Id weights = c.g.Reshape("mask", c.g.Cast("Cast", mask, DType::kFloat32), dims);
  const bool keep = c.Bool("keepdims", false);
  const Id sum = c.g.Reduce(BuiltinOp::kSum, "Sum", c.g.Mul("mul", x, weights), {steps_axis}, keep);
  return {c.g.Div("truediv", sum, c.g.Reduce(BuiltinOp::kSum, "Sum_1", weights, {steps_axis}, keep))};
}

// Cell i of n covers floor(i size / n) to ceil((i + 1) size / n), so that cells may overlap; means and maxima of boxes
// come apart by dimension.
template <BuiltinOp kCode>
Id AdaptiveAxis(LayerCall& c, Id x, int axis, int32_t cells) {
  constexpr const char* kName = kCode == BuiltinOp::kMean ? "Mean" : "Max";
  std::vector<int32_t> dims = c.g.Dims(x);
  const int32_t size = c.g.shape(x)[axis];
  if (c.g.IsOpen(x, axis)) c.Unsupported("an open size of dimension " + std::to_string(axis));
  if (cells == size) return x;
  if (size % cells == 0) {
    dims[static_cast<size_t>(axis)] = cells;
    dims.insert(dims.begin() + axis + 1, size / cells);
    return c.g.Reduce(kCode, kName, c.g.Reshape("cells", x, dims), {axis + 1}, false);
  }
  std::vector<Id> parts;
  for (int64_t i = 0; i < cells; ++i) {
    const auto begin = static_cast<int32_t>(i * size / cells);
    const auto end = static_cast<int32_t>(((i + 1) * size + cells - 1) / cells);
    parts.push_back(c.g.Reduce(kCode, kName, c.g.Slice("cell", x, axis, begin, end - begin), {axis}, true));
  }
  return c.g.Concat("concat", parts, axis);
}

template <int kRank, BuiltinOp kCode>
std::vector<Id> Adaptive(LayerCall& c) {
  constexpr int32_t kMostCells = 1024;
  const std::vector<int32_t> cells = c.Sizes("output_size", kRank);
  Id x = c.input();
  if (c.g.rank(x) != kRank + 2) throw InputError("its input has {} dimensions", c.g.rank(x));
  for (int i = 0; i < kRank; ++i) {
    const int32_t count = cells[static_cast<size_t>(i)];
    if (count < 1 || count > kMostCells) throw InputError("'output_size' has {}, expected 1 to {}", count, kMostCells);
    x = AdaptiveAxis<kCode>(c, x, (c.ChannelsFirst() ? 2 : 1) + i, count);
  }
  return {x};
}

constexpr LayerRow kPoolingRows[] = {
    {"MaxPooling1D", Pool<1, BuiltinOp::kMaxPool2D>, "RESHAPE, MAX_POOL_2D, RESHAPE"},
    {"MaxPooling2D", Pool<2, BuiltinOp::kMaxPool2D>, "MAX_POOL_2D"},
    {"MaxPooling3D", Pool<3, BuiltinOp::kMaxPool2D>, "RESHAPE, MAX_POOL_2D twice"},
    {"AveragePooling1D", Pool<1, BuiltinOp::kAveragePool2D>, "RESHAPE, AVERAGE_POOL_2D, RESHAPE"},
    {"AveragePooling2D", Pool<2, BuiltinOp::kAveragePool2D>, "AVERAGE_POOL_2D"},
    {"AveragePooling3D", Pool<3, BuiltinOp::kAveragePool2D>, "RESHAPE, AVERAGE_POOL_2D twice"},
    {"GlobalAveragePooling1D", GlobalAverage1D, "MEAN; with a mask MUL, SUM, DIV"},
    {"GlobalAveragePooling2D", Global<2, BuiltinOp::kMean>, "MEAN"},
    {"GlobalAveragePooling3D", Global<3, BuiltinOp::kMean>, "MEAN"},
    {"GlobalMaxPooling1D", Global<1, BuiltinOp::kReduceMax>, "REDUCE_MAX"},
    {"GlobalMaxPooling2D", Global<2, BuiltinOp::kReduceMax>, "REDUCE_MAX"},
    {"GlobalMaxPooling3D", Global<3, BuiltinOp::kReduceMax>, "REDUCE_MAX"},
    {"AdaptiveAveragePooling1D", Adaptive<1, BuiltinOp::kMean>,
     "RESHAPE, MEAN; uneven cells SLICE, MEAN, CONCATENATION"},
    {"AdaptiveAveragePooling2D", Adaptive<2, BuiltinOp::kMean>,
     "RESHAPE, MEAN; uneven cells SLICE, MEAN, CONCATENATION"},
    {"AdaptiveAveragePooling3D", Adaptive<3, BuiltinOp::kMean>,
     "RESHAPE, MEAN; uneven cells SLICE, MEAN, CONCATENATION"},
    {"AdaptiveMaxPooling1D", Adaptive<1, BuiltinOp::kReduceMax>,
     "RESHAPE, REDUCE_MAX; uneven cells SLICE, REDUCE_MAX, CONCATENATION"},
    {"AdaptiveMaxPooling2D", Adaptive<2, BuiltinOp::kReduceMax>,
     "RESHAPE, REDUCE_MAX; uneven cells SLICE, REDUCE_MAX, CONCATENATION"},
    {"AdaptiveMaxPooling3D", Adaptive<3, BuiltinOp::kReduceMax>,
     "RESHAPE, REDUCE_MAX; uneven cells SLICE, REDUCE_MAX, CONCATENATION"},
};

}  // namespace

std::span<const LayerRow> PoolingLayers() { return kPoolingRows; }

}  // namespace assay::keras
