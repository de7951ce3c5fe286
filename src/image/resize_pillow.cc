// Pillow's Image.resize on 8-bit pictures: two passes, each a weighted sum with weights of 22 bits that is
// rounded to 8 bits. Shrinking widens the kernel by the factor, so that every input pixel counts.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "image/resize.h"

namespace assay {
namespace {

constexpr int kPillowWeightBits = 22;

struct PillowKernel {
  double support;  // the kernel is 0 beyond
  double (*at)(double x);
};

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double Box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double Triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double Hamming(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= std::numbers::pi;
  return std::sin(x) / x * (double{0.54F} + double{0.46F} * std::cos(x));  // the library writes them as floats
}

double Cubic(double x) {  // Keys, a = -0.5
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

double Lanczos(double x) { return x >= -3.0 && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0; }

PillowKernel PillowKernelOf(ResizeKernel kernel) {
  switch (kernel) {
    case ResizeKernel::kBox:
      return {0.5, Box};
    case ResizeKernel::kHamming:
      return {1.0, Hamming};
    case ResizeKernel::kCubic:
      return {2.0, Cubic};
    case ResizeKernel::kLanczos:
      return {3.0, Lanczos};
    default:
      return {1.0, Triangle};
  }
}

// For each output position: where its window of inputs begins, and the window's weights.
struct Windows {
  std::vector<int32_t> first, count;
  std::vector<size_t> offset;  // of its first weight
  std::vector<int32_t> weight;
};

Windows BuildWindows(int32_t in, int32_t out, const PillowKernel& kernel) {
  const double scale = static_cast<double>(in) / out;
  const double widening = std::max(scale, 1.0);
  const double support = kernel.support * widening;
  const double inverse_widening = 1.0 / widening;
  Windows windows;
  std::vector<double> real;
  for (int32_t d = 0; d < out; ++d) {
    const double center = (d + 0.5) * scale;
    const int32_t first = std::max(static_cast<int32_t>(center - support + 0.5), 0);
    const int32_t last = std::min(static_cast<int32_t>(center + support + 0.5), in);
    real.clear();
    double sum = 0.0;
    for (int32_t s = 0; s < last - first; ++s) {
      real.push_back(kernel.at((s + first - center + 0.5) * inverse_widening));
      sum += real.back();
    }
    windows.first.push_back(first);
    windows.count.push_back(last - first);
    windows.offset.push_back(windows.weight.size());
    for (const double raw : real) {
      const double scaled = (sum != 0.0 ? raw / sum : raw) * (1 << kPillowWeightBits);
      windows.weight.push_back(static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return windows;
}

// Sums wrap like the library's 32-bit ones; unsigned, so that wrapping is defined.
constexpr uint32_t kHalf = 1U << (kPillowWeightBits - 1);

uint8_t ToPixel(uint32_t sum) {
  return static_cast<uint8_t>(std::clamp(static_cast<int32_t>(sum) >> kPillowWeightBits, 0, 255));
}

template <int kChannels>
void HorizontalRow(const uint8_t* row, const Windows& windows, uint8_t* out) {
  for (size_t x = 0; x < windows.first.size(); ++x, out += kChannels) {
    const uint8_t* pixel = row + static_cast<ptrdiff_t>(windows.first[x]) * kChannels;
    const int32_t* weight = windows.weight.data() + windows.offset[x];
    uint32_t sum[kChannels];
    std::fill_n(sum, kChannels, kHalf);
    for (int32_t i = 0; i < windows.count[x]; ++i, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sum[c] += static_cast<uint32_t>(pixel[c] * weight[i]);
    }
    for (int c = 0; c < kChannels; ++c) out[c] = ToPixel(sum[c]);
  }
}

Array Horizontal(const Array& image, int32_t new_width, const PillowKernel& kernel) {
  const int32_t height = image.shape()[0], width = image.shape()[1], channels = image.shape()[2];
  const Windows windows = BuildWindows(width, new_width, kernel);
  Array out(DType::kUInt8, Shape{height, new_width, channels});
  const uint8_t* from = image.bytes().data();
  uint8_t* to = out.bytes().data();
  for (int32_t y = 0; y < height; ++y) {
    if (channels == 3) {
      HorizontalRow<3>(from, windows, to);
    } else {
      HorizontalRow<1>(from, windows, to);
    }
    from += static_cast<ptrdiff_t>(width) * channels;
    to += static_cast<ptrdiff_t>(new_width) * channels;
  }
  return out;
}

Array Vertical(const Array& image, int32_t new_height, const PillowKernel& kernel) {
  const int32_t height = image.shape()[0], width = image.shape()[1], channels = image.shape()[2];
  const Windows windows = BuildWindows(height, new_height, kernel);
  Array out(DType::kUInt8, Shape{new_height, width, channels});
  const size_t stride = static_cast<size_t>(width) * static_cast<size_t>(channels);
  std::vector<uint32_t> sum(stride);
  uint8_t* to = out.bytes().data();
  for (size_t y = 0; y < windows.first.size(); ++y, to += stride) {
    std::fill(sum.begin(), sum.end(), kHalf);
    const uint8_t* row = image.bytes().data() + static_cast<size_t>(windows.first[y]) * stride;
    for (int32_t i = 0; i < windows.count[y]; ++i, row += stride) {
      const int32_t weight = windows.weight[windows.offset[y] + static_cast<size_t>(i)];
      for (size_t x = 0; x < stride; ++x) sum[x] += static_cast<uint32_t>(row[x] * weight);
    }
    for (size_t x = 0; x < stride; ++x) to[x] = ToPixel(sum[x]);
  }
  return out;
}

// The input position of each output position; the library adds the step up, and so do its rounding errors.
std::vector<int32_t> NearestPositions(int32_t in, int32_t out) {
  const double scale = static_cast<double>(in) / out;
  std::vector<int32_t> positions;
  double position = scale * 0.5;
  for (int32_t d = 0; d < out; ++d, position += scale) {
    positions.push_back(std::min(static_cast<int32_t>(position), in - 1));
  }
  return positions;
}

Array Nearest(const Array& image, int32_t new_width, int32_t new_height) {
  const int32_t height = image.shape()[0], width = image.shape()[1], channels = image.shape()[2];
  const std::vector<int32_t> columns = NearestPositions(width, new_width), rows = NearestPositions(height, new_height);
  Array out(DType::kUInt8, Shape{new_height, new_width, channels});
  uint8_t* to = out.bytes().data();
  for (const int32_t y : rows) {
    const uint8_t* row = image.bytes().data() + static_cast<ptrdiff_t>(y) * width * channels;
    for (const int32_t x : columns) to = std::copy_n(row + static_cast<ptrdiff_t>(x) * channels, channels, to);
  }
  return out;
}

}  // namespace

Array ResizePillow(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel) {
  ASSAY_CHECK(image.dtype() == DType::kUInt8);
  const int32_t height = image.shape()[0], width = image.shape()[1];
  if (kernel == ResizeKernel::kNearest) return Nearest(image, new_width, new_height);
  const PillowKernel shape = PillowKernelOf(kernel);
  const bool wide = new_width != width, high = new_height != height;
  if (wide && high) {
    // Since version 13: rows first where the height shrinks by more than twice what the width does (in pixels).
    const bool rows_first = height > new_height && height - new_height > 2 * (int64_t{width} - new_width);
    return rows_first ? Horizontal(Vertical(image, new_height, shape), new_width, shape)
                      : Vertical(Horizontal(image, new_width, shape), new_height, shape);
  }
  if (wide) return Horizontal(image, new_width, shape);
  return high ? Vertical(image, new_height, shape) : image;
}

}  // namespace assay
