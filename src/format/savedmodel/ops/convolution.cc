// Convolutions, poolings, biases and batch normalization.
#include <algorithm>
#include <cmath>

#include "format/savedmodel/node_call.h"
#include "graph/ops/conv_3d.h"
#include "graph/ops/normalization.h"
#include "graph/ops/transpose_conv.h"

namespace assay::savedmodel {
namespace {

using graph::Attributes;
using graph::BuiltinOp;
using graph::kNoTensor;
using lowering::Window;

int32_t Checked(int64_t value, const char* what) {
  if (value < 1 || value > (1 << 24)) throw InputError("its {} is {}", what, value);
  return static_cast<int32_t>(value);
}

// An attribute with a number per dimension, brought into the order of channels last: [1, h, w, 1] or [1, d, h, w, 1].
std::vector<int32_t> PerDimension(const Call& c, const char* attr, int rank, bool channels_first) {
  std::vector<int64_t> given = c.Ints(attr);
  if (given.empty()) given.assign(static_cast<size_t>(rank), 1);
  if (given.size() != static_cast<size_t>(rank)) throw InputError("its {} has {} numbers", attr, given.size());
  std::vector<int32_t> values;
  values.reserve(given.size());
  for (const int64_t value : given) values.push_back(Checked(value, attr));
  if (channels_first) std::rotate(values.begin() + 1, values.begin() + 2, values.end());
  return values;
}

// Its zeros are written out where the amounts are given one by one.
graph::Padding PaddingOf(Call& c, Id* x, bool channels_first, bool may_be_explicit) {
  const std::string padding = c.Text("padding", "");
  if (padding == "SAME") return graph::Padding::kSame;
  if (padding == "VALID") return graph::Padding::kValid;
  if (padding != "EXPLICIT" || !may_be_explicit) throw Unsupported{"padding " + padding};
  const std::vector<int64_t> amounts = c.Ints("explicit_paddings");
  if (amounts.size() != 8) throw InputError("its explicit_paddings have {} numbers", amounts.size());
  std::vector<std::pair<int32_t, int32_t>> pads;
  for (size_t i = 0; i < 8; i += 2) {
    if (amounts[i] < 0 || amounts[i] > (1 << 24) || amounts[i + 1] < 0 || amounts[i + 1] > (1 << 24)) {
      throw InputError("its explicit_paddings are {} and {}", amounts[i], amounts[i + 1]);
    }
    pads.emplace_back(static_cast<int32_t>(amounts[i]), static_cast<int32_t>(amounts[i + 1]));
  }
  if (channels_first) std::rotate(pads.begin() + 1, pads.begin() + 2, pads.end());
  *x = c.g.Pad(c.name + "/Pad", *x, pads);
  return graph::Padding::kValid;
}

void CheckRank(const Call& c, Id id, int rank, const char* what) {
  if (c.g.rank(id) != rank) throw InputError("its {} has {} dimensions, expected {}", what, c.g.rank(id), rank);
}

void Finish(Call& c, Id y, bool channels_first) { c.Return(channels_first ? ToChannelsFirst(c, y) : y); }

Window WindowOf(Call& c, Id* x, bool channels_first) {
  const auto strides = PerDimension(c, "strides", 4, channels_first);
  const auto dilations = PerDimension(c, "dilations", 4, channels_first);
  if (strides[0] != 1 || strides[3] != 1 || dilations[0] != 1 || dilations[3] != 1) {
    throw Unsupported{"strides over samples or channels"};
  }
  Window window{strides[1], strides[2], dilations[1], dilations[2], graph::Padding::kValid};
  window.padding = PaddingOf(c, x, channels_first, true);
  return window;
}

// The images that an op reads, brought into the order of channels last.
Id Images(Call& c, size_t operand, int rank) {
  const Id x = c.In(operand);
  CheckRank(c, x, rank, "input");
  return IsChannelsFirst(c) ? ToChannelsLast(c, x) : x;
}

Id Filter(const Call& c, int rank) {
  const Id filter = c.In(1);
  CheckRank(c, filter, rank, "filter");
  return filter;
}

void Conv2D(Call& c) {
  const bool first = IsChannelsFirst(c);
  Id x = Images(c, 0, 4);
  const Id filter = Filter(c, 4);
  const Window window = WindowOf(c, &x, first);
  const Id weights = c.g.Transpose(c.name + "/filter", filter, {3, 0, 1, 2});
  Finish(c, c.g.Conv2D(c.name, x, weights, kNoTensor, window), first);
}

void DepthwiseConv2D(Call& c) {
  const bool first = IsChannelsFirst(c);
  Id x = Images(c, 0, 4);
  const Id filter = Filter(c, 4);
  const Window window = WindowOf(c, &x, first);
  const Shape& s = c.g.shape(filter);
  const int64_t outputs = int64_t{s[2]} * s[3];
  const Id weights = c.g.Reshape(c.name + "/filter", filter, {1, s[0], s[1], Checked(outputs, "number of filters")});
  Finish(c, c.g.DepthwiseConv2D(c.name, x, weights, kNoTensor, window), first);
}

// The gradient of a convolution with respect to its input: [size], filter [h, w, out, in], x.
void Conv2DBackpropInput(Call& c) {
  const bool first = IsChannelsFirst(c);
  Id x = Images(c, 2, 4);
  const Id filter = Filter(c, 4);
  const auto strides = PerDimension(c, "strides", 4, first), dilations = PerDimension(c, "dilations", 4, first);
  if (dilations[1] != 1 || dilations[2] != 1) throw Unsupported{"a dilated transposed convolution"};
  const std::string padding = c.Text("padding", "");
  std::vector<int64_t> crop(8, 0);
  if (padding == "EXPLICIT") crop = c.Ints("explicit_paddings");
  if (crop.size() != 8) throw InputError("its explicit_paddings have {} numbers", crop.size());
  for (const int64_t amount : crop) {
    if (amount < 0 || amount > (1 << 24)) throw InputError("its explicit_paddings have {}", amount);
  }
  if (first) std::rotate(crop.begin() + 2, crop.begin() + 4, crop.end());
  if (padding != "SAME" && padding != "VALID" && padding != "EXPLICIT") throw Unsupported{"padding " + padding};
  const auto low = c.g.IntValues(c.In(0), false), high = c.g.IntValues(c.In(0), true);
  if (!low.has_value() || !high.has_value() || low->size() != high->size() || (low->size() != 4 && low->size() != 2)) {
    throw Unsupported{"its output size is computed when the model runs"};
  }
  const size_t at = low->size() == 2 ? 0 : first ? 2 : 1;
  for (const size_t i : {at, at + 1}) {
    if ((*low)[i] != (*high)[i]) throw Unsupported{"its output size is open"};
  }
  const Id weights = c.g.Transpose(c.name + "/filter", filter, {2, 0, 1, 3});
  const Window window{strides[1], strides[2], 1, 1, padding == "SAME" ? graph::Padding::kSame : graph::Padding::kValid};
  int32_t size[2];
  for (size_t i = 0; i < 2; ++i) {
    const int64_t margin = crop[2 + 2 * i] + crop[3 + 2 * i];
    size[i] = Checked(std::clamp<int64_t>((*low)[at + i], 0, 1 << 25) + margin, "output size");
  }
  Id y = c.g.TransposeConv(c.name, x, weights, kNoTensor, window, size[0], size[1]);
  for (int i = 0; i < 2; ++i) {
    const auto before = static_cast<int32_t>(crop[2 + 2 * static_cast<size_t>(i)]);
    const auto wanted = static_cast<int32_t>((*low)[at + static_cast<size_t>(i)]);
    if (size[i] != wanted) y = c.g.Slice(c.name + "/crop", y, 1 + i, before, wanted);
  }
  Finish(c, y, first);
}

void Conv3D(Call& c) {
  const bool first = IsChannelsFirst(c);
  Id x = Images(c, 0, 5);
  const Id filter = Filter(c, 5);
  const auto s = PerDimension(c, "strides", 5, first), d = PerDimension(c, "dilations", 5, first);
  const graph::Padding padding = PaddingOf(c, &x, first, false);
  const int32_t outputs = c.g.shape(filter)[4];
  const Id bias = c.g.Floats(c.name + "/bias", {outputs}, std::vector<float>(static_cast<size_t>(outputs), 0.0F));
  const Id y = c.g.Op(BuiltinOp::kConv3D, c.name, {x, filter, bias},
                      Attributes::From(graph::Conv3DAttributes{.padding = padding,
                                                               .stride_d = s[1],
                                                               .stride_w = s[3],
                                                               .stride_h = s[2],
                                                               .dilation_d_factor = d[1],
                                                               .dilation_w_factor = d[3],
                                                               .dilation_h_factor = d[2]}));
  Finish(c, y, first);
}

template <BuiltinOp kOp>
void Pool2D(Call& c) {
  const bool first = IsChannelsFirst(c);
  Id x = Images(c, 0, 4);
  std::vector<int32_t> size, strides;
  if (c.size() == 3) {  // MaxPoolV2 has them as operands
    for (const size_t i : {size_t{1}, size_t{2}}) {
      std::vector<int64_t> values = c.Values(i, i == 1 ? "window" : "strides");
      if (values.size() != 4) throw InputError("its window or strides have {} numbers", values.size());
      if (first) std::rotate(values.begin() + 1, values.begin() + 2, values.end());
      for (const int64_t value : values) (i == 1 ? size : strides).push_back(Checked(value, "window"));
    }
  } else {
    size = PerDimension(c, "ksize", 4, first);
    strides = PerDimension(c, "strides", 4, first);
  }
  if (size[0] != 1 || size[3] != 1 || strides[0] != 1 || strides[3] != 1) {
    throw Unsupported{"a window over samples or channels"};
  }
  const graph::Padding padding = PaddingOf(c, &x, first, false);
  Finish(c, c.g.Pool2D(kOp, c.name, x, size[1], size[2], {strides[1], strides[2], 1, 1, padding}), first);
}

// As two poolings, of the images first and of the depths then. That holds for averages over padded windows too: how
// many values count is the product of the two numbers.
template <BuiltinOp kOp>
void Pool3D(Call& c) {
  const bool first = IsChannelsFirst(c);
  Id x = Images(c, 0, 5);
  const auto size = PerDimension(c, "ksize", 5, first), strides = PerDimension(c, "strides", 5, first);
  if (size[0] != 1 || size[4] != 1 || strides[0] != 1 || strides[4] != 1) {
    throw Unsupported{"a window over samples or channels"};
  }
  const graph::Padding padding = PaddingOf(c, &x, first, false);
  const Shape s = c.g.shape(x);
  if (s[1] < 1) throw InputError("its input is empty");
  // [N, D, H, W, C] as N * D images, then as N images of D rows and H * W columns.
  const auto merged = [&](int64_t a, int64_t b) { return Checked(a * b, "input's size"); };
  Id y = ReshapeTo(c, c.name + "/images", x, {c.g.IsOpen(x, 0) ? -1 : merged(s[0], s[1]), s[2], s[3], s[4]});
  y = c.g.Pool2D(kOp, c.name + "/image", y, size[2], size[3], {strides[2], strides[3], 1, 1, padding});
  const int32_t h = c.g.shape(y)[1], w = c.g.shape(y)[2];
  const int32_t samples = c.g.IsOpen(x, 0) ? -1 : s[0];
  y = ReshapeTo(c, c.name + "/depths", y, {samples, s[1], merged(h, w), s[4]});
  y = c.g.Pool2D(kOp, c.name + "/depth", y, size[1], 1, {strides[1], 1, 1, 1, padding});
  y = ReshapeTo(c, c.name, y, {samples, c.g.shape(y)[1], h, w, s[4]});
  Finish(c, y, first);
}

void BiasAdd(Call& c) {
  const Id x = c.In(0), bias = c.In(1);
  CheckRank(c, bias, 1, "bias");
  if (!IsChannelsFirst(c) || c.g.rank(x) < 3) return c.Return(c.g.Add(c.name, x, bias));
  std::vector<int32_t> dims(static_cast<size_t>(c.g.rank(x)), 1);
  dims[1] = c.g.shape(bias)[0];
  c.Return(c.g.Add(c.name, x, c.g.Reshape(c.name + "/bias", bias, dims)));
}

// Batch normalization with given statistics: x * factor + offset.
void FusedBatchNorm(Call& c) {
  if (c.Bool("is_training", true)) {
    throw Unsupported{"a batch normalization in training mode; export the model for inference (training=False)"};
  }
  GraphBuilder& g = c.g;
  const Id x = c.In(0);
  const float epsilon = c.Float("epsilon", 1e-4F);
  for (size_t i = 1; i < 5; ++i) CheckRank(c, c.In(i), 1, "statistics");
  Id factor, offset;
  const bool is_constant = [&] {
    for (size_t i = 1; i < 5; ++i) {
      const graph::Tensor& tensor = g.info(c.In(i));
      if (!tensor.data.has_value() || tensor.dtype != DType::kFloat32 || tensor.shape != g.shape(c.In(1))) return false;
    }
    return true;
  }();
  if (is_constant) {
    std::vector<float> values[4];
    for (size_t i = 0; i < 4; ++i) values[i] = lowering::FloatsOf(g.info(c.In(i + 1)));
    std::vector<double> factors, offsets;
    for (size_t i = 0; i < values[0].size(); ++i) {
      const double scale = values[0][i], shift = values[1][i], mean = values[2][i], variance = values[3][i];
      factors.push_back(scale / std::sqrt(variance + static_cast<double>(epsilon)));
      offsets.push_back(shift - mean * factors.back());
    }
    const Shape shape = g.shape(c.In(1));
    factor = g.Doubles(c.name + "/factor", shape, std::move(factors));
    offset = g.Doubles(c.name + "/offset", shape, std::move(offsets));
  } else {
    const Id variance = g.Add(c.name + "/add", c.In(4), g.Scalar(c.name + "/epsilon", epsilon));
    factor = g.Mul(c.name + "/factor", g.Op(BuiltinOp::kRsqrt, c.name + "/Rsqrt", {variance}), c.In(1));
    offset = g.Sub(c.name + "/offset", c.In(2), g.Mul(c.name + "/mul", c.In(3), factor));
  }
  if (IsChannelsFirst(c)) {
    std::vector<int32_t> dims(static_cast<size_t>(g.rank(x)), 1);
    if (dims.size() < 2) throw InputError("its input has {} dimensions", dims.size());
    dims[1] = g.shape(factor)[0];
    factor = g.Reshape(c.name + "/factor", factor, dims);
    offset = g.Reshape(c.name + "/offset", offset, dims);
  }
  c.Return(g.Add(c.name, g.Mul(c.name + "/scaled", x, factor), offset));
  // The statistics that it hands on, and what only training uses.
  for (const size_t i : {size_t{3}, size_t{4}}) c.results.push_back(c.inputs[i]);
  for (int i = 0; i < 3; ++i) c.results.emplace_back();
}

void LocalResponseNormalization(Call& c) {
  c.Return(c.g.Op(BuiltinOp::kLocalResponseNormalization, c.name, {c.In(0)},
                  Attributes::From(graph::LocalResponseNormalizationAttributes{
                      .radius = static_cast<int32_t>(std::clamp<int64_t>(c.Int("depth_radius", 5), 0, 1 << 20)),
                      .bias = c.Float("bias", 1),
                      .alpha = c.Float("alpha", 1),
                      .beta = c.Float("beta", 0.5F)})));
}

constexpr std::string_view kNormOutputs = "y,batch_mean,batch_variance,reserve_space_1,reserve_space_2,reserve_space_3";

constexpr OpRow kConvolutionRows[] = {
    {"Conv2D", Conv2D},
    {"DepthwiseConv2dNative", DepthwiseConv2D},
    {"Conv2DBackpropInput", Conv2DBackpropInput},
    {"Conv3D", Conv3D},
    {"MaxPool", Pool2D<BuiltinOp::kMaxPool2D>},
    {"MaxPoolV2", Pool2D<BuiltinOp::kMaxPool2D>},
    {"AvgPool", Pool2D<BuiltinOp::kAveragePool2D>},
    {"MaxPool3D", Pool3D<BuiltinOp::kMaxPool2D>},
    {"AvgPool3D", Pool3D<BuiltinOp::kAveragePool2D>},
    {"BiasAdd", BiasAdd},
    {"BiasAddV1", BiasAdd},
    {"FusedBatchNorm", FusedBatchNorm, kNormOutputs},
    {"FusedBatchNormV2", FusedBatchNorm, kNormOutputs},
    {"FusedBatchNormV3", FusedBatchNorm, kNormOutputs},
    {"LRN", LocalResponseNormalization},
};

}  // namespace

std::span<const OpRow> ConvolutionOps() { return kConvolutionRows; }

}  // namespace assay::savedmodel
