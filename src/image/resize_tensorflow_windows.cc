// TensorFlow 2's resizing by windows of a sampled kernel (its scale_and_translate operator): lanczos, gaussian,
// mitchell, and everything with antialias, which widens the kernel when shrinking. Rows first, then columns, all in
// float32.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "image/resize.h"

namespace assay {
namespace {

struct SampledKernel {
  float radius;
  float (*at)(float x, float radius);  // for x >= 0
};

float LanczosAt(float x, float radius) {
  constexpr float kPi = 3.14159265359F;
  if (x > radius) return 0.0F;
  if (x <= 1e-3) return 1.0F;
  return radius * std::sin(kPi * x) * std::sin(kPi * x / radius) / (kPi * kPi * x * x);
}

float GaussianAt(float x, float radius) {
  const float sigma = radius / 3.0F;
  if (x >= radius) return 0.0F;
  return static_cast<float>(std::exp(-x * x / (2.0 * sigma * sigma)));
}

float TriangleAt(float x, float /*radius*/) { return x < 1.0F ? 1.0F - x : 0.0F; }

float KeysAt(float x, float /*radius*/) {
  if (x >= 2.0F) return 0.0F;
  if (x >= 1.0F) return ((-0.5F * x + 2.5F) * x - 4.0F) * x + 2.0F;
  return ((1.5F * x - 2.5F) * x) * x + 1.0F;
}

float MitchellAt(float x, float /*radius*/) {
  if (x >= 2.0F) return 0.0F;
  if (x >= 1.0F) return (((-7.0F / 18.0F) * x + 2.0F) * x - 10.0F / 3.0F) * x + 16.0F / 9.0F;
  return (((7.0F / 6.0F) * x - 2.0F) * x) * x + 8.0F / 9.0F;
}

SampledKernel SampledKernelOf(ResizeKernel kernel) {
  switch (kernel) {
    case ResizeKernel::kLanczos3:
      return {3.0F, LanczosAt};
    case ResizeKernel::kLanczos5:
      return {5.0F, LanczosAt};
    case ResizeKernel::kGaussian:
      return {1.5F, GaussianAt};
    case ResizeKernel::kMitchell:
      return {2.0F, MitchellAt};
    case ResizeKernel::kCubic:
      return {2.0F, KeysAt};
    default:
      return {1.0F, TriangleAt};
  }
}

// For each output position: the first input of its window and the window's weights. A window without weights gives 0.
struct Window {
  size_t first;
  std::vector<float> weight;
};

std::vector<Window> BuildWindows(int32_t in, int32_t out, const SampledKernel& kernel, bool antialias) {
  const float scale = static_cast<float>(out) / static_cast<float>(in);
  const float inverse_scale = 1.0F / scale;
  const float widening = antialias ? std::max(inverse_scale, 1.0F) : 1.0F;
  const float inverse_widening = 1.0F / widening;
  std::vector<Window> windows;
  for (int32_t x = 0; x < out; ++x) {
    const float center = (static_cast<float>(x) + 0.5F) * inverse_scale;
    Window window{0, {}};
    if (center >= 0 && center <= static_cast<float>(in)) {
      const auto last_input = static_cast<float>(in - 1);
      const auto first =
          static_cast<int32_t>(std::clamp(std::ceil(center - kernel.radius * widening - 0.5F), 0.0F, last_input));
      const auto last =
          static_cast<int32_t>(std::clamp(std::floor(center + kernel.radius * widening - 0.5F), 0.0F, last_input));
      float sum = 0.0F;
      for (int32_t source = first; source <= last; ++source) {
        const float distance = static_cast<float>(source) + 0.5F - center;
        window.weight.push_back(kernel.at(std::abs(distance * inverse_widening), kernel.radius));
        sum += window.weight.back();
      }
      window.first = static_cast<size_t>(first);
      if (std::abs(sum) >= 1000.0F * std::numeric_limits<float>::min()) {
        const float inverse_sum = 1.0F / sum;
        for (float& weight : window.weight) weight *= inverse_sum;
      } else {
        window.weight.clear();
      }
    }
    windows.push_back(std::move(window));
  }
  return windows;
}

template <typename T>
void Rows(const T* from, size_t stride, const std::vector<Window>& windows, float* to) {
  for (const Window& window : windows) {
    const T* row = from + window.first * stride;
    for (const float weight : window.weight) {
      for (size_t i = 0; i < stride; ++i) to[i] += weight * static_cast<float>(row[i]);
      row += stride;
    }
    to += stride;
  }
}

template <int kChannels>
void Columns(const float* from, int32_t rows, size_t stride, const std::vector<Window>& windows, float* to) {
  for (int32_t y = 0; y < rows; ++y, from += stride) {
    for (const Window& window : windows) {
      const float* pixel = from + window.first * kChannels;
      float sum[kChannels] = {};
      for (const float weight : window.weight) {
        for (int c = 0; c < kChannels; ++c) sum[c] += weight * pixel[c];
        pixel += kChannels;
      }
      to = std::copy_n(sum, kChannels, to);
    }
  }
}

}  // namespace

Array ResizeTensorflowWindows(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel,
                              bool antialias) {
  const int32_t height = image.shape()[0], width = image.shape()[1], channels = image.shape()[2];
  const SampledKernel shape = SampledKernelOf(kernel);
  const std::vector<Window> rows = BuildWindows(height, new_height, shape, antialias);
  const std::vector<Window> columns = BuildWindows(width, new_width, shape, antialias);
  Array middle(DType::kFloat32, Shape{new_height, width, channels});
  Array out(DType::kFloat32, Shape{new_height, new_width, channels});
  const size_t stride = static_cast<size_t>(width) * static_cast<size_t>(channels);
  float* between = middle.values<float>().data();
  if (image.dtype() == DType::kUInt8) {
    Rows(image.values<uint8_t>().data(), stride, rows, between);
  } else {
    Rows(image.values<float>().data(), stride, rows, between);
  }
  if (channels == 3) {
    Columns<3>(between, new_height, stride, columns, out.values<float>().data());
  } else {
    Columns<1>(between, new_height, stride, columns, out.values<float>().data());
  }
  return out;
}

}  // namespace assay
