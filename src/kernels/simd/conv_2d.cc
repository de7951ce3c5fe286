#include "kernels/simd/conv_2d.h"

#include <algorithm>
#include <cstring>

#include "kernels/simd/image_strip.h"

namespace assay::kernels::simd {
namespace {

using ref::Conv2DGeometry;

bool IsPointwise(const Conv2DGeometry& g) {
  return g.filter_h == 1 && g.filter_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 0 && g.pad_w == 0 &&
         g.output_h == g.input_h && g.output_w == g.input_w;
}

// Gathered lines move 16 bytes at a time, so that a row's last line writes up to kSlack bytes too many: into the row
// that follows, or behind the last one.
constexpr size_t kMove = 16, kSlack = kMove;
struct Gathering {
  const uint8_t* input_end;
  size_t pixel_bytes, pixel_pitch;  // of a window's pixels, and from one of the image to the next
  size_t line_pitch;                // of the lines of a row
  uint64_t flip;                    // for eight bytes
  uint64_t outside;                 // flipped already
};

inline void Fill(const Gathering& how, uint8_t* to, size_t bytes) {
  for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) std::memcpy(to + i, &how.outside, sizeof(uint64_t));
}

using Move = uint64_t __attribute__((vector_size(kMove)));

inline void Copy(const Gathering& how, const uint8_t* from, uint8_t* to, size_t bytes) {
  if (bytes + kMove > static_cast<size_t>(how.input_end - from)) {
    for (size_t i = 0; i < bytes; ++i) to[i] = static_cast<uint8_t>(from[i] ^ how.flip);
    return;
  }
  const Move flip = {how.flip, how.flip};
  for (size_t i = 0; i < bytes; i += kMove) {
    Move move;
    std::memcpy(&move, from + i, kMove);
    move ^= flip;
    std::memcpy(to + i, &move, kMove);
  }
}

// The window of output pixel (oy, ox) as one row.
void GatherWindow(const Conv2DGeometry& g, const Gathering& how, const uint8_t* image, int32_t oy, int32_t ox,
                  uint8_t* row) {
  const int64_t left = int64_t{ox} * g.stride_w - g.pad_w;
  const size_t line = static_cast<size_t>(g.filter_w) * how.pixel_bytes;
  // Of the line's pixels, those in [first, last) lie inside; without gaps between them they move as one.
  const int64_t first = std::clamp<int64_t>(-left, 0, g.filter_w);
  const int64_t last = std::clamp<int64_t>(g.input_w - left, first, g.filter_w);
  const size_t before = static_cast<size_t>(first) * how.pixel_bytes;
  const size_t inside = static_cast<size_t>(last - first) * how.pixel_bytes;
  for (int32_t ky = 0; ky < g.filter_h; ++ky, row += how.line_pitch) {
    const int64_t y = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
    if (y < 0 || y >= g.input_h) {
      Fill(how, row, line);
      continue;
    }
    const uint8_t* from = image + static_cast<size_t>(y) * static_cast<size_t>(g.input_w) * how.pixel_pitch;
    if (g.dilation_w == 1 && how.pixel_pitch == how.pixel_bytes) {
      if (before > 0) Fill(how, row, before);
      if (inside > 0) Copy(how, from + static_cast<size_t>(left + first) * how.pixel_bytes, row + before, inside);
      if (before + inside < line) Fill(how, row + before + inside, line - before - inside);
      continue;
    }
    for (int32_t kx = 0; kx < g.filter_w; ++kx) {
      const int64_t x = left + int64_t{kx} * g.dilation_w;
      uint8_t* to = row + static_cast<size_t>(kx) * how.pixel_bytes;
      if (x < 0 || x >= g.input_w) {
        Fill(how, to, how.pixel_bytes);
      } else {
        Copy(how, from + static_cast<size_t>(x) * how.pixel_pitch, to, how.pixel_bytes);
      }
    }
  }
}

// Distance of the image's pixels, of which a window takes pixel_bytes.
size_t PixelPitch(const Conv2DGeometry& g, size_t pixel_bytes) {
  return pixel_bytes / static_cast<size_t>(g.filter_c) * static_cast<size_t>(g.input_c);
}

Gathering GatheringOf(const Conv2DGeometry& g, const uint8_t* input, size_t pixel_bytes, size_t line_pitch,
                      bool flip_sign, uint8_t outside) {
  constexpr uint64_t kEach = 0x0101010101010101U;
  const size_t pitch = PixelPitch(g, pixel_bytes);
  const size_t pixels =
      static_cast<size_t>(g.batches) * static_cast<size_t>(g.input_h) * static_cast<size_t>(g.input_w);
  const uint64_t flip = flip_sign ? kEach * 0x80 : 0;
  // `input` is a group's first value: what comes after the last pixel's share of it is not counted on.
  const uint8_t* end = pixels > 0 ? input + (pixels - 1) * pitch + pixel_bytes : input;
  return {end, pixel_bytes, pitch, line_pitch, flip, (kEach * outside) ^ flip};
}

// Pieces of windows that lie inside of the image from left to right, for neighbouring output pixels: their lines, or
// their pixels where those do not touch each other. `pieces` are those of the first, null above and below the image.
constexpr size_t kMostPieces = 64;
struct InsideRun {
  struct Piece {
    const uint8_t* from;
    size_t to;  // in the row
  };
  Piece pieces[kMostPieces];
  size_t piece_count, piece_bytes;
  size_t step;  // from one output pixel's piece to the next one's
  size_t pixels;
};

template <size_t kMoves>  // per piece; 0: as many as it takes
void GatherInside(const Gathering& how, const InsideRun& run, size_t row_bytes, uint8_t* rows) {
  const Move flip = {how.flip, how.flip};
  const size_t bytes = kMoves > 0 ? kMoves * kMove : run.piece_bytes;
  for (size_t pixel = 0; pixel < run.pixels; ++pixel) {
    uint8_t* row = rows + pixel * row_bytes;
    for (size_t k = 0; k < run.piece_count; ++k) {
      uint8_t* to = row + run.pieces[k].to;
      if (run.pieces[k].from == nullptr) {
        Fill(how, to, run.piece_bytes);
        continue;
      }
      const uint8_t* from = run.pieces[k].from + pixel * run.step;
      for (size_t i = 0; i < bytes; i += kMove) {
        Move move;
        std::memcpy(&move, from + i, kMove);
        move ^= flip;
        std::memcpy(to + i, &move, kMove);
      }
    }
  }
}

// How many of `most` output pixels from (oy, ox) on have windows whose lines lie inside, with room to move them;
// gathers those.
size_t GatherInside(const Conv2DGeometry& g, const Gathering& how, const uint8_t* image, int32_t oy, int32_t ox,
                    size_t most, size_t row_bytes, uint8_t* rows) {
  const bool touch = g.dilation_w == 1 && how.pixel_pitch == how.pixel_bytes;
  const int32_t pieces = touch ? 1 : g.filter_w;  // of a line
  const int64_t left = int64_t{ox} * g.stride_w - g.pad_w;
  const int64_t last_left = int64_t{g.input_w} - (int64_t{g.filter_w} - 1) * g.dilation_w - 1;
  if (int64_t{g.filter_h} * pieces > static_cast<int64_t>(kMostPieces) || left < 0 || left > last_left) return 0;
  InsideRun run;
  run.piece_count = 0;
  run.piece_bytes = touch ? static_cast<size_t>(g.filter_w) * how.pixel_bytes : how.pixel_bytes;
  run.step = static_cast<size_t>(g.stride_w) * how.pixel_pitch;
  run.pixels = std::min(most, static_cast<size_t>((last_left - left) / g.stride_w) + 1);
  for (int32_t ky = 0; ky < g.filter_h; ++ky) {
    const int64_t y = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
    const bool inside = y >= 0 && y < g.input_h;
    for (int32_t kx = 0; kx < pieces; ++kx) {
      InsideRun::Piece& piece = run.pieces[run.piece_count++];
      piece = {nullptr, static_cast<size_t>(ky) * how.line_pitch + static_cast<size_t>(kx) * how.pixel_bytes};
      if (!inside) continue;
      piece.from = image + static_cast<size_t>(y * g.input_w + left + int64_t{kx} * g.dilation_w) * how.pixel_pitch;
      const auto room = static_cast<size_t>(how.input_end - piece.from);
      if (room < run.piece_bytes + kMove) return 0;
      run.pixels = std::min(run.pixels, (room - run.piece_bytes - kMove) / run.step + 1);
    }
  }
  switch ((run.piece_bytes + kMove - 1) / kMove) {
    case 1:
      GatherInside<1>(how, run, row_bytes, rows);
      break;
    case 2:
      GatherInside<2>(how, run, row_bytes, rows);
      break;
    case 3:
      GatherInside<3>(how, run, row_bytes, rows);
      break;
    default:
      GatherInside<0>(how, run, row_bytes, rows);
  }
  return run.pixels;
}

// Windows of the `count` output pixels from `first` on, as rows `row_bytes` apart.
void GatherWindows(const Conv2DGeometry& g, const Gathering& how, const uint8_t* input, size_t first, size_t count,
                   size_t row_bytes, uint8_t* rows) {
  const size_t image_bytes = static_cast<size_t>(g.input_h) * static_cast<size_t>(g.input_w) * how.pixel_pitch;
  auto ox = static_cast<int32_t>(first % static_cast<size_t>(g.output_w));
  const size_t line = first / static_cast<size_t>(g.output_w);
  auto oy = static_cast<int32_t>(line % static_cast<size_t>(g.output_h));
  const uint8_t* image = input + line / static_cast<size_t>(g.output_h) * image_bytes;
  for (size_t r = 0; r < count;) {
    const size_t most = std::min(count - r, static_cast<size_t>(g.output_w - ox));
    size_t done = GatherInside(g, how, image, oy, ox, most, row_bytes, rows + r * row_bytes);
    if (done == 0) {
      GatherWindow(g, how, image, oy, ox, rows + r * row_bytes);
      done = 1;
    }
    r += done;
    ox += static_cast<int32_t>(done);
    if (ox < g.output_w) continue;
    ox = 0;
    if (++oy < g.output_h) continue;
    oy = 0;
    image += image_bytes;
  }
}

// How windows become rows that the matrix kernels read.
struct Plan {
  enum class Form : uint8_t {
    kPixels,  // one pixel each: the input is the rows
    kLines,   // read where they are: nothing lies outside of the image
    kStrip,   // some lines of the image are copied with what surrounds them
    kGather   // each window is copied
  };
  Form form;
  size_t pixel_bytes, line_bytes, line_pitch;  // line_pitch: line_bytes in whole groups of values
  size_t row_bytes;                            // of a gathered row
  size_t chunk;                                // most rows at once
  // kStrip: pixels of a line of it, and how many lines of output it serves. kGather: of a copy of the image with what
  // surrounds it, from which windows are copied; 0 where they come from the image.
  size_t strip_w, strip_lines;

  bool is_padded() const { return form == Form::kGather && strip_lines > 0; }
  size_t StripBytes(const Conv2DGeometry& g) const {
    const size_t reach = static_cast<size_t>(g.filter_h - 1) * static_cast<size_t>(g.dilation_h) + 1;
    return ((strip_lines - 1) * static_cast<size_t>(g.stride_h) + reach) * strip_w * pixel_bytes;
  }
  size_t ScratchBytes(const Conv2DGeometry& g) const {
    if (form == Form::kStrip) return StripBytes(g) + kSlack;
    if (form != Form::kGather) return 0;
    return chunk * row_bytes + kSlack + (is_padded() ? StripBytes(g) + kSlack : 0);
  }
};

bool IsInside(const Conv2DGeometry& g) {
  const auto inside = [](int64_t outputs, int64_t stride, int64_t filter, int64_t dilation, int64_t input) {
    return (outputs - 1) * stride + (filter - 1) * dilation < input;
  };
  return g.pad_h == 0 && g.pad_w == 0 && inside(g.output_h, g.stride_h, g.filter_h, g.dilation_h, g.input_h) &&
         inside(g.output_w, g.stride_w, g.filter_w, g.dilation_w, g.input_w);
}

// Windows at the edge are many where the image is small, and copied piece by piece.
void PlanPadding(const Conv2DGeometry& g, Plan& plan) {
  constexpr size_t kPaddedBytes = size_t{8} << 10;
  plan.strip_w = plan.strip_lines = 0;
  if (IsInside(g) || g.pad_w < 0 || g.output_h < 1 || g.output_w < 1) return;
  const auto reach_w = static_cast<size_t>(g.filter_w - 1) * static_cast<size_t>(g.dilation_w) + 1;
  plan.strip_w = static_cast<size_t>(g.output_w - 1) * static_cast<size_t>(g.stride_w) + reach_w;
  plan.strip_lines = static_cast<size_t>(g.output_h);
  if (plan.StripBytes(g) > kPaddedBytes) plan.strip_w = plan.strip_lines = 0;
}

// Lines are read in groups of group_bytes; a row's outputs and working memory take `more` bytes.
Plan PlanOf(const Conv2DGeometry& g, size_t value_bytes, size_t group_bytes, size_t more) {
  constexpr size_t kStripBytes = size_t{96} << 10;
  // With many outputs copying windows costs little, and of narrow images rows from several lines fill the tiles better.
  constexpr int32_t kFewOutputs = 64, kWide = 8;
  Plan plan = {};
  plan.form = Plan::Form::kGather;
  plan.pixel_bytes = static_cast<size_t>(g.filter_c) * value_bytes;
  plan.line_bytes = static_cast<size_t>(g.filter_w) * plan.pixel_bytes;
  plan.line_pitch = (plan.line_bytes + group_bytes - 1) / group_bytes * group_bytes;
  plan.row_bytes = static_cast<size_t>(g.filter_h) * plan.line_pitch;
  plan.chunk = ChunkRows(PixelCount(g), plan.row_bytes + more, plan.row_bytes * static_cast<size_t>(g.output_c));
  const bool whole = plan.line_pitch == plan.line_bytes;
  if (IsPointwise(g)) {
    if (whole) plan.form = Plan::Form::kPixels;
    return plan;
  }
  PlanPadding(g, plan);
  if (g.dilation_w != 1 || g.pad_w < 0 || (g.output_w < kWide && int64_t{g.output_h} * g.output_w > 1)) return plan;
  if (whole && g.filter_c == g.input_c && IsInside(g)) {
    plan.form = Plan::Form::kLines;
    return plan;
  }
  Plan strip = plan;
  strip.form = Plan::Form::kStrip;
  strip.strip_w =
      static_cast<size_t>(g.output_w - 1) * static_cast<size_t>(g.stride_w) + static_cast<size_t>(g.filter_w);
  strip.strip_lines = 1;
  if (g.output_c > kFewOutputs || g.dilation_h != 1 || strip.StripBytes(g) > 2 * kStripBytes) return plan;
  const size_t line_bytes = strip.strip_w * strip.pixel_bytes, filter_h = static_cast<size_t>(g.filter_h);
  const size_t lines = std::max(kStripBytes / line_bytes, filter_h);
  strip.strip_lines =
      std::min((lines - filter_h) / static_cast<size_t>(g.stride_h) + 1, static_cast<size_t>(g.output_h));
  return strip;
}

// Rows for the matrix kernels, distances in bytes.
struct WindowRows {
  const uint8_t* data;
  size_t count, stride, line_step;
  bool flip;  // still to be done
};

// ForWindows by copies of the images with what surrounds them.
template <typename Each>
void ForPaddedWindows(const Conv2DGeometry& g, const Plan& plan, const Gathering& how, const uint8_t* input,
                      Range pixels, uint8_t* scratch, Each&& each) {
  const size_t image_pixels = static_cast<size_t>(g.output_h) * static_cast<size_t>(g.output_w);
  const size_t image_bytes = static_cast<size_t>(g.input_h) * static_cast<size_t>(g.input_w) * how.pixel_pitch;
  const size_t strip_bytes = plan.StripBytes(g), lines = strip_bytes / (plan.strip_w * plan.pixel_bytes);
  uint8_t* strip = scratch + plan.chunk * plan.row_bytes + kSlack;
  Conv2DGeometry padded = g;
  padded.batches = 1, padded.pad_h = padded.pad_w = 0;
  padded.input_h = static_cast<int32_t>(lines), padded.input_w = static_cast<int32_t>(plan.strip_w);
  Gathering from_strip = how;
  from_strip.input_end = strip + strip_bytes + kSlack, from_strip.pixel_pitch = how.pixel_bytes, from_strip.flip = 0;
  size_t copied = SIZE_MAX;
  for (size_t begin = pixels.begin; begin < pixels.end;) {
    const size_t image = begin / image_pixels, first = begin % image_pixels;
    if (image != copied) {
      FillStrip(g,
                {plan.pixel_bytes, plan.strip_w, static_cast<uint8_t>(how.flip), static_cast<uint8_t>(how.outside),
                 how.pixel_pitch},
                input + image * image_bytes, -int64_t{g.pad_h}, lines, strip);
      copied = image;
    }
    const size_t count = std::min({plan.chunk, pixels.end - begin, image_pixels - first});
    GatherWindows(padded, from_strip, strip, first, count, plan.row_bytes, scratch);
    each(begin, WindowRows{scratch, count, plan.row_bytes, plan.line_pitch, /*flip=*/false});
    begin += count;
  }
}

// Calls each(first pixel, WindowRows) for parts of a range of output pixels, at most plan.chunk at once.
template <typename Each>
void ForWindows(const Conv2DGeometry& g, const Plan& plan, const Gathering& how, const uint8_t* input, Range pixels,
                uint8_t* scratch, Each&& each) {
  using Form = Plan::Form;
  if (plan.is_padded()) return ForPaddedWindows(g, plan, how, input, pixels, scratch, each);
  const bool flip = how.flip != 0;
  if (plan.form == Form::kPixels || plan.form == Form::kGather) {
    for (size_t begin = pixels.begin; begin < pixels.end; begin += plan.chunk) {
      const size_t count = std::min(plan.chunk, pixels.end - begin);
      if (plan.form == Form::kPixels) {
        each(begin, WindowRows{input + begin * how.pixel_pitch, count, how.pixel_pitch, plan.line_bytes, flip});
      } else {
        GatherWindows(g, how, input, begin, count, plan.row_bytes, scratch);
        each(begin, WindowRows{scratch, count, plan.row_bytes, plan.line_pitch, /*flip=*/false});
      }
    }
    return;
  }
  const auto output_w = static_cast<size_t>(g.output_w), output_h = static_cast<size_t>(g.output_h);
  const size_t image_line = static_cast<size_t>(g.input_w) * how.pixel_pitch;
  const size_t strip_line = plan.strip_w * plan.pixel_bytes;
  const size_t step_w = static_cast<size_t>(g.stride_w) * plan.pixel_bytes, step_h = static_cast<size_t>(g.stride_h);
  size_t strip_begin = 0, strip_end = 0;  // the lines of output that the strip serves
  for (size_t line = pixels.begin / output_w; line * output_w < pixels.end; ++line) {
    const size_t oy = line % output_h;
    const uint8_t* image = input + line / output_h * static_cast<size_t>(g.input_h) * image_line;
    const uint8_t* from;
    size_t line_step;
    if (plan.form == Form::kLines) {
      from = image + oy * step_h * image_line;
      line_step = static_cast<size_t>(g.dilation_h) * image_line;
    } else {
      if (line >= strip_end) {
        strip_begin = line;
        // To the end of the range, of the image and of the strip.
        strip_end = std::min({(pixels.end - 1) / output_w + 1, line - oy + output_h, line + plan.strip_lines});
        const size_t lines = (strip_end - strip_begin - 1) * step_h + static_cast<size_t>(g.filter_h);
        FillStrip(g,
                  {plan.pixel_bytes, plan.strip_w, static_cast<uint8_t>(how.flip), static_cast<uint8_t>(how.outside),
                   how.pixel_pitch},
                  image, static_cast<int64_t>(oy * step_h) - g.pad_h, lines, scratch);
      }
      from = scratch + (line - strip_begin) * step_h * strip_line;
      line_step = strip_line;
    }
    const size_t end = std::min((line + 1) * output_w, pixels.end);
    for (size_t begin = std::max(line * output_w, pixels.begin); begin < end; begin += plan.chunk) {
      each(begin, WindowRows{from + (begin - line * output_w) * step_w, std::min(plan.chunk, end - begin), step_w,
                             line_step, flip && plan.form == Form::kLines});
    }
  }
}

Plan Plan8Bit(const Conv2DGeometry& g, size_t more) { return PlanOf(g, 1, kDepthGroup, more); }
Plan PlanFloat(const Conv2DGeometry& g) {
  return PlanOf(g, sizeof(float), sizeof(float), static_cast<size_t>(g.output_c) * sizeof(float));
}

// `count` of the rows, from `first` on.
Rows8Bit AsRows8Bit(const WindowRows& rows, size_t first, size_t count) {
  return {rows.data + first * rows.stride, count, rows.stride, rows.line_step, rows.flip};
}

template <typename T>
T* PlaceOf(const Conv2DGeometry& g, const OutputPixels<T>& to, size_t pixel) {
  if (!to.has_lines()) return to.first + pixel * to.pixel;
  const size_t line = pixel / static_cast<size_t>(g.output_w), lines = static_cast<size_t>(g.output_h);
  return to.first + line / lines * to.image + line % lines * to.line +
         pixel % static_cast<size_t>(g.output_w) * to.pixel;
}

// Working memory of ForOutputs.
size_t TogetherBytes(const Conv2DGeometry& g, const Plan& plan, bool lines, size_t value_bytes) {
  return lines ? plan.chunk * static_cast<size_t>(g.output_c) * value_bytes : 0;
}

// Calls multiply(first row, rows, output, distance of outputs) for `count` rows, which make the output pixels from
// `begin` on. Short lines that lie apart are computed together first, for tiles of few rows are slow.
template <typename T, typename Multiply>
void ForOutputs(const Conv2DGeometry& g, const OutputPixels<T>& to, size_t begin, size_t count, T* together,
                Multiply&& multiply) {
  constexpr size_t kFewPixels = 24;
  const auto outputs = static_cast<size_t>(g.output_c), output_w = static_cast<size_t>(g.output_w);
  if (!to.has_lines()) return multiply(size_t{0}, count, PlaceOf(g, to, begin), to.pixel);
  const bool is_short = output_w < kFewPixels && begin % output_w + count > output_w;
  if (is_short) multiply(size_t{0}, count, together, outputs);
  for (size_t r = 0; r < count;) {
    const size_t pixels = std::min(count - r, output_w - (begin + r) % output_w);
    T* place = PlaceOf(g, to, begin + r);
    if (is_short) {
      for (size_t i = 0; i < pixels; ++i) std::copy_n(together + (r + i) * outputs, outputs, place + i * to.pixel);
    } else {
      multiply(r, pixels, place, to.pixel);
    }
    r += pixels;
  }
}

}  // namespace

size_t PixelCount(const Conv2DGeometry& g) noexcept {
  return static_cast<size_t>(g.batches) * static_cast<size_t>(g.output_h) * static_cast<size_t>(g.output_w);
}

size_t Conv2D8BitScratch(const Conv2DGeometry& g, bool lines) noexcept {
  const Plan plan = Plan8Bit(g, static_cast<size_t>(g.output_c));
  return TogetherBytes(g, plan, lines, 1) + plan.ScratchBytes(g);
}

void Conv2D8Bit(const Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t input_zero_point,
                const Matrix8Bit& matrix, Range pixels, uint8_t* scratch,
                const OutputPixels<uint8_t>& output) noexcept {
  const Plan plan = Plan8Bit(g, matrix.outputs);
  uint8_t* windows = scratch + TogetherBytes(g, plan, output.has_lines(), 1);
  const Gathering how = GatheringOf(g, input, plan.pixel_bytes, plan.line_pitch, is_signed, input_zero_point);
  ForWindows(g, plan, how, input, pixels, windows, [&](size_t begin, const WindowRows& rows) {
    ForOutputs(g, output, begin, rows.count, scratch, [&](size_t first, size_t count, uint8_t* to, size_t step) {
      Multiply8Bit(matrix, AsRows8Bit(rows, first, count), to, step);
    });
  });
}

namespace {

Plan PlanHybrid(const Conv2DGeometry& g) { return Plan8Bit(g, static_cast<size_t>(g.output_c) * sizeof(float)); }

}  // namespace

size_t Conv2DHybridScratch(const Conv2DGeometry& g, bool lines) noexcept {
  const Plan plan = PlanHybrid(g);
  return TogetherBytes(g, plan, lines, sizeof(float)) + plan.ScratchBytes(g);
}

void Conv2DHybrid(const Conv2DGeometry& g, const uint8_t* codes, const ref::DynamicRange* ranges,
                  size_t pixels_per_range, const MatrixHybrid& matrix, Range pixels, uint8_t* scratch,
                  const OutputPixels<float>& output) noexcept {
  const Plan plan = PlanHybrid(g);
  auto* together = reinterpret_cast<float*>(scratch);
  uint8_t* windows = scratch + TogetherBytes(g, plan, output.has_lines(), sizeof(float));
  for (size_t begin = pixels.begin; begin < pixels.end;) {
    // Windows that leave the image meet its zero point, so that images are taken one by one.
    const size_t end = plan.form == Plan::Form::kPixels
                           ? pixels.end
                           : std::min(pixels.end, (begin / pixels_per_range + 1) * pixels_per_range);
    const Gathering how = GatheringOf(g, codes, plan.pixel_bytes, plan.line_pitch, /*flip_sign=*/false,
                                      ZeroCode(ranges[begin / pixels_per_range]));
    ForWindows(g, plan, how, codes, {begin, end}, windows, [&](size_t pixel, const WindowRows& rows) {
      ForOutputs(g, output, pixel, rows.count, together, [&](size_t first, size_t count, float* to, size_t step) {
        MultiplyHybrid(matrix, AsRows8Bit(rows, first, count), {ranges, pixel + first, pixels_per_range}, to, step);
      });
    });
    begin = end;
  }
}

namespace {

// How many rows are quantized at once.
struct RowPlan {
  explicit RowPlan(const MatrixHybrid& matrix)
      : depth(matrix.sums.lines * matrix.sums.line_depth),
        rows(ChunkRows(kMostRows, depth + (depth + matrix.sums.outputs) * sizeof(float))) {}
  static constexpr size_t kMostRows = 8 * kMinChunkRows;
  size_t depth, rows;
};

}  // namespace

size_t RowsHybridScratch(const MatrixHybrid& matrix) noexcept {
  const RowPlan plan(matrix);
  return plan.rows * (sizeof(ref::DynamicRange) + plan.depth) + kSlack;
}

void RowsHybrid(const MatrixHybrid& matrix, ref::DynamicQuantizer how, const float* input, Range rows, uint8_t* scratch,
                float* output) noexcept {
  const RowPlan plan(matrix);
  auto* ranges = reinterpret_cast<ref::DynamicRange*>(scratch);
  uint8_t* codes = scratch + plan.rows * sizeof(ref::DynamicRange);
  for (size_t begin = rows.begin; begin < rows.end; begin += plan.rows) {
    const size_t count = std::min(plan.rows, rows.end - begin);
    QuantizeRows(how, input + begin * plan.depth, count, plan.depth, codes, ranges);
    MultiplyHybrid(matrix, {codes, count, plan.depth, plan.depth, /*flip_sign=*/false}, {ranges, 0, 1},
                   output + begin * matrix.sums.outputs, matrix.sums.outputs);
  }
}

size_t Conv2DFloatScratch(const Conv2DGeometry& g, bool lines) noexcept {
  const Plan plan = PlanFloat(g);
  return TogetherBytes(g, plan, lines, sizeof(float)) + plan.ScratchBytes(g);
}

void Conv2DFloat(const Conv2DGeometry& g, const float* input, const MatrixFloat& matrix, Range pixels, uint8_t* scratch,
                 const OutputPixels<float>& output) noexcept {
  const Plan plan = PlanFloat(g);
  auto* together = reinterpret_cast<float*>(scratch);
  uint8_t* windows = scratch + TogetherBytes(g, plan, output.has_lines(), sizeof(float));
  const auto* bytes = reinterpret_cast<const uint8_t*>(input);
  // All bits zero is the float 0.
  const Gathering how = GatheringOf(g, bytes, plan.pixel_bytes, plan.line_pitch, false, 0);
  ForWindows(g, plan, how, bytes, pixels, windows, [&](size_t begin, const WindowRows& rows) {
    ForOutputs(g, output, begin, rows.count, together, [&](size_t first, size_t count, float* to, size_t step) {
      MultiplyFloat(matrix,
                    {reinterpret_cast<const float*>(rows.data + first * rows.stride), count,
                     rows.stride / sizeof(float), static_cast<size_t>(g.filter_h), rows.line_step / sizeof(float)},
                    to, step);
    });
  });
}

namespace {

size_t ChunkRows16Bit(const Conv2DGeometry& g) {
  return ChunkRows(PixelCount(g), PaddedDepth16(static_cast<size_t>(g.PatchSize())) * sizeof(int16_t) +
                                      PaddedOutputs(static_cast<size_t>(g.output_c)) * sizeof(int64_t));
}

bool IsDirect16Bit(const Conv2DGeometry& g) { return IsPointwise(g) && g.filter_c % 2 == 0; }

}  // namespace

size_t Conv2DInt16Scratch(const Conv2DGeometry& g) noexcept {
  const size_t rows = ChunkRows16Bit(g), width = PaddedOutputs(static_cast<size_t>(g.output_c));
  const size_t row_bytes = PaddedDepth16(static_cast<size_t>(g.PatchSize())) * sizeof(int16_t);
  return rows * width * sizeof(int64_t) + (IsDirect16Bit(g) ? 0 : rows * row_bytes + kSlack);
}

void Conv2DInt16(const Conv2DGeometry& g, const int16_t* input, const Matrix16Bit& matrix, const Stage16Bit& stage,
                 Range pixels, uint8_t* scratch, const OutputPixels<int16_t>& output) noexcept {
  const size_t chunk = ChunkRows16Bit(g), width = PaddedOutputs(matrix.outputs), depth = PaddedDepth16(matrix.depth);
  auto* sums = reinterpret_cast<int64_t*>(scratch);
  uint8_t* gathered = scratch + chunk * width * sizeof(int64_t);
  const auto* bytes = reinterpret_cast<const uint8_t*>(input);
  const size_t pixel_bytes = static_cast<size_t>(g.filter_c) * sizeof(int16_t);
  const Gathering how =
      GatheringOf(g, bytes, pixel_bytes, static_cast<size_t>(g.filter_w) * pixel_bytes, /*flip_sign=*/false, 0);
  const bool direct = IsDirect16Bit(g);
  const auto channels = static_cast<size_t>(g.input_c);
  for (size_t begin = pixels.begin; begin < pixels.end; begin += chunk) {
    const size_t count = std::min(chunk, pixels.end - begin);
    const int16_t* x = input + begin * channels;
    if (!direct) {
      GatherWindows(g, how, bytes, begin, count, depth * sizeof(int16_t), gathered);
      x = reinterpret_cast<const int16_t*>(gathered);
    }
    Sum16Bit(matrix, x, count, direct ? channels : depth, sums);
    for (size_t r = 0; r < count; ++r) {
      Store16Bit(stage, sums + r * width, matrix.outputs, PlaceOf(g, output, begin + r));
    }
  }
}

}  // namespace assay::kernels::simd
