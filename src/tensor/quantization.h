// Affine quantization: real = scale * (q - zero_point), per tensor or along one dimension.
#pragma once

#include <cstdint>
#include <vector>

namespace assay {

struct Quantization {
  std::vector<float> scale;         // empty: not quantized; one: per tensor; else one per slice of quantized_dimension
  std::vector<int64_t> zero_point;  // after reading a file: as many as there are scales
  int32_t quantized_dimension = 0;
  std::vector<float> min, max;  // ranges the converter saw; informative only

  bool is_quantized() const { return !scale.empty(); }
  bool is_per_channel() const { return scale.size() > 1; }
  int64_t first_zero_point() const { return zero_point.empty() ? 0 : zero_point[0]; }
  bool operator==(const Quantization&) const = default;
};

}  // namespace assay
