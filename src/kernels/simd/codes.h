// Reals to codes by rounding half to even, as converters do, and counts of reals over equal bins.
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay::kernels::simd {

// least, most: the lowest and the highest code less the zero point, within 2^21.
struct CodeSteps {
  float scale = 1, zero_point = 0, least = 0, most = 0;
};

// As FakeQuantize of tensor/real_values.h. `output` may be `input`.
void RoundToCodes(const CodeSteps& steps, const float* input, size_t count, float* output) noexcept;

// The codes themselves; NaN gives 0.
void StoreCodes(const CodeSteps& steps, const float* input, size_t count, int8_t* output) noexcept;
void StoreCodes(const CodeSteps& steps, const float* input, size_t count, uint8_t* output) noexcept;
void StoreCodes(const CodeSteps& steps, const float* input, size_t count, int16_t* output) noexcept;

// counts[clamp(floor(value * per_width) + middle, 0, bins - 1)] += 1 for every value; none is NaN, and
// |value * per_width| is below 2^23.
void CountBins(const float* values, size_t count, float per_width, int32_t middle, size_t bins,
               int64_t* counts) noexcept;

}  // namespace assay::kernels::simd
