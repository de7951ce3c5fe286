#include "kernels/simd/depthwise_conv_2d.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/depthwise_conv_2d.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/dot8-inl.h"
#include "kernels/simd/image_strip.h"
#include "kernels/simd/requantize-inl.h"

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

// How many pixels the float kernel lists the taps of at once.
size_t FloatSegmentPixels(size_t taps) {
  constexpr size_t kMostPointers = 2048;
  return std::clamp<size_t>(kMostPointers / std::max<size_t>(taps, 1), 1, kSegmentPixels);
}

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

// Of narrow float images many windows reach beyond the border: lines are copied with what surrounds them, so that all
// are alike.
bool IsNarrow(const ref::Conv2DGeometry& g) {
  constexpr int32_t kNarrow = 8;
  return g.filter_h == 3 && g.filter_w == 3 && g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 &&
         g.dilation_w == 1 && g.output_w <= kNarrow && (g.pad_w > 0 || g.output_w + 2 > g.input_w);
}
struct NarrowPlan {
  explicit NarrowPlan(const ref::Conv2DGeometry& g)
      : pixel_bytes(static_cast<size_t>(g.input_c) * sizeof(float)), width(static_cast<size_t>(g.output_w) + 2) {
    constexpr size_t kStripBytes = size_t{48} << 10;
    const size_t line_bytes = width * pixel_bytes;
    rows = std::clamp<size_t>(kStripBytes / line_bytes, 4, static_cast<size_t>(g.output_h) + 3) - 2;
    strip_bytes = ((rows + 2) * line_bytes + sizeof(float*) - 1) / sizeof(float*) * sizeof(float*);
  }
  size_t pixel_bytes, width, rows, strip_bytes;
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
  HWY_INLINE void Store(const hn::Vec<D32>* sums, size_t count, uint8_t* out) const {
    const hn::Repartition<uint8_t, D32> d8;
    const auto bytes = codes_(round_[0](sums[0]), round_[1](sums[1]), round_[2](sums[2]), round_[3](sums[3]));
    if (count == 4 * kLanes) return hn::StoreU(bytes, d8, out);
    HWY_ALIGN uint8_t some[4 * kLanes];
    hn::Store(bytes, d8, some);
    CopySome(some, out, count);
  }

 private:
  Rounder<kRounding, D32> round_[4];
  Codes<D32> codes_;
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
  HWY_INLINE void Store(const hn::Vec<D32>* sums, size_t count, float* out) const {
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
      return ComputeSegment<HalfAway, 0>;
    case numerics::Rounding::kFixedHalfUp:
      return ComputeSegment<HalfUp, 0>;
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

// What float kernels need of the filter. Taps go in XNNPACK's order: column by column of the window, of large windows
// row by row.
struct FloatFilter {
  FloatFilter(const ref::Conv2DGeometry& g, const float* filter, const float* bias_or_null, float least, float most)
      : weights(filter),
        bias(bias_or_null),
        low(least),
        high(most),
        channels(static_cast<size_t>(g.input_c)),
        by_column(g.PatchSize() <= kMostByColumn) {
    const auto h = static_cast<size_t>(g.filter_h), w = static_cast<size_t>(g.filter_w);
    lines = by_column ? w : h, line_taps = by_column ? h : w;
    line_step = (by_column ? 1 : w) * channels, tap_step = (by_column ? w : 1) * channels;
  }
  size_t taps() const { return lines * line_taps; }
  const float* Tap(size_t t) const { return weights + t / line_taps * line_step + t % line_taps * tap_step; }

  static constexpr int64_t kMostByColumn = 25;
  const float *weights, *bias;  // [rows][columns][channels]; bias may be null
  float low, high;
  size_t channels;
  bool by_column;
  size_t lines, line_taps, line_step, tap_step;  // a line: a column, or a row
};

template <class D>
HWY_INLINE hn::Vec<D> StartOf(D d, const FloatFilter& f, size_t c) {
  return f.bias == nullptr ? hn::Zero(d) : hn::LoadU(d, f.bias + c);
}
template <class D>
HWY_INLINE hn::Vec<D> Limited(D d, const FloatFilter& f, hn::Vec<D> sum) {
  return LimitFloat(d, sum, hn::Set(d, f.low), hn::Set(d, f.high));
}

// Neighbouring output pixels, each with all its taps: a pointer to channel 0 for every one of them.
struct FloatPixels {
  const float* const* taps;
  size_t count;
  float* out;
};

// One vector of channels of all pixels; kTaps weights stay in registers.
template <size_t kTapCount, class D>
HWY_INLINE void ComputePixels(D d, const FloatFilter& f, const FloatPixels& pixels, size_t c) {
  hn::Vec<D> w[kTapCount];
  for (size_t t = 0; t < kTapCount; ++t) w[t] = hn::LoadU(d, f.Tap(t) + c);
  const auto start = StartOf(d, f, c);
  const float* const* taps = pixels.taps;
  float* out = pixels.out + c;
  for (size_t p = 0; p < pixels.count; ++p, taps += kTapCount, out += f.channels) {
    auto sum = start;
    for (size_t t = 0; t < kTapCount; ++t) sum = hn::MulAdd(hn::LoadU(d, taps[t] + c), w[t], sum);
    hn::StoreU(Limited(d, f, sum), d, out);
  }
}
template <class D>
HWY_INLINE void ComputePixelsOfAny(D d, const FloatFilter& f, const FloatPixels& pixels, size_t c) {
  const auto start = StartOf(d, f, c);
  const float* const* taps = pixels.taps;
  float* out = pixels.out + c;
  for (size_t p = 0; p < pixels.count; ++p, out += f.channels) {
    auto sum = start;
    for (size_t line = 0; line < f.lines; ++line) {
      const float* w = f.weights + line * f.line_step + c;
      for (size_t t = 0; t < f.line_taps; ++t, w += f.tap_step) {
        sum = hn::MulAdd(hn::LoadU(d, *taps++ + c), hn::LoadU(d, w), sum);
      }
    }
    hn::StoreU(Limited(d, f, sum), d, out);
  }
}

// Neighbouring output pixels whose windows lie inside of the image: where the first one's three lines begin.
struct FloatRun {
  const float* lines[3];
  size_t tap_step, pixel_step;  // to the next column of the window, to the next pixel's
  size_t count;
  float* out;
};

template <class D>
HWY_INLINE void ComputeRun3By3(D d, const FloatFilter& f, const FloatRun& run, size_t c) {
  hn::Vec<D> w[9];
  for (size_t t = 0; t < 9; ++t) w[t] = hn::LoadU(d, f.Tap(t) + c);
  const auto start = StartOf(d, f, c);
  const float *first = run.lines[0] + c, *second = run.lines[1] + c, *third = run.lines[2] + c;
  const size_t step = run.tap_step;
  float* out = run.out + c;
  for (size_t p = 0; p < run.count; ++p, out += f.channels) {
    auto sum = start;
    for (size_t x = 0; x < 3; ++x) {
      sum = hn::MulAdd(hn::LoadU(d, first + x * step), w[3 * x], sum);
      sum = hn::MulAdd(hn::LoadU(d, second + x * step), w[3 * x + 1], sum);
      sum = hn::MulAdd(hn::LoadU(d, third + x * step), w[3 * x + 2], sum);
    }
    hn::StoreU(Limited(d, f, sum), d, out);
    first += run.pixel_step, second += run.pixel_step, third += run.pixel_step;
  }
}

// The same of two output rows, where the windows of neighbouring pixels overlap: what is read serves up to four of
// them.
struct FloatPair {
  const float* lines[4];
  size_t count;
  float *out, *below;
};

template <class D>
HWY_INLINE void ComputePair3By3(D d, const FloatFilter& f, const FloatPair& pair, size_t c) {
  using V = hn::Vec<D>;
  V w[9];
  for (size_t t = 0; t < 9; ++t) w[t] = hn::LoadU(d, f.Tap(t) + c);
  const V start = StartOf(d, f, c);
  const float *l0 = pair.lines[0] + c, *l1 = pair.lines[1] + c, *l2 = pair.lines[2] + c, *l3 = pair.lines[3] + c;
  const size_t step = f.channels;
  float *out = pair.out + c, *below = pair.below + c;
  // Column x of the window of the pixels of both rows.
  const auto add = [&](const V* v, size_t x, V& upper, V& lower) HWY_ATTR {
    for (size_t y = 0; y < 3; ++y) {
      upper = hn::MulAdd(v[y], w[3 * x + y], upper);
      lower = hn::MulAdd(v[y + 1], w[3 * x + y], lower);
    }
  };
  const auto compute = [&]<size_t kPixels>(std::integral_constant<size_t, kPixels>) HWY_ATTR {
    V upper[kPixels], lower[kPixels];
    for (size_t i = 0; i < kPixels; ++i) upper[i] = lower[i] = start;
    for (size_t x = 0; x < 2 + kPixels; ++x) {
      const V v[4] = {hn::LoadU(d, l0 + x * step), hn::LoadU(d, l1 + x * step), hn::LoadU(d, l2 + x * step),
                      hn::LoadU(d, l3 + x * step)};
      for (size_t i = 0; i < kPixels; ++i) {
        if (x >= i && x - i < 3) add(v, x - i, upper[i], lower[i]);
      }
    }
    for (size_t i = 0; i < kPixels; ++i) {
      hn::StoreU(Limited(d, f, upper[i]), d, out + i * step);
      hn::StoreU(Limited(d, f, lower[i]), d, below + i * step);
    }
    const size_t forward = kPixels * step;
    l0 += forward, l1 += forward, l2 += forward, l3 += forward, out += forward, below += forward;
  };
  size_t p = 0;
  for (; p + 2 <= pair.count; p += 2) compute(std::integral_constant<size_t, 2>());
  if (p < pair.count) compute(std::integral_constant<size_t, 1>());
}

// Calls compute(tag, c) for the channels in the widest vectors that fit.
template <typename Compute>
HWY_INLINE void ForChannels(size_t channels, const Compute& compute) {
  size_t c = 0;
  const auto take = [&](auto tag) HWY_ATTR {
    for (; c + hn::MaxLanes(tag) <= channels; c += hn::MaxLanes(tag)) compute(tag, c);
  };
  take(hn::CappedTag<float, kChannelBlock>());
  take(hn::CappedTag<float, 8>());
  take(hn::CappedTag<float, 4>());
  take(hn::CappedTag<float, 1>());
}

HWY_NOINLINE void ComputeFloatPixels(const FloatFilter& f, const FloatPixels& pixels) {
  constexpr size_t k3By3 = 9, k5By5 = 25;
  ForChannels(f.channels, [&](auto tag, size_t c) HWY_ATTR {
    if (f.taps() == k3By3) return ComputePixels<k3By3>(tag, f, pixels, c);
    if (f.taps() == k5By5) return ComputePixels<k5By5>(tag, f, pixels, c);
    ComputePixelsOfAny(tag, f, pixels, c);
  });
}

HWY_NOINLINE void ComputeFloatRun(const FloatFilter& f, const FloatRun& run) {
  ForChannels(f.channels, [&](auto tag, size_t c) HWY_ATTR { ComputeRun3By3(tag, f, run, c); });
}

HWY_NOINLINE void ComputeFloatPair(const FloatFilter& f, const FloatPair& pair) {
  ForChannels(f.channels, [&](auto tag, size_t c) HWY_ATTR { ComputePair3By3(tag, f, pair, c); });
}

void ComputeFloatRows(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                      float low, float high, Range rows, uint8_t* scratch, float* output) {
  const auto channels = static_cast<size_t>(g.input_c);
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w);
  const FloatFilter f(g, filter, bias, low, high);
  const size_t segment_pixels = FloatSegmentPixels(taps);
  const auto** pointers = reinterpret_cast<const float**>(scratch);
  auto* outside = reinterpret_cast<float*>(scratch + segment_pixels * taps * sizeof(float*));
  std::fill_n(outside, channels, 0.0F);
  // Output columns whose windows lie inside from left to right.
  const int64_t reach = int64_t{g.filter_w - 1} * g.dilation_w;
  const int64_t inside_begin = std::min<int64_t>((int64_t{g.pad_w} + g.stride_w - 1) / g.stride_w, g.output_w);
  const int64_t room = int64_t{g.input_w} - 1 - reach + g.pad_w;
  const int64_t inside_end =
      room < 0 ? inside_begin : std::clamp<int64_t>(room / g.stride_w + 1, inside_begin, g.output_w);
  const bool is_3_by_3 = g.filter_h == 3 && g.filter_w == 3;
  const bool overlaps = g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 && g.dilation_w == 1;
  const auto output_h = static_cast<size_t>(g.output_h);
  for (size_t row = rows.begin; row < rows.end; ++row) {
    const float* image = input + static_cast<int64_t>(row) / g.output_h * g.ImageSize();
    int64_t top = static_cast<int64_t>(row) % g.output_h * g.stride_h - g.pad_h;
    float* out = output + row * static_cast<size_t>(g.output_w) * channels;
    const auto pixels = [&](int64_t begin, int64_t end) HWY_ATTR {
      for (int64_t first = begin; first < end; first += static_cast<int64_t>(segment_pixels)) {
        const size_t count = std::min(segment_pixels, static_cast<size_t>(end - first));
        const float** to = pointers;
        for (int64_t ox = first; ox < first + static_cast<int64_t>(count); ++ox) {
          const int64_t left = ox * g.stride_w - g.pad_w;
          for (int64_t line = 0; line < static_cast<int64_t>(f.lines); ++line) {
            for (int64_t tap = 0; tap < static_cast<int64_t>(f.line_taps); ++tap) {
              const int64_t y = top + (f.by_column ? tap : line) * g.dilation_h;
              const int64_t x = left + (f.by_column ? line : tap) * g.dilation_w;
              const bool inside = y >= 0 && y < g.input_h && x >= 0 && x < g.input_w;
              *to++ = inside ? image + (y * g.input_w + x) * g.input_c : outside;
            }
          }
        }
        ComputeFloatPixels(f, {pointers, count, out + static_cast<size_t>(first) * channels});
      }
    };
    if (!is_3_by_3 || top < 0 || top + 2 * int64_t{g.dilation_h} >= g.input_h || inside_begin == inside_end) {
      pixels(0, g.output_w);
      continue;
    }
    pixels(0, inside_begin);
    if (overlaps && row + 1 < rows.end && (row + 1) % output_h != 0 && top + 3 < g.input_h) {
      FloatPair pair = {};
      for (int64_t y = 0; y < 4; ++y) {
        pair.lines[y] = image + ((top + y) * g.input_w + inside_begin - g.pad_w) * g.input_c;
      }
      pair.count = static_cast<size_t>(inside_end - inside_begin);
      float* below = out + static_cast<size_t>(g.output_w) * channels;
      pair.out = out + static_cast<size_t>(inside_begin) * channels;
      pair.below = below + static_cast<size_t>(inside_begin) * channels;
      ComputeFloatPair(f, pair);
      pixels(inside_end, g.output_w);
      ++row, ++top, out = below;
      pixels(0, inside_begin);
      pixels(inside_end, g.output_w);
      continue;
    }
    FloatRun run = {};
    for (int32_t ky = 0; ky < 3; ++ky) {
      const int64_t y = top + int64_t{ky} * g.dilation_h, x = inside_begin * g.stride_w - g.pad_w;
      run.lines[ky] = image + (y * g.input_w + x) * g.input_c;
    }
    run.tap_step = static_cast<size_t>(g.dilation_w) * channels;
    run.pixel_step = static_cast<size_t>(g.stride_w) * channels;
    run.count = static_cast<size_t>(inside_end - inside_begin);
    run.out = out + static_cast<size_t>(inside_begin) * channels;
    ComputeFloatRun(f, run);
    pixels(inside_end, g.output_w);
  }
}

void ComputeFloat(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                  float high, Range rows, uint8_t* scratch, float* output) {
  if (!IsNarrow(g)) return ComputeFloatRows(g, input, filter, bias, low, high, rows, scratch, output);
  const NarrowPlan plan(g);
  auto* strip = reinterpret_cast<float*>(scratch);
  const auto output_h = static_cast<size_t>(g.output_h);
  const size_t line = static_cast<size_t>(g.output_w) * static_cast<size_t>(g.output_c);
  ref::Conv2DGeometry inside = g;
  inside.batches = 1, inside.pad_h = inside.pad_w = 0;
  inside.input_w = g.output_w + 2;
  for (size_t row = rows.begin; row < rows.end;) {
    const size_t oy = row % output_h, count = std::min({plan.rows, rows.end - row, output_h - oy});
    FillStrip(g, {plan.pixel_bytes, plan.width, /*flip=*/0, /*outside=*/0},
              reinterpret_cast<const uint8_t*>(input + static_cast<int64_t>(row / output_h) * g.ImageSize()),
              static_cast<int64_t>(oy) - g.pad_h, count + 2, scratch);
    inside.output_h = static_cast<int32_t>(count), inside.input_h = inside.output_h + 2;
    ComputeFloatRows(inside, strip, filter, bias, low, high, {0, count}, scratch + plan.strip_bytes,
                     output + row * line);
    row += count;
  }
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

HWY_EXPORT(ComputeFloat);

size_t DepthwiseConv2DFloatScratch(const ref::Conv2DGeometry& g) noexcept {
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w);
  const size_t strip = IsNarrow(g) ? NarrowPlan(g).strip_bytes : 0;
  return strip + FloatSegmentPixels(taps) * taps * sizeof(float*) + static_cast<size_t>(g.input_c) * sizeof(float);
}

void DepthwiseConv2DFloat(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                          float low, float high, Range rows, uint8_t* scratch, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ComputeFloat)(g, input, filter, bias, low, high, rows, scratch, output);
}

}  // namespace assay::kernels::simd
#endif
