// cv2.resize. Pixels: linear is fixed point with 11-bit weights; area is exact for whole factors and float32 otherwise.
// Facts measured against OpenCV 5.0 on x86-64; docs/preprocess.md has the numbers.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "image/resize.h"

namespace assay {
namespace {

constexpr int kOpenCvWeightBits = 11;
constexpr float kOpenCvWeightScale = 1 << kOpenCvWeightBits;

uint8_t RoundToPixel(float value) { return static_cast<uint8_t>(std::clamp(std::nearbyintf(value), 0.0F, 255.0F)); }

// For each output position of one axis: the inputs it reads (inside the picture) and their weights, `taps` of each.
struct Axis {
  int taps = 2;
  std::vector<int32_t> source;
  std::vector<float> weight;
};

enum class Border : uint8_t { kPinWeights, kClampTaps };

// Two taps. At the border of the x axis the position itself is pinned, with weights (1, 0); the y axis keeps its
// fractional weights and clamps both taps, which gives the same real value but rounds differently.
// `area_like`: how INTER_AREA places its samples when it enlarges.
Axis LinearAxis(int32_t in, int32_t out, bool area_like, Border border) {
  // The ratio is inverted twice, as the library does.
  const double inverse_scale = static_cast<double>(out) / in;
  const double scale = 1.0 / inverse_scale;
  Axis axis;
  for (int32_t d = 0; d < out; ++d) {
    int32_t s;
    float fraction;
    if (area_like) {
      s = static_cast<int32_t>(std::floor(d * scale));
      fraction = static_cast<float>((d + 1) - (s + 1) * inverse_scale);
      fraction = fraction <= 0 ? 0.0F : fraction - std::floor(fraction);
    } else {
      const auto position = static_cast<float>((d + 0.5) * scale - 0.5);
      s = static_cast<int32_t>(std::floor(position));
      fraction = position - static_cast<float>(s);
    }
    if (border == Border::kPinWeights && (s < 0 || s >= in - 1)) {
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

// Cubic convolution with a = -0.75.
void CubicWeights(float x, float* weight) {
  constexpr float kA = -0.75F;
  const float y = 1.0F - x;
  weight[0] = ((kA * (x + 1.0F) - 5.0F * kA) * (x + 1.0F) + 8.0F * kA) * (x + 1.0F) - 4.0F * kA;
  weight[1] = ((kA + 2.0F) * x - (kA + 3.0F)) * x * x + 1.0F;
  weight[2] = ((kA + 2.0F) * y - (kA + 3.0F)) * y * y + 1.0F;
  weight[3] = 1.0F - weight[0] - weight[1] - weight[2];
}

// Eight taps: sin(pi d) sin(pi d / 4) / d^2 for the distances d = x + 3 - i, where sin(pi d) is the same for all taps
// but for its sign, and sin(pi d / 4) follows from the first one by the addition theorem.
void LanczosWeights(float x, float* weight) {
  constexpr double kQuarterPi = std::numbers::pi * 0.25;
  constexpr double kRoot = std::numbers::sqrt2 / 2;
  constexpr double kSin[8] = {1, -kRoot, 0, kRoot, -1, kRoot, 0, -kRoot};
  constexpr double kCos[8] = {0, -kRoot, 1, -kRoot, 0, kRoot, -1, kRoot};
  const double first = -(x + 3.0F) * kQuarterPi;
  const double sin_first = std::sin(first), cos_first = std::cos(first);
  float sum = 0;
  for (int i = 0; i < 8; ++i) {
    const float distance = x + 3.0F - static_cast<float>(i);
    const double angle = -distance * kQuarterPi;
    // On a sample that tap outweighs all others.
    weight[i] = std::abs(distance) >= 1e-6F
                    ? static_cast<float>((kSin[i] * sin_first + kCos[i] * cos_first) / (angle * angle))
                    : 1e30F;
    sum += weight[i];
  }
  sum = 1.0F / sum;
  for (int i = 0; i < 8; ++i) weight[i] *= sum;
}

// Four or eight taps around each position; taps outside repeat the border.
Axis WideAxis(int32_t in, int32_t out, int taps) {
  const double scale = 1.0 / (static_cast<double>(out) / in);
  Axis axis;
  axis.taps = taps;
  float weight[8];
  for (int32_t d = 0; d < out; ++d) {
    const auto position = static_cast<float>((d + 0.5) * scale - 0.5);
    const auto s = static_cast<int32_t>(std::floor(position));
    const float fraction = position - static_cast<float>(s);
    taps == 4 ? CubicWeights(fraction, weight) : LanczosWeights(fraction, weight);
    for (int k = 0; k < taps; ++k) {
      axis.source.push_back(std::clamp(s - taps / 2 + 1 + k, 0, in - 1));
      axis.weight.push_back(weight[k]);
    }
  }
  return axis;
}

// Integer arithmetic for 8-bit pixels, float32 for float ones.
template <typename T>
struct Arithmetic;

template <>
struct Arithmetic<uint8_t> {
  using Work = int32_t;
  static std::vector<int32_t> Weights(const Axis& axis) {
    std::vector<int32_t> fixed;
    fixed.reserve(axis.weight.size());
    for (const float weight : axis.weight)
      fixed.push_back(static_cast<int32_t>(std::nearbyintf(weight * kOpenCvWeightScale)));
    return fixed;
  }
  // Two taps drop low bits on the way, as 16-bit vector instructions do. Four taps go through float32, last tap first,
  // in blocks of 8 values; what remains of the row, and eight taps, stay in integers.
  template <int kTaps>
  static void CombineRows(const int32_t* const* row, const int32_t* weight, size_t count, uint8_t* to) {
    size_t i = 0;
    if constexpr (kTaps == 2) {
      for (; i < count; ++i) {
        const int32_t sum = ((weight[0] * (row[0][i] >> 4)) >> 16) + ((weight[1] * (row[1][i] >> 4)) >> 16);
        to[i] = static_cast<uint8_t>((sum + 2) >> 2);
      }
    }
    if constexpr (kTaps == 4) {
      float real[kTaps];
      for (int k = 0; k < kTaps; ++k)
        real[k] = static_cast<float>(weight[k]) * (1.0F / (kOpenCvWeightScale * kOpenCvWeightScale));
      for (; i < count / 8 * 8; ++i) {
        float sum = static_cast<float>(row[3][i]) * real[3];
        for (int k = kTaps - 2; k >= 0; --k) sum = static_cast<float>(row[k][i]) * real[k] + sum;
        to[i] = RoundToPixel(sum);
      }
    }
    for (; i < count; ++i) {
      int32_t sum = 1 << (2 * kOpenCvWeightBits - 1);
      for (int k = 0; k < kTaps; ++k) sum += row[k][i] * weight[k];
      to[i] = static_cast<uint8_t>(std::clamp(sum >> (2 * kOpenCvWeightBits), 0, 255));
    }
  }
};

template <>
struct Arithmetic<float> {
  using Work = float;
  static std::vector<float> Weights(const Axis& axis) { return axis.weight; }
  // The last tap first in blocks of 4 values, the first one first in what remains of the row.
  template <int kTaps>
  static void CombineRows(const float* const* row, const float* weight, size_t count, float* to) {
    size_t i = 0;
    for (; i < count / 4 * 4; ++i) {
      float sum = row[kTaps - 1][i] * weight[kTaps - 1];
      for (int k = kTaps - 2; k >= 0; --k) sum = row[k][i] * weight[k] + sum;
      to[i] = sum;
    }
    for (; i < count; ++i) {
      float sum = row[0][i] * weight[0];
      for (int k = 1; k < kTaps; ++k) sum += row[k][i] * weight[k];
      to[i] = sum;
    }
  }
};

// One input row stretched to the output's width.
template <int kTaps, int kChannels, typename T, typename Work>
void StretchRow(const T* row, const Axis& axis, const std::vector<Work>& weights, Work* out) {
  const int32_t* source = axis.source.data();
  const Work* weight = weights.data();
  for (const Work* end = weight + weights.size(); weight != end; source += kTaps, weight += kTaps, out += kChannels) {
    for (int c = 0; c < kChannels; ++c) {
      Work sum = row[static_cast<ptrdiff_t>(source[0]) * kChannels + c] * weight[0];
      for (int k = 1; k < kTaps; ++k) sum += row[static_cast<ptrdiff_t>(source[k]) * kChannels + c] * weight[k];
      out[c] = sum;
    }
  }
}

template <int kTaps, typename T>
void ResizeTaps(const Array& image, const Axis& x_axis, const Axis& y_axis, Array* out) {
  using Work = typename Arithmetic<T>::Work;
  const int32_t in_width = image.shape()[1], channels = image.shape()[2], out_height = out->shape()[0];
  const std::vector<Work> x_weight = Arithmetic<T>::Weights(x_axis), y_weight = Arithmetic<T>::Weights(y_axis);
  const size_t in_stride = static_cast<size_t>(in_width) * static_cast<size_t>(channels);
  const size_t stride = static_cast<size_t>(out->shape()[1]) * static_cast<size_t>(channels);
  // The stretched rows last used: row y lies in slot y % kTaps, and those of one output row are neighbours.
  std::vector<Work> slots(stride * kTaps);
  std::vector<int32_t> held(kTaps, -1);
  const T* from = image.values<T>().data();
  T* to = out->values<T>().data();
  const auto stretched = [&](int32_t y) -> const Work* {
    const auto slot = static_cast<size_t>(y % kTaps);
    Work* target = slots.data() + slot * stride;
    if (held[slot] != y) {
      const T* row = from + in_stride * static_cast<size_t>(y);
      channels == 3 ? StretchRow<kTaps, 3>(row, x_axis, x_weight, target)
                    : StretchRow<kTaps, 1>(row, x_axis, x_weight, target);
      held[slot] = y;
    }
    return target;
  };
  for (int32_t y = 0; y < out_height; ++y, to += stride) {
    const size_t first = static_cast<size_t>(y) * kTaps;
    const Work* rows[kTaps];
    for (size_t k = 0; k < kTaps; ++k) rows[k] = stretched(y_axis.source[first + k]);
    Work weight[kTaps];
    std::copy_n(y_weight.data() + first, kTaps, weight);
    Arithmetic<T>::template CombineRows<kTaps>(rows, weight, stride, to);
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

// Whole factors: the mean of a block. Bytes are summed as integers; floats in fours.
struct Block {
  const size_t* offset;  // of each of its values from its corner
  size_t size;
  bool two_by_two;
  bool paired;  // of floats: the rows are summed on their own
};

uint8_t BlockMean(const uint8_t* corner, const Block& block) {
  int32_t sum = 0;
  for (size_t i = 0; i < block.size; ++i) sum += corner[block.offset[i]];
  if (block.two_by_two) return static_cast<uint8_t>((sum + 2) >> 2);
  return RoundToPixel(static_cast<float>(sum) * (1.0F / static_cast<float>(block.size)));
}

float BlockMean(const float* corner, const Block& block) {
  if (block.paired) {
    return ((corner[block.offset[0]] + corner[block.offset[1]]) + (corner[block.offset[2]] + corner[block.offset[3]])) *
           0.25F;
  }
  const size_t* at = block.offset;
  const size_t* end = at + block.size;
  float sum = 0;
  for (; end - at >= 4; at += 4) sum += corner[at[0]] + corner[at[1]] + corner[at[2]] + corner[at[3]];
  for (; at != end; ++at) sum += corner[*at];
  return sum * (1.0F / static_cast<float>(block.size));
}

template <typename T>
void AreaWhole(const Array& image, int32_t factor_x, int32_t factor_y, Array* out) {
  const auto channels = static_cast<size_t>(image.shape()[2]);
  const size_t stride = static_cast<size_t>(image.shape()[1]) * channels;
  std::vector<size_t> offsets;
  for (int32_t j = 0; j < factor_y; ++j) {
    for (int32_t i = 0; i < factor_x; ++i) {
      offsets.push_back(static_cast<size_t>(j) * stride + static_cast<size_t>(i) * channels);
    }
  }
  const bool two_by_two = factor_x == 2 && factor_y == 2;
  const int32_t out_height = out->shape()[0], out_width = out->shape()[1];
  T* to = out->values<T>().data();
  for (int32_t y = 0; y < out_height; ++y) {
    const T* corner = image.values<T>().data() + stride * static_cast<size_t>(y) * static_cast<size_t>(factor_y);
    for (int32_t x = 0; x < out_width; ++x, corner += static_cast<size_t>(factor_x) * channels) {
      // One-channel 2x2 blocks go by vectors of four.
      const bool paired = two_by_two && channels == 1 && x < out_width / 4 * 4;
      const Block block{offsets.data(), offsets.size(), two_by_two, paired};
      for (size_t c = 0; c < channels; ++c) *to++ = BlockMean(corner + c, block);
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
    if (whole) return AreaWhole<T>(image, factor_x, factor_y, out);
    return AreaFractional<T>(image, out);
  }
  switch (kernel) {
    case ResizeKernel::kCubic:
      return ResizeTaps<4, T>(image, WideAxis(in_width, out_width, 4), WideAxis(in_height, out_height, 4), out);
    case ResizeKernel::kLanczos4:
      return ResizeTaps<8, T>(image, WideAxis(in_width, out_width, 8), WideAxis(in_height, out_height, 8), out);
    default: {
      const bool area_like = kernel == ResizeKernel::kArea;
      return ResizeTaps<2, T>(image, LinearAxis(in_width, out_width, area_like, Border::kPinWeights),
                              LinearAxis(in_height, out_height, area_like, Border::kClampTaps), out);
    }
  }
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
