// CONCATENATION of uint8 codes with different scales: each input is brought to the output's.
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

// y = round-half-away(x * c - zero_point * c) + output zero point, in float32, with c = input scale * (1 / output
// scale). Reads `rows` lines of `row` codes, writes them `out_step` apart.
struct Rescale {
  float factor = 1, offset = 0;  // c, -zero_point * c
  int32_t output_zero_point = 0;
};
void CopyRescaled(const Rescale& rescale, const uint8_t* input, int64_t rows, int64_t row, int64_t out_step,
                  uint8_t* output) noexcept;

}  // namespace assay::kernels::ref
