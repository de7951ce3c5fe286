#include "kernels/simd/depthwise_conv_2d.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/depthwise_conv_2d.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/dot8-inl.h"
#include "kernels/simd/requantize-inl.h"

#ifndef ASSAY_KERNELS_SIMD_DEPTHWISE_CONV_2D_ONCE_
#define ASSAY_KERNELS_SIMD_DEPTHWISE_CONV_2D_ONCE_
namespace assay::kernels::simd {
namespace {

constexpr size_t kTaps = 4;   // of one dot product
constexpr size_t kLane = 16;  // bytes that interleaving keeps together

// Channels are cut into chunks: as many full vectors as fit, then halves of them down to one lane of 16.
size_t ChunkWidth(size_t left, size_t full_width) {
  size_t width = full_width;
  while (width > kLane && width > left) width /= 2;
  return width;
}

size_t TapGroups(size_t taps) { return (taps + kTaps - 1) / kTaps; }

}  // namespace
}  // namespace assay::kernels::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

size_t VectorBytes() { return hn::Lanes(hn::CappedTag<uint8_t, 64>()); }

// Byte 4j+i of every 16 from the low byte of lane i of y[j].
template <class D32>
HWY_INLINE hn::Vec<hn::Repartition<uint8_t, D32>> GatherLowBytes(D32 d, const hn::Vec<D32> (&y)[4]) {
  const hn::Repartition<uint8_t, D32> d8;
  const auto byte = hn::Set(d, 0xFF);
  const auto low = hn::Or(hn::And(y[0], byte), hn::ShiftLeft<8>(hn::And(y[1], byte)));
  const auto high = hn::Or(hn::ShiftLeft<16>(hn::And(y[2], byte)), hn::ShiftLeft<24>(y[3]));
  alignas(16) static constexpr uint8_t kOrder[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  return hn::TableLookupBytes(hn::BitCast(d8, hn::Or(low, high)), hn::LoadDup128(d8, kOrder));
}

struct Pixel {
  const uint8_t* const* taps;  // of all groups, the missing ones of the last included
  uintptr_t end;               // of the input's memory
  uint8_t flip;
  int32_t last_taps;  // bytes of 1 for the taps that the last group really has
};

// kWidth channels (count of them real) of one output pixel.
template <size_t kWidth, numerics::Rounding kRounding, bool kTapSums>
HWY_INLINE void ComputeChunk(const Depthwise8Bit& f, const Pixel& pixel, size_t groups, size_t channel, size_t count,
                             size_t padded_channel, const int8_t* HWY_RESTRICT weights, uint8_t* HWY_RESTRICT out) {
  const hn::CappedTag<uint8_t, kWidth> d8;
  const hn::Repartition<uint16_t, decltype(d8)> d16;
  const hn::Repartition<int32_t, decltype(d8)> d32;
  using V32 = hn::Vec<decltype(d32)>;
  constexpr size_t kLanes32 = kWidth / 4;
  V32 sums[4], tap_sums[4];
  for (size_t j = 0; j < 4; ++j) {
    sums[j] = hn::LoadU(d32, f.offsets + padded_channel + j * kLanes32);
    if constexpr (kTapSums) tap_sums[j] = hn::Zero(d32);
  }
  const auto flip = hn::Set(d8, pixel.flip);
  HWY_ALIGN uint8_t edge[kTaps][kWidth];
  for (size_t g = 0; g < groups; ++g) {
    hn::Vec<decltype(d8)> x[kTaps];
    for (size_t t = 0; t < kTaps; ++t) {
      const uint8_t* from = pixel.taps[g * kTaps + t] + channel;
      if (HWY_UNLIKELY(count < kWidth && pixel.end - reinterpret_cast<uintptr_t>(from) < kWidth)) {
        std::memset(edge[t], 0, kWidth);
        std::memcpy(edge[t], from, count);
        from = edge[t];
      }
      x[t] = hn::Xor(hn::LoadU(d8, from), flip);
    }
    const auto first_low = hn::BitCast(d16, hn::InterleaveLower(d8, x[0], x[1]));
    const auto first_high = hn::BitCast(d16, hn::InterleaveUpper(d8, x[0], x[1]));
    const auto second_low = hn::BitCast(d16, hn::InterleaveLower(d8, x[2], x[3]));
    const auto second_high = hn::BitCast(d16, hn::InterleaveUpper(d8, x[2], x[3]));
    const V32 quads[4] = {hn::BitCast(d32, hn::InterleaveLower(d16, first_low, second_low)),
                          hn::BitCast(d32, hn::InterleaveUpper(d16, first_low, second_low)),
                          hn::BitCast(d32, hn::InterleaveLower(d16, first_high, second_high)),
                          hn::BitCast(d32, hn::InterleaveUpper(d16, first_high, second_high))};
    const auto ones = SplitSigned(d32, hn::Set(d32, g + 1 == groups ? pixel.last_taps : 0x01010101));
    for (size_t j = 0; j < 4; ++j) {
      const hn::Repartition<int8_t, decltype(d8)> ds8;
      const auto w = SplitSigned(d32, hn::BitCast(d32, hn::LoadU(ds8, weights + (g * 4 + j) * kWidth)));
      sums[j] = Dot4(d32, sums[j], quads[j], w);
      if constexpr (kTapSums) tap_sums[j] = Dot4(d32, tap_sums[j], quads[j], ones);
    }
  }
  V32 y[4];
  for (size_t j = 0; j < 4; ++j) {
    if constexpr (kTapSums) sums[j] = hn::Add(sums[j], hn::Mul(tap_sums[j], hn::Set(d32, f.tap_sum_factor)));
    y[j] = Requantizer<kRounding, decltype(d32)>(f.scales, f.stage, padded_channel + j * kLanes32)(sums[j]);
  }
  const auto bytes = GatherLowBytes(d32, y);
  if (count >= kWidth) {
    hn::StoreU(bytes, d8, out);
  } else {
    hn::Store(bytes, d8, edge[0]);
    std::memcpy(out, edge[0], count);
  }
}

template <numerics::Rounding kRounding, bool kTapSums>
HWY_NOINLINE void ComputePixel(const Depthwise8Bit& f, const Pixel& pixel, size_t channels, size_t groups,
                               uint8_t* out) {
  constexpr size_t kFull = hn::MaxLanes(hn::CappedTag<uint8_t, 64>());
  const int8_t* weights = f.weights;
  size_t channel = 0, padded = 0;
  while (channel < channels) {
    const size_t width = ChunkWidth(channels - channel, kFull);
    const size_t count = std::min(width, channels - channel);
    const auto compute = [&]<size_t kWidth>(std::integral_constant<size_t, kWidth>) HWY_ATTR {
      ComputeChunk<kWidth, kRounding, kTapSums>(f, pixel, groups, channel, count, padded, weights, out + channel);
    };
    if (width == kFull) {
      compute(std::integral_constant<size_t, kFull>());
    } else if (width == kLane) {
      compute(std::integral_constant<size_t, kLane>());
    } else {
      compute(std::integral_constant<size_t, std::min<size_t>(32, kFull)>());
    }
    weights += groups * kTaps * width;
    padded += width;
    channel += count;
  }
}

using PixelFn = void (*)(const Depthwise8Bit&, const Pixel&, size_t, size_t, uint8_t*);
template <bool kTapSums>
PixelFn FindPixelFn(numerics::Rounding rounding) {
  switch (rounding) {
    case numerics::Rounding::kFixedHalfAway:
      return ComputePixel<numerics::Rounding::kFixedHalfAway, kTapSums>;
    case numerics::Rounding::kFixedHalfUp:
      return ComputePixel<numerics::Rounding::kFixedHalfUp, kTapSums>;
    case numerics::Rounding::kFloatHalfEven:
      return ComputePixel<numerics::Rounding::kFloatHalfEven, kTapSums>;
    case numerics::Rounding::kDoubleHalfAway:
      return ComputePixel<numerics::Rounding::kDoubleHalfAway, kTapSums>;
  }
  return nullptr;
}

void Compute(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t outside_code,
             const Depthwise8Bit& f, uint8_t* scratch, uint8_t* output) {
  const auto channels = static_cast<size_t>(g.input_c);
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w);
  const size_t groups = TapGroups(taps);
  const auto** pointers = reinterpret_cast<const uint8_t**>(scratch);
  uint8_t* outside = scratch + groups * kTaps * sizeof(uint8_t*);
  std::memset(outside, outside_code, channels + 64);
  for (size_t t = taps; t < groups * kTaps; ++t) pointers[t] = outside;  // their weights are 0
  const size_t image = static_cast<size_t>(g.ImageSize());
  Pixel pixel = {pointers, reinterpret_cast<uintptr_t>(input) + static_cast<size_t>(g.batches) * image,
                 static_cast<uint8_t>(is_signed ? 0x80 : 0), 0x01010101 >> (groups * kTaps - taps) * 8};
  const PixelFn compute =
      f.tap_sum_factor != 0 ? FindPixelFn<true>(f.stage.rounding) : FindPixelFn<false>(f.stage.rounding);
  for (int32_t b = 0; b < g.batches; ++b, input += image) {
    for (int32_t oy = 0; oy < g.output_h; ++oy) {
      for (int32_t ox = 0; ox < g.output_w; ++ox, output += channels) {
        size_t t = 0;
        for (int32_t ky = 0; ky < g.filter_h; ++ky) {
          const int64_t y = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
          const bool inside_h = y >= 0 && y < g.input_h;
          const uint8_t* line =
              input + static_cast<size_t>(inside_h ? y : 0) * static_cast<size_t>(g.input_w) * channels;
          int64_t x = int64_t{ox} * g.stride_w - g.pad_w;
          for (int32_t kx = 0; kx < g.filter_w; ++kx, x += g.dilation_w) {
            pointers[t++] = inside_h && x >= 0 && x < g.input_w ? line + static_cast<size_t>(x) * channels : outside;
          }
        }
        compute(f, pixel, channels, groups, output);
      }
    }
  }
}

struct FloatTap {
  const float *x, *w;  // of channel 0
};

template <class D>
HWY_INLINE void ComputeFloats(D d, std::span<const FloatTap> taps, const float* bias, size_t c, float low, float high,
                              float* out) {
  auto sum = bias == nullptr ? hn::Zero(d) : hn::LoadU(d, bias + c);
  for (const FloatTap& tap : taps) sum = hn::MulAdd(hn::LoadU(d, tap.x + c), hn::LoadU(d, tap.w + c), sum);
  const auto vlow = hn::Set(d, low), vhigh = hn::Set(d, high);
  const auto limited = hn::IfThenElse(hn::Gt(sum, vhigh), vhigh, sum);
  hn::StoreU(hn::IfThenElse(hn::Lt(sum, vlow), vlow, limited), d, out + c);
}

void ComputeFloat(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                  float high, uint8_t* scratch, float* output) {
  const auto channels = static_cast<size_t>(g.input_c);
  auto* taps = reinterpret_cast<FloatTap*>(scratch);
  const hn::CappedTag<float, kChannelBlock> d;
  const hn::CappedTag<float, 1> d1;
  for (int32_t b = 0; b < g.batches; ++b, input += g.ImageSize()) {
    for (int32_t oy = 0; oy < g.output_h; ++oy) {
      for (int32_t ox = 0; ox < g.output_w; ++ox, output += channels) {
        size_t count = 0;
        for (int32_t ky = 0; ky < g.filter_h; ++ky) {
          const int64_t y = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
          if (y < 0 || y >= g.input_h) continue;
          for (int32_t kx = 0; kx < g.filter_w; ++kx) {
            const int64_t x = int64_t{ox} * g.stride_w - g.pad_w + int64_t{kx} * g.dilation_w;
            if (x < 0 || x >= g.input_w) continue;
            taps[count++] = {input + (y * g.input_w + x) * g.input_c,
                             filter + (int64_t{ky} * g.filter_w + kx) * g.output_c};
          }
        }
        const std::span<const FloatTap> inside(taps, count);
        size_t c = 0;
        for (; c + hn::Lanes(d) <= channels; c += hn::Lanes(d)) ComputeFloats(d, inside, bias, c, low, high, output);
        for (; c < channels; ++c) ComputeFloats(d1, inside, bias, c, low, high, output);
      }
    }
  }
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(VectorBytes);
HWY_EXPORT(Compute);

DepthwiseLayout::DepthwiseLayout(size_t channels, size_t taps) noexcept
    : channels_(channels), groups_(TapGroups(taps)), full_width_(HWY_DYNAMIC_DISPATCH(VectorBytes)()) {
  for (size_t c = 0; c < channels;) {
    const size_t width = ChunkWidth(channels - c, full_width_);
    padded_channels_ += width;
    c += width;
  }
  weight_bytes_ = padded_channels_ * groups_ * kTaps;
}

// Of every 16 channels, vector j of the chunk's four holds 4j to 4j+3.
DepthwiseLayout::Place DepthwiseLayout::Find(size_t c) const noexcept {
  size_t begin = c / full_width_ * full_width_;
  size_t width = ChunkWidth(channels_ - begin, full_width_);
  while (c - begin >= width) {
    begin += width;
    width = ChunkWidth(channels_ - begin, full_width_);
  }
  const size_t local = c - begin;
  return {begin, width, local % kLane / 4 * (width / 4) + local / kLane * 4 + local % 4};
}

size_t DepthwiseLayout::ChannelAt(size_t c) const noexcept {
  const Place place = Find(c);
  return place.chunk_begin + place.lane;
}

size_t DepthwiseLayout::WeightAt(size_t c, size_t t) const noexcept {
  const Place place = Find(c);
  return place.chunk_begin * groups_ * kTaps + t / kTaps * kTaps * place.chunk_width + place.lane * kTaps + t % kTaps;
}

size_t DepthwiseConv2D8BitScratch(const ref::Conv2DGeometry& g) noexcept {
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w);
  return TapGroups(taps) * kTaps * sizeof(uint8_t*) + static_cast<size_t>(g.input_c) + 64;
}

void DepthwiseConv2D8Bit(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t input_zero_point,
                         const Depthwise8Bit& filter, uint8_t* scratch, uint8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(Compute)(g, input, is_signed, input_zero_point, filter, scratch, output);
}

HWY_EXPORT(ComputeFloat);

size_t DepthwiseConv2DFloatScratch(const ref::Conv2DGeometry& g) noexcept {
  return static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w) * 2 * sizeof(float*);
}

void DepthwiseConv2DFloat(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                          float low, float high, uint8_t* scratch, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ComputeFloat)(g, input, filter, bias, low, high, scratch, output);
}

}  // namespace assay::kernels::simd
#endif
