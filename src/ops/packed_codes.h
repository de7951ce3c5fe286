// Weights of 8-bit codes as the kernels want them, packed once and shared by all interpreters of a model.
#pragma once

#include <memory>
#include <vector>

#include "kernels/ref/conv_2d.h"
#include "kernels/simd/depthwise_conv_2d.h"
#include "kernels/simd/matrix_8bit.h"
#include "kernels/simd/transpose_conv.h"
#include "ops/op.h"
#include "ops/packed_cache.h"

namespace assay::ops {

struct PackedCodes {
  PackedArray<int8_t> codes;
  std::vector<uint32_t> sums;  // of each output's differences to the zero point, modulo 2^32
  // What int8 does not hold of the differences (kernels/simd/matrix_8bit.h); empty where that is nothing.
  std::vector<kernels::simd::Correction8Bit> corrections;
  std::vector<uint32_t> corrections_begin;
  // The same for depthwise filters.
  PackedArray<int8_t> more_codes;
  std::vector<uint8_t> more_groups;
};
using SharedCodes = std::shared_ptr<const PackedCodes>;

template <typename Visitor>
void VisitArrays(PackedCodes& packed, const Visitor& visitor) {
  visitor(packed.codes), visitor(packed.sums), visitor(packed.corrections), visitor(packed.corrections_begin);
  visitor(packed.more_codes), visitor(packed.more_groups);
}

// Of a convolution's windows: the lines, and the values of each.
struct Lines {
  explicit Lines(const kernels::ref::Conv2DGeometry& g)
      : count(static_cast<size_t>(g.filter_h)),
        depth(static_cast<size_t>(g.filter_w) * static_cast<size_t>(g.filter_c)) {}
  size_t padded() const { return kernels::simd::PaddedDepth(count, depth); }
  size_t count, depth;
};

// The elements as int8: int4 unpacked, uint8 less 128.
std::vector<int8_t> SignedCodes(const TensorRef& weights);

// What tells apart the taps that are made of one filter holds where it has less than kMostPhaseTaps rows and columns,
// and groups less than kMostGroupOutputs outputs.
inline constexpr int32_t kMostPhaseTaps = 512, kMostGroupOutputs = 4096;

// Of groups that are computed together the weights as one matrix over all of their inputs, with zeros where an output
// does not read an input.
struct GroupTaps {
  int32_t inputs, outputs;  // of one group
  int32_t first;            // of all outputs
  int32_t channels;         // outputs of the whole filter
  bool by_tap;              // the filter is [taps, outputs], as DEPTHWISE_CONV_2D's, and `weights` are all of it
};

// Of a weight matrix [outputs, lines], or of that matrix's taps that a phase has or that groups have, which are
// `lines`.
SharedCodes PackProduct(const TensorRef& weights, size_t outputs, const Lines& lines, int32_t zero_point,
                        const kernels::simd::TransposeConvPhase* phase = nullptr, const GroupTaps* groups = nullptr);
// Of weights that are all 0.
SharedCodes PackZeros(size_t outputs, const Lines& lines);
// What tells one phase's taps from another's.
size_t KeyOf(const kernels::simd::TransposeConvPhase& phase, int32_t zero_point);
kernels::simd::Matrix8Bit MatrixOf(const PackedCodes& packed, size_t outputs, const Lines& lines);

// Of a filter [taps, channels], lane l being channel l % channels; none where two int8 do not hold a difference.
SharedCodes PackDepthwise(const TensorRef& weights, const kernels::simd::DepthwiseLayout& layout, size_t lanes,
                          size_t channels, size_t taps, int32_t zero_point);

// As they stand, one byte each.
std::shared_ptr<const std::vector<int8_t>> ShareCodes(const TensorRef& weights);

}  // namespace assay::ops
