// Products of 8-bit matrices, the core of CONV_2D and FULLY_CONNECTED: out[r,o] = requantized sum over k of
// (x[r,k] - x_zero) * (w[o,k] - w_zero) + bias[o], to the bit what kernels/ref computes.
//
// One core serves both signs: x is read without sign (int8 codes with the top bit flipped), w with sign (uint8 codes
// minus 128), and zero points go into one offset per channel:
//   sum (x - x_zero)(w - w_zero) = sum x w' - x_zero sum w' + d (sum x - depth x_zero),  w' = w - 128, d = 128 - w_zero
// where d is 0 for int8 weights with the zero point 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/scales.h"
#include "numerics/requantize.h"

namespace assay::kernels::simd {

// A window is some lines of so many values each; lines are padded to whole groups of this many.
inline constexpr size_t kDepthGroup = 4;

struct Matrix8Bit {
  size_t outputs, lines, line_depth;
  const int8_t* weights;   // packed by PackWeights8Bit
  const int32_t* offsets;  // bias and zero points; padded to whole blocks
  int32_t row_sum_factor;  // d
  ChannelScales scales;
  numerics::OutputStage stage;
};

// Windows of 8-bit codes, `stride` bytes apart, their lines `line_step`. Up to 3 bytes behind a line are read but do
// not count.
struct Rows8Bit {
  const uint8_t* data;
  size_t rows, stride, line_step;
  bool flip_sign;  // int8 codes as they are
};

constexpr size_t PaddedLine(size_t line_depth) { return (line_depth + kDepthGroup - 1) / kDepthGroup * kDepthGroup; }
constexpr size_t PaddedDepth(size_t lines, size_t line_depth) { return lines * PaddedLine(line_depth); }

// weights[outputs, lines, line_depth] of int8 codes to PaddedOutputs * PaddedDepth bytes: [block][group][channel][4].
void PackWeights8Bit(size_t outputs, size_t lines, size_t line_depth, const int8_t* weights, int8_t* packed) noexcept;

// out[r * out_stride + o]. row_sums: working memory for x.rows values, used where row_sum_factor is not 0.
void Multiply8Bit(const Matrix8Bit& matrix, const Rows8Bit& x, int32_t* row_sums, uint8_t* out,
                  size_t out_stride) noexcept;

// The sums themselves, offsets included: sums[r * PaddedOutputs(outputs) + o]. Scales, stage and row_sum_factor are not
// looked at.
void Sum8Bit(const Matrix8Bit& matrix, const Rows8Bit& x, int32_t* sums) noexcept;

}  // namespace assay::kernels::simd
