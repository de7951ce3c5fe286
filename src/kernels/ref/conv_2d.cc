#include "kernels/ref/conv_2d.h"

#include <algorithm>

#include "kernels/ref/dot.h"

namespace assay::kernels::ref {
namespace {

// The window of output pixel (oy, ox) from channel `channel` on, minus the zero point; 0 outside of the image.
template <typename T, typename P>
inline void Gather(const Conv2DGeometry& g, const T* image, int32_t oy, int32_t ox, int32_t channel, P zero_point,
                   P* patch) {
  for (int32_t ky = 0; ky < g.filter_h; ++ky) {
    const int64_t iy = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
    for (int32_t kx = 0; kx < g.filter_w; ++kx) {
      const int64_t ix = int64_t{ox} * g.stride_w - g.pad_w + int64_t{kx} * g.dilation_w;
      if (iy < 0 || iy >= g.input_h || ix < 0 || ix >= g.input_w) {
        std::fill_n(patch, g.filter_c, P{0});
      } else {
        const T* x = image + (iy * g.input_w + ix) * g.input_c + channel;
        for (int32_t c = 0; c < g.filter_c; ++c) patch[c] = static_cast<P>(static_cast<P>(x[c]) - zero_point);
      }
      patch += g.filter_c;
    }
  }
}

// Calls each(patch size, output channel, filter offset, output offset) for every output of one image, whose patch has
// been gathered; patch_ready() before those that share one.
template <typename T, typename P, typename Ready, typename Each>
inline void ForOutputs(const Conv2DGeometry& g, const T* image, P zero_point, P* patch, Ready&& patch_ready,
                       Each&& each) {
  const int64_t size = g.PatchSize();
  const int32_t groups = g.input_c / g.filter_c, group_outputs = g.output_c / groups;
  int64_t at = 0;
  for (int32_t oy = 0; oy < g.output_h; ++oy) {
    for (int32_t ox = 0; ox < g.output_w; ++ox) {
      for (int32_t group = 0; group < groups; ++group) {
        Gather(g, image, oy, ox, group * g.filter_c, zero_point, patch);
        patch_ready();
        for (int32_t k = 0; k < group_outputs; ++k) {
          const int32_t o = group * group_outputs + k;
          each(o, o * size, at++);
        }
      }
    }
  }
}

}  // namespace

void Conv2DFloat(const Conv2DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                 float high, double* patch, float* output) noexcept {
  const int64_t size = g.PatchSize();
  for (int32_t b = 0; b < g.batches; ++b) {
    float* y = output + b * g.OutputImageSize();
    ForOutputs(
        g, input + b * g.ImageSize(), 0.0, patch, [] {},
        [&](int32_t o, int64_t w, int64_t at) {
          const double sum = Dot(patch, filter + w, size) + (bias != nullptr ? static_cast<double>(bias[o]) : 0.0);
          y[at] = std::min(std::max(static_cast<float>(sum), low), high);
        });
  }
}

template <typename T, typename W>
void Conv2DQuantized(const Conv2DGeometry& g, const T* input, int32_t input_zero_point, const W* filter,
                     int32_t filter_zero_point, const int32_t* bias, const numerics::ChannelScale* scales,
                     const numerics::OutputStage& stage, int16_t* patch, T* output) noexcept {
  const int64_t size = g.PatchSize();
  for (int32_t b = 0; b < g.batches; ++b) {
    T* y = output + b * g.OutputImageSize();
    // sum x * (w - z) = sum x * w - z * sum x. All modulo 2^32, as the runtimes' sums wrap.
    uint32_t correction = 0;
    ForOutputs(
        g, input + b * g.ImageSize(), static_cast<int16_t>(input_zero_point), patch,
        [&] {
          if (filter_zero_point == 0) return;
          uint32_t sum = 0;
          for (int64_t i = 0; i < size; ++i) sum += static_cast<uint32_t>(int32_t{patch[i]});
          correction = sum * static_cast<uint32_t>(filter_zero_point);
        },
        [&](int32_t o, int64_t w, int64_t at) {
          const uint32_t start = bias != nullptr ? static_cast<uint32_t>(bias[o]) : 0;
          const uint32_t sum = start + Dot(patch, filter + w, size) - correction;
          y[at] = static_cast<T>(numerics::Requantize(static_cast<int32_t>(sum), scales[o], stage));
        });
  }
}

template void Conv2DQuantized<int8_t, int8_t>(const Conv2DGeometry&, const int8_t*, int32_t, const int8_t*, int32_t,
                                              const int32_t*, const numerics::ChannelScale*,
                                              const numerics::OutputStage&, int16_t*, int8_t*) noexcept;
template void Conv2DQuantized<uint8_t, uint8_t>(const Conv2DGeometry&, const uint8_t*, int32_t, const uint8_t*, int32_t,
                                                const int32_t*, const numerics::ChannelScale*,
                                                const numerics::OutputStage&, int16_t*, uint8_t*) noexcept;

template <typename Bias>
void Conv2DInt16(const Conv2DGeometry& g, const int16_t* input, const int8_t* filter, const Bias* bias,
                 const numerics::ChannelScale* scales, const numerics::OutputStage& stage, int16_t* patch,
                 int16_t* output) noexcept {
  const int64_t size = g.PatchSize();
  for (int32_t b = 0; b < g.batches; ++b) {
    int16_t* y = output + b * g.OutputImageSize();
    ForOutputs(
        g, input + b * g.ImageSize(), int16_t{0}, patch, [] {},
        [&](int32_t o, int64_t w, int64_t at) {
          const auto start = static_cast<uint64_t>(bias != nullptr ? int64_t{bias[o]} : 0);
          const auto sum = static_cast<int64_t>(start + static_cast<uint64_t>(DotWide(patch, filter + w, size)));
          y[at] = static_cast<int16_t>(numerics::RequantizeInt16<Bias>(sum, scales[o], stage));
        });
  }
}

template void Conv2DInt16<int32_t>(const Conv2DGeometry&, const int16_t*, const int8_t*, const int32_t*,
                                   const numerics::ChannelScale*, const numerics::OutputStage&, int16_t*,
                                   int16_t*) noexcept;
template void Conv2DInt16<int64_t>(const Conv2DGeometry&, const int16_t*, const int8_t*, const int64_t*,
                                   const numerics::ChannelScale*, const numerics::OutputStage&, int16_t*,
                                   int16_t*) noexcept;

void Conv2DHybrid(const Conv2DGeometry& g, const HybridRule& rule, const float* input, const int8_t* filter,
                  const float* filter_scales, const float* bias, float low, float high, int8_t* codes, int16_t* patch,
                  float* output) noexcept {
  const int64_t size = g.PatchSize();
  for (int32_t b = 0; b < g.batches; ++b) {
    float* y = output + b * g.OutputImageSize();
    const float* image = input + b * g.ImageSize();
    const DynamicRange range = QuantizeDynamically(rule.quantizer, {image, static_cast<size_t>(g.ImageSize())}, codes);
    ForOutputs(
        g, codes, static_cast<int16_t>(range.zero_point), patch, [] {},
        [&](int32_t o, int64_t w, int64_t at) {
          const auto sum = static_cast<int32_t>(Dot(patch, filter + w, size));
          const float value =
              HybridValue(rule.scaling, sum, range.scale, filter_scales[o], bias != nullptr ? bias[o] : 0.0f);
          y[at] = std::min(std::max(value, low), high);
        });
  }
}

}  // namespace assay::kernels::ref
