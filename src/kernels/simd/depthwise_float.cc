// The float kernels of DEPTHWISE_CONV_2D.
#include <algorithm>
#include <cstring>

#include "kernels/simd/depthwise_conv_2d.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/depthwise_float.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/requantize-inl.h"

#ifndef ASSAY_KERNELS_SIMD_DEPTHWISE_FLOAT_ONCE_
#define ASSAY_KERNELS_SIMD_DEPTHWISE_FLOAT_ONCE_
namespace assay::kernels::simd {
namespace {

// How many pixels the kernel lists the taps of at once.
size_t FloatSegmentPixels(size_t taps) {
  constexpr size_t kMostPointers = 2048, kMostPixels = 32;
  return std::clamp<size_t>(kMostPointers / std::max<size_t>(taps, 1), 1, kMostPixels);
}

// The side of a window that has a kernel of its own, or 0.
constexpr size_t kMostSide = 5;
size_t SideOf(const ref::Conv2DGeometry& g) {
  return g.filter_h == g.filter_w && (g.filter_h == 3 || g.filter_h == 5) ? static_cast<size_t>(g.filter_h) : 0;
}

// Windows of neighbouring pixels of a vector of channels are read from a tile of the image that fits in the first-level
// cache: in the image itself a pixel's channels lie so far from the next one's that few of them stay there. Copying
// pays for large windows, and for small images, where others would leave the image.
bool HasTiles(const ref::Conv2DGeometry& g) {
  constexpr int32_t kSmall = 16;
  const size_t side = SideOf(g);
  return side > 0 && g.dilation_h == 1 && g.dilation_w == 1 && (side > 3 || (g.stride_w == 1 && g.output_w <= kSmall));
}
// Never larger than kBytes, whichever part of an image's rows a geometry has.
struct TilePlan {
  static constexpr size_t kBytes = size_t{24} << 10;
  explicit TilePlan(const ref::Conv2DGeometry& g)
      : stride_h(static_cast<size_t>(g.stride_h)), stride_w(static_cast<size_t>(g.stride_w)), side(SideOf(g)) {
    constexpr size_t kRows = 4;  // for those that overlap are copied again
    constexpr size_t kPixels = kBytes / (kChannelBlock * sizeof(float));
    const auto output_h = static_cast<size_t>(g.output_h), output_w = static_cast<size_t>(g.output_w);
    const size_t widest = std::max(kPixels / Lines(std::min(kRows, output_h)), side);
    const size_t most = (widest - side) / stride_w + 1, parts = (output_w + most - 1) / most;
    columns = (output_w + parts - 1) / parts;
    rows = std::min(output_h, (std::max(kPixels / Width(columns), side) - side) / stride_h + 1);
  }
  size_t Lines(size_t output_rows) const { return (output_rows - 1) * stride_h + side; }
  size_t Width(size_t output_columns) const { return (output_columns - 1) * stride_w + side; }

  size_t stride_h, stride_w, side;
  size_t rows, columns;  // of output that a tile serves, at most
};

}  // namespace
}  // namespace assay::kernels::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

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

// Output pixels whose windows lie inside of the image or a tile of it, in some rows: where the first one's lines begin.
struct FloatRun {
  const float* lines[kMostSide];
  size_t tap_step, pixel_step, row_step;  // to the next column of the window, to the next pixel's, to the next row's
  size_t count, rows;
  float* out;
  size_t out_row_step;
};

// Some pixels at once, for each of their sums waits for the one before; where their windows overlap (kOverlap: by all
// columns but one), what is read serves all of them.
template <size_t kSide, bool kOverlap, class D>
HWY_INLINE void ComputeRun(D d, const FloatFilter& f, const FloatRun& run, size_t c) {
  using V = hn::Vec<D>;
  V w[kSide * kSide];
  for (size_t t = 0; t < kSide * kSide; ++t) w[t] = hn::LoadU(d, f.Tap(t) + c);
  const V start = StartOf(d, f, c);
  const size_t step = run.tap_step, pixel_step = run.pixel_step;
  for (size_t row = 0; row < run.rows; ++row) {
    const float* lines[kSide];
    for (size_t y = 0; y < kSide; ++y) lines[y] = run.lines[y] + row * run.row_step;
    float* out = run.out + row * run.out_row_step + c;
    const auto compute = [&]<size_t kPixels>(std::integral_constant<size_t, kPixels>) HWY_ATTR {
      V sums[kPixels];
      for (size_t i = 0; i < kPixels; ++i) sums[i] = start;
      if constexpr (kOverlap) {
        for (size_t x = 0; x < kSide + kPixels - 1; ++x) {
          for (size_t y = 0; y < kSide; ++y) {
            const V v = hn::LoadU(d, lines[y] + x * step);
            for (size_t i = 0; i < kPixels; ++i) {
              if (x >= i && x - i < kSide) sums[i] = hn::MulAdd(v, w[kSide * (x - i) + y], sums[i]);
            }
          }
        }
      } else {
        for (size_t x = 0; x < kSide; ++x) {
          for (size_t y = 0; y < kSide; ++y) {
            for (size_t i = 0; i < kPixels; ++i) {
              sums[i] = hn::MulAdd(hn::LoadU(d, lines[y] + i * pixel_step + x * step), w[kSide * x + y], sums[i]);
            }
          }
        }
      }
      for (size_t i = 0; i < kPixels; ++i) hn::StoreU(Limited(d, f, sums[i]), d, out + i * f.channels);
      for (size_t y = 0; y < kSide; ++y) lines[y] += kPixels * pixel_step;
      out += kPixels * f.channels;
    };
    size_t p = 0;
    for (; p + 4 <= run.count; p += 4) compute(std::integral_constant<size_t, 4>());
    for (; p + 2 <= run.count; p += 2) compute(std::integral_constant<size_t, 2>());
    if (p < run.count) compute(std::integral_constant<size_t, 1>());
  }
}

// Pixels of two output rows, where the windows of neighbouring pixels overlap: what is read serves up to four of
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

// Of windows in the image itself: those that do not overlap, or whose row has no other beside it.
template <size_t kSide>
HWY_NOINLINE void ComputeFloatRun(const FloatFilter& f, FloatRun run) {
  const FloatRun first = run;
  ForChannels(f.channels, [&](auto tag, size_t c) HWY_ATTR {
    for (size_t y = 0; y < kSide; ++y) run.lines[y] = first.lines[y] + c;
    ComputeRun<kSide, false>(tag, f, run, c);
  });
}

HWY_NOINLINE void ComputeFloatPair(const FloatFilter& f, const FloatPair& pair) {
  ForChannels(f.channels, [&](auto tag, size_t c) HWY_ATTR { ComputePair3By3(tag, f, pair, c); });
}

// The part of an image that the windows of a tile's output pixels lie in.
struct TilePlace {
  const float* image;
  int64_t top, left;  // of the first window
  size_t lines, width, rows, columns;
};

template <class D>
HWY_INLINE void FillTile(D d, const ref::Conv2DGeometry& g, const TilePlace& place, size_t c, float* HWY_RESTRICT to) {
  constexpr size_t kLanes = hn::MaxLanes(d);
  const auto width = static_cast<int64_t>(place.width);
  const int64_t begin = std::clamp<int64_t>(-place.left, 0, width);
  const int64_t end = std::clamp<int64_t>(g.input_w - place.left, begin, width);
  const auto zero = hn::Zero(d);
  for (size_t line = 0; line < place.lines; ++line) {
    const int64_t y = place.top + static_cast<int64_t>(line);
    if (y < 0 || y >= g.input_h) {
      for (int64_t x = 0; x < width; ++x, to += kLanes) hn::StoreU(zero, d, to);
      continue;
    }
    const float* from = place.image + (y * g.input_w + place.left + begin) * g.input_c + c;
    for (int64_t x = 0; x < begin; ++x, to += kLanes) hn::StoreU(zero, d, to);
    for (int64_t x = begin; x < end; ++x, to += kLanes, from += g.input_c) hn::StoreU(hn::LoadU(d, from), d, to);
    for (int64_t x = end; x < width; ++x, to += kLanes) hn::StoreU(zero, d, to);
  }
}

template <size_t kSide>
HWY_NOINLINE void ComputeTile(const ref::Conv2DGeometry& g, const FloatFilter& f, const TilePlan& plan,
                              const TilePlace& place, float* tile, float* out) {
  ForChannels(f.channels, [&](auto tag, size_t c) HWY_ATTR {
    constexpr size_t kLanes = hn::MaxLanes(tag);
    FillTile(tag, g, place, c, tile);
    FloatRun run = {};
    for (size_t y = 0; y < kSide; ++y) run.lines[y] = tile + y * place.width * kLanes;
    run.tap_step = kLanes, run.pixel_step = plan.stride_w * kLanes;
    run.row_step = plan.stride_h * place.width * kLanes;
    run.count = place.columns, run.rows = place.rows;
    run.out = out, run.out_row_step = static_cast<size_t>(g.output_w) * f.channels;
    plan.stride_w == 1 ? ComputeRun<kSide, true>(tag, f, run, c) : ComputeRun<kSide, false>(tag, f, run, c);
  });
}

void ComputeFloatTiles(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                       float low, float high, Range rows, uint8_t* scratch, float* output) {
  const TilePlan plan(g);
  const FloatFilter f(g, filter, bias, low, high);
  const auto output_h = static_cast<size_t>(g.output_h), output_w = static_cast<size_t>(g.output_w);
  auto* tile = reinterpret_cast<float*>(scratch);
  for (size_t row = rows.begin; row < rows.end;) {
    const size_t oy = row % output_h, count = std::min({plan.rows, rows.end - row, output_h - oy});
    TilePlace place = {};
    place.image = input + static_cast<int64_t>(row / output_h) * g.ImageSize();
    place.top = static_cast<int64_t>(oy * plan.stride_h) - g.pad_h;
    place.lines = plan.Lines(count), place.rows = count;
    for (size_t ox = 0; ox < output_w; ox += plan.columns) {
      place.columns = std::min(plan.columns, output_w - ox), place.width = plan.Width(place.columns);
      place.left = static_cast<int64_t>(ox * plan.stride_w) - g.pad_w;
      float* out = output + (row * output_w + ox) * f.channels;
      plan.side == 3 ? ComputeTile<3>(g, f, plan, place, tile, out) : ComputeTile<5>(g, f, plan, place, tile, out);
    }
    row += count;
  }
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
  const auto output_h = static_cast<size_t>(g.output_h);
  const size_t side = SideOf(g);
  const bool has_pairs = side == 3 && g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 && g.dilation_w == 1;
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
    const int64_t bottom = top + int64_t{g.filter_h - 1} * g.dilation_h;
    if (side == 0 || top < 0 || bottom >= g.input_h || inside_begin == inside_end) {
      pixels(0, g.output_w);
      continue;
    }
    pixels(0, inside_begin);
    if (has_pairs && row + 1 < rows.end && (row + 1) % output_h != 0 && top + 3 < g.input_h) {
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
    for (int32_t ky = 0; ky < g.filter_h; ++ky) {
      const int64_t y = top + int64_t{ky} * g.dilation_h, x = inside_begin * g.stride_w - g.pad_w;
      run.lines[ky] = image + (y * g.input_w + x) * g.input_c;
    }
    run.tap_step = static_cast<size_t>(g.dilation_w) * channels;
    run.pixel_step = static_cast<size_t>(g.stride_w) * channels;
    run.count = static_cast<size_t>(inside_end - inside_begin);
    run.rows = 1;
    run.out = out + static_cast<size_t>(inside_begin) * channels;
    side == 3 ? ComputeFloatRun<3>(f, run) : ComputeFloatRun<5>(f, run);
    pixels(inside_end, g.output_w);
  }
}

void ComputeFloat(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias, float low,
                  float high, Range rows, uint8_t* scratch, float* output) {
  (HasTiles(g) ? ComputeFloatTiles : ComputeFloatRows)(g, input, filter, bias, low, high, rows, scratch, output);
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(ComputeFloat);

size_t DepthwiseConv2DFloatScratch(const ref::Conv2DGeometry& g) noexcept {
  if (HasTiles(g)) return TilePlan::kBytes;
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w);
  return FloatSegmentPixels(taps) * taps * sizeof(float*) + static_cast<size_t>(g.input_c) * sizeof(float);
}

size_t DepthwiseConv2DFloatRows(const ref::Conv2DGeometry& g) noexcept { return HasTiles(g) ? TilePlan(g).rows : 1; }

void DepthwiseConv2DFloat(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                          float low, float high, Range rows, uint8_t* scratch, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ComputeFloat)(g, input, filter, bias, low, high, rows, scratch, output);
}

}  // namespace assay::kernels::simd
#endif
