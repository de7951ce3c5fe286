// RunInDouble's windows over images and volumes, and its products of matrices.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "convert/double_parts.h"
#include "graph/ops/batch_matmul.h"
#include "graph/ops/conv_2d.h"
#include "graph/ops/conv_3d.h"
#include "graph/ops/fully_connected.h"
#include "graph/ops/pool_2d.h"
#include "graph/ops/resize.h"
#include "graph/ops/transpose_conv.h"

namespace assay::convert {
namespace {

using graph::BuiltinOp;
using graph::Operator;

struct Axis {
  int64_t in = 1, out = 1, filter = 1, stride = 1, dilation = 1, before = 0;
};

Axis WindowAxis(graph::Padding padding, int64_t in, int64_t filter, int64_t stride, int64_t dilation) {
  const int64_t span = (filter - 1) * dilation + 1;
  Axis axis{in, 0, filter, stride, dilation, 0};
  axis.out = padding == graph::Padding::kSame ? (in + stride - 1) / stride : (in - span + stride) / stride;
  if (padding == graph::Padding::kSame) axis.before = std::max<int64_t>((axis.out - 1) * stride + span - in, 0) / 2;
  return axis;
}

double Dot(const double* a, const double* b, int64_t n) {
  double s[4] = {0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; ++k) s[k] += a[i + k] * b[i + k];
  }
  for (; i < n; ++i) s[0] += a[i] * b[i];
  return (s[0] + s[1]) + (s[2] + s[3]);
}

// CONV_2D (filter OHWI, in groups) and DEPTHWISE_CONV_2D (filter 1HWO).
DoubleValue Conv(const Operator& op, const DoubleInputs& in, bool depthwise) {
  const auto a = op.attributes.As<graph::Conv2DAttributes>();
  const DoubleValue &x = *in[0], &w = *in[1];
  const Axis h = WindowAxis(a.padding, x.shape[1], w.shape[1], a.stride_h, a.dilation_h_factor);
  const Axis v = WindowAxis(a.padding, x.shape[2], w.shape[2], a.stride_w, a.dilation_w_factor);
  const int64_t channels = x.shape[3], outputs = depthwise ? w.shape[3] : w.shape[0];
  const int64_t depth = depthwise ? 1 : w.shape[3], groups = depthwise ? channels : channels / depth;
  const int64_t per_group = outputs / groups;
  const double* bias = in.size() > 2 && in[2] != nullptr ? in[2]->real.data() : nullptr;
  DoubleValue y =
      MakeDouble({x.shape[0], static_cast<int32_t>(h.out), static_cast<int32_t>(v.out), static_cast<int32_t>(outputs)});
  for (int64_t row = 0; row < x.shape[0] * h.out; ++row) {
    const int64_t n = row / h.out, oy = row % h.out;
    for (int64_t ox = 0; ox < v.out; ++ox) {
      double* to = y.real.data() + (row * v.out + ox) * outputs;
      for (int64_t o = 0; o < outputs; ++o) to[o] = bias == nullptr ? 0 : bias[o];
      for (int64_t ky = 0; ky < h.filter; ++ky) {
        const int64_t iy = oy * h.stride - h.before + ky * h.dilation;
        if (iy < 0 || iy >= h.in) continue;
        for (int64_t kx = 0; kx < v.filter; ++kx) {
          const int64_t ix = ox * v.stride - v.before + kx * v.dilation;
          if (ix < 0 || ix >= v.in) continue;
          const double* from = x.real.data() + ((n * h.in + iy) * v.in + ix) * channels;
          if (depthwise) {
            const double* weights = w.real.data() + (ky * v.filter + kx) * outputs;
            for (int64_t o = 0; o < outputs; ++o) to[o] += from[o / per_group] * weights[o];
          } else {
            for (int64_t o = 0; o < outputs; ++o) {
              const double* weights = w.real.data() + ((o * h.filter + ky) * v.filter + kx) * depth;
              to[o] += Dot(from + o / per_group * depth, weights, depth);
            }
          }
        }
      }
      for (int64_t o = 0; o < outputs; ++o) to[o] = Clamp(a.fused_activation_function, to[o]);
    }
  }
  return y;
}

}  // namespace

DoubleValue Conv2DInDouble(const Operator& op, const DoubleInputs& in) { return Conv(op, in, false); }
DoubleValue DepthwiseConv2DInDouble(const Operator& op, const DoubleInputs& in) { return Conv(op, in, true); }

DoubleValue Conv3DInDouble(const Operator& op, const DoubleInputs& in) {
  const auto a = op.attributes.As<graph::Conv3DAttributes>();
  const DoubleValue &x = *in[0], &w = *in[1];  // NDHWC, DHWIO
  const Axis d = WindowAxis(a.padding, x.shape[1], w.shape[0], a.stride_d, a.dilation_d_factor);
  const Axis h = WindowAxis(a.padding, x.shape[2], w.shape[1], a.stride_h, a.dilation_h_factor);
  const Axis v = WindowAxis(a.padding, x.shape[3], w.shape[2], a.stride_w, a.dilation_w_factor);
  const int64_t channels = x.shape[4], outputs = w.shape[4];
  const double* bias = in.size() > 2 && in[2] != nullptr ? in[2]->real.data() : nullptr;
  DoubleValue y = MakeDouble({x.shape[0], static_cast<int32_t>(d.out), static_cast<int32_t>(h.out),
                              static_cast<int32_t>(v.out), static_cast<int32_t>(outputs)});
  double* to = y.real.data();
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t oz = 0; oz < d.out; ++oz) {
      for (int64_t oy = 0; oy < h.out; ++oy) {
        for (int64_t ox = 0; ox < v.out; ++ox, to += outputs) {
          for (int64_t o = 0; o < outputs; ++o) to[o] = bias == nullptr ? 0 : bias[o];
          for (int64_t kz = 0; kz < d.filter; ++kz) {
            const int64_t iz = oz * d.stride - d.before + kz * d.dilation;
            if (iz < 0 || iz >= d.in) continue;
            for (int64_t ky = 0; ky < h.filter; ++ky) {
              const int64_t iy = oy * h.stride - h.before + ky * h.dilation;
              if (iy < 0 || iy >= h.in) continue;
              for (int64_t kx = 0; kx < v.filter; ++kx) {
                const int64_t ix = ox * v.stride - v.before + kx * v.dilation;
                if (ix < 0 || ix >= v.in) continue;
                const double* from = x.real.data() + (((n * d.in + iz) * h.in + iy) * v.in + ix) * channels;
                const double* weights = w.real.data() + ((kz * h.filter + ky) * v.filter + kx) * channels * outputs;
                for (int64_t c = 0; c < channels; ++c) {
                  for (int64_t o = 0; o < outputs; ++o) to[o] += from[c] * weights[c * outputs + o];
                }
              }
            }
          }
          for (int64_t o = 0; o < outputs; ++o) to[o] = Clamp(a.fused_activation_function, to[o]);
        }
      }
    }
  }
  return y;
}

// The gradient of a convolution: every input value is spread over the outputs that its window reaches.
DoubleValue TransposeConvInDouble(const Operator& op, const DoubleInputs& in) {
  const auto a = op.attributes.As<graph::TransposeConvAttributes>();
  const std::vector<int32_t> dims = WholeNumbers(*in[0]);
  const DoubleValue &w = *in[1], &x = *in[2];  // OHWI
  DoubleValue y = MakeDouble(Shape(dims));
  const Axis h = WindowAxis(a.padding, dims.at(1), w.shape[1], a.stride_h, 1);
  const Axis v = WindowAxis(a.padding, dims.at(2), w.shape[2], a.stride_w, 1);
  const int64_t channels = x.shape[3], outputs = w.shape[0], height = dims[1], width = dims[2];
  const double* bias = in.size() > 3 && in[3] != nullptr ? in[3]->real.data() : nullptr;
  if (bias != nullptr) {
    for (size_t i = 0; i < y.real.size(); ++i) y.real[i] = bias[i % static_cast<size_t>(outputs)];
  }
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t iy = 0; iy < x.shape[1]; ++iy) {
      for (int64_t ix = 0; ix < x.shape[2]; ++ix) {
        const double* from = x.real.data() + ((n * x.shape[1] + iy) * x.shape[2] + ix) * channels;
        for (int64_t ky = 0; ky < h.filter; ++ky) {
          const int64_t oy = iy * h.stride - h.before + ky;
          if (oy < 0 || oy >= height) continue;
          for (int64_t kx = 0; kx < v.filter; ++kx) {
            const int64_t ox = ix * v.stride - v.before + kx;
            if (ox < 0 || ox >= width) continue;
            double* to = y.real.data() + ((n * height + oy) * width + ox) * outputs;
            for (int64_t o = 0; o < outputs; ++o) {
              to[o] += Dot(from, w.real.data() + ((o * h.filter + ky) * v.filter + kx) * channels, channels);
            }
          }
        }
      }
    }
  }
  for (double& value : y.real) value = Clamp(a.fused_activation_function, value);
  return y;
}

DoubleValue FullyConnectedInDouble(const Operator& op, const DoubleInputs& in) {
  const auto a = op.attributes.As<graph::FullyConnectedAttributes>();
  const DoubleValue &x = *in[0], &w = *in[1];
  const int64_t outputs = w.shape[0], depth = w.shape[1], rows = x.shape.NumElements() / depth;
  Shape shape = {static_cast<int32_t>(rows), static_cast<int32_t>(outputs)};
  if (a.keep_num_dims) {
    shape = x.shape;
    shape[shape.rank() - 1] = static_cast<int32_t>(outputs);
  }
  DoubleValue y = MakeDouble(shape);
  const double* bias = in.size() > 2 && in[2] != nullptr ? in[2]->real.data() : nullptr;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < outputs; ++o) {
      const double sum = Dot(x.real.data() + r * depth, w.real.data() + o * depth, depth);
      y.real[static_cast<size_t>(r * outputs + o)] =
          Clamp(a.fused_activation_function, sum + (bias == nullptr ? 0 : bias[o]));
    }
  }
  return y;
}

DoubleValue BatchMatMulInDouble(const Operator& op, const DoubleInputs& in) {
  const auto t = op.attributes.As<graph::BatchMatMulAttributes>();
  const DoubleValue &a = *in[0], &b = *in[1];
  const auto rows_of = [](const DoubleValue& m, bool transposed) {
    return int64_t{m.shape.FromEnd(transposed ? 1 : 2)};
  };
  const int64_t rows = rows_of(a, t.adj_x), depth = rows_of(a, !t.adj_x), columns = rows_of(b, !t.adj_y);
  const auto batch = [](const Shape& s) { return Shape(std::vector<int32_t>(s.dims().begin(), s.dims().end() - 2)); };
  Shape batches;
  if (!BroadcastShapes(batch(a.shape), batch(b.shape), &batches)) throw InputError("batches do not fit");
  const std::vector<size_t> from_a = BroadcastIndex(batch(a.shape), batches),
                            from_b = BroadcastIndex(batch(b.shape), batches);
  std::vector<int32_t> dims(batches.dims().begin(), batches.dims().end());
  dims.push_back(static_cast<int32_t>(rows)), dims.push_back(static_cast<int32_t>(columns));
  DoubleValue y = MakeDouble(Shape(dims));
  double* to = y.real.data();
  for (size_t n = 0; n < from_a.size(); ++n) {
    const double* left = a.real.data() + static_cast<int64_t>(from_a[n]) * rows * depth;
    const double* right = b.real.data() + static_cast<int64_t>(from_b[n]) * depth * columns;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        double sum = 0;
        for (int64_t k = 0; k < depth; ++k) {
          sum += left[t.adj_x ? k * rows + r : r * depth + k] * right[t.adj_y ? c * depth + k : k * columns + c];
        }
        *to++ = sum;
      }
    }
  }
  return y;
}

DoubleValue Pool2DInDouble(const Operator& op, const DoubleInputs& in) {
  const bool is_max = op.code == BuiltinOp::kMaxPool2D;
  const auto a = op.attributes.As<graph::Pool2DAttributes>();
  const DoubleValue& x = *in[0];
  const Axis h = WindowAxis(a.padding, x.shape[1], a.filter_height, a.stride_h, 1);
  const Axis v = WindowAxis(a.padding, x.shape[2], a.filter_width, a.stride_w, 1);
  const int64_t channels = x.shape[3];
  DoubleValue y = MakeDouble({x.shape[0], static_cast<int32_t>(h.out), static_cast<int32_t>(v.out), x.shape[3]});
  double* to = y.real.data();
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t oy = 0; oy < h.out; ++oy) {
      for (int64_t ox = 0; ox < v.out; ++ox, to += channels) {
        const int64_t y0 = std::max<int64_t>(oy * h.stride - h.before, 0),
                      x0 = std::max<int64_t>(ox * v.stride - v.before, 0);
        const int64_t y1 = std::min(oy * h.stride - h.before + h.filter, h.in);
        const int64_t x1 = std::min(ox * v.stride - v.before + v.filter, v.in);
        for (int64_t c = 0; c < channels; ++c) {
          double value = is_max ? -INFINITY : 0;
          for (int64_t iy = y0; iy < y1; ++iy) {
            for (int64_t ix = x0; ix < x1; ++ix) {
              const double one = x.real[static_cast<size_t>(((n * h.in + iy) * v.in + ix) * channels + c)];
              value = is_max ? std::max(value, one) : value + one;
            }
          }
          if (!is_max) value /= static_cast<double>((y1 - y0) * (x1 - x0));
          to[c] = Clamp(a.fused_activation_function, value);
        }
      }
    }
  }
  return y;
}

DoubleValue ResizeInDouble(const Operator& op, const DoubleInputs& in) {
  const auto a = op.attributes.As<graph::ResizeAttributes>();
  const DoubleValue& x = *in[0];
  const std::vector<int32_t> size = WholeNumbers(*in[1]);
  const bool linear = op.code == BuiltinOp::kResizeBilinear;
  DoubleValue y = MakeDouble({x.shape[0], size.at(0), size.at(1), x.shape[3]});
  const auto place = [&](int64_t out, int64_t inputs, int64_t outputs) {
    const bool corners = a.align_corners && outputs > 1;
    const double scale =
        static_cast<double>(corners ? inputs - 1 : inputs) / static_cast<double>(corners ? outputs - 1 : outputs);
    if (linear)
      return a.half_pixel_centers ? (static_cast<double>(out) + 0.5) * scale - 0.5 : static_cast<double>(out) * scale;
    const double at = (static_cast<double>(out) + (a.half_pixel_centers ? 0.5 : 0)) * scale;
    return std::min(a.align_corners ? std::round(at) : std::floor(at), static_cast<double>(inputs - 1));
  };
  const int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  double* to = y.real.data();
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t oy = 0; oy < size[0]; ++oy) {
      for (int64_t ox = 0; ox < size[1]; ++ox) {
        const double sy = place(oy, height, size[0]), sx = place(ox, width, size[1]);
        const auto y0 = std::max<int64_t>(static_cast<int64_t>(std::floor(sy)), 0);
        const auto x0 = std::max<int64_t>(static_cast<int64_t>(std::floor(sx)), 0);
        const int64_t y1 = std::min(static_cast<int64_t>(std::ceil(sy)), height - 1);
        const int64_t x1 = std::min(static_cast<int64_t>(std::ceil(sx)), width - 1);
        const double fy = linear ? std::max(sy - static_cast<double>(y0), 0.0) : 0;
        const double fx = linear ? std::max(sx - static_cast<double>(x0), 0.0) : 0;
        const auto at = [&](int64_t row, int64_t column, int64_t c) {
          return x.real[static_cast<size_t>(
              ((n * height + std::max<int64_t>(row, 0)) * width + std::max<int64_t>(column, 0)) * channels + c)];
        };
        for (int64_t c = 0; c < channels; ++c) {
          *to++ = fy == 0 && fx == 0 ? at(y0, x0, c)
                                     : (at(y0, x0, c) * (1 - fx) + at(y0, x1, c) * fx) * (1 - fy) +
                                           (at(y1, x0, c) * (1 - fx) + at(y1, x1, c) * fx) * fy;
        }
      }
    }
  }
  return y;
}

}  // namespace assay::convert
