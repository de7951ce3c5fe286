// What a layer's weights meet: means and covariances of the patches of its operand, in the float model and in the
// quantized one, from some windows of every sample. Memory grows with the square of a patch, not with the samples.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/attributes.h"
#include "graph/model.h"
#include "quantize/weighted_layer.h"
#include "tensor/shape.h"

namespace assay::quantize {

// How a layer's windows lie over its operand.
class LayerWindows {
 public:
  // False where windows of this op are not known (grouped CONV_2D, a depthwise operand of another depth).
  static bool Knows(const graph::Subgraph& graph, const WeightedLayer& layer);
  LayerWindows(const graph::Subgraph& graph, const WeightedLayer& layer, const Shape& operand);

  size_t count() const { return count_; }  // windows in one operand
  size_t taps() const { return taps_; }    // pixels of a window
  size_t channels() const { return channels_; }
  size_t size() const { return taps_ * channels_; }
  // Values [tap][channel] of a window, 0 outside.
  void Copy(size_t window, std::span<const float> operand, float* patch) const;

 private:
  size_t count_ = 0, taps_ = 1, channels_ = 0;
  int64_t height_ = 1, width_ = 1, out_h_ = 1, out_w_ = 1, filter_w_ = 1;
  int64_t stride_h_ = 1, stride_w_ = 1, dilation_h_ = 1, dilation_w_ = 1, pad_h_ = 0, pad_w_ = 0;
};

// The windows of one sample, drawn by seed and sample. [window][tap][channel], of both models.
struct LayerPatches {
  size_t windows = 0;
  std::vector<float> wanted, seen;
};

class LayerMoments {
 public:
  LayerMoments(size_t taps, size_t channels, bool depthwise, bool means_only = false);

  void Add(const LayerPatches& patches, int threads);
  void Finish(int threads);  // before anything is read

  size_t groups() const { return depthwise_ ? channels_ : 1; }
  size_t depth() const { return depthwise_ ? taps_ : taps_ * channels_; }  // weights of a channel
  // Of a group, by weight: means of the float model's operand and of the quantized one's.
  std::span<const double> wanted_mean(size_t group) const { return {&wanted_mean_[group * depth()], depth()}; }
  std::span<const double> seen_mean(size_t group) const { return {&seen_mean_[group * depth()], depth()}; }
  // depth x depth: the covariance of the quantized model's operand x', with a hundredth of the mean variance added on
  // the diagonal; and that of x' with x' - x.
  std::span<const float> covariance(size_t group) const { return Block(covariance_, group); }
  std::span<const float> drift(size_t group) const { return Block(drift_, group); }

 private:
  std::span<const float> Block(const std::vector<float>& of, size_t group) const {
    return {&of[group * depth() * depth()], depth() * depth()};
  }
  void Flush(int threads);
  void FlushDense(int threads);
  void FlushDepthwise(int threads);
  void Center(size_t group);

  size_t taps_, channels_;
  bool depthwise_, means_only_;
  size_t rows_ = 0, pending_ = 0;
  std::vector<float> shift_;                       // taken off every patch, so that means do not swamp the variances
  std::vector<float> pending_seen_, pending_off_;  // [patch value][row]: x' - shift, x' - x
  std::vector<double> wanted_mean_, seen_mean_;    // sums until Finish; by group, then weight
  std::vector<float> covariance_, drift_;
};

}  // namespace assay::quantize
