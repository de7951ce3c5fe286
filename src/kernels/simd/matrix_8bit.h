// Products of 8-bit matrices, the core of CONV_2D, FULLY_CONNECTED and BATCH_MATMUL: out[r,o] = requantized sum over k
// of (x[r,k] - x_zero) * (w[o,k] - w_zero) + bias[o], to the bit what kernels/ref computes.
//
// One core serves both signs: x is read without sign (int8 codes with the top bit flipped), w as the difference to its
// zero point, and x's zero point goes into one offset per channel:
//   sum (x - x_zero) w = sum x w - x_zero sum w
// Differences to a zero point may need nine bits. Few do: what is beyond int8 is taken off and added again by
// corrections, groups of weights of their own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/simd/scales.h"
#include "numerics/requantize.h"

namespace assay::kernels::simd {

// A window is some lines of so many values each; lines are padded to whole groups of this many.
inline constexpr size_t kDepthGroup = 4;

// A weight's difference to its zero point as a sum of int8, the last of which are mostly 0.
inline constexpr size_t kWeightParts = 3;
constexpr int8_t WeightPart(int32_t left) { return static_cast<int8_t>(std::clamp(left, -128, 127)); }
constexpr std::array<int8_t, kWeightParts> WeightParts(int32_t difference) {
  std::array<int8_t, kWeightParts> parts = {};
  for (int8_t& part : parts) {
    part = WeightPart(difference);
    difference -= part;
  }
  return parts;
}

// Weights of one group of a block of channels that come on top.
struct Correction8Bit {
  uint32_t line, group;
  int8_t weights[kChannelBlock * kDepthGroup];
};

struct Matrix8Bit {
  size_t outputs, lines, line_depth;
  const int8_t* weights;   // packed by PackWeights8Bit
  const int32_t* offsets;  // bias and zero points; padded to whole blocks
  // Block b's are [corrections_begin[b], corrections_begin[b + 1]); null where there are none.
  const Correction8Bit* corrections;
  const uint32_t* corrections_begin;
  ChannelScales scales;
  numerics::OutputStage stage;
  Range blocks = kAllBlocks;  // of output channels, that are computed
};

// Windows of 8-bit codes, `stride` bytes apart, their lines `line_step`. Up to 3 bytes behind a line are read but do
// not count.
struct Rows8Bit {
  const uint8_t* data;
  size_t rows, stride, line_step;
  bool flip_sign;                        // int8 codes as they are
  const int32_t* row_offsets = nullptr;  // added to all sums of a row
};

constexpr size_t PaddedLine(size_t line_depth) { return (line_depth + kDepthGroup - 1) / kDepthGroup * kDepthGroup; }
constexpr size_t PaddedDepth(size_t lines, size_t line_depth) { return lines * PaddedLine(line_depth); }

// weights[outputs, lines, line_depth] of int8 codes to PaddedOutputs * PaddedDepth bytes: [block][group][channel][4].
void PackWeights8Bit(size_t outputs, size_t lines, size_t line_depth, const int8_t* weights, int8_t* packed) noexcept;

// The same of weights[depth, outputs], whose rows lie `stride` bytes apart; there is one line.
void PackColumns8Bit(size_t outputs, size_t depth, size_t stride, const int8_t* weights, int8_t* packed) noexcept;

// sums[PaddedOutputs]: those of each output's weights, modulo 2^32.
void SumColumns8Bit(size_t outputs, size_t depth, const int8_t* packed, int32_t* sums) noexcept;

// sums[r]: that of the row's codes without sign. There is one line, of line_depth codes.
void SumRows8Bit(const Rows8Bit& x, size_t line_depth, int32_t* sums) noexcept;

// Calls each(block, Correction8Bit) for what is not 0 of a later part of the weights, packed in the same way.
template <typename Each>
void ForCorrections(size_t outputs, size_t lines, size_t line_depth, const int8_t* packed, const Each& each) {
  constexpr size_t kBytes = kChannelBlock * kDepthGroup;
  const size_t groups = PaddedLine(line_depth) / kDepthGroup;
  for (size_t block = 0; block < PaddedOutputs(outputs) / kChannelBlock; ++block) {
    for (size_t line = 0; line < lines; ++line) {
      for (size_t group = 0; group < groups; ++group, packed += kBytes) {
        int32_t all = 0;
        for (size_t i = 0; i < kBytes; ++i) all |= packed[i];
        if (all == 0) continue;
        Correction8Bit correction = {static_cast<uint32_t>(line), static_cast<uint32_t>(group), {}};
        std::copy_n(packed, kBytes, correction.weights);
        each(block, correction);
      }
    }
  }
}

// out[r * out_stride + o]
void Multiply8Bit(const Matrix8Bit& matrix, const Rows8Bit& x, uint8_t* out, size_t out_stride) noexcept;

// The sums themselves, offsets included: sums[r * stride + o] for o < stride, which is from outputs to
// PaddedOutputs(outputs). Scales and stage are not looked at.
void Sum8Bit(const Matrix8Bit& matrix, const Rows8Bit& x, int32_t* sums, size_t stride) noexcept;

}  // namespace assay::kernels::simd
