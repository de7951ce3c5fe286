// The float kernels of DEPTHWISE_CONV_2D.
#include <algorithm>
#include <cstring>

#include "kernels/simd/depthwise_conv_2d.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/depthwise_float.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/image_strip.h"
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

// Of narrow images many windows reach beyond the border: lines are copied with what surrounds them, so that all
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
