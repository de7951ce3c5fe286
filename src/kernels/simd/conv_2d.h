// CONV_2D (and FULLY_CONNECTED, images of one pixel) over kernels/simd/matrix_8bit.h and matrix_float.h: windows are
// gathered into rows, a chunk of them at a time; pointwise convolutions read the input itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/ref/conv_2d.h"
#include "kernels/simd/hybrid.h"
#include "kernels/simd/matrix_16bit.h"
#include "kernels/simd/matrix_8bit.h"
#include "kernels/simd/matrix_float.h"

namespace assay::kernels::simd {

// Where the output's pixels go, distances in values: evenly apart, as a group's do, or by lines, as those of a
// transposed convolution that meet the same taps.
template <typename T>
struct OutputPixels {
  bool has_lines() const { return line > 0; }

  T* first;
  size_t pixel;                // from one to the next
  size_t line = 0, image = 0;  // 0: all are evenly apart
};

// Bytes of working memory; `lines`: where output pixels go by lines. The padding may be negative: rows and columns that
// no window begins at. Of groups one is computed: filter_c of the input's channels, from the first that `input` points
// to, to output_c of the output's.
size_t Conv2D8BitScratch(const ref::Conv2DGeometry& g, bool lines = false) noexcept;

// Output pixels of all images, which is how work is counted.
size_t PixelCount(const ref::Conv2DGeometry& g) noexcept;

// Computes the output pixels `pixels`. `input_zero_point` is a code as it stands in the input's memory (int8 codes as
// the byte they are).
void Conv2D8Bit(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t input_zero_point,
                const Matrix8Bit& matrix, Range pixels, uint8_t* scratch, const OutputPixels<uint8_t>& output) noexcept;

// Dynamic range: `codes` are the input's, quantized; pixel p follows ranges[p / pixels_per_range], which for windows of
// more than one pixel counts the output pixels of an image.
size_t Conv2DHybridScratch(const ref::Conv2DGeometry& g, bool lines = false) noexcept;
void Conv2DHybrid(const ref::Conv2DGeometry& g, const uint8_t* codes, const ref::DynamicRange* ranges,
                  size_t pixels_per_range, const MatrixHybrid& matrix, Range pixels, uint8_t* scratch,
                  const OutputPixels<float>& output) noexcept;

// Dynamic range of rows that have a range each, as FULLY_CONNECTED has and 1x1 convolutions may: some are quantized,
// then multiplied while they are near.
size_t RowsHybridScratch(const MatrixHybrid& matrix) noexcept;
void RowsHybrid(const MatrixHybrid& matrix, ref::DynamicQuantizer how, const float* input, Range rows, uint8_t* scratch,
                float* output) noexcept;

size_t Conv2DFloatScratch(const ref::Conv2DGeometry& g, bool lines = false) noexcept;
void Conv2DFloat(const ref::Conv2DGeometry& g, const float* input, const MatrixFloat& matrix, Range pixels,
                 uint8_t* scratch, const OutputPixels<float>& output) noexcept;

size_t Conv2DInt16Scratch(const ref::Conv2DGeometry& g) noexcept;
void Conv2DInt16(const ref::Conv2DGeometry& g, const int16_t* input, const Matrix16Bit& matrix, const Stage16Bit& stage,
                 Range pixels, uint8_t* scratch, const OutputPixels<int16_t>& output) noexcept;

}  // namespace assay::kernels::simd
