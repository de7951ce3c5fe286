// Convolutions: plain, depthwise, separable, transposed; of 1, 2 and 3 dimensions.
#include "base/error.h"
#include "format/keras/layer_call.h"
#include "graph/ops/conv_3d.h"

namespace assay::keras {
namespace {

using graph::Attributes;
using graph::BuiltinOp;
using graph::kNoTensor;
using graph::Padding;

struct Geometry {
  std::vector<int32_t> kernel, strides, dilation;
  Padding padding = Padding::kValid;
  bool causal = false;
};

Geometry Read(const LayerCall& c, size_t rank) {
  Geometry geometry;
  geometry.kernel = c.Sizes("kernel_size", rank);
  geometry.strides = c.Sizes("strides", rank, 1);
  geometry.dilation = c.Sizes("dilation_rate", rank, 1);
  const std::string padding = c.Text("padding", "valid");
  geometry.causal = padding == "causal";
  if (padding == "same") geometry.padding = Padding::kSame;
  if (padding != "same" && padding != "valid" && !(geometry.causal && rank == 1))
    c.Unsupported("padding '" + padding + "'");
  return geometry;
}

Window WindowOf(const Geometry& geometry) {
  const bool one = geometry.kernel.size() == 1;
  Window w;
  w.padding = geometry.padding;
  w.stride_h = one ? 1 : geometry.strides[0];
  w.stride_w = geometry.strides.back();
  w.dilation_h = one ? 1 : geometry.dilation[0];
  w.dilation_w = geometry.dilation.back();
  return w;
}

// [N, W, C] as [N, 1, W, C], with what a causal convolution has in front.
Id Widen(LayerCall& c, Id x, const Geometry& geometry) {
  if (geometry.causal) {
    x = c.g.Pad("Pad", x, {{0, 0}, {geometry.dilation[0] * (geometry.kernel[0] - 1), 0}, {0, 0}});
  }
  const std::vector<int32_t> d = c.g.Dims(x);
  return c.g.Reshape("ExpandDims", x, {d[0], 1, d[1], d[2]});
}
Id Narrow(LayerCall& c, Id x) {
  const std::vector<int32_t> d = c.g.Dims(x);
  return c.g.Reshape("Squeeze", x, {d[0], d[2], d[3]});
}

void CheckRank(const LayerCall& c, int rank) {
  if (c.g.rank(c.input()) != rank) {
    throw InputError("its input has {} dimensions, expected {}", c.g.rank(c.input()), rank);
  }
}

// The kernel's place in the shape: 1D kernels get a height of 1.
Shape KernelShape(const Geometry& geometry, int32_t in, int32_t out) {
  std::vector<int32_t> dims = geometry.kernel;
  dims.push_back(in), dims.push_back(out);
  return Shape(dims);
}

Id BiasOrNone(LayerCall& c, int32_t size, const char* name = "BiasAdd/ReadVariableOp") {
  return c.Bool("use_bias", true) ? c.Bias("bias", size, name) : kNoTensor;
}

template <int kRank, typename Body>
std::vector<Id> Convolve(LayerCall& c, const Body& body) {
  CheckRank(c, kRank + 2);
  Id x = c.ChannelsFirst() ? c.ToChannelsLast(c.input()) : c.input();
  x = body(x);
  return {c.Activate(c.ChannelsFirst() ? c.FromChannelsLast(x) : x)};
}

Id PlainConv(LayerCall& c, Id x, const Geometry& geometry) {
  const bool one = geometry.kernel.size() == 1;
  const auto filters = static_cast<int32_t>(c.Int("filters"));
  const auto groups = static_cast<int32_t>(c.Int("groups", 1));
  const int32_t channels = c.g.shape(x).FromEnd(1);
  if (filters < 1 || groups < 1 || channels % groups != 0 || filters % groups != 0) {
    throw InputError("{} filters in {} groups over {} channels", filters, groups, channels);
  }
  if (one) x = Widen(c, x, geometry);
  const Shape shape = KernelShape(geometry, channels / groups, filters);
  const int32_t kh = one ? 1 : geometry.kernel[0], kw = geometry.kernel.back();
  const bool has_bias = c.Bool("use_bias", true);
  const std::string name = has_bias ? "BiasAdd" : (one ? "Conv1D" : "Conv2D");
  if (groups == channels && groups > 1) {
    const Id filter = c.Constant("kernel", shape, "depthwise/ReadVariableOp", Shape{1, kh, kw, filters});
    x = c.g.DepthwiseConv2D(has_bias ? "BiasAdd" : "depthwise", x, filter, BiasOrNone(c, filters), WindowOf(geometry));
  } else {
    std::vector<float> values = c.Floats("kernel", shape);
    const Shape hwio = {kh, kw, channels / groups, filters};
    const Id filter = c.g.Floats("Conv2D/ReadVariableOp", {filters, kh, kw, channels / groups},
                                 PermuteValues(values, hwio, {3, 0, 1, 2}));
    x = c.g.Conv2D(name, x, filter, BiasOrNone(c, filters), WindowOf(geometry));
  }
  return one ? Narrow(c, x) : x;
}

std::vector<Id> Conv1D(LayerCall& c) {
  return Convolve<1>(c, [&](Id x) { return PlainConv(c, x, Read(c, 1)); });
}
std::vector<Id> Conv2D(LayerCall& c) {
  return Convolve<2>(c, [&](Id x) { return PlainConv(c, x, Read(c, 2)); });
}

std::vector<Id> Conv3D(LayerCall& c) {
  return Convolve<3>(c, [&](Id x) {
    const Geometry geometry = Read(c, 3);
    if (c.Int("groups", 1) != 1) c.Unsupported("a 3D convolution in groups");
    const auto filters = static_cast<int32_t>(c.Int("filters"));
    const Shape shape = KernelShape(geometry, c.g.shape(x).FromEnd(1), filters);
    const Id filter = c.Constant("kernel", shape, "Conv3D/ReadVariableOp");
    std::vector<Id> inputs = {x, filter};
    if (c.Bool("use_bias", true)) inputs.push_back(BiasOrNone(c, filters));
    return c.g.Op(BuiltinOp::kConv3D, "Conv3D", inputs,
                  Attributes::From(graph::Conv3DAttributes{.padding = geometry.padding,
                                                           .stride_d = geometry.strides[0],
                                                           .stride_w = geometry.strides[2],
                                                           .stride_h = geometry.strides[1],
                                                           .dilation_d_factor = geometry.dilation[0],
                                                           .dilation_w_factor = geometry.dilation[2],
                                                           .dilation_h_factor = geometry.dilation[1]}));
  });
}

// The depthwise half of depthwise and separable layers.
Id DepthwisePart(LayerCall& c, Id x, const Geometry& geometry, const char* weight, Id bias, int32_t multiplier,
                 const char* name) {
  const bool one = geometry.kernel.size() == 1;
  const int32_t channels = c.g.shape(x).FromEnd(1);
  const int32_t kh = one ? 1 : geometry.kernel[0], kw = geometry.kernel.back();
  const Id filter = c.Constant(weight, KernelShape(geometry, channels, multiplier), "depthwise/ReadVariableOp",
                               Shape{1, kh, kw, channels * multiplier});
  return c.g.DepthwiseConv2D(name, x, filter, bias, WindowOf(geometry));
}

// Keras 2 before 2.3 and some later files call the kernel depthwise_kernel.
const char* DepthwiseKernelName(LayerCall& c) {
  return c.weights.Has("depthwise_kernel", c.within) ? "depthwise_kernel" : "kernel";
}

template <int kRank>
std::vector<Id> Depthwise(LayerCall& c) {
  return Convolve<kRank>(c, [&](Id x) {
    const Geometry geometry = Read(c, kRank);
    const auto multiplier = static_cast<int32_t>(c.Int("depth_multiplier", 1));
    const int32_t channels = c.g.shape(x).FromEnd(1);
    if (multiplier < 1 || multiplier > 65536) throw InputError("'depth_multiplier' is {}", multiplier);
    if (kRank == 1) x = Widen(c, x, geometry);
    const char* kernel = DepthwiseKernelName(c);
    // The kernel is numbered before the bias.
    const bool has_bias = c.Bool("use_bias", true);
    const bool one = kRank == 1;
    const int32_t kh = one ? 1 : geometry.kernel[0], kw = geometry.kernel.back();
    const Id filter = c.Constant(kernel, KernelShape(geometry, channels, multiplier), "depthwise/ReadVariableOp",
                                 Shape{1, kh, kw, channels * multiplier});
    const Id bias = BiasOrNone(c, channels * multiplier);
    x = c.g.DepthwiseConv2D(has_bias ? "BiasAdd" : "depthwise", x, filter, bias, WindowOf(geometry));
    return kRank == 1 ? Narrow(c, x) : x;
  });
}

template <int kRank>
std::vector<Id> Separable(LayerCall& c) {
  return Convolve<kRank>(c, [&](Id x) {
    const Geometry geometry = Read(c, kRank);
    const auto multiplier = static_cast<int32_t>(c.Int("depth_multiplier", 1));
    const auto filters = static_cast<int32_t>(c.Int("filters"));
    const int32_t channels = c.g.shape(x).FromEnd(1);
    if (multiplier < 1 || multiplier > 65536) throw InputError("'depth_multiplier' is {}", multiplier);
    if (kRank == 1) x = Widen(c, x, geometry);
    x = DepthwisePart(c, x, geometry, "depthwise_kernel", kNoTensor, multiplier, "separable_conv2d/depthwise");
    std::vector<int32_t> ones(kRank, 1);
    ones.push_back(channels * multiplier), ones.push_back(filters);
    const std::vector<float> values = c.Floats("pointwise_kernel", Shape(ones));
    const Id filter = c.g.Floats("separable_conv2d/ReadVariableOp", {filters, 1, 1, channels * multiplier},
                                 PermuteValues(values, {channels * multiplier, filters}, {1, 0}));
    const bool has_bias = c.Bool("use_bias", true);
    x = c.g.Conv2D(has_bias ? "BiasAdd" : "separable_conv2d", x, filter, BiasOrNone(c, filters), {});
    return kRank == 1 ? Narrow(c, x) : x;
  });
}

// Keras's deconv_output_length.
int32_t TransposedLength(int32_t input, int32_t kernel, int32_t stride, int32_t dilation, Padding padding,
                         std::optional<int32_t> output_padding) {
  const int64_t size = int64_t{dilation} * (kernel - 1) + 1;
  int64_t length;
  if (!output_padding.has_value()) {
    length = int64_t{input} * stride;
    if (padding == Padding::kValid) length += std::max<int64_t>(size - stride, 0);
  } else {
    const int64_t pad = padding == Padding::kSame ? size / 2 : 0;
    length = (int64_t{input} - 1) * stride + size - 2 * pad + *output_padding;
  }
  if (length < 1 || length > INT32_MAX) throw InputError("its output would have a length of {}", length);
  return static_cast<int32_t>(length);
}

template <int kRank>
std::vector<Id> Transposed(LayerCall& c) {
  return Convolve<kRank>(c, [&](Id x) {
    const Geometry geometry = Read(c, kRank);
    constexpr bool one = kRank == 1;
    const auto filters = static_cast<int32_t>(c.Int("filters"));
    const int32_t channels = c.g.shape(x).FromEnd(1);
    for (const int32_t d : geometry.dilation) {
      if (d != 1) c.Unsupported("a transposed convolution with dilation");
    }
    std::vector<std::optional<int32_t>> output_padding(kRank);
    if (c.Has("output_padding")) {
      const std::vector<int32_t> list = c.IntList("output_padding");
      for (size_t i = 0; i < kRank; ++i) output_padding[i] = list.size() == 1 ? list[0] : list.at(i);
    }
    const int32_t kh = one ? 1 : geometry.kernel[0], kw = geometry.kernel.back();
    if (one) x = Widen(c, x, geometry);
    const auto length = [&](int axis, size_t i) {
      return TransposedLength(c.g.shape(x)[axis], geometry.kernel[i], geometry.strides[i], geometry.dilation[i],
                              geometry.padding, output_padding[i]);
    };
    const int32_t height = one ? 1 : length(1, 0), width = length(2, one ? 0 : 1);
    const std::vector<float> values = c.Floats("kernel", KernelShape(geometry, filters, channels));  // HWOI
    const Id filter = c.g.Floats("conv2d_transpose/ReadVariableOp", {filters, kh, kw, channels},
                                 PermuteValues(values, {kh, kw, filters, channels}, {2, 0, 1, 3}));
    const bool has_bias = c.Bool("use_bias", true);
    x = c.g.TransposeConv(has_bias ? "BiasAdd" : "conv2d_transpose", x, filter, BiasOrNone(c, filters),
                          WindowOf(geometry), height, width);
    return one ? Narrow(c, x) : x;
  });
}

constexpr LayerRow kConvolutionRows[] = {
    {"Conv1D", Conv1D, "RESHAPE, CONV_2D, RESHAPE"},
    {"Conv2D", Conv2D, "CONV_2D"},
    {"Conv3D", Conv3D, "CONV_3D"},
    {"DepthwiseConv1D", Depthwise<1>, "RESHAPE, DEPTHWISE_CONV_2D, RESHAPE"},
    {"DepthwiseConv2D", Depthwise<2>, "DEPTHWISE_CONV_2D"},
    {"SeparableConv1D", Separable<1>, "RESHAPE, DEPTHWISE_CONV_2D, CONV_2D, RESHAPE"},
    {"SeparableConv2D", Separable<2>, "DEPTHWISE_CONV_2D, CONV_2D"},
    {"Conv1DTranspose", Transposed<1>, "RESHAPE, TRANSPOSE_CONV, RESHAPE"},
    {"Conv2DTranspose", Transposed<2>, "TRANSPOSE_CONV"},
};

}  // namespace

std::span<const LayerRow> ConvolutionLayers() { return kConvolutionRows; }

}  // namespace assay::keras
