// What calibration keeps of the values that pass: ranges by tensor, and sums by channel.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "quantize/calibration.h"
#include "tensor/shape.h"

namespace assay::quantize {

// What was seen of a tensor's channels. Means are added up as integers, so that the order of the samples does not
// matter.
class ChannelSums {
 public:
  // Of a sample's rows x channels. Returns the range of all of them, or nothing where a value is NaN or infinite.
  std::optional<Range> See(std::span<const float> values, size_t channels);
  void Merge(const ChannelSums& other);
  ChannelStatistics Statistics() const;

 private:
  static constexpr double kUnit = 1 << 20;
  void Resize(size_t channels);

  std::vector<float> low_, high_;
  std::vector<int64_t> mean_, square_;  // in 1 / kUnit; square: the mean of squares
  std::vector<int64_t> at_six_;
  int64_t samples_ = 0, rows_ = 0;
};

// What one worker saw.
class Observer {
 public:
  Observer(size_t tensors, bool channels) : ranges_(tensors), channels_(channels ? tensors : 0) {}

  // Throws InputError, with the place, where a value is NaN or infinite.
  void See(int32_t tensor, const Shape& shape, std::span<const float> values,
           const std::function<std::string()>& place);
  void MergeInto(std::vector<ChannelSums>& channels) const;
  void MergeInto(std::vector<std::optional<Range>>& ranges) const;

 private:
  std::vector<std::optional<Range>> ranges_;
  std::vector<ChannelSums> channels_;
};

}  // namespace assay::quantize
