// For tests: scales as vector kernels read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/simd/scales.h"

namespace assay::kernels::simd {

class ScaleArrays {
 public:
  // Arrays of `size` values, scale c's at place(c).
  template <typename Place>
  ScaleArrays(const std::vector<numerics::ChannelScale>& scales, size_t size, const Place& place)
      : multiplier_(size), left_(size), right_(size), single_(size), real_(size) {
    for (size_t c = 0; c < scales.size(); ++c) {
      const size_t at = place(c);
      multiplier_[at] = scales[c].fixed.multiplier;
      left_[at] = std::max(scales[c].fixed.shift, 0), right_[at] = std::max(-scales[c].fixed.shift, 0);
      single_[at] = scales[c].single, real_[at] = scales[c].real;
      reaches_one_ |= left_[at] != 0 || real_[at] >= kAlmostOne;
      tiny_ |= real_[at] != 0 && real_[at] < kTiny;
    }
  }
  explicit ScaleArrays(const std::vector<numerics::ChannelScale>& scales)
      : ScaleArrays(scales, PaddedOutputs(scales.size()), [](size_t c) { return c; }) {}
  ChannelScales view() const {
    return {multiplier_.data(), left_.data(), right_.data(), single_.data(), real_.data(), reaches_one_, tiny_};
  }

 private:
  std::vector<int32_t> multiplier_, left_, right_;
  std::vector<float> single_;
  std::vector<double> real_;
  bool reaches_one_ = false, tiny_ = false;
};

}  // namespace assay::kernels::simd
