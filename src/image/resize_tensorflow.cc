// TensorFlow's direct resizing: tf.image.resize without antialias (half-pixel grid) and the operators of TensorFlow 1
// (legacy, aligned or half-pixel grid). All positions and weights are float32; results are float32, but for nearest.
// The windowed kernels and antialias are in resize_tensorflow_windows.cc.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "image/resize.h"

namespace assay {
namespace {

// A position on the output axis to one on the input axis.
class Scaler {
 public:
  Scaler(int32_t in, int32_t out, ResizeGrid grid)
      : scale_(grid == ResizeGrid::kAligned && in > 1 && out > 1
                   ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                   : static_cast<float>(in) / static_cast<float>(out)),
        grid_(grid) {}

  float scale() const { return scale_; }
  float operator()(int32_t x) const {
    const auto position = static_cast<float>(x);
    return grid_ == ResizeGrid::kHalfPixel ? (position + 0.5F) * scale_ - 0.5F : position * scale_;
  }
  int32_t Nearest(int32_t x, int32_t in) const {
    const auto position = static_cast<float>(x);
    float source = position * scale_;
    if (grid_ == ResizeGrid::kHalfPixel) source = (position + 0.5F) * scale_;
    return std::min(static_cast<int32_t>(grid_ == ResizeGrid::kAligned ? std::round(source) : std::floor(source)),
                    in - 1);
  }

 private:
  float scale_;
  ResizeGrid grid_;
};

struct Geometry {
  int32_t in_height, in_width, channels, out_height, out_width;
  size_t in_stride() const { return static_cast<size_t>(in_width) * static_cast<size_t>(channels); }
};

Geometry GeometryOf(const Array& image, int32_t new_width, int32_t new_height) {
  return {image.shape()[0], image.shape()[1], image.shape()[2], new_height, new_width};
}

template <typename T>
void Nearest(const Array& image, const Geometry& g, ResizeGrid grid, Array* out) {
  const Scaler x_scaler(g.in_width, g.out_width, grid), y_scaler(g.in_height, g.out_height, grid);
  std::vector<size_t> columns;
  columns.reserve(static_cast<size_t>(g.out_width));
  for (int32_t x = 0; x < g.out_width; ++x) {
    columns.push_back(static_cast<size_t>(x_scaler.Nearest(x, g.in_width)) * static_cast<size_t>(g.channels));
  }
  const T* from = image.values<T>().data();
  T* to = out->values<T>().data();
  for (int32_t y = 0; y < g.out_height; ++y) {
    const T* row = from + static_cast<size_t>(y_scaler.Nearest(y, g.in_height)) * g.in_stride();
    for (const size_t x : columns) to = std::copy_n(row + x, g.channels, to);
  }
}

struct Lerp {
  size_t lower, upper;
  float fraction;
};

std::vector<Lerp> LerpAxis(int32_t in, int32_t out, ResizeGrid grid) {
  const Scaler scaler(in, out, grid);
  std::vector<Lerp> axis;
  for (int32_t x = 0; x < out; ++x) {
    const float position = scaler(x), floor = std::floor(position);
    axis.push_back({static_cast<size_t>(std::max(static_cast<int32_t>(floor), 0)),
                    static_cast<size_t>(std::min(static_cast<int32_t>(std::ceil(position)), in - 1)),
                    position - floor});
  }
  return axis;
}

template <int kChannels, typename T>
float* BilinearRow(const T* upper, const T* lower, const std::vector<Lerp>& columns, float y_fraction, float* to) {
  for (const Lerp& x : columns) {
    for (int c = 0; c < kChannels; ++c) {
      const auto top_left = static_cast<float>(upper[x.lower * kChannels + c]);
      const auto top_right = static_cast<float>(upper[x.upper * kChannels + c]);
      const auto bottom_left = static_cast<float>(lower[x.lower * kChannels + c]);
      const auto bottom_right = static_cast<float>(lower[x.upper * kChannels + c]);
      const float top = top_left + (top_right - top_left) * x.fraction;
      const float bottom = bottom_left + (bottom_right - bottom_left) * x.fraction;
      *to++ = top + (bottom - top) * y_fraction;
    }
  }
  return to;
}

template <typename T>
void Bilinear(const Array& image, const Geometry& g, ResizeGrid grid, Array* out) {
  const std::vector<Lerp> columns = LerpAxis(g.in_width, g.out_width, grid);
  const T* from = image.values<T>().data();
  float* to = out->values<float>().data();
  if (g.in_height == g.out_height && g.in_width == g.out_width) {
    std::copy_n(from, image.size(), to);
    return;
  }
  for (const Lerp& y : LerpAxis(g.in_height, g.out_height, grid)) {
    const T *upper = from + y.lower * g.in_stride(), *lower = from + y.upper * g.in_stride();
    to = g.channels == 3 ? BilinearRow<3>(upper, lower, columns, y.fraction, to)
                         : BilinearRow<1>(upper, lower, columns, y.fraction, to);
  }
}

// Cubic weights come from a table of 1024 steps.
constexpr int kCubicSteps = 1024;
using CubicTable = std::array<float, (kCubicSteps + 1) * 2>;

CubicTable BuildCubicTable(double a) {
  CubicTable table;
  for (size_t i = 0; i <= kCubicSteps; ++i) {
    float x = static_cast<float>(i) / kCubicSteps;
    table[i * 2] = static_cast<float>(((a + 2) * x - (a + 3)) * x * x + 1);
    x += 1.0F;
    table[i * 2 + 1] = static_cast<float>(((a * x - 5 * a) * x + 8 * a) * x - 4 * a);
  }
  return table;
}

struct CubicTaps {
  std::array<size_t, 4> index;
  std::array<float, 4> weight;
};

// The half-pixel grid uses Keys' a = -0.5, gives inputs beyond the border no weight and renormalises; the others use
// a = -0.75 and repeat the border.
std::vector<CubicTaps> CubicAxis(int32_t in, int32_t out, ResizeGrid grid) {
  static const CubicTable keys = BuildCubicTable(-0.5), sharp = BuildCubicTable(-0.75);
  const bool half_pixel = grid == ResizeGrid::kHalfPixel;
  const CubicTable& table = half_pixel ? keys : sharp;
  const Scaler scaler(in, out, grid);
  std::vector<CubicTaps> axis;
  for (int32_t x = 0; x < out; ++x) {
    const float position = scaler(x);
    const auto base = static_cast<int32_t>(std::floor(position));
    const float fraction = position - static_cast<float>(base);
    const auto step = static_cast<size_t>(std::lrint(fraction * kCubicSteps));
    CubicTaps taps;
    taps.weight = {table[step * 2 + 1], table[step * 2], table[(kCubicSteps - step) * 2],
                   table[(kCubicSteps - step) * 2 + 1]};
    for (int32_t k = 0; k < 4; ++k) {
      const int32_t wanted = base - 1 + k, bounded = std::clamp(wanted, 0, in - 1);
      taps.index[static_cast<size_t>(k)] = static_cast<size_t>(bounded);
      if (half_pixel && bounded != wanted) taps.weight[static_cast<size_t>(k)] = 0.0F;
    }
    if (half_pixel) {
      const float sum = taps.weight[0] + taps.weight[1] + taps.weight[2] + taps.weight[3];
      if (std::abs(sum) >= 1000.0F * std::numeric_limits<float>::min()) {
        const float inverse = 1.0F / sum;
        for (float& weight : taps.weight) weight *= inverse;
      }
    }
    axis.push_back(taps);
  }
  return axis;
}

template <typename T>
float Weigh(const std::array<float, 4>& weight, T v0, T v1, T v2, T v3) {
  return static_cast<float>(v0) * weight[0] + static_cast<float>(v1) * weight[1] + static_cast<float>(v2) * weight[2] +
         static_cast<float>(v3) * weight[3];
}

template <typename T>
void Bicubic(const Array& image, const Geometry& g, ResizeGrid grid, Array* out) {
  const std::vector<CubicTaps> columns = CubicAxis(g.in_width, g.out_width, grid);
  const T* from = image.values<T>().data();
  float* to = out->values<float>().data();
  const auto channels = static_cast<size_t>(g.channels);
  std::vector<float> row(g.in_stride());
  for (const CubicTaps& y : CubicAxis(g.in_height, g.out_height, grid)) {
    const T *row0 = from + y.index[0] * g.in_stride(), *row1 = from + y.index[1] * g.in_stride();
    const T *row2 = from + y.index[2] * g.in_stride(), *row3 = from + y.index[3] * g.in_stride();
    for (size_t i = 0; i < row.size(); ++i) row[i] = Weigh(y.weight, row0[i], row1[i], row2[i], row3[i]);
    for (const CubicTaps& x : columns) {
      for (size_t c = 0; c < channels; ++c) {
        *to++ = Weigh(x.weight, row[x.index[0] * channels + c], row[x.index[1] * channels + c],
                      row[x.index[2] * channels + c], row[x.index[3] * channels + c]);
      }
    }
  }
}

// The cells [begin, end) that an output cell covers, and the covered share of the first and the last.
struct Cover {
  int32_t begin, end;
  float first_share, last_share;
};

// The covered share of cell `v` by [from, to). A cell that holds all of it counts with the whole step, as the operator
// does.
float Share(int32_t v, float from, float to, float step) {
  const auto cell = static_cast<float>(v), next = static_cast<float>(v + 1);
  if (cell < from) return next > to ? step : next - from;
  return next > to ? to - cell : 1.0F;
}

std::vector<Cover> CoverAxis(int32_t in, int32_t out, ResizeGrid grid, float* step) {
  *step = Scaler(in, out, grid).scale();
  std::vector<Cover> axis;
  for (int32_t x = 0; x < out; ++x) {
    const float from = static_cast<float>(x) * *step, to = static_cast<float>(x + 1) * *step;
    const auto begin = static_cast<int32_t>(std::floor(from)), end = static_cast<int32_t>(std::ceil(to));
    axis.push_back({begin, end, Share(begin, from, to, *step), Share(end - 1, from, to, *step)});
  }
  return axis;
}

template <typename T>
void Area(const Array& image, const Geometry& g, ResizeGrid grid, Array* out) {
  float x_step, y_step;
  const std::vector<Cover> columns = CoverAxis(g.in_width, g.out_width, grid, &x_step);
  const std::vector<Cover> rows = CoverAxis(g.in_height, g.out_height, grid, &y_step);
  const float scale = 1.0F / (y_step * x_step);
  const auto channels = static_cast<size_t>(g.channels);
  const T* from = image.values<T>().data();
  float* to = out->values<float>().data();
  std::vector<float> sum(static_cast<size_t>(g.out_width) * channels);
  for (int32_t y = 0; y < g.out_height; ++y) {
    const Cover& rows_covered = rows[static_cast<size_t>(y)];
    const float y_from = static_cast<float>(y) * y_step, y_to = static_cast<float>(y + 1) * y_step;
    std::fill(sum.begin(), sum.end(), 0.0F);
    for (int32_t i = rows_covered.begin; i < rows_covered.end; ++i) {
      const T* row = from + static_cast<size_t>(std::clamp(i, 0, g.in_height - 1)) * g.in_stride();
      const float y_share = Share(i, y_from, y_to, y_step);
      float* target = sum.data();
      for (const Cover& x : columns) {
        const auto cell = [&](int32_t position) {
          return row + static_cast<size_t>(std::clamp(position, 0, g.in_width - 1)) * channels;
        };
        for (size_t c = 0; c < channels; ++c) {
          float row_sum = static_cast<float>(cell(x.begin)[c]) * x.first_share;
          if (x.begin + 1 != x.end) {
            for (int32_t v = x.begin + 1; v < x.end - 1; ++v) row_sum += static_cast<float>(cell(v)[c]);
            row_sum += static_cast<float>(cell(x.end - 1)[c]) * x.last_share;
          }
          *target++ += row_sum * y_share;
        }
      }
    }
    for (const float value : sum) *to++ = value * scale;
  }
}

template <typename T>
Array ResizeTyped(const Array& image, const Geometry& g, ResizeKernel kernel, ResizeGrid grid) {
  const bool keeps_type = kernel == ResizeKernel::kNearest;
  Array out(keeps_type ? image.dtype() : DType::kFloat32, Shape{g.out_height, g.out_width, g.channels});
  switch (kernel) {
    case ResizeKernel::kNearest:
      Nearest<T>(image, g, grid, &out);
      break;
    case ResizeKernel::kLinear:
      Bilinear<T>(image, g, grid, &out);
      break;
    case ResizeKernel::kCubic:
      Bicubic<T>(image, g, grid, &out);
      break;
    case ResizeKernel::kArea:
      Area<T>(image, g, grid, &out);
      break;
    default:
      ASSAY_CHECK(!"not a direct kernel");
  }
  return out;
}

}  // namespace

Array ResizeTensorflowDirect(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel,
                             ResizeGrid grid) {
  const Geometry g = GeometryOf(image, new_width, new_height);
  return image.dtype() == DType::kUInt8 ? ResizeTyped<uint8_t>(image, g, kernel, grid)
                                        : ResizeTyped<float>(image, g, kernel, grid);
}

}  // namespace assay
