// 16-bit activations times 8-bit weights, the sums exact in 64 bits: CONV_2D, FULLY_CONNECTED, DEPTHWISE_CONV_2D and
// BATCH_MATMUL of int16x8 models, to the bit what kernels/ref computes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/ref/conv_2d.h"
#include "kernels/simd/scales.h"

namespace assay::kernels::simd {

struct Matrix16Bit {
  size_t outputs, depth;
  const int16_t* weights;  // packed by PackWeights16Bit
};

constexpr size_t PaddedDepth16(size_t depth) { return (depth + 1) / 2 * 2; }

// weights[outputs, depth] to PaddedOutputs * PaddedDepth16 values: [block][pair][channel][2].
void PackWeights16Bit(size_t outputs, size_t depth, const int8_t* weights, int16_t* packed) noexcept;

// Weight [o, k] is the one at o * output + k * depth.
struct WeightSteps {
  size_t output, depth;
};
void PackStrided16Bit(size_t outputs, size_t depth, const WeightSteps& steps, const int8_t* weights,
                      int16_t* packed) noexcept;
// 16-bit weights as two of which the kernels' sums stay exact: 256 high + low, low from -128 to 127.
void PackSplit16Bit(size_t outputs, size_t depth, const WeightSteps& steps, const int16_t* weights, int16_t* low,
                    int16_t* high) noexcept;

// sums[r * PaddedOutputs(outputs) + o] of rows that lie x_stride values apart. Where the depth is odd one value behind
// a row is read that does not count.
void Sum16Bit(const Matrix16Bit& matrix, const int16_t* x, size_t rows, size_t x_stride, int64_t* sums) noexcept;

// From sums to codes. Per channel: bias, and what the rule needs.
struct Stage16Bit {
  const int64_t* bias;
  const int64_t *multiplier, *half, *shift;  // of 15 bits: (sum * multiplier + half) >> shift, half = 2^(shift - 1)
  const double* real;                        // null: the former rule; else half away of sum * real
  int32_t low, high;
  const numerics::ChannelScale* scales;  // null: one of the former rules; else numerics::Requantize's, of 32 bits
  numerics::OutputStage stage;           // for that
};
void Store16Bit(const Stage16Bit& stage, const int64_t* sums, size_t outputs, int16_t* out) noexcept;

// weights: of each tap all channels. Computes the output rows `rows` of all images counted through. `sums`: working
// memory for one value per channel.
void DepthwiseConv2DInt16(const ref::Conv2DGeometry& g, const int16_t* input, const int8_t* weights,
                          const Stage16Bit& stage, Range rows, int64_t* sums, int16_t* output) noexcept;

}  // namespace assay::kernels::simd
