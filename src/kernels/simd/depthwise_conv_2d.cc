#include "kernels/simd/depthwise_conv_2d.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/depthwise_conv_2d.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/codes-inl.h"
#include "kernels/simd/dot8-inl.h"
#include "kernels/simd/image_strip.h"

#ifndef ASSAY_KERNELS_SIMD_DEPTHWISE_CONV_2D_ONCE_
#define ASSAY_KERNELS_SIMD_DEPTHWISE_CONV_2D_ONCE_
namespace assay::kernels::simd {
namespace {

constexpr size_t kTaps = 4;   // of one dot product
constexpr size_t kLane = 16;  // bytes that interleaving keeps together
constexpr size_t kSegmentPixels = 32;

// Channels are cut into chunks: as many full vectors as fit, then halves of them down to one lane of 16.
size_t ChunkWidth(size_t left, size_t full_width) {
  size_t width = full_width;
  while (width > kLane && width > left) width /= 2;
  return width;
}

size_t TapGroups(size_t taps) { return (taps + kTaps - 1) / kTaps; }

// How several neighbouring pixels are taken at once.
struct FlatPlan {
  explicit FlatPlan(const ref::Conv2DGeometry& g) {
    constexpr size_t kStripBytes = size_t{24} << 10;
    const size_t reach = static_cast<size_t>(g.filter_h - 1) * static_cast<size_t>(g.dilation_h) + 1;
    strip_w = static_cast<size_t>(g.output_w) + static_cast<size_t>(g.filter_w - 1) * static_cast<size_t>(g.dilation_w);
    line_bytes = strip_w * static_cast<size_t>(g.input_c);
    const size_t fitting = std::max(kStripBytes / line_bytes, reach);
    rows = std::min((fitting - reach) / static_cast<size_t>(g.stride_h) + 1, static_cast<size_t>(g.output_h));
    strip_bytes = ((rows - 1) * static_cast<size_t>(g.stride_h) + reach) * line_bytes;
  }
  size_t strip_w, line_bytes;
  size_t rows;  // of output that one strip serves
  size_t strip_bytes;
};

size_t PointerBytes(size_t taps) { return kSegmentPixels * TapGroups(taps) * kTaps * sizeof(uint8_t*); }

}  // namespace
}  // namespace assay::kernels::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

size_t VectorBytes() { return hn::Lanes(hn::CappedTag<uint8_t, 64>()); }

// What a chunk's sums become: codes.
template <numerics::Rounding kRounding, class D32>
class ToCodes {
 public:
  using Output = uint8_t;
  static constexpr size_t kLanes = hn::MaxLanes(D32());

  HWY_INLINE ToCodes(const Depthwise8Bit& f, size_t padded_channel) : codes_(f.stage) {
    for (size_t j = 0; j < 4; ++j) round_[j].Load(f.scales, f.stage, padded_channel + j * kLanes);
  }
  HWY_INLINE void Store(const hn::Vec<D32> (&sums)[4], size_t count, uint8_t* out) const {
    const hn::Repartition<uint8_t, D32> d8;
    const R* const rounders[4] = {&round_[0], &round_[1], &round_[2], &round_[3]};
    hn::Vec<D32> rounded[4];
    R::RoundFour(rounders, sums, rounded);
    const auto bytes = codes_(rounded);
    if (count == 4 * kLanes) return hn::StoreU(bytes, d8, out);
    HWY_ALIGN uint8_t some[4 * kLanes];
    hn::Store(bytes, d8, some);
    CopySome(some, out, count);
  }

 private:
  using R = CodeRounder<kRounding, CodeForm::kAny, D32>;

  R round_[4];
  Codes<CodeForm::kAny, D32> codes_;
};

// Four vectors as interleaving left them to four in order: of every four blocks of 16 bytes, block b of vector j
// becomes block j of vector b.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void OrderBlocks(D d, V* v) {
  if constexpr (hn::MaxLanes(d) == 8) {
    const V v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3];
    v[0] = hn::ConcatLowerLower(d, v1, v0), v[1] = hn::ConcatLowerLower(d, v3, v2);
    v[2] = hn::ConcatUpperUpper(d, v1, v0), v[3] = hn::ConcatUpperUpper(d, v3, v2);
  }
#if HWY_TARGET <= HWY_AVX3
  if constexpr (hn::MaxLanes(d) == 16) {
    constexpr int kEven = 0x88, kOdd = 0xDD;  // of blocks
    const V v01 = hn::ConcatLowerLower(d, v[1], v[0]), v23 = hn::ConcatLowerLower(d, v[3], v[2]);
    const V u01 = hn::ConcatUpperUpper(d, v[1], v[0]), u23 = hn::ConcatUpperUpper(d, v[3], v[2]);
    v[0].raw = _mm512_shuffle_f32x4(v01.raw, v23.raw, kEven), v[1].raw = _mm512_shuffle_f32x4(v01.raw, v23.raw, kOdd);
    v[2].raw = _mm512_shuffle_f32x4(u01.raw, u23.raw, kEven), v[3].raw = _mm512_shuffle_f32x4(u01.raw, u23.raw, kOdd);
  }
#endif
}

// What a chunk's sums become: floats, (sum * first) * second + bias.
template <class D32>
class ToFloats {
 public:
  using Output = float;
  static constexpr size_t kLanes = hn::MaxLanes(D32());

  HWY_INLINE ToFloats(const Depthwise8Bit& f, size_t padded_channel) : f_(*f.floats), channel_(padded_channel) {}
  HWY_INLINE void Store(const hn::Vec<D32> (&sums)[4], size_t count, float* out) const {
    const hn::Rebind<float, D32> df;
    hn::Vec<decltype(df)> y[4];
    const auto low = hn::Set(df, f_.low), high = hn::Set(df, f_.high);
    for (size_t j = 0; j < 4; ++j) {
      const size_t c = channel_ + j * kLanes;
      const auto scaled =
          hn::Mul(hn::Mul(hn::ConvertTo(df, sums[j]), hn::LoadU(df, f_.first + c)), hn::LoadU(df, f_.second + c));
      y[j] = LimitFloat(df, hn::Add(scaled, hn::LoadU(df, f_.bias + c)), low, high);
    }
    OrderBlocks(df, y);
    if (count == 4 * kLanes) {
      for (size_t j = 0; j < 4; ++j) hn::StoreU(y[j], df, out + j * kLanes);
      return;
    }
    HWY_ALIGN float some[4 * kLanes];
    for (size_t j = 0; j < 4; ++j) hn::Store(y[j], df, some + j * kLanes);
    std::memcpy(out, some, count * sizeof(float));
  }

 private:
  const DepthwiseFloats& f_;
  size_t channel_;
};

// Some output pixels of one row.
struct Segment {
  const uint8_t* const* taps;  // per pixel all groups' taps, the missing ones of the last included
  size_t pixels, groups;
  uintptr_t end;  // of the input's memory
  uint8_t flip;
  uint8_t* out;                   // of channel 0
  size_t channels, output_bytes;  // output_bytes: of one channel
};

// What one call of ComputeChunk takes of the channels.
struct Chunk {
  size_t channel, count;  // count of them real
  size_t padded_channel;
  const int8_t *weights, *more_weights;
  const uint8_t* more_groups;
};

// kWidth channels of all pixels of a segment. With kGroups, a number of groups known here, the weights stay in
// registers.
template <size_t kWidth, template <class> class Finish, bool kMore, size_t kGroups>
HWY_NOINLINE void ComputeChunk(const Depthwise8Bit& f, const Segment& segment, const Chunk& chunk) {
  const hn::CappedTag<uint8_t, kWidth> d8;
  const hn::Repartition<int8_t, decltype(d8)> ds8;
  const hn::Repartition<uint16_t, decltype(d8)> d16;
  const hn::Repartition<int32_t, decltype(d8)> d32;
  using V32 = hn::Vec<decltype(d32)>;
  constexpr size_t kLanes32 = kWidth / 4;
  const size_t groups = kGroups != 0 ? kGroups : segment.groups;
  const bool partial = chunk.count < kWidth;
  V32 offsets[4];
  for (size_t j = 0; j < 4; ++j) offsets[j] = hn::LoadU(d32, f.offsets + chunk.padded_channel + j * kLanes32);
  const Finish<decltype(d32)> finish(f, chunk.padded_channel);
  const auto load = [&](const int8_t* weights, size_t g, size_t j) HWY_ATTR {
    return SplitSigned(d32, hn::BitCast(d32, hn::LoadU(ds8, weights + (g * 4 + j) * kWidth)));
  };
  SignedBytes<V32> kept[kGroups != 0 ? kGroups * 4 : 1];
  if constexpr (kGroups != 0) {
    for (size_t i = 0; i < kGroups * 4; ++i) kept[i] = load(chunk.weights, i / 4, i % 4);
  }
  const auto flip = hn::Set(d8, segment.flip);
  HWY_ALIGN uint8_t edge[kTaps][kWidth];
  auto* out = reinterpret_cast<typename Finish<decltype(d32)>::Output*>(segment.out) + chunk.channel;
  const uint8_t* const* taps = segment.taps;
  for (size_t pixel = 0; pixel < segment.pixels; ++pixel, taps += groups * kTaps, out += segment.channels) {
    V32 sums[4];
    for (size_t j = 0; j < 4; ++j) sums[j] = offsets[j];
    for (size_t g = 0; g < groups; ++g) {
      hn::Vec<decltype(d8)> x[kTaps];
      for (size_t t = 0; t < kTaps; ++t) {
        const uint8_t* from = taps[g * kTaps + t] + chunk.channel;
        if (HWY_UNLIKELY(partial && segment.end - reinterpret_cast<uintptr_t>(from) < kWidth)) {
          std::memset(edge[t], 0, kWidth);
          std::memcpy(edge[t], from, chunk.count);
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
      for (size_t j = 0; j < 4; ++j) {
        if constexpr (kGroups != 0) {
          sums[j] = Dot4(d32, sums[j], quads[j], kept[g * 4 + j]);
        } else {
          sums[j] = Dot4(d32, sums[j], quads[j], load(chunk.weights, g, j));
        }
      }
      if constexpr (kMore) {
        if (chunk.more_groups[g] == 0) continue;
        for (size_t j = 0; j < 4; ++j) sums[j] = Dot4(d32, sums[j], quads[j], load(chunk.more_weights, g, j));
      }
    }
    finish.Store(sums, chunk.count, out);
  }
}

template <template <class> class Finish, bool kMore, size_t kGroups>
void ComputeChunkOf(size_t width, const Depthwise8Bit& f, const Segment& segment, const Chunk& chunk) {
  constexpr size_t kFull = hn::MaxLanes(hn::CappedTag<uint8_t, 64>()), kHalf = std::min<size_t>(32, kFull);
  if (width == kFull) return ComputeChunk<kFull, Finish, kMore, kGroups>(f, segment, chunk);
  if (width == kLane) return ComputeChunk<kLane, Finish, kMore, kGroups>(f, segment, chunk);
  ComputeChunk<kHalf, Finish, kMore, kGroups>(f, segment, chunk);
}

template <template <class> class Finish, size_t kGroups>
void ComputeSegment(const Depthwise8Bit& f, const Segment& segment) {
  constexpr size_t kFull = hn::MaxLanes(hn::CappedTag<uint8_t, 64>());
  Chunk chunk = {0, 0, 0, f.weights, f.more_weights, f.more_groups};
  while (chunk.channel < segment.channels) {
    const size_t width = ChunkWidth(f.lanes - chunk.channel, kFull);
    chunk.count = std::min(width, segment.channels - chunk.channel);
    if (f.more_groups != nullptr &&
        std::any_of(chunk.more_groups, chunk.more_groups + segment.groups, [](uint8_t flag) { return flag != 0; })) {
      ComputeChunkOf<Finish, true, kGroups>(width, f, segment, chunk);
    } else {
      ComputeChunkOf<Finish, false, kGroups>(width, f, segment, chunk);
    }
    const size_t bytes = segment.groups * kTaps * width;
    chunk.weights += bytes;
    if (f.more_groups != nullptr) chunk.more_weights += bytes, chunk.more_groups += segment.groups;
    chunk.padded_channel += width;
    chunk.channel += chunk.count;
  }
}

using SegmentFn = void (*)(const Depthwise8Bit&, const Segment&);
template <class D32>
using HalfAway = ToCodes<numerics::Rounding::kFixedHalfAway, D32>;
template <class D32>
using HalfUp = ToCodes<numerics::Rounding::kFixedHalfUp, D32>;
template <class D32>
using HalfEven = ToCodes<numerics::Rounding::kFloatHalfEven, D32>;
template <class D32>
using InDouble = ToCodes<numerics::Rounding::kDoubleHalfAway, D32>;

SegmentFn FindSegmentFn(const Depthwise8Bit& f, size_t groups) {
  constexpr size_t kOf3By3 = 3;
  if (f.floats != nullptr) return groups == kOf3By3 ? ComputeSegment<ToFloats, kOf3By3> : ComputeSegment<ToFloats, 0>;
  switch (FastestRounding(f.stage)) {
    case numerics::Rounding::kFixedHalfAway:
      return groups == kOf3By3 ? ComputeSegment<HalfAway, kOf3By3> : ComputeSegment<HalfAway, 0>;
    case numerics::Rounding::kFixedHalfUp:
      return groups == kOf3By3 ? ComputeSegment<HalfUp, kOf3By3> : ComputeSegment<HalfUp, 0>;
    case numerics::Rounding::kFloatHalfEven:
      return groups == kOf3By3 ? ComputeSegment<HalfEven, kOf3By3> : ComputeSegment<HalfEven, 0>;
    case numerics::Rounding::kDoubleHalfAway:
      return ComputeSegment<InDouble, 0>;
  }
  return nullptr;
}

// Neighbouring pixels as the lanes of one: the strip's lines have them side by side for every tap.
void ComputeFlat(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t outside_code,
                 const Depthwise8Bit& f, Range rows, uint8_t* scratch, uint8_t* output) {
  const FlatPlan plan(g);
  const auto channels = static_cast<size_t>(g.input_c), output_h = static_cast<size_t>(g.output_h);
  const size_t line_out = static_cast<size_t>(g.output_w) * channels;
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w), groups = TapGroups(taps);
  const auto** pointers = reinterpret_cast<const uint8_t**>(scratch);
  uint8_t* strip = scratch + PointerBytes(taps);
  const auto flip = static_cast<uint8_t>(is_signed ? 0x80 : 0);
  const ImageStrip how = {channels, plan.strip_w, flip, static_cast<uint8_t>(outside_code ^ flip)};
  const SegmentFn compute = FindSegmentFn(f, groups);
  const size_t output_bytes = f.floats == nullptr ? sizeof(uint8_t) : sizeof(float);
  Segment segment = {pointers,    0,           groups,
                     UINTPTR_MAX, /*flip=*/0,  output + rows.begin * line_out * output_bytes,
                     f.lanes,     output_bytes};
  size_t strip_begin = 0, strip_end = 0;
  for (size_t row = rows.begin; row < rows.end; ++row) {
    const size_t oy = row % output_h, step_h = static_cast<size_t>(g.stride_h);
    if (row >= strip_end) {
      strip_begin = row;
      strip_end = std::min({rows.end, row - oy + output_h, row + plan.rows});
      const size_t lines =
          (strip_end - row - 1) * step_h + static_cast<size_t>(g.filter_h - 1) * static_cast<size_t>(g.dilation_h) + 1;
      FillStrip(g, how, input + row / output_h * static_cast<size_t>(g.ImageSize()),
                static_cast<int64_t>(oy * step_h) - g.pad_h, lines, strip);
    }
    const uint8_t* from = strip + (row - strip_begin) * step_h * plan.line_bytes;
    for (size_t done = 0; done < line_out;) {
      // Whole vectors, then what is left of the line.
      const size_t whole = (line_out - done) / f.lanes;
      segment.pixels = std::min(std::max<size_t>(whole, 1), kSegmentPixels);
      segment.channels = whole > 0 ? f.lanes : line_out - done;
      size_t t = 0;
      for (; t < groups * kTaps; ++t) {
        const size_t tap = std::min(t, taps - 1);  // where no tap is, weights are 0
        const size_t ky = tap / static_cast<size_t>(g.filter_w), kx = tap % static_cast<size_t>(g.filter_w);
        const uint8_t* first = from + ky * static_cast<size_t>(g.dilation_h) * plan.line_bytes +
                               kx * static_cast<size_t>(g.dilation_w) * channels + done;
        for (size_t p = 0; p < segment.pixels; ++p) pointers[p * groups * kTaps + t] = first + p * f.lanes;
      }
      compute(f, segment);
      const size_t count = segment.pixels * segment.channels;
      segment.out += count * output_bytes;
      done += count;
    }
  }
}

void Compute(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t outside_code,
             const Depthwise8Bit& f, Range rows, uint8_t* scratch, uint8_t* output) {
  if (f.lanes != static_cast<size_t>(g.input_c)) {
    return ComputeFlat(g, input, is_signed, outside_code, f, rows, scratch, output);
  }
  const auto channels = static_cast<size_t>(g.input_c);
  const auto output_h = static_cast<size_t>(g.output_h), output_w = static_cast<size_t>(g.output_w);
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w);
  const size_t groups = TapGroups(taps);
  const auto** pointers = reinterpret_cast<const uint8_t**>(scratch);
  uint8_t* outside = scratch + PointerBytes(taps);
  std::memset(outside, outside_code, channels + 64);
  for (size_t i = 0; i < kSegmentPixels * groups * kTaps; ++i) pointers[i] = outside;  // where no tap is, weights are 0
  const size_t image = static_cast<size_t>(g.ImageSize());
  const size_t output_bytes = f.floats == nullptr ? sizeof(uint8_t) : sizeof(float);
  Segment segment = {pointers,
                     0,
                     groups,
                     reinterpret_cast<uintptr_t>(input) + static_cast<size_t>(g.batches) * image,
                     static_cast<uint8_t>(is_signed ? 0x80 : 0),
                     output + rows.begin * output_w * channels * output_bytes,
                     channels,
                     output_bytes};
  const SegmentFn compute = FindSegmentFn(f, groups);
  for (size_t row = rows.begin; row < rows.end; ++row) {
    const uint8_t* from = input + row / output_h * image;
    const int64_t top = static_cast<int64_t>(row % output_h) * g.stride_h - g.pad_h;
    for (size_t first = 0; first < output_w; first += kSegmentPixels) {
      segment.pixels = std::min(kSegmentPixels, output_w - first);
      size_t t = 0;
      for (int32_t ky = 0; ky < g.filter_h; ++ky) {
        const int64_t y = top + int64_t{ky} * g.dilation_h;
        const bool inside_h = y >= 0 && y < g.input_h;
        const uint8_t* line = from + static_cast<size_t>(inside_h ? y : 0) * static_cast<size_t>(g.input_w) * channels;
        for (int32_t kx = 0; kx < g.filter_w; ++kx, ++t) {
          const int64_t x = static_cast<int64_t>(first) * g.stride_w - g.pad_w + int64_t{kx} * g.dilation_w;
          // Pixels [inside, beyond) have this tap inside of the image.
          const auto pixels = static_cast<int64_t>(segment.pixels);
          const int64_t inside = x >= 0 ? 0 : std::min((-x + g.stride_w - 1) / g.stride_w, pixels);
          const int64_t room = int64_t{g.input_w} - 1 - x;
          const int64_t beyond =
              !inside_h || room < 0 ? inside : std::clamp<int64_t>(room / g.stride_w + 1, inside, pixels);
          const uint8_t** to = pointers + t;
          const uint8_t* tap =
              inside < beyond ? line + (x + inside * g.stride_w) * static_cast<int64_t>(channels) : outside;
          const size_t step = static_cast<size_t>(g.stride_w) * channels, pitch = groups * kTaps;
          int64_t p = 0;
          for (; p < inside; ++p, to += pitch) *to = outside;
          for (; p < beyond; ++p, to += pitch, tap += step) *to = tap;
          for (; p < pixels; ++p, to += pitch) *to = outside;
        }
      }
      compute(f, segment);
      segment.out += segment.pixels * channels * output_bytes;
    }
  }
}

// Of one image: what follows from its range, in `memory` of 3 values per padded channel.
void ComputeHybrid(const ref::Conv2DGeometry& g, const DepthwiseHybrid& hybrid, const ref::DynamicRange& range,
                   const uint8_t* codes, Range rows, uint8_t* memory, uint8_t* scratch, float* output) {
  const size_t size = hybrid.padded_channels;
  auto* HWY_RESTRICT offsets = reinterpret_cast<int32_t*>(memory);
  auto* HWY_RESTRICT first = reinterpret_cast<float*>(memory) + size;
  auto* HWY_RESTRICT second = first + size;
  const auto zero = static_cast<uint32_t>(range.zero_point + 0x80);
  for (size_t l = 0; l < size; ++l) {
    offsets[l] = static_cast<int32_t>(0U - zero * static_cast<uint32_t>(hybrid.weight_sums[l]));
    const float weight = hybrid.scales[l];
    switch (hybrid.scalings[l]) {
      case ref::HybridScaling::kWeightFirst:
        first[l] = weight, second[l] = range.scale;
        break;
      case ref::HybridScaling::kInputFirst:
        first[l] = range.scale, second[l] = weight;
        break;
      default:
        first[l] = weight * range.scale, second[l] = 1;
    }
  }
  const DepthwiseFloats floats = {first, second, hybrid.bias, hybrid.low, hybrid.high};
  Depthwise8Bit f = {};
  f.lanes = hybrid.lanes, f.weights = hybrid.weights, f.offsets = offsets, f.floats = &floats;
  Compute(g, codes, /*is_signed=*/false, static_cast<uint8_t>(zero), f, rows, scratch,
          reinterpret_cast<uint8_t*>(output));
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(VectorBytes);
HWY_EXPORT(Compute);

DepthwiseLayout::DepthwiseLayout(size_t lanes, size_t taps) noexcept
    : channels_(lanes), groups_(TapGroups(taps)), full_width_(HWY_DYNAMIC_DISPATCH(VectorBytes)()) {
  for (size_t c = 0; c < lanes;) {
    const size_t width = ChunkWidth(lanes - c, full_width_);
    padded_channels_ += width;
    c += width;
    ++chunks_;
  }
  weight_bytes_ = padded_channels_ * groups_ * kTaps;
}

// Of every 16 channels, vector j of the chunk's four holds 4j to 4j+3.
DepthwiseLayout::Place DepthwiseLayout::Find(size_t c) const noexcept {
  size_t chunk = c / full_width_, begin = chunk * full_width_;
  size_t width = ChunkWidth(channels_ - begin, full_width_);
  while (c - begin >= width) {
    begin += width;
    ++chunk;
    width = ChunkWidth(channels_ - begin, full_width_);
  }
  const size_t local = c - begin;
  return {chunk, begin, width, local % kLane / 4 * (width / 4) + local / kLane * 4 + local % 4};
}

size_t DepthwiseLayout::ChannelAt(size_t c) const noexcept {
  const Place place = Find(c);
  return place.chunk_begin + place.lane;
}

size_t DepthwiseLayout::WeightAt(size_t c, size_t t) const noexcept {
  const Place place = Find(c);
  return place.chunk_begin * groups_ * kTaps + t / kTaps * kTaps * place.chunk_width + place.lane * kTaps + t % kTaps;
}

size_t DepthwiseLayout::FlagAt(size_t c, size_t t) const noexcept { return Find(c).chunk * groups_ + t / kTaps; }

size_t DepthwiseLanes(const ref::Conv2DGeometry& g) noexcept {
  const size_t full = HWY_DYNAMIC_DISPATCH(VectorBytes)(), channels = static_cast<size_t>(g.input_c);
  if (g.stride_w != 1 || channels >= full || full % channels != 0) return channels;
  if (static_cast<size_t>(g.output_w) * channels < full) return channels;
  // Far apart taps would make strips of mostly what nobody reads.
  constexpr int64_t kMostReach = 64;
  constexpr size_t kMostStripBytes = size_t{256} << 10;
  const auto reaches = [](int64_t filter, int64_t dilation) { return (filter - 1) * dilation >= kMostReach; };
  if (reaches(g.filter_h, g.dilation_h) || reaches(g.filter_w, g.dilation_w)) return channels;
  return FlatPlan(g).strip_bytes <= kMostStripBytes ? full : channels;
}

size_t DepthwiseConv2D8BitScratch(const ref::Conv2DGeometry& g) noexcept {
  constexpr size_t kBehind = 64;  // a vector may reach beyond what it needs
  const size_t pointers = PointerBytes(static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w));
  const auto channels = static_cast<size_t>(g.input_c);
  return pointers + kBehind + (DepthwiseLanes(g) != channels ? FlatPlan(g).strip_bytes : channels);
}

void DepthwiseConv2D8Bit(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t input_zero_point,
                         const Depthwise8Bit& filter, Range rows, uint8_t* scratch, uint8_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(Compute)(g, input, is_signed, input_zero_point, filter, rows, scratch, output);
}

HWY_EXPORT(ComputeHybrid);

size_t DepthwiseConv2DHybridScratch(const ref::Conv2DGeometry& g, size_t padded_channels) noexcept {
  return 3 * padded_channels * sizeof(float) + DepthwiseConv2D8BitScratch(g);
}

void DepthwiseConv2DHybrid(const ref::Conv2DGeometry& g, const DepthwiseHybrid& filter, const ref::DynamicRange& range,
                           const uint8_t* codes, Range rows, uint8_t* scratch, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ComputeHybrid)
  (g, filter, range, codes, rows, scratch, scratch + 3 * filter.padded_channels * sizeof(float), output);
}

}  // namespace assay::kernels::simd
#endif
