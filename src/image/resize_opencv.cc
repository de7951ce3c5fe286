// cv2.resize. Pixels: linear is fixed point with 11-bit weights; area is exact for whole factors and float32 otherwise.
// Facts measured against OpenCV 5.0 on x86-64; docs/preprocess.md has the numbers.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "image/resize.h"

namespace assay {
namespace {

constexpr int kWeightBits = 11;
constexpr float kWeightScale = 1 << kWeightBits;

// For each output position of one axis: the first input it reads and the weights of `taps` neighbours.
struct Axis {
  std::vector<int32_t> source;  // out * taps positions, inside the input
  std::vector<float> weight;    // out * taps
};

enum class Sampling : uint8_t { kCentres, kAreaLike };

// Two taps. The x axis pins positions outside the input to the border with weights (1, 0); the y axis keeps their
// fractional weights and clamps both taps, which gives the same real value but rounds differently.
Axis LinearAxis(int32_t in, int32_t out, Sampling sampling, bool pin_border) {
  // The ratio is inverted twice, as the library does.
  const double inverse_scale = static_cast<double>(out) / in;
  const double scale = 1.0 / inverse_scale;
  Axis axis;
  axis.source.reserve(static_cast<size_t>(out) * 2);
  axis.weight.reserve(static_cast<size_t>(out) * 2);
  for (int32_t d = 0; d < out; ++d) {
    int32_t s;
    float fraction;
    if (sampling == Sampling::kCentres) {
      const auto position = static_cast<float>((d + 0.5) * scale - 0.5);
      s = static_cast<int32_t>(std::floor(position));
      fraction = position - static_cast<float>(s);
    } else {
      s = static_cast<int32_t>(std::floor(d * scale));
      fraction = static_cast<float>((d + 1) - (s + 1) * inverse_scale);
      fraction = fraction <= 0 ? 0.0F : fraction - std::floor(fraction);
    }
    if (pin_border && (s < 0 || s >= in - 1)) {
      s = s < 0 ? 0 : in - 1;
      fraction = 0;
    }
    axis.source.push_back(std::clamp(s, 0, in - 1));
    axis.source.push_back(std::clamp(s + 1, 0, in - 1));
    axis.weight.push_back(1.0F - fraction);
    axis.weight.push_back(fraction);
  }
  return axis;
}

std::vector<int32_t> FixedPoint(const std::vector<float>& weights) {
  std::vector<int32_t> fixed;
  fixed.reserve(weights.size());
  for (const float weight : weights) fixed.push_back(static_cast<int32_t>(std::nearbyintf(weight * kWeightScale)));
  return fixed;
}

template <typename T>
struct LinearTraits;
template <>
struct LinearTraits<uint8_t> {
  using Work = int32_t;
  static std::vector<int32_t> Weights(const Axis& axis) { return FixedPoint(axis.weight); }
  static uint8_t Combine(int32_t upper, int32_t lower, int32_t b0, int32_t b1) {
    return static_cast<uint8_t>((((b0 * (upper >> 4)) >> 16) + ((b1 * (lower >> 4)) >> 16) + 2) >> 2);
  }
};
template <>
struct LinearTraits<float> {
  using Work = float;
  static std::vector<float> Weights(const Axis& axis) { return axis.weight; }
  static float Combine(float upper, float lower, float b0, float b1) { return upper * b0 + lower * b1; }
};

// One input row stretched to the output's width.
template <int kChannels, typename T, typename Work>
void StretchRow(const T* row, const std::vector<int32_t>& source, const std::vector<Work>& weight, int32_t width,
                Work* out) {
  for (int32_t x = 0; x < width; ++x, out += kChannels) {
    const T* left = row + static_cast<ptrdiff_t>(source[2 * static_cast<size_t>(x)]) * kChannels;
    const T* right = row + static_cast<ptrdiff_t>(source[2 * static_cast<size_t>(x) + 1]) * kChannels;
    const Work a0 = weight[2 * static_cast<size_t>(x)], a1 = weight[2 * static_cast<size_t>(x) + 1];
    for (int c = 0; c < kChannels; ++c) out[c] = left[c] * a0 + right[c] * a1;
  }
}

template <typename T>
void ResizeLinear(const Array& image, Sampling sampling, Array* out) {
  using Traits = LinearTraits<T>;
  using Work = typename Traits::Work;
  const int32_t in_height = image.shape()[0], in_width = image.shape()[1], channels = image.shape()[2];
  const int32_t out_height = out->shape()[0], out_width = out->shape()[1];
  const Axis x_axis = LinearAxis(in_width, out_width, sampling, true);
  const Axis y_axis = LinearAxis(in_height, out_height, sampling, false);
  const std::vector<Work> x_weight = Traits::Weights(x_axis), y_weight = Traits::Weights(y_axis);
  const size_t in_stride = static_cast<size_t>(in_width) * static_cast<size_t>(channels);
  const size_t stride = static_cast<size_t>(out_width) * static_cast<size_t>(channels);
  // The two stretched rows last used: row y lies in slot y % 2.
  std::vector<Work> rows[2] = {std::vector<Work>(stride), std::vector<Work>(stride)};
  int32_t held[2] = {-1, -1};
  const T* from = image.values<T>().data();
  T* to = out->values<T>().data();
  const auto stretched = [&](int32_t y) {
    const int slot = y % 2;
    if (held[slot] != y) {
      const T* row = from + in_stride * static_cast<size_t>(y);
      if (channels == 3) {
        StretchRow<3>(row, x_axis.source, x_weight, out_width, rows[slot].data());
      } else {
        StretchRow<1>(row, x_axis.source, x_weight, out_width, rows[slot].data());
      }
      held[slot] = y;
    }
    return rows[slot].data();
  };
  for (int32_t y = 0; y < out_height; ++y, to += stride) {
    const size_t tap = 2 * static_cast<size_t>(y);
    const Work* upper = stretched(y_axis.source[tap]);
    const Work* lower = stretched(y_axis.source[tap + 1]);
    const Work b0 = y_weight[tap], b1 = y_weight[tap + 1];
    for (size_t i = 0; i < stride; ++i) to[i] = Traits::Combine(upper[i], lower[i], b0, b1);
  }
}

template <typename T>
void ResizeNearest(const Array& image, Array* out) {
  const int32_t in_height = image.shape()[0], in_width = image.shape()[1], channels = image.shape()[2];
  const int32_t out_height = out->shape()[0], out_width = out->shape()[1];
  const double x_scale = 1.0 / (static_cast<double>(out_width) / in_width);
  const double y_scale = 1.0 / (static_cast<double>(out_height) / in_height);
  std::vector<size_t> source(static_cast<size_t>(out_width));
  for (int32_t x = 0; x < out_width; ++x) {
    source[static_cast<size_t>(x)] = static_cast<size_t>(std::min(static_cast<int32_t>(x * x_scale), in_width - 1));
  }
  const auto pixel = static_cast<size_t>(channels);
  const T* from = image.values<T>().data();
  T* to = out->values<T>().data();
  for (int32_t y = 0; y < out_height; ++y) {
    const auto row = static_cast<size_t>(std::min(static_cast<int32_t>(y * y_scale), in_height - 1));
    for (const size_t x : source) {
      to = std::copy_n(from + (row * static_cast<size_t>(in_width) + x) * pixel, pixel, to);
    }
  }
}

uint8_t RoundToPixel(float value) { return static_cast<uint8_t>(std::clamp(std::nearbyintf(value), 0.0F, 255.0F)); }

// Whole factors: the mean of a block, summed in integers.
void AreaWhole(const uint8_t* from, int32_t in_width, int32_t channels, int32_t factor_x, int32_t factor_y,
               int32_t out_width, int32_t out_height, uint8_t* to) {
  const float inverse = 1.0F / static_cast<float>(factor_x * factor_y);
  const bool two_by_two = factor_x == 2 && factor_y == 2;
  const size_t stride = static_cast<size_t>(in_width) * static_cast<size_t>(channels);
  for (int32_t y = 0; y < out_height; ++y) {
    for (int32_t x = 0; x < out_width; ++x) {
      for (int32_t c = 0; c < channels; ++c) {
        const uint8_t* corner = from + stride * static_cast<size_t>(y) * static_cast<size_t>(factor_y) +
                                static_cast<size_t>(x) * static_cast<size_t>(factor_x * channels) + c;
        int32_t sum = 0;
        for (int32_t j = 0; j < factor_y; ++j) {
          for (int32_t i = 0; i < factor_x; ++i)
            sum += corner[static_cast<size_t>(j) * stride + static_cast<size_t>(i * channels)];
        }
        *to++ = two_by_two ? static_cast<uint8_t>((sum + 2) >> 2) : RoundToPixel(static_cast<float>(sum) * inverse);
      }
    }
  }
}

struct AreaTap {
  int32_t to, from;
  float weight;
};

// The share of each input cell in each output cell; slivers of up to 1/1000 are dropped, as the library does.
std::vector<AreaTap> AreaAxis(int32_t in, int32_t out) {
  constexpr double kSliver = 1e-3;
  const double scale = 1.0 / (static_cast<double>(out) / in);
  std::vector<AreaTap> taps;
  for (int32_t d = 0; d < out; ++d) {
    const double begin = d * scale, end = begin + scale;
    const double width = std::min(scale, in - begin);
    const int32_t last = std::min(static_cast<int32_t>(std::floor(end)), in - 1);
    const int32_t first = std::min(static_cast<int32_t>(std::ceil(begin)), last);
    if (first - begin > kSliver) taps.push_back({d, first - 1, static_cast<float>((first - begin) / width)});
    for (int32_t s = first; s < last; ++s) taps.push_back({d, s, static_cast<float>(1.0 / width)});
    if (end - last > kSliver) {
      taps.push_back({d, last, static_cast<float>(std::min(std::min(end - last, 1.0), width) / width)});
    }
  }
  return taps;
}

template <typename T>
T FromSum(float sum);
template <>
uint8_t FromSum<uint8_t>(float sum) {
  return RoundToPixel(sum);
}
template <>
float FromSum<float>(float sum) {
  return sum;
}

template <typename T>
void AreaFractional(const Array& image, Array* out) {
  const int32_t in_height = image.shape()[0], in_width = image.shape()[1], channels = image.shape()[2];
  const int32_t out_height = out->shape()[0], out_width = out->shape()[1];
  const std::vector<AreaTap> x_taps = AreaAxis(in_width, out_width), y_taps = AreaAxis(in_height, out_height);
  const auto pixel = static_cast<size_t>(channels);
  const size_t stride = static_cast<size_t>(out_width) * pixel;
  std::vector<float> row(stride), sum(stride, 0.0F);
  const T* from = image.values<T>().data();
  T* to = out->values<T>().data();
  for (size_t k = 0; k < y_taps.size(); ++k) {
    const AreaTap& y = y_taps[k];
    const T* line = from + static_cast<size_t>(y.from) * static_cast<size_t>(in_width) * pixel;
    std::fill(row.begin(), row.end(), 0.0F);
    for (const AreaTap& x : x_taps) {
      const T* cell = line + static_cast<size_t>(x.from) * pixel;
      float* target = row.data() + static_cast<size_t>(x.to) * pixel;
      for (size_t c = 0; c < pixel; ++c) target[c] += static_cast<float>(cell[c]) * x.weight;
    }
    const bool first = k == 0 || y_taps[k - 1].to != y.to;
    for (size_t i = 0; i < stride; ++i) sum[i] = first ? y.weight * row[i] : sum[i] + y.weight * row[i];
    if (k + 1 == y_taps.size() || y_taps[k + 1].to != y.to) {
      for (size_t i = 0; i < stride; ++i) *to++ = FromSum<T>(sum[i]);
    }
  }
}

template <typename T>
void ResizeTyped(const Array& image, ResizeKernel kernel, Array* out) {
  const int32_t in_height = image.shape()[0], in_width = image.shape()[1];
  const int32_t out_height = out->shape()[0], out_width = out->shape()[1];
  if (kernel == ResizeKernel::kNearest) return ResizeNearest<T>(image, out);
  const double scale_x = 1.0 / (static_cast<double>(out_width) / in_width);
  const double scale_y = 1.0 / (static_cast<double>(out_height) / in_height);
  const auto factor_x = static_cast<int32_t>(std::nearbyint(scale_x));
  const auto factor_y = static_cast<int32_t>(std::nearbyint(scale_y));
  const bool whole = std::abs(scale_x - factor_x) < DBL_EPSILON && std::abs(scale_y - factor_y) < DBL_EPSILON;
  // At exactly one half both ways linear is the 2x2 mean.
  if (kernel == ResizeKernel::kLinear && whole && factor_x == 2 && factor_y == 2) kernel = ResizeKernel::kArea;
  if (kernel == ResizeKernel::kArea && scale_x >= 1 && scale_y >= 1) {
    if constexpr (std::is_same_v<T, uint8_t>) {
      if (whole) {
        return AreaWhole(image.values<T>().data(), in_width, image.shape()[2], factor_x, factor_y, out_width,
                         out_height, out->values<T>().data());
      }
    }
    return AreaFractional<T>(image, out);
  }
  ResizeLinear<T>(image, kernel == ResizeKernel::kArea ? Sampling::kAreaLike : Sampling::kCentres, out);
}

}  // namespace

Array ResizeOpencv(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel) {
  if (new_height == image.shape()[0] && new_width == image.shape()[1]) return image;
  Array out(image.dtype(), Shape{new_height, new_width, image.shape()[2]});
  if (image.dtype() == DType::kUInt8) {
    ResizeTyped<uint8_t>(image, kernel, &out);
  } else {
    ResizeTyped<float>(image, kernel, &out);
  }
  return out;
}

}  // namespace assay
