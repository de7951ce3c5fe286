// Dynamic range ("hybrid") ops: quantizing floats, and scaling integer sums back, to the bit as kernels/ref does. Codes
// are kept without sign, the top bit of ref's flipped, as matrix_8bit.h reads them.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/ref/conv_2d.h"
#include "kernels/ref/dynamic_range.h"
#include "kernels/simd/matrix_8bit.h"

namespace assay::kernels::simd {

inline constexpr uint8_t kSignBit = 0x80;
// The code of 0.
inline uint8_t ZeroCode(const ref::DynamicRange& range) { return static_cast<uint8_t>(range.zero_point + kSignBit); }

// As ref::QuantizeDynamically, where all values are finite; others give some code here too.
ref::DynamicRange QuantizeDynamically(ref::DynamicQuantizer how, std::span<const float> values,
                                      uint8_t* codes) noexcept;

// The same in steps, for images that several threads share: the ends of each part; those of all parts together; the
// codes of each part, which begins at a multiple of 8 values, by the ends of all.
struct ValueEnds {
  float low, high;
};
ValueEnds FindEnds(std::span<const float> values) noexcept;  // of at least one value
ValueEnds FindEnds(std::span<const ValueEnds> parts) noexcept;
ref::DynamicRange QuantizePart(ref::DynamicQuantizer how, const ValueEnds& ends, std::span<const float> values,
                               uint8_t* codes) noexcept;

// The same for rows of `size` values, each with a range of its own.
void QuantizeRows(ref::DynamicQuantizer how, const float* values, size_t rows, size_t size, uint8_t* codes,
                  ref::DynamicRange* ranges) noexcept;

struct MatrixHybrid {
  Matrix8Bit sums;             // its offsets are 0
  const int32_t* weight_sums;  // per output, as what follows padded to whole blocks
  const float *scales, *bias;  // per output
  ref::HybridScaling scaling;
  float low, high;
};

// Rows of output from rows of codes; row r follows ranges[(first + r) / rows_per_range].
struct RowRanges {
  const ref::DynamicRange* ranges;
  size_t first, rows_per_range;
};
void MultiplyHybrid(const MatrixHybrid& matrix, const Rows8Bit& x, const RowRanges& ranges, float* output,
                    size_t output_stride) noexcept;

}  // namespace assay::kernels::simd
