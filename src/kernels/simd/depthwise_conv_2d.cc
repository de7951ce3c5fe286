#include "kernels/simd/depthwise_conv_2d.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/simd/hybrid.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/depthwise_conv_2d.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/depthwise_columns-inl.h"
#include "kernels/simd/depthwise_finish-inl.h"
#include "kernels/simd/dot8-inl.h"
#include "kernels/simd/image_strip.h"

#ifndef ASSAY_KERNELS_SIMD_DEPTHWISE_CONV_2D_ONCE_
#define ASSAY_KERNELS_SIMD_DEPTHWISE_CONV_2D_ONCE_
namespace assay::kernels::simd {
namespace {

constexpr size_t kTaps = 4;   // of one dot product
constexpr size_t kLane = 16;  // bytes that interleaving keeps together
constexpr size_t kSegmentPixels = 32;
constexpr size_t kColumnRows = 32;  // at once, at most

// Channels are cut into chunks: full vectors, and last the half, quarter and so on, down to one lane of 16, that holds
// what is left.
size_t ChunkWidth(size_t left, size_t full_width) {
  size_t width = full_width;
  while (width > kLane && width / 2 >= left) width /= 2;
  return width;
}

size_t TapGroups(size_t taps) { return (taps + kTaps - 1) / kTaps; }

// The side of windows that are computed by columns, up to `most`; else 0.
size_t ColumnWindow(const ref::Conv2DGeometry& g, int32_t most) {
  const bool is_one = g.filter_h == g.filter_w && (g.filter_h == 3 || g.filter_h == 5) && g.filter_h <= most;
  return is_one ? static_cast<size_t>(g.filter_h) : 0;
}

// Which of the groups' taps is the filter's tap t, counted by rows. A column is a group, as far as it goes in; what is
// below comes after all columns.
size_t SlotOf(size_t window, size_t t) {
  if (window == 0) return t;
  const size_t row = t / window, column = t % window;
  return row < kTaps ? column * kTaps + row : window * kTaps + column;
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

size_t PointerBytes(size_t taps) { return kSegmentPixels * TapGroups(taps) * kTaps * sizeof(uint8_t*); }

}  // namespace
}  // namespace assay::kernels::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

// Of 5x5 windows there are more columns than elsewhere registers.
constexpr int32_t kMostColumns = HWY_TARGET == HWY_AVX3_DL ? 5 : 3;
int32_t MostColumns() { return kMostColumns; }

size_t VectorBytes() { return hn::Lanes(hn::CappedTag<uint8_t, 64>()); }

// Some output pixels of one row.
struct Segment {
  const uint8_t* const* taps;  // per pixel all groups' taps, the missing ones of the last included
  size_t pixels, groups;
  uintptr_t end;  // of the input's memory
  uint8_t flip;
  uint8_t* out;                   // of channel 0
  size_t channels, output_bytes;  // output_bytes: of one channel
};

// kWidth channels of all pixels of a segment.
template <size_t kWidth, class Finish>
HWY_NOINLINE void ComputeChunk(const Depthwise8Bit& f, const Segment& segment, const DepthwiseChunk& chunk) {
  const hn::CappedTag<uint8_t, kWidth> d8;
  const hn::Repartition<int8_t, decltype(d8)> ds8;
  const hn::Repartition<int32_t, decltype(d8)> d32;
  using V32 = hn::Vec<decltype(d32)>;
  constexpr size_t kLanes32 = kWidth / 4;
  const size_t groups = segment.groups;
  const bool partial = chunk.count < kWidth;
  V32 offsets[4];
  for (size_t j = 0; j < 4; ++j) offsets[j] = hn::LoadU(d32, f.offsets + chunk.padded_channel + j * kLanes32);
  const Finish finish(f, chunk.padded_channel);
  const auto load = [&](const int8_t* weights, size_t g, size_t j) HWY_ATTR {
    return SplitSigned(d32, hn::BitCast(d32, hn::LoadU(ds8, weights + (g * 4 + j) * kWidth)));
  };
  const auto flip = hn::Set(d8, segment.flip);
  HWY_ALIGN uint8_t edge[kTaps][kWidth];
  auto* out = reinterpret_cast<typename Finish::Output*>(segment.out) + chunk.channel;
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
      V32 quads[4];
      Interleave(d8, x, quads);
      for (size_t j = 0; j < 4; ++j) sums[j] = Dot4(d32, sums[j], quads[j], load(chunk.weights, g, j));
      if (HWY_UNLIKELY(chunk.has_more && chunk.more_groups[g] != 0)) {
        for (size_t j = 0; j < 4; ++j) sums[j] = Dot4(d32, sums[j], quads[j], load(chunk.more_weights, g, j));
      }
    }
    finish.Store(sums, chunk.count, out);
  }
}

constexpr size_t kFullWidth = hn::MaxLanes(hn::CappedTag<uint8_t, 64>());
template <size_t kWidth>
using SumsOf = hn::CappedTag<int32_t, kWidth / 4>;

// Calls compute(width as a constant, chunk) for all of `channels` channels.
template <class Compute>
HWY_INLINE void ForChunks(const Depthwise8Bit& f, size_t channels, size_t groups, const Compute& compute) {
  constexpr size_t kHalf = std::min<size_t>(32, kFullWidth);
  DepthwiseChunk chunk = {0, 0, 0, f.weights, f.more_weights, f.more_groups, false};
  while (chunk.channel < channels) {
    const size_t width = ChunkWidth(f.lanes - chunk.channel, kFullWidth);
    chunk.count = std::min(width, channels - chunk.channel);
    chunk.has_more = f.more_groups != nullptr &&
                     std::any_of(chunk.more_groups, chunk.more_groups + groups, [](uint8_t flag) { return flag != 0; });
    if (width == kFullWidth) {
      compute(std::integral_constant<size_t, kFullWidth>(), chunk);
    } else if (width == kLane) {
      compute(std::integral_constant<size_t, kLane>(), chunk);
    } else {
      compute(std::integral_constant<size_t, kHalf>(), chunk);
    }
    const size_t bytes = groups * kTaps * width;
    chunk.weights += bytes;
    if (f.more_groups != nullptr) chunk.more_weights += bytes, chunk.more_groups += groups;
    chunk.padded_channel += width;
    chunk.channel += chunk.count;
  }
}

// Calls call(type of what becomes of the sums), codes of the form that is known.
template <CodeForm kForm, class D, class Call>
HWY_INLINE void WithFinish(const Depthwise8Bit& f, const Call& call) {
  using numerics::Rounding;
  if (f.floats != nullptr) return call(std::type_identity<ToFloats<D>>());
  switch (FastestRounding(f.stage)) {
    case Rounding::kFixedHalfAway:
      return call(std::type_identity<ToCodes<Rounding::kFixedHalfAway, CodeForm::kAny, D>>());
    case Rounding::kFixedHalfUp:
      return call(std::type_identity<ToCodes<Rounding::kFixedHalfUp, kForm, D>>());
    case Rounding::kFloatHalfEven:
      return call(std::type_identity<ToCodes<Rounding::kFloatHalfEven, kForm, D>>());
    case Rounding::kDoubleHalfAway:
      return call(std::type_identity<ToCodes<Rounding::kDoubleHalfAway, CodeForm::kAny, D>>());
  }
}

void ComputeSegment(const Depthwise8Bit& f, const Segment& segment) {
  ForChunks(f, segment.channels, segment.groups,
            [&]<size_t kWidth>(std::integral_constant<size_t, kWidth>, const DepthwiseChunk& chunk) {
              WithFinish<CodeForm::kAny, SumsOf<kWidth>>(f, [&]<class Finish>(std::type_identity<Finish>) {
                ComputeChunk<kWidth, Finish>(f, segment, chunk);
              });
            });
}

template <size_t kWindow, Columns kColumns>
void ComputeColumnRows(const Depthwise8Bit& f, const ColumnRows& rows, size_t channels) {
  ForChunks(f, channels, TapGroups(kWindow * kWindow),
            [&]<size_t kWidth>(std::integral_constant<size_t, kWidth>, const DepthwiseChunk& chunk) {
              const auto compute = [&]<bool kMore>(std::bool_constant<kMore>) {
                return [&]<class Finish>(std::type_identity<Finish>) {
                  if constexpr (kColumns == Columns::kHalfNew && kWidth < kFullWidth) {
                    return;  // lanes are whole vectors
                  } else if constexpr (kWindow == 3) {
                    ComputeColumns<kWidth, Finish, kColumns, kMore>(f, rows, chunk);
                  } else {
                    ComputeColumns5<kWidth, Finish, kColumns>(f, rows, chunk);
                  }
                };
              };
              // What is rare, or gains little beside many products, is not worth its code.
              if constexpr (kWindow == 3 && kWidth == kFullWidth) {
                if (!chunk.has_more) {
                  switch (FormOf(f.stage, f.scales)) {
                    case CodeForm::kInt8:
                      return WithFinish<CodeForm::kInt8, SumsOf<kWidth>>(f, compute(std::false_type()));
                    case CodeForm::kUInt8:
                      return WithFinish<CodeForm::kUInt8, SumsOf<kWidth>>(f, compute(std::false_type()));
                    case CodeForm::kAny:
                      return WithFinish<CodeForm::kAny, SumsOf<kWidth>>(f, compute(std::false_type()));
                  }
                }
              }
              WithFinish<CodeForm::kAny, SumsOf<kWidth>>(f, compute(std::true_type()));
            });
}

// Neighbouring pixels as the lanes of one: the strip's lines have them side by side for every tap.
class FlatRows {
 public:
  FlatRows(const ref::Conv2DGeometry& g, const Depthwise8Bit& f, uint8_t* scratch)
      : g_(g),
        f_(f),
        plan_(g),
        channels_(static_cast<size_t>(g.input_c)),
        line_out_(static_cast<size_t>(g.output_w) * channels_),
        taps_(static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w)),
        output_bytes_(f.floats == nullptr ? sizeof(uint8_t) : sizeof(float)),
        pointers_(reinterpret_cast<const uint8_t**>(scratch)),
        strip_(scratch + PointerBytes(taps_)) {}

  void Compute(const uint8_t* input, bool is_signed, uint8_t outside_code, Range rows, uint8_t* output) {
    const size_t output_h = static_cast<size_t>(g_.output_h), step_h = static_cast<size_t>(g_.stride_h);
    const auto flip = static_cast<uint8_t>(is_signed ? kSignBit : 0);
    const ImageStrip how = {channels_, plan_.strip_w, flip, static_cast<uint8_t>(outside_code ^ flip)};
    const bool by_columns = ColumnWindow(g_, kMostColumns) == kWindow3 && g_.dilation_w == 1 &&
                            2 * channels_ == kFullWidth && channels_ % kLane == 0;
    uint8_t* out = output + rows.begin * line_out_ * output_bytes_;
    size_t strip_begin = 0, strip_end = 0;
    for (size_t row = rows.begin; row < rows.end; ++row, out += line_out_ * output_bytes_) {
      const size_t oy = row % output_h;
      if (row >= strip_end) {
        strip_begin = row;
        strip_end = std::min({rows.end, row - oy + output_h, row + plan_.rows});
        const size_t lines = (strip_end - row - 1) * step_h +
                             static_cast<size_t>(g_.filter_h - 1) * static_cast<size_t>(g_.dilation_h) + 1;
        FillStrip(g_, how, input + row / output_h * static_cast<size_t>(g_.ImageSize()),
                  static_cast<int64_t>(oy * step_h) - g_.pad_h, lines, strip_);
      }
      const uint8_t* from = strip_ + (row - strip_begin) * step_h * plan_.line_bytes;
      by_columns ? ComputeByColumns(from, out) : ComputeByTaps(from, out);
    }
  }

 private:
  static constexpr size_t kWindow3 = 3;

  // Whole vectors, then what is left of the line.
  void ComputeByColumns(const uint8_t* from, uint8_t* out) const {
    ColumnLine lines[kWindow3];
    for (size_t k = 0; k < kWindow3; ++k) {
      lines[k] = {from + k * static_cast<size_t>(g_.dilation_h) * plan_.line_bytes, f_.lanes};
    }
    ColumnRows rows = {.lines = lines,
                       .rows = 1,
                       .pixels = line_out_ / f_.lanes,
                       .first = 0,
                       .width = INT64_MAX,
                       .end = UINTPTR_MAX,
                       .flip = 0,
                       .outside = 0,
                       .out = out,
                       .channels = f_.lanes};
    ComputeColumnRows<kWindow3, Columns::kHalfNew>(f_, rows, f_.lanes);
    const size_t done = rows.pixels * f_.lanes;
    if (done == line_out_) return;
    for (ColumnLine& line : lines) line.from += done;
    rows.pixels = 1, rows.out += done * output_bytes_;
    ComputeColumnRows<kWindow3, Columns::kHalfNew>(f_, rows, line_out_ - done);
  }

  void ComputeByTaps(const uint8_t* from, uint8_t* out) {
    const size_t groups = TapGroups(taps_);
    Segment segment = {pointers_, 0, groups, UINTPTR_MAX, /*flip=*/0, out, f_.lanes, output_bytes_};
    for (size_t done = 0; done < line_out_;) {
      const size_t whole = (line_out_ - done) / f_.lanes;
      segment.pixels = std::min(std::max<size_t>(whole, 1), kSegmentPixels);
      segment.channels = whole > 0 ? f_.lanes : line_out_ - done;
      // Where no tap is, weights are 0.
      for (size_t i = 0; i < segment.pixels * groups * kTaps; ++i) pointers_[i] = from;
      for (size_t t = 0; t < taps_; ++t) {
        const size_t ky = t / static_cast<size_t>(g_.filter_w), kx = t % static_cast<size_t>(g_.filter_w);
        const uint8_t* first = from + ky * static_cast<size_t>(g_.dilation_h) * plan_.line_bytes +
                               kx * static_cast<size_t>(g_.dilation_w) * channels_ + done;
        const uint8_t** to = pointers_ + SlotOf(ColumnWindow(g_, kMostColumns), t);
        for (size_t p = 0; p < segment.pixels; ++p) to[p * groups * kTaps] = first + p * f_.lanes;
      }
      ComputeSegment(f_, segment);
      const size_t count = segment.pixels * segment.channels;
      segment.out += count * output_bytes_;
      done += count;
    }
  }

  const ref::Conv2DGeometry& g_;
  const Depthwise8Bit& f_;
  FlatPlan plan_;
  size_t channels_, line_out_, taps_, output_bytes_;
  const uint8_t** pointers_;
  uint8_t* strip_;
};

// Windows by columns, some rows at once so that what is loaded for a vector of channels serves long.
template <size_t kWindow>
void ComputeWindows(const ref::Conv2DGeometry& g, const uint8_t* input, uint8_t flip, const uint8_t* outside,
                    const Depthwise8Bit& f, Range rows, ColumnLine* lines, uint8_t* output) {
  constexpr size_t kPixels = 64;
  const auto channels = static_cast<size_t>(g.input_c), image = static_cast<size_t>(g.ImageSize());
  const auto output_h = static_cast<size_t>(g.output_h), output_w = static_cast<size_t>(g.output_w);
  const size_t together = std::clamp(kPixels / output_w, size_t{1}, kColumnRows);
  const size_t output_bytes = f.floats == nullptr ? sizeof(uint8_t) : sizeof(float);
  ColumnRows some = {.lines = lines,
                     .rows = 0,
                     .pixels = output_w,
                     .first = -int64_t{g.pad_w},
                     .width = g.input_w,
                     .end = reinterpret_cast<uintptr_t>(input) + static_cast<size_t>(g.batches) * image,
                     .flip = flip,
                     .outside = static_cast<uint8_t>(*outside ^ flip),
                     .out = output + rows.begin * output_w * channels * output_bytes,
                     .channels = channels};
  for (size_t row = rows.begin; row < rows.end; row += some.rows) {
    some.rows = std::min(together, rows.end - row);
    ColumnLine* line = lines;
    for (size_t r = row; r < row + some.rows; ++r) {
      const int64_t top = static_cast<int64_t>(r % output_h) * g.stride_h - g.pad_h;
      for (size_t k = 0; k < kWindow; ++k) {
        const int64_t y = top + static_cast<int64_t>(k) * g.dilation_h;
        const bool inside = y >= 0 && y < g.input_h;
        const size_t at = (static_cast<size_t>(inside ? y : 0) * static_cast<size_t>(g.input_w)) * channels;
        *line++ = inside ? ColumnLine{input + r / output_h * image + at, channels} : ColumnLine{outside, 0};
      }
    }
    g.stride_w == 1 ? ComputeColumnRows<kWindow, Columns::kOneNew>(f, some, channels)
                    : ComputeColumnRows<kWindow, Columns::kTwoNew>(f, some, channels);
    some.out += some.rows * output_w * channels * output_bytes;
  }
}

// Windows tap by tap.
class TapPixels {
 public:
  // `pointers` has room for PointerBytes; what they point to where nothing else is said is `outside`.
  TapPixels(const ref::Conv2DGeometry& g, const Depthwise8Bit& f, const uint8_t* input, uint8_t flip,
            const uint8_t* outside, const uint8_t** pointers)
      : g_(g),
        f_(f),
        pointers_(pointers),
        outside_(outside),
        channels_(static_cast<size_t>(g.input_c)),
        groups_(TapGroups(static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w))),
        window_(ColumnWindow(g, kMostColumns)) {
    for (size_t i = 0; i < kSegmentPixels * groups_ * kTaps; ++i) pointers[i] = outside;  // weights are 0 there
    const size_t bytes = static_cast<size_t>(g.batches) * static_cast<size_t>(g.ImageSize());
    segment_.taps = pointers, segment_.groups = groups_, segment_.end = reinterpret_cast<uintptr_t>(input) + bytes;
    segment_.flip = flip, segment_.channels = channels_;
    segment_.output_bytes = f.floats == nullptr ? sizeof(uint8_t) : sizeof(float);
  }

  // The pixels of an output row of `image` whose windows begin at line `top`; gives the place behind them.
  uint8_t* Compute(const uint8_t* image, int64_t top, Range pixels, uint8_t* out) {
    segment_.out = out;
    for (size_t first = pixels.begin; first < pixels.end; first += kSegmentPixels) {
      segment_.pixels = std::min(kSegmentPixels, pixels.end - first);
      size_t t = 0;
      for (int32_t ky = 0; ky < g_.filter_h; ++ky) {
        const int64_t y = top + int64_t{ky} * g_.dilation_h;
        const bool inside = y >= 0 && y < g_.input_h;
        const uint8_t* line =
            inside ? image + static_cast<size_t>(y) * static_cast<size_t>(g_.input_w) * channels_ : nullptr;
        for (int32_t kx = 0; kx < g_.filter_w; ++kx, ++t) {
          const int64_t x = static_cast<int64_t>(first) * g_.stride_w - g_.pad_w + int64_t{kx} * g_.dilation_w;
          Point(line, x, pointers_ + SlotOf(window_, t));
        }
      }
      ComputeSegment(f_, segment_);
      segment_.out += segment_.pixels * channels_ * segment_.output_bytes;
    }
    return segment_.out;
  }

 private:
  // One tap of all the segment's pixels, of the first one at column x; null: the line lies outside.
  void Point(const uint8_t* line, int64_t x, const uint8_t** to) const {
    // Pixels [inside, beyond) have this tap inside of the image.
    const auto pixels = static_cast<int64_t>(segment_.pixels);
    const int64_t inside = x >= 0 ? 0 : std::min((-x + g_.stride_w - 1) / g_.stride_w, pixels);
    const int64_t room = int64_t{g_.input_w} - 1 - x;
    const int64_t beyond =
        line == nullptr || room < 0 ? inside : std::clamp<int64_t>(room / g_.stride_w + 1, inside, pixels);
    const uint8_t* tap =
        inside < beyond ? line + (x + inside * g_.stride_w) * static_cast<int64_t>(channels_) : outside_;
    const size_t step = static_cast<size_t>(g_.stride_w) * channels_, pitch = groups_ * kTaps;
    int64_t p = 0;
    for (; p < inside; ++p, to += pitch) *to = outside_;
    for (; p < beyond; ++p, to += pitch, tap += step) *to = tap;
    for (; p < pixels; ++p, to += pitch) *to = outside_;
  }

  const ref::Conv2DGeometry& g_;
  const Depthwise8Bit& f_;
  const uint8_t** pointers_;
  const uint8_t* outside_;
  size_t channels_, groups_, window_;
  Segment segment_ = {};
};

// A column of pixels lies in memory as a line does.
ref::Conv2DGeometry Transposed(const ref::Conv2DGeometry& g) {
  ref::Conv2DGeometry t = g;
  std::swap(t.input_h, t.input_w), std::swap(t.output_h, t.output_w), std::swap(t.filter_h, t.filter_w);
  std::swap(t.stride_h, t.stride_w), std::swap(t.dilation_h, t.dilation_w), std::swap(t.pad_h, t.pad_w);
  return t;
}

void Compute(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t outside_code,
             const Depthwise8Bit& f, Range rows, uint8_t* scratch, uint8_t* output) {
  if (f.lanes != static_cast<size_t>(g.input_c)) {
    return FlatRows(g, f, scratch).Compute(input, is_signed, outside_code, rows, output);
  }
  const auto channels = static_cast<size_t>(g.input_c);
  const auto output_h = static_cast<size_t>(g.output_h), output_w = static_cast<size_t>(g.output_w);
  const size_t taps = static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w);
  const auto flip = static_cast<uint8_t>(is_signed ? kSignBit : 0);
  uint8_t* outside = scratch + PointerBytes(taps);
  std::memset(outside, outside_code, channels + 64);
  const size_t window = ColumnWindow(g, kMostColumns);
  if (window > 0 && g.dilation_w == 1 && g.stride_w <= 2 && output_w > 0) {
    auto* lines = reinterpret_cast<ColumnLine*>(scratch);
    if constexpr (kMostColumns >= 5) {
      if (window == 5) return ComputeWindows<5>(g, input, flip, outside, f, rows, lines, output);
    }
    return ComputeWindows<3>(g, input, flip, outside, f, rows, lines, output);
  }
  const auto** pointers = reinterpret_cast<const uint8_t**>(scratch);
  const auto image = [&](size_t row) { return input + row / output_h * static_cast<size_t>(g.ImageSize()); };
  uint8_t* out = output + rows.begin * output_w * channels * (f.floats == nullptr ? sizeof(uint8_t) : sizeof(float));
  if (g.input_w == 1 && g.output_w == 1 && g.filter_w == 1 && g.pad_w == 0) {
    const ref::Conv2DGeometry line = Transposed(g);
    TapPixels all(line, f, input, flip, outside, pointers);
    for (size_t row = rows.begin; row < rows.end;) {
      const size_t first = row % output_h, last = std::min(output_h, first + rows.end - row);
      out = all.Compute(image(row), 0, {first, last}, out);
      row += last - first;
    }
    return;
  }
  TapPixels all(g, f, input, flip, outside, pointers);
  for (size_t row = rows.begin; row < rows.end; ++row) {
    out = all.Compute(image(row), static_cast<int64_t>(row % output_h) * g.stride_h - g.pad_h, {0, output_w}, out);
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
HWY_EXPORT(MostColumns);
HWY_EXPORT(Compute);

DepthwiseLayout::DepthwiseLayout(size_t lanes, const ref::Conv2DGeometry& g) noexcept
    : channels_(lanes),
      groups_(TapGroups(static_cast<size_t>(g.filter_h) * static_cast<size_t>(g.filter_w))),
      full_width_(HWY_DYNAMIC_DISPATCH(VectorBytes)()),
      window_(ColumnWindow(g, HWY_DYNAMIC_DISPATCH(MostColumns)())) {
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
  const size_t chunk = c / full_width_, begin = chunk * full_width_;
  const size_t width = ChunkWidth(channels_ - begin, full_width_), local = c - begin;
  return {chunk, begin, width, local % kLane / 4 * (width / 4) + local / kLane * 4 + local % 4};
}

size_t DepthwiseLayout::ChannelAt(size_t c) const noexcept {
  const Place place = Find(c);
  return place.chunk_begin + place.lane;
}

size_t DepthwiseLayout::WeightAt(size_t c, size_t t) const noexcept {
  const Place place = Find(c);
  const size_t slot = SlotOf(window_, t), group = slot / kTaps;
  return (place.chunk_begin * groups_ + group * place.chunk_width + place.lane) * kTaps + slot % kTaps;
}

size_t DepthwiseLayout::FlagAt(size_t c, size_t t) const noexcept {
  return Find(c).chunk * groups_ + SlotOf(window_, t) / kTaps;
}

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
