// What the vector forms of CONV_2D, DEPTHWISE_CONV_2D and their kin share: operands as kernels read them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/ref/conv_2d.h"
#include "kernels/ref/dynamic_range.h"
#include "kernels/simd/matrix_16bit.h"
#include "ops/op.h"
#include "ops/packed_codes.h"
#include "ops/packed_weights.h"

namespace assay::ops {

// What both kinds of convolution make of the input's zero point.
struct ZeroPoint {
  explicit ZeroPoint(const TensorRef& input)
      : is_signed(input.dtype == DType::kInt8),
        code(static_cast<uint8_t>(input.zero_point())),
        without_sign(is_signed ? code ^ 0x80U : code) {}
  bool is_signed;
  uint8_t code;           // as it stands in memory
  uint32_t without_sign;  // as the kernels see it
};

// bias - x_zero * sum of w (kernels/simd/matrix_8bit.h), modulo 2^32; sum c's at place(c). There may be more sums than
// biases, which then repeat.
template <typename Place>
AlignedVector<int32_t> Offsets(const PackedCodes& packed, std::span<const int32_t> bias, const ZeroPoint& zero,
                               size_t size, const Place& place) {
  AlignedVector<int32_t> offsets(size);
  for (size_t c = 0; c < packed.sums.size(); ++c) {
    const uint32_t start = bias.empty() ? 0 : static_cast<uint32_t>(bias[c % bias.size()]);
    offsets[place(c)] = static_cast<int32_t>(start - zero.without_sign * packed.sums[c]);
  }
  return offsets;
}

// Of values per output channel those of a part.
template <typename Values>
auto ChannelsOf(const ConvolutionPart& part, const Values& values) {
  using Value = typename Values::value_type;
  return std::span<const Value>(values.data(), values.size())
      .subspan(static_cast<size_t>(part.first_channel), static_cast<size_t>(part.geometry.output_c));
}

// A part's bias; nothing where there is none.
template <typename T>
std::span<const T> BiasOf(const PrepareContext& context, const Convolution& convolution, const ConvolutionPart& part) {
  if (!context.HasInput(convolution.bias)) return {};
  return ChannelsOf(part, context.Values<T>(convolution.bias));
}

bool HasConstantOperands(const PrepareContext& context, int filter, int bias);

RowForm RowFormOf(const kernels::ref::Conv2DGeometry& g);

// The input's images as codes, and the ranges that they follow.
class QuantizedImages {
 public:
  QuantizedImages(PrepareContext& context, int operand, int32_t images, kernels::ref::DynamicQuantizer how);

  void Compute(const RunContext& run) const;
  uint8_t* Codes(const RunContext& run) const { return run.Scratch(codes_).data(); }
  kernels::ref::DynamicRange* Ranges(const RunContext& run) const {
    return reinterpret_cast<kernels::ref::DynamicRange*>(run.Scratch(ranges_).data());
  }

 private:
  int operand_;
  kernels::ref::DynamicQuantizer how_;
  static constexpr size_t kPartValues = 16384;
  size_t images_, size_;
  int codes_, ranges_;
  size_t parts_;  // of an image
  int ends_;
};

// Run: all images quantized, then `rows`, which may come in parts where they are one convolution's.
RunFn Offer(PrepareContext& context, const Convolution& convolution, const QuantizedImages& images, RunFn rows);

// kernels::simd::Stage16Bit with its arrays.
class Packed16BitStage {
 public:
  Packed16BitStage(const PrepareContext& context, const Product16Bit& product, const ConvolutionPart& part);
  // Without a bias. `wide`: as Product16Bit::wide_bias.
  Packed16BitStage(const numerics::OutputStage& stage, std::span<const numerics::ChannelScale> scales, bool wide);
  kernels::simd::Stage16Bit view() const;

 private:
  std::vector<int64_t> bias_, multiplier_, half_, shift_;
  std::vector<double> real_;
  std::vector<numerics::ChannelScale> scales_;
  numerics::OutputStage stage_;
};

}  // namespace assay::ops
