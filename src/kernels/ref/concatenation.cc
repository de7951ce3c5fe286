#include "kernels/ref/concatenation.h"

#include <algorithm>
#include <cmath>

namespace assay::kernels::ref {

void CopyRescaled(const Rescale& rescale, const uint8_t* input, int64_t rows, int64_t row, int64_t out_step,
                  uint8_t* output) noexcept {
  const auto zero_point = static_cast<float>(rescale.output_zero_point);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < row; ++i) {
      const float scaled = static_cast<float>(input[r * row + i]) * rescale.factor;
      // The sum with the zero point is exact wherever the clamp does not decide.
      const float code = std::round(scaled + rescale.offset) + zero_point;
      output[r * out_step + i] = static_cast<uint8_t>(std::clamp(code, 0.0F, 255.0F));
    }
  }
}

}  // namespace assay::kernels::ref
