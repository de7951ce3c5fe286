// Constants in the order in which vector kernels read them, packed once for all interpreters of a model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned_vector.h"
#include "kernels/ref/conv_2d.h"
#include "kernels/ref/depthwise_conv_2d.h"
#include "kernels/simd/matrix_8bit.h"
#include "kernels/simd/transpose_conv.h"
#include "ops/checks.h"
#include "ops/op.h"
#include "ops/packed_codes.h"

namespace assay::ops {

// Scales of output channels, one array per form.
class PackedScales {
 public:
  explicit PackedScales(std::span<const numerics::ChannelScale> scales);
  // Channel c at place(c) of arrays of `size`.
  PackedScales(std::span<const numerics::ChannelScale> scales, size_t size, const std::function<size_t(size_t)>& place);
  kernels::simd::ChannelScales view() const;

 private:
  AlignedVector<int32_t> multiplier_, left_, right_;
  AlignedVector<float> single_;
  AlignedVector<double> real_;
  bool reaches_one_ = false, tiny_ = false;
};

// A convolution that makes some of an op's output: the `geometry.output_c` channels from `first_channel` on, of all
// pixels or of a phase of a transposed one's. What it reads of the input begins at `first_input`.
struct ConvolutionPart {
  kernels::ref::Conv2DGeometry geometry;
  int32_t first_channel = 0, first_input = 0;
  std::optional<kernels::simd::TransposeConvPhase> phase = std::nullopt;
  std::optional<numerics::Rounding> rounding = std::nullopt;          // where it is not the op's
  std::optional<GroupTaps> groups = std::nullopt;                     // where it is several, or not as CONV_2D has them
  std::optional<kernels::ref::HybridScaling> scaling = std::nullopt;  // where it is not the op's
};

// The convolutions that make all of it, and which operands they are of.
struct Convolution {
  // CONV_2D's, which is one, of operands 0 to 2.
  explicit Convolution(const kernels::ref::Conv2DGeometry& g) : parts{ConvolutionPart{g}} {}
  Convolution(int input_operand, int filter_operand, int bias_operand)
      : input(input_operand), filter(filter_operand), bias(bias_operand) {}
  bool is_whole() const { return parts.size() == 1 && !has_phases(); }
  bool has_phases() const { return parts.front().phase.has_value(); }
  const kernels::ref::Conv2DGeometry& geometry() const { return parts.front().geometry; }

  std::vector<ConvolutionPart> parts;
  int input = 0, filter = 1, bias = 2;
  bool by_tap = false;  // the filter is DEPTHWISE_CONV_2D's, of several outputs for each input
};

// CONV_2D on 8-bit operands; FULLY_CONNECTED is the same on images of one pixel.
struct Product8Bit {
  Convolution convolution;
  numerics::OutputStage stage;
  const std::vector<numerics::ChannelScale>& scales;
  int32_t filter_zero_point;
};
// The vector kernels' form of it; none where they do not serve: no such kernels on this machine, operands that are not
// constant, groups so small that their weights would be padding for the most part.
std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Product8Bit& product);
// The same for DEPTHWISE_CONV_2D.
std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const Product8Bit& product);

// The same for float32; CONV_2D's weights and bias must be constant here too, DEPTHWISE_CONV_2D's need not.
std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Convolution& convolution, FloatRange clamp);
std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const kernels::ref::Conv2DGeometry& g,
                                            FloatRange clamp);

// Dynamic range: float input quantized image by image, constant weights of 8 bits or less, one scale per output
// channel.
struct HybridProduct {
  Convolution convolution;
  kernels::ref::HybridRule rule;
  FloatRange clamp;
  const std::vector<float>& scales;
  // From output tail_begin on, where that is not 0, scales are taken in this order.
  kernels::ref::HybridScaling tail = {};
  int32_t tail_begin = 0;
};
std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const HybridProduct& product);
struct HybridDepthwise {
  kernels::ref::Conv2DGeometry geometry;
  kernels::ref::DepthwiseHybridRule rule;
  FloatRange clamp;
  const std::vector<float>& scales;
};
std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const HybridDepthwise& product);

// 16-bit activations, 8-bit weights. `wide_bias`: whether multipliers have 15 bits (numerics::RequantizeInt16).
struct Product16Bit {
  Convolution convolution;
  numerics::OutputStage stage;
  const std::vector<numerics::ChannelScale>& scales;
  bool wide_bias;
};
std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Product16Bit& product);
std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const Product16Bit& product);

}  // namespace assay::ops
