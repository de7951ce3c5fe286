#include "kernels/ref/transpose_conv.h"

#include <algorithm>

#include "kernels/ref/dot.h"

namespace assay::kernels::ref {
namespace {

// Gathers, minus the zero point, the pixels that reach output pixel (oy, ox), and the filter positions that carry them.
// Returns how many there are.
template <typename T, typename P>
inline int32_t Gather(const TransposeConvGeometry& g, const T* image, int32_t oy, int32_t ox, P zero_point, P* patch,
                      int32_t* taps) {
  int32_t count = 0;
  for (int32_t ky = 0; ky < g.filter_h; ++ky) {
    const int64_t y = int64_t{oy} + g.pad_h - ky;
    if (y < 0 || y % g.stride_h != 0 || y / g.stride_h >= g.input_h) continue;
    for (int32_t kx = 0; kx < g.filter_w; ++kx) {
      const int64_t x = int64_t{ox} + g.pad_w - kx;
      if (x < 0 || x % g.stride_w != 0 || x / g.stride_w >= g.input_w) continue;
      const T* pixel = image + (y / g.stride_h * g.input_w + x / g.stride_w) * g.input_c;
      for (int32_t c = 0; c < g.input_c; ++c) patch[c] = static_cast<P>(static_cast<P>(pixel[c]) - zero_point);
      patch += g.input_c;
      taps[count++] = ky * g.filter_w + kx;
    }
  }
  return count;
}

// Calls ready(number of taps) for every output pixel of one image, then each(output channel, sum, output offset); sum
// adds up dot(patch, weights) over the taps.
template <typename Sum, typename T, typename P, typename W, typename Inner, typename Ready, typename Each>
inline void ForOutputs(const TransposeConvGeometry& g, const T* image, P zero_point, const W* filter, P* patch,
                       int32_t* taps, Inner&& dot, Ready&& ready, Each&& each) {
  int64_t at = 0;
  for (int32_t oy = 0; oy < g.output_h; ++oy) {
    for (int32_t ox = 0; ox < g.output_w; ++ox) {
      const int32_t count = Gather(g, image, oy, ox, zero_point, patch, taps);
      ready(count);
      for (int32_t o = 0; o < g.output_c; ++o) {
        const W* w = filter + o * g.PatchSize();
        Sum sum = 0;
        for (int32_t t = 0; t < count; ++t) {
          sum += dot(patch + int64_t{t} * g.input_c, w + int64_t{taps[t]} * g.input_c, g.input_c);
        }
        each(o, sum, at++);
      }
    }
  }
}

constexpr auto kDot = [](const auto* x, const auto* w, int64_t count) { return Dot(x, w, count); };
constexpr auto kDotWide = [](const int16_t* x, const int8_t* w, int64_t count) {
  return static_cast<uint64_t>(DotWide(x, w, count));
};
constexpr auto kNothing = [](int32_t) {};

const numerics::OutputStage& StageAt(const TransposeConvStages& stages, int64_t channel, int64_t output) {
  return channel < stages.blocked_channels && output < stages.blocked_outputs ? stages.stage : stages.tail;
}

}  // namespace

void TransposeConvFloat(const TransposeConvGeometry& g, const float* input, const float* filter, const float* bias,
                        float low, float high, double* patch, int32_t* taps, float* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    float* y = output + b * g.OutputImageSize();
    ForOutputs<double>(g, input + b * g.ImageSize(), 0.0, filter, patch, taps, kDot, kNothing,
                       [&](int32_t o, double sum, int64_t at) {
                         const double value = sum + (bias != nullptr ? static_cast<double>(bias[o]) : 0.0);
                         y[at] = std::min(std::max(static_cast<float>(value), low), high);
                       });
  }
}

template <typename T>
void TransposeConvQuantized(const TransposeConvGeometry& g, const T* input, int32_t input_zero_point, const T* filter,
                            int32_t filter_zero_point, const int32_t* bias, const numerics::ChannelScale* scales,
                            const TransposeConvStages& stages, int16_t* patch, int32_t* taps, T* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    const int64_t first = b * g.OutputImageSize();
    uint32_t correction = 0;  // sum x * (w - z) = sum x * w - z * sum x
    ForOutputs<uint32_t>(
        g, input + b * g.ImageSize(), static_cast<int16_t>(input_zero_point), filter, patch, taps, kDot,
        [&](int32_t count) {
          if (filter_zero_point == 0) return;
          uint32_t sum = 0;
          for (int64_t i = 0; i < int64_t{count} * g.input_c; ++i) sum += static_cast<uint32_t>(int32_t{patch[i]});
          correction = sum * static_cast<uint32_t>(filter_zero_point);
        },
        [&](int32_t o, uint32_t sum, int64_t at) {
          sum += (bias != nullptr ? static_cast<uint32_t>(bias[o]) : 0) - correction;
          const numerics::OutputStage& stage = StageAt(stages, o, first + at);
          output[first + at] = static_cast<T>(numerics::Requantize(static_cast<int32_t>(sum), scales[o], stage));
        });
  }
}

template void TransposeConvQuantized<int8_t>(const TransposeConvGeometry&, const int8_t*, int32_t, const int8_t*,
                                             int32_t, const int32_t*, const numerics::ChannelScale*,
                                             const TransposeConvStages&, int16_t*, int32_t*, int8_t*) noexcept;
template void TransposeConvQuantized<uint8_t>(const TransposeConvGeometry&, const uint8_t*, int32_t, const uint8_t*,
                                              int32_t, const int32_t*, const numerics::ChannelScale*,
                                              const TransposeConvStages&, int16_t*, int32_t*, uint8_t*) noexcept;

template <typename Bias>
void TransposeConvInt16(const TransposeConvGeometry& g, const int16_t* input, const int8_t* filter, const Bias* bias,
                        const numerics::ChannelScale* scales, const TransposeConvStages& stages, int16_t* patch,
                        int32_t* taps, int16_t* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    const int64_t first = b * g.OutputImageSize();
    ForOutputs<uint64_t>(g, input + b * g.ImageSize(), int16_t{0}, filter, patch, taps, kDotWide, kNothing,
                         [&](int32_t o, uint64_t sum, int64_t at) {
                           const auto start = static_cast<uint64_t>(bias != nullptr ? int64_t{bias[o]} : 0);
                           const numerics::OutputStage& stage = StageAt(stages, o, first + at);
                           output[first + at] = static_cast<int16_t>(
                               numerics::RequantizeInt16<Bias>(static_cast<int64_t>(start + sum), scales[o], stage));
                         });
  }
}

template void TransposeConvInt16<int32_t>(const TransposeConvGeometry&, const int16_t*, const int8_t*, const int32_t*,
                                          const numerics::ChannelScale*, const TransposeConvStages&, int16_t*, int32_t*,
                                          int16_t*) noexcept;
template void TransposeConvInt16<int64_t>(const TransposeConvGeometry&, const int16_t*, const int8_t*, const int64_t*,
                                          const numerics::ChannelScale*, const TransposeConvStages&, int16_t*, int32_t*,
                                          int16_t*) noexcept;

void TransposeConvHybrid(const TransposeConvGeometry& g, const float* input, const int8_t* filter,
                         const float* filter_scales, const float* bias, float low, float high, int8_t* codes,
                         int16_t* patch, int32_t* taps, float* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    float* y = output + b * g.OutputImageSize();
    const DynamicRange range = QuantizeDynamically(
        DynamicQuantizer::kXnnpack, {input + b * g.ImageSize(), static_cast<size_t>(g.ImageSize())}, codes);
    ForOutputs<uint32_t>(g, codes, static_cast<int16_t>(range.zero_point), filter, patch, taps, kDot, kNothing,
                         [&](int32_t o, uint32_t sum, int64_t at) {
                           const float value =
                               HybridValue(HybridScaling::kFused, static_cast<int32_t>(sum), range.scale,
                                           filter_scales[o], bias != nullptr ? bias[o] : 0.0f);
                           y[at] = std::min(std::max(value, low), high);
                         });
  }
}

void TransposeConvHybridTermwise(const TransposeConvGeometry& g, const float* input, const int8_t* filter,
                                 const float* filter_scales, const float* bias, float low, float high, int8_t* codes,
                                 float* output) noexcept {
  const int64_t filter_size = g.PatchSize();
  for (int32_t b = 0; b < g.batches; ++b) {
    float* image = output + b * g.OutputImageSize();
    std::fill_n(image, g.OutputImageSize(), 0.0f);
    const DynamicRange range = QuantizeDynamically(
        DynamicQuantizer::kAsymmetric, {input + b * g.ImageSize(), static_cast<size_t>(g.ImageSize())}, codes);
    int64_t at = 0;
    for (int32_t iy = 0; iy < g.input_h; ++iy) {
      for (int32_t ix = 0; ix < g.input_w; ++ix) {
        for (int32_t c = 0; c < g.input_c; ++c) {
          const int32_t x = codes[at++] - range.zero_point;
          for (int32_t ky = 0; ky < g.filter_h; ++ky) {
            const int64_t oy = int64_t{iy} * g.stride_h - g.pad_h + ky;
            if (oy < 0 || oy >= g.output_h) continue;
            for (int32_t kx = 0; kx < g.filter_w; ++kx) {
              const int64_t ox = int64_t{ix} * g.stride_w - g.pad_w + kx;
              if (ox < 0 || ox >= g.output_w) continue;
              const int8_t* w = filter + (int64_t{ky} * g.filter_w + kx) * g.input_c + c;
              float* y = image + (oy * g.output_w + ox) * g.output_c;
              for (int32_t o = 0; o < g.output_c; ++o) {
                y[o] += static_cast<float>(x * w[o * filter_size]) * filter_scales[o] * range.scale;
              }
            }
          }
        }
      }
    }
    for (int64_t i = 0; i < g.OutputImageSize(); ++i) {
      const float value = image[i] + (bias != nullptr ? bias[i % g.output_c] : 0.0f);
      image[i] = std::min(std::max(value, low), high);
    }
  }
}

}  // namespace assay::kernels::ref
