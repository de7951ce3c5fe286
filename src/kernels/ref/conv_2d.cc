#include "kernels/ref/conv_2d.h"

#include <algorithm>

namespace assay::kernels::ref {
namespace {

// Calls row(input offset, filter offset) for every (ky, kx) of the window whose pixel lies inside of the input; both
// offsets point at filter_c consecutive channels.
template <typename Row>
inline void ForWindow(const Conv2DGeometry& g, int32_t b, int32_t oy, int32_t ox, int32_t o, Row&& row) {
  const int32_t group = o / (g.output_c / (g.input_c / g.filter_c));
  for (int32_t ky = 0; ky < g.filter_h; ++ky) {
    const int64_t iy = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
    if (iy < 0 || iy >= g.input_h) continue;
    for (int32_t kx = 0; kx < g.filter_w; ++kx) {
      const int64_t ix = int64_t{ox} * g.stride_w - g.pad_w + int64_t{kx} * g.dilation_w;
      if (ix < 0 || ix >= g.input_w) continue;
      row(((int64_t{b} * g.input_h + iy) * g.input_w + ix) * g.input_c + int64_t{group} * g.filter_c,
          ((int64_t{o} * g.filter_h + ky) * g.filter_w + kx) * g.filter_c);
    }
  }
}

template <typename Each>
inline void ForOutputs(const Conv2DGeometry& g, Each&& each) {
  int64_t at = 0;
  for (int32_t b = 0; b < g.batches; ++b) {
    for (int32_t oy = 0; oy < g.output_h; ++oy) {
      for (int32_t ox = 0; ox < g.output_w; ++ox) {
        for (int32_t o = 0; o < g.output_c; ++o) each(b, oy, ox, o, at++);
      }
    }
  }
}

}  // namespace

void Conv2DFloat(const Conv2DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                 float high, float* output) noexcept {
  ForOutputs(g, [&](int32_t b, int32_t oy, int32_t ox, int32_t o, int64_t at) {
    double sum = bias != nullptr ? static_cast<double>(bias[o]) : 0.0;
    ForWindow(g, b, oy, ox, o, [&](int64_t x, int64_t w) {
      for (int32_t c = 0; c < g.filter_c; ++c) {
        sum += static_cast<double>(input[x + c]) * static_cast<double>(filter[w + c]);
      }
    });
    output[at] = std::min(std::max(static_cast<float>(sum), low), high);
  });
}

template <typename T, typename W>
void Conv2DQuantized(const Conv2DGeometry& g, const T* input, int32_t input_zero_point, const W* filter,
                     int32_t filter_zero_point, const int32_t* bias, const numerics::ChannelScale* scales,
                     const numerics::OutputStage& stage, T* output) noexcept {
  ForOutputs(g, [&](int32_t b, int32_t oy, int32_t ox, int32_t o, int64_t at) {
    // Unsigned: sums wrap as the runtimes' do instead of overflowing.
    uint32_t sum = bias != nullptr ? static_cast<uint32_t>(bias[o]) : 0;
    ForWindow(g, b, oy, ox, o, [&](int64_t x, int64_t w) {
      int32_t part = 0;
      for (int32_t c = 0; c < g.filter_c; ++c) {
        part += (static_cast<int32_t>(input[x + c]) - input_zero_point) *
                (static_cast<int32_t>(filter[w + c]) - filter_zero_point);
      }
      sum += static_cast<uint32_t>(part);
    });
    output[at] = static_cast<T>(numerics::Requantize(static_cast<int32_t>(sum), scales[o], stage));
  });
}

template void Conv2DQuantized<int8_t, int8_t>(const Conv2DGeometry&, const int8_t*, int32_t, const int8_t*, int32_t,
                                              const int32_t*, const numerics::ChannelScale*,
                                              const numerics::OutputStage&, int8_t*) noexcept;
template void Conv2DQuantized<uint8_t, uint8_t>(const Conv2DGeometry&, const uint8_t*, int32_t, const uint8_t*, int32_t,
                                                const int32_t*, const numerics::ChannelScale*,
                                                const numerics::OutputStage&, uint8_t*) noexcept;

template <typename Bias>
void Conv2DInt16(const Conv2DGeometry& g, const int16_t* input, const int8_t* filter, const Bias* bias,
                 const numerics::ChannelScale* scales, const numerics::OutputStage& stage, int16_t* output) noexcept {
  ForOutputs(g, [&](int32_t b, int32_t oy, int32_t ox, int32_t o, int64_t at) {
    int64_t sum = bias != nullptr ? static_cast<int64_t>(bias[o]) : 0;
    ForWindow(g, b, oy, ox, o, [&](int64_t x, int64_t w) {
      int64_t part = 0;
      for (int32_t c = 0; c < g.filter_c; ++c) part += int32_t{input[x + c]} * int32_t{filter[w + c]};
      sum = static_cast<int64_t>(static_cast<uint64_t>(sum) + static_cast<uint64_t>(part));
    });
    output[at] = static_cast<int16_t>(numerics::RequantizeInt16<Bias>(sum, scales[o], stage));
  });
}

template void Conv2DInt16<int32_t>(const Conv2DGeometry&, const int16_t*, const int8_t*, const int32_t*,
                                   const numerics::ChannelScale*, const numerics::OutputStage&, int16_t*) noexcept;
template void Conv2DInt16<int64_t>(const Conv2DGeometry&, const int16_t*, const int8_t*, const int64_t*,
                                   const numerics::ChannelScale*, const numerics::OutputStage&, int16_t*) noexcept;

void Conv2DAccumulate(const Conv2DGeometry& g, const int8_t* input, const int32_t* zero_point_of_batch,
                      const int8_t* filter, int32_t* accumulators) noexcept {
  ForOutputs(g, [&](int32_t b, int32_t oy, int32_t ox, int32_t o, int64_t at) {
    uint32_t sum = 0;
    ForWindow(g, b, oy, ox, o, [&](int64_t x, int64_t w) {
      int32_t part = 0;
      for (int32_t c = 0; c < g.filter_c; ++c) {
        part += (static_cast<int32_t>(input[x + c]) - zero_point_of_batch[b]) * static_cast<int32_t>(filter[w + c]);
      }
      sum += static_cast<uint32_t>(part);
    });
    accumulators[at] = static_cast<int32_t>(sum);
  });
}

}  // namespace assay::kernels::ref
