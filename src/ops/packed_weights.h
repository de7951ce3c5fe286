// Constants in the order in which vector kernels read them, packed once for all interpreters of a model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/aligned_vector.h"
#include "kernels/ref/conv_2d.h"
#include "kernels/ref/depthwise_conv_2d.h"
#include "kernels/simd/matrix_8bit.h"
#include "ops/checks.h"
#include "ops/op.h"

namespace assay::ops {

// Scales of output channels, one array per form.
class PackedScales {
 public:
  explicit PackedScales(const std::vector<numerics::ChannelScale>& scales);
  // Channel c at place(c) of arrays of `size`.
  PackedScales(const std::vector<numerics::ChannelScale>& scales, size_t size,
               const std::function<size_t(size_t)>& place);
  kernels::simd::ChannelScales view() const;

 private:
  AlignedVector<int32_t> multiplier_, left_, right_;
  AlignedVector<float> single_;
  AlignedVector<double> real_;
  bool shifts_left_ = false;
};

// CONV_2D on 8-bit operands 0 (input), 1 (filter), 2 (bias); FULLY_CONNECTED is the same on images of one pixel.
struct Product8Bit {
  kernels::ref::Conv2DGeometry geometry;
  numerics::OutputStage stage;
  const std::vector<numerics::ChannelScale>& scales;
  int32_t filter_zero_point;
};
// The vector kernels' form of it; none where they do not serve: no such kernels on this machine, groups, operands that
// are not constant.
std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Product8Bit& product);
// The same for DEPTHWISE_CONV_2D, where the depth multiplier is 1.
std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const Product8Bit& product);

// The same for float32; CONV_2D's weights and bias must be constant here too, DEPTHWISE_CONV_2D's need not.
std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const kernels::ref::Conv2DGeometry& g,
                                          FloatRange clamp);
std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const kernels::ref::Conv2DGeometry& g,
                                            FloatRange clamp);

// Dynamic range: float input 0 quantized image by image, constant weights of 8 bits or less, one scale per output
// channel.
struct HybridProduct {
  kernels::ref::Conv2DGeometry geometry;
  kernels::ref::HybridRule rule;
  FloatRange clamp;
  const std::vector<float>& scales;
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
  kernels::ref::Conv2DGeometry geometry;
  numerics::OutputStage stage;
  const std::vector<numerics::ChannelScale>& scales;
  bool wide_bias;
};
std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Product16Bit& product);
std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const Product16Bit& product);

}  // namespace assay::ops
