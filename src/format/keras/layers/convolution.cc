// Convolutions: plain, depthwise, separable, transposed; of 1, 2 and 3 dimensions.
#include <algorithm>

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

std::vector<std::optional<int32_t>> OutputPadding(const LayerCall& c, size_t rank) {
  std::vector<std::optional<int32_t>> output_padding(rank);
  if (!c.Has("output_padding")) return output_padding;
  const std::vector<int32_t> list = c.IntList("output_padding");
  for (size_t i = 0; i < rank; ++i) output_padding[i] = list.size() == 1 ? list[0] : list.at(i);
  return output_padding;
}

// A kernel [rows..., inner] with zeros between its taps, as no op dilates the kernel of a transposed convolution;
// `size` becomes the larger one.
std::vector<float> Dilate(const std::vector<float>& values, std::vector<int32_t>& size,
                          const std::vector<int32_t>& dilation, int64_t inner) {
  std::vector<int32_t> larger;
  int64_t taps = 1, cells = 1;
  for (size_t i = 0; i < size.size(); ++i) {
    const int64_t span = (int64_t{size[i]} - 1) * dilation[i] + 1;
    taps *= size[i], cells *= span;
    if (span > (1 << 24) || cells * inner > (int64_t{1} << 26)) {
      throw InputError("its kernel would have a length of {} when dilated", span);
    }
    larger.push_back(static_cast<int32_t>(span));
  }
  if (larger == size) return values;
  std::vector<float> out(static_cast<size_t>(cells * inner), 0.0F);
  for (int64_t tap = 0; tap < taps; ++tap) {
    int64_t rest = tap, to = 0, stride = 1;
    for (size_t i = size.size(); i-- > 0;) {
      to += rest % size[i] * dilation[i] * stride;
      stride *= larger[i];
      rest /= size[i];
    }
    std::copy_n(values.begin() + tap * inner, inner, out.begin() + to * inner);
  }
  size = larger;
  return out;
}

template <int kRank>
std::vector<Id> Transposed(LayerCall& c) {
  return Convolve<kRank>(c, [&](Id x) {
    const Geometry geometry = Read(c, kRank);
    constexpr bool one = kRank == 1;
    const auto filters = static_cast<int32_t>(c.Int("filters"));
    const int32_t channels = c.g.shape(x).FromEnd(1);
    const std::vector<std::optional<int32_t>> output_padding = OutputPadding(c, kRank);
    if (one) x = Widen(c, x, geometry);
    const auto length = [&](int axis, size_t i) {
      return TransposedLength(c.g.shape(x)[axis], geometry.kernel[i], geometry.strides[i], geometry.dilation[i],
                              geometry.padding, output_padding[i]);
    };
    const int32_t height = one ? 1 : length(1, 0), width = length(2, one ? 0 : 1);
    std::vector<float> values = c.Floats("kernel", KernelShape(geometry, filters, channels));  // HWOI
    std::vector<int32_t> size = geometry.kernel, dilation = geometry.dilation;
    if (one) size.insert(size.begin(), 1), dilation.insert(dilation.begin(), 1);
    values = Dilate(values, size, dilation, int64_t{filters} * channels);
    const int32_t kh = size[0], kw = size[1];
    Window window = WindowOf(geometry);
    window.dilation_h = window.dilation_w = 1;
    const Id filter = c.g.Floats("conv2d_transpose/ReadVariableOp", {filters, kh, kw, channels},
                                 PermuteValues(values, {kh, kw, filters, channels}, {2, 0, 1, 3}));
    const bool has_bias = c.Bool("use_bias", true);
    x = c.g.TransposeConv(has_bias ? "BiasAdd" : "conv2d_transpose", x, filter, BiasOrNone(c, filters), window, height,
                          width);
    return one ? Narrow(c, x) : x;
  });
}

// Zeros between the values along the three dimensions of x [N, D, H, W, C], `stride` - 1 of them behind each.
Id SpreadOut(LayerCall& c, Id x, const std::vector<int32_t>& stride) {
  for (int axis = 3; axis >= 1; --axis) {
    const int32_t s = stride[static_cast<size_t>(axis) - 1];
    if (s == 1) continue;
    std::vector<int32_t> d = c.g.Dims(x);
    int64_t before = 1, inner = 1;
    for (int i = 1; i <= axis; ++i) before *= d[static_cast<size_t>(i)];
    for (int i = axis + 1; i < 5; ++i) inner *= d[static_cast<size_t>(i)];
    const Id rows = c.g.Reshape("spread/rows", x, {d[0], static_cast<int32_t>(before), 1, static_cast<int32_t>(inner)});
    const Id padded = c.g.Pad("spread/pad", rows, {{0, 0}, {0, 0}, {0, s - 1}, {0, 0}});
    d[static_cast<size_t>(axis)] *= s;
    x = c.g.Reshape("spread/whole", padded, d);
  }
  return x;
}

// As a convolution of the input with zeros between its values, by the kernel turned round:
// out[o] = sum over k of spread[o + before - k] * w[k], where `before` is what the forward convolution pads.
std::vector<Id> Conv3DTranspose(LayerCall& c) {
  return Convolve<3>(c, [&](Id x) {
    const Geometry geometry = Read(c, 3);
    const auto filters = static_cast<int32_t>(c.Int("filters"));
    const int32_t channels = c.g.shape(x).FromEnd(1);
    if (c.Int("groups", 1) != 1) c.Unsupported("a 3D convolution in groups");
    const auto output_padding = OutputPadding(c, 3);
    const Shape in = c.g.shape(x);
    std::vector<float> values = c.Floats("kernel", KernelShape(geometry, filters, channels));  // DHWOI
    std::vector<int32_t> size = geometry.kernel;
    values = Dilate(values, size, geometry.dilation, int64_t{filters} * channels);
    const Shape dhwoi = {size[0], size[1], size[2], filters, channels};
    values = PermuteValues(values, dhwoi, {0, 1, 2, 4, 3});
    const int64_t inner = int64_t{filters} * channels;
    const int64_t taps = int64_t{size[0]} * size[1] * size[2];
    for (int64_t tap = 0; tap < taps / 2; ++tap) {
      std::swap_ranges(values.begin() + tap * inner, values.begin() + (tap + 1) * inner,
                       values.begin() + (taps - 1 - tap) * inner);
    }
    x = SpreadOut(c, x, geometry.strides);
    std::vector<std::pair<int32_t, int32_t>> pad(5, {0, 0});
    std::vector<int32_t> begin(5, 0), length(5, -1);
    bool crops = false;
    for (size_t i = 0; i < 3; ++i) {
      const int axis = static_cast<int>(i) + 1;
      const int64_t stride = geometry.strides[i], k = size[i];
      const int64_t out = TransposedLength(in[axis], geometry.kernel[i], geometry.strides[i], geometry.dilation[i],
                                           geometry.padding, output_padding[i]);
      // What the forward convolution from `out` to the input pads in front.
      int64_t before = 0;
      if (geometry.padding == Padding::kSame) {
        const int64_t forward = (out + stride - 1) / stride;
        before = std::max<int64_t>((forward - 1) * stride + k - out, 0) / 2;
      }
      const int64_t front = k - 1 - before, back = out + k - 1 - front - in[axis] * stride;
      pad[i + 1] = {static_cast<int32_t>(std::max<int64_t>(front, 0)),
                    static_cast<int32_t>(std::max<int64_t>(back, 0))};
      begin[i + 1] = static_cast<int32_t>(std::max<int64_t>(-front, 0));
      length[i + 1] = static_cast<int32_t>(out + k - 1);
      crops |= front < 0 || back < 0;
    }
    x = c.g.Pad("pad", x, pad);
    if (crops) x = c.g.Op(BuiltinOp::kSlice, "crop", {x, c.g.Ints("crop/begin", begin), c.g.Ints("crop/size", length)});
    const Id filter =
        c.g.Floats("conv3d_transpose/ReadVariableOp", {size[0], size[1], size[2], channels, filters}, values);
    std::vector<Id> inputs = {x, filter};
    if (c.Bool("use_bias", true)) inputs.push_back(BiasOrNone(c, filters));
    return c.g.Op(BuiltinOp::kConv3D, "conv3d_transpose", inputs,
                  Attributes::From(graph::Conv3DAttributes{.padding = Padding::kValid,
                                                           .stride_d = 1,
                                                           .stride_w = 1,
                                                           .stride_h = 1,
                                                           .dilation_d_factor = 1,
                                                           .dilation_w_factor = 1,
                                                           .dilation_h_factor = 1}));
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
    {"Conv3DTranspose", Conv3DTranspose, "RESHAPE, PAD, CONV_3D"},
};

}  // namespace

std::span<const LayerRow> ConvolutionLayers() { return kConvolutionRows; }

}  // namespace assay::keras
