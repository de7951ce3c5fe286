#include "kernels/ref/depthwise_conv_2d.h"

#include <algorithm>

namespace assay::kernels::ref {
namespace {

// Calls each(sums, output offset) for every output pixel of one image, after start(sums) and add(sum, x, w) for every
// product.
template <typename T, typename W, typename Sum, typename Start, typename Add, typename Each>
inline void ForPixels(const Conv2DGeometry& g, const T* image, const W* filter, Sum* sums, Start&& start, Add&& add,
                      Each&& each) {
  const int32_t multiplier = g.output_c / g.input_c;
  int64_t at = 0;
  for (int32_t oy = 0; oy < g.output_h; ++oy) {
    for (int32_t ox = 0; ox < g.output_w; ++ox) {
      start(sums);
      for (int32_t ky = 0; ky < g.filter_h; ++ky) {
        const int64_t iy = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
        if (iy < 0 || iy >= g.input_h) continue;
        for (int32_t kx = 0; kx < g.filter_w; ++kx) {
          const int64_t ix = int64_t{ox} * g.stride_w - g.pad_w + int64_t{kx} * g.dilation_w;
          if (ix < 0 || ix >= g.input_w) continue;
          const T* x = image + (iy * g.input_w + ix) * g.input_c;
          const W* w = filter + (int64_t{ky} * g.filter_w + kx) * g.output_c;
          if (multiplier == 1) {
            for (int32_t c = 0; c < g.input_c; ++c) add(sums[c], x[c], w[c]);
          } else {
            for (int32_t c = 0; c < g.input_c; ++c) {
              for (int32_t k = 0; k < multiplier; ++k) add(sums[c * multiplier + k], x[c], w[c * multiplier + k]);
            }
          }
        }
      }
      each(sums, at);
      at += g.output_c;
    }
  }
}

// Sums of 8-bit products modulo 2^32. The differences fit 16 bits, which tells compilers to multiply 16-bit lanes.
template <typename T, typename W>
struct AddCodes {
  int16_t x_zero, w_zero;
  void operator()(uint32_t& sum, T x, W w) const {
    const auto a = static_cast<int16_t>(x - x_zero);
    const auto b = static_cast<int16_t>(w - w_zero);
    sum += static_cast<uint32_t>(static_cast<int32_t>(a) * static_cast<int32_t>(b));
  }
};

}  // namespace

void DepthwiseConv2DFloat(const Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                          float low, float high, double* sums, float* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    float* y = output + b * g.OutputImageSize();
    ForPixels(
        g, input + b * g.ImageSize(), filter, sums,
        [&](double* s) {
          for (int32_t c = 0; c < g.output_c; ++c) s[c] = bias != nullptr ? static_cast<double>(bias[c]) : 0.0;
        },
        [](double& sum, float x, float w) { sum += static_cast<double>(x) * static_cast<double>(w); },
        [&](const double* s, int64_t at) {
          for (int32_t c = 0; c < g.output_c; ++c) {
            y[at + c] = std::min(std::max(static_cast<float>(s[c]), low), high);
          }
        });
  }
}

template <typename T>
void DepthwiseConv2DQuantized(const Conv2DGeometry& g, const T* input, int32_t input_zero_point, const T* filter,
                              int32_t filter_zero_point, const int32_t* bias, const numerics::ChannelScale* scales,
                              const DepthwiseStages& stages, uint32_t* sums, T* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    T* y = output + b * g.OutputImageSize();
    ForPixels(
        g, input + b * g.ImageSize(), filter, sums,
        [&](uint32_t* s) {
          for (int32_t c = 0; c < g.output_c; ++c) s[c] = bias != nullptr ? static_cast<uint32_t>(bias[c]) : 0;
        },
        AddCodes<T, T>{static_cast<int16_t>(input_zero_point), static_cast<int16_t>(filter_zero_point)},
        [&](const uint32_t* s, int64_t at) {
          for (int32_t c = 0; c < g.output_c; ++c) {
            const numerics::OutputStage& stage = c < stages.blocked_channels ? stages.stage : stages.tail;
            y[at + c] = static_cast<T>(numerics::Requantize(static_cast<int32_t>(s[c]), scales[c], stage));
          }
        });
  }
}

template void DepthwiseConv2DQuantized<int8_t>(const Conv2DGeometry&, const int8_t*, int32_t, const int8_t*, int32_t,
                                               const int32_t*, const numerics::ChannelScale*, const DepthwiseStages&,
                                               uint32_t*, int8_t*) noexcept;
template void DepthwiseConv2DQuantized<uint8_t>(const Conv2DGeometry&, const uint8_t*, int32_t, const uint8_t*, int32_t,
                                                const int32_t*, const numerics::ChannelScale*, const DepthwiseStages&,
                                                uint32_t*, uint8_t*) noexcept;

void DepthwiseConv2DInt16(const Conv2DGeometry& g, const int16_t* input, const int8_t* filter, const int64_t* bias,
                          const numerics::ChannelScale* scales, const numerics::OutputStage& stage, int64_t* sums,
                          int16_t* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    int16_t* y = output + b * g.OutputImageSize();
    ForPixels(
        g, input + b * g.ImageSize(), filter, sums, [&](int64_t* s) { std::fill_n(s, g.output_c, int64_t{0}); },
        [](int64_t& sum, int16_t x, int8_t w) { sum += int32_t{x} * int32_t{w}; },
        [&](const int64_t* s, int64_t at) {
          for (int32_t c = 0; c < g.output_c; ++c) {
            const auto start = static_cast<uint64_t>(bias != nullptr ? bias[c] : 0);
            const auto sum = static_cast<int64_t>(start + static_cast<uint64_t>(s[c]));
            y[at + c] = static_cast<int16_t>(numerics::RequantizeInt16<int64_t>(sum, scales[c], stage));
          }
        });
  }
}

void DepthwiseConv2DHybrid(const Conv2DGeometry& g, const DepthwiseHybridRule& rule, const float* input,
                           const int8_t* filter, const float* filter_scales, const float* bias, float low, float high,
                           int8_t* codes, uint32_t* sums, float* output) noexcept {
  for (int32_t b = 0; b < g.batches; ++b) {
    float* y = output + b * g.OutputImageSize();
    const DynamicRange range =
        QuantizeDynamically(rule.quantizer, {input + b * g.ImageSize(), static_cast<size_t>(g.ImageSize())}, codes);
    ForPixels(
        g, codes, filter, sums, [&](uint32_t* s) { std::fill_n(s, g.output_c, 0U); },
        AddCodes<int8_t, int8_t>{static_cast<int16_t>(range.zero_point), 0},
        [&](const uint32_t* s, int64_t at) {
          for (int32_t c = 0; c < g.output_c; ++c) {
            const float value =
                HybridValue(c < rule.blocked_channels ? rule.blocks : rule.tail, static_cast<int32_t>(s[c]),
                            range.scale, filter_scales[c], bias != nullptr ? bias[c] : 0.0f);
            y[at + c] = std::min(std::max(value, low), high);
          }
        });
  }
}

}  // namespace assay::kernels::ref
