#include "kernels/simd/conv_2d.h"

#include <algorithm>
#include <cstring>

namespace assay::kernels::simd {
namespace {

using ref::Conv2DGeometry;

// Rows and their outputs stay in the second-level cache while every block of channels passes over them.
constexpr size_t kChunkBytes = size_t{160} << 10;
constexpr size_t kMinChunkRows = 12;

// A row as it is read takes `row_bytes`, with its outputs `work_bytes`.
size_t ChunkRows(const Conv2DGeometry& g, size_t work_bytes) {
  return std::clamp(kChunkBytes / work_bytes / kMinChunkRows * kMinChunkRows, kMinChunkRows,
                    std::max(PixelCount(g), kMinChunkRows));
}

bool IsPointwise(const Conv2DGeometry& g) {
  return g.filter_h == 1 && g.filter_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 0 && g.pad_w == 0 &&
         g.output_h == g.input_h && g.output_w == g.input_w;
}

// Rows of 8-bit codes are read in whole groups: where the depth is none, the input itself will not do.
bool IsDirect8Bit(const Conv2DGeometry& g) {
  return IsPointwise(g) && g.input_c % static_cast<int32_t>(kDepthGroup) == 0;
}

// The window of output pixel (oy, ox) as one row, pixels of `pixel_bytes`; bytes `outside` where it leaves the image.
void GatherWindow(const Conv2DGeometry& g, const uint8_t* image, size_t pixel_bytes, int32_t oy, int32_t ox,
                  uint8_t outside, uint8_t* row) {
  const int64_t left = int64_t{ox} * g.stride_w - g.pad_w;
  const int64_t right = left + int64_t{g.filter_w - 1} * g.dilation_w;
  const bool contiguous = g.dilation_w == 1 && left >= 0 && right < g.input_w;
  const size_t line = static_cast<size_t>(g.filter_w) * pixel_bytes;
  for (int32_t ky = 0; ky < g.filter_h; ++ky, row += line) {
    const int64_t y = int64_t{oy} * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
    if (y < 0 || y >= g.input_h) {
      std::memset(row, outside, line);
      continue;
    }
    const uint8_t* from = image + static_cast<size_t>(y) * static_cast<size_t>(g.input_w) * pixel_bytes;
    if (contiguous) {
      std::memcpy(row, from + static_cast<size_t>(left) * pixel_bytes, line);
      continue;
    }
    for (int32_t kx = 0; kx < g.filter_w; ++kx) {
      const int64_t x = left + int64_t{kx} * g.dilation_w;
      uint8_t* to = row + static_cast<size_t>(kx) * pixel_bytes;
      if (x < 0 || x >= g.input_w) {
        std::memset(to, outside, pixel_bytes);
      } else {
        std::memcpy(to, from + static_cast<size_t>(x) * pixel_bytes, pixel_bytes);
      }
    }
  }
}

// Windows of the `count` output pixels from `first` on, as rows `row_bytes` apart.
void GatherWindows(const Conv2DGeometry& g, const uint8_t* input, size_t pixel_bytes, size_t first, size_t count,
                   uint8_t outside, size_t row_bytes, uint8_t* rows) {
  const size_t image_bytes = static_cast<size_t>(g.input_h) * static_cast<size_t>(g.input_w) * pixel_bytes;
  for (size_t r = 0; r < count; ++r) {
    const auto ox = static_cast<int32_t>((first + r) % static_cast<size_t>(g.output_w));
    const size_t line = (first + r) / static_cast<size_t>(g.output_w);
    const auto oy = static_cast<int32_t>(line % static_cast<size_t>(g.output_h));
    const size_t batch = line / static_cast<size_t>(g.output_h);
    GatherWindow(g, input + batch * image_bytes, pixel_bytes, oy, ox, outside, rows + r * row_bytes);
  }
}

}  // namespace

size_t PixelCount(const Conv2DGeometry& g) noexcept {
  return static_cast<size_t>(g.batches) * static_cast<size_t>(g.output_h) * static_cast<size_t>(g.output_w);
}

size_t Conv2D8BitScratch(const Conv2DGeometry& g, int32_t row_sum_factor) noexcept {
  const auto depth = static_cast<size_t>(g.PatchSize());
  const size_t row = PaddedDepth(depth);
  return ChunkRows(g, row + static_cast<size_t>(g.output_c)) *
         ((row_sum_factor != 0 ? sizeof(int32_t) : 0) + (IsDirect8Bit(g) ? 0 : row));
}

void Conv2D8Bit(const Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t input_zero_point,
                const Matrix8Bit& matrix, Range pixels, uint8_t* scratch, uint8_t* output) noexcept {
  const size_t row_bytes = PaddedDepth(matrix.depth), chunk = ChunkRows(g, row_bytes + matrix.outputs);
  auto* row_sums = reinterpret_cast<int32_t*>(scratch);
  uint8_t* gathered = scratch + (matrix.row_sum_factor != 0 ? chunk * sizeof(int32_t) : 0);
  const bool direct = IsDirect8Bit(g);
  for (size_t begin = pixels.begin; begin < pixels.end; begin += chunk) {
    const size_t count = std::min(chunk, pixels.end - begin);
    if (direct) {
      Multiply8Bit(matrix, {input + begin * matrix.depth, count, matrix.depth, is_signed}, row_sums,
                   output + begin * matrix.outputs, matrix.outputs);
      continue;
    }
    GatherWindows(g, input, static_cast<size_t>(g.input_c), begin, count, input_zero_point, row_bytes, gathered);
    Multiply8Bit(matrix, {gathered, count, row_bytes, is_signed}, row_sums, output + begin * matrix.outputs,
                 matrix.outputs);
  }
}

size_t Conv2DFloatScratch(const Conv2DGeometry& g) noexcept {
  const size_t row = static_cast<size_t>(g.PatchSize()) * sizeof(float);
  return IsPointwise(g) ? 0 : ChunkRows(g, row + static_cast<size_t>(g.output_c) * sizeof(float)) * row;
}

void Conv2DFloat(const Conv2DGeometry& g, const float* input, const MatrixFloat& matrix, Range pixels, uint8_t* scratch,
                 float* output) noexcept {
  const size_t row_bytes = matrix.depth * sizeof(float);
  const size_t chunk = ChunkRows(g, row_bytes + matrix.outputs * sizeof(float));
  const bool direct = IsPointwise(g);
  for (size_t begin = pixels.begin; begin < pixels.end; begin += chunk) {
    const size_t count = std::min(chunk, pixels.end - begin);
    const float* x = input + begin * matrix.depth;
    if (!direct) {
      // All bits zero is the float 0.
      GatherWindows(g, reinterpret_cast<const uint8_t*>(input), static_cast<size_t>(g.input_c) * sizeof(float), begin,
                    count, 0, row_bytes, scratch);
      x = reinterpret_cast<const float*>(scratch);
    }
    MultiplyFloat(matrix, x, count, matrix.depth, output + begin * matrix.outputs, matrix.outputs);
  }
}

}  // namespace assay::kernels::simd
