// DEPTHWISE_CONV_2D with one output per channel. 8-bit codes: to the bit what kernels/ref computes. Four taps' pixels
// are interleaved byte by byte, so that one 8-bit dot product takes four taps of every channel; the signs and zero
// points are handled as in matrix_8bit.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/ref/conv_2d.h"
#include "kernels/ref/dynamic_range.h"
#include "kernels/simd/scales.h"
#include "numerics/requantize.h"

namespace assay::kernels::simd {

// Few channels fill no vector: where the stride allows, several neighbouring pixels do, and lane l holds channel
// l % channels. Gives the number of lanes for which weights, offsets and scales are laid out; else the channels.
size_t DepthwiseLanes(const ref::Conv2DGeometry& g) noexcept;

// Interleaving changes the order of channels; arrays per channel and weights are stored in the order in which the
// chosen instruction set meets them. One for each target: pack after the target is chosen.
class DepthwiseLayout {
 public:
  DepthwiseLayout(size_t lanes, const ref::Conv2DGeometry& g) noexcept;
  size_t window() const { return window_; }  // of windows whose taps go by columns; 0: by rows, as they are counted
  size_t padded_channels() const { return padded_channels_; }  // of arrays per channel
  size_t weight_bytes() const { return weight_bytes_; }
  size_t flag_count() const { return chunks_ * groups_; }  // of Depthwise8Bit::more_groups
  // Where lane c's entry of a padded array is, its weight of tap t, and the flag of that.
  size_t ChannelAt(size_t c) const noexcept;
  size_t WeightAt(size_t c, size_t t) const noexcept;
  size_t FlagAt(size_t c, size_t t) const noexcept;

 private:
  struct Place {
    size_t chunk, chunk_begin, chunk_width;
    size_t lane;  // of its vector of channels, counted through the chunk's four vectors
  };
  Place Find(size_t c) const noexcept;

  size_t channels_, groups_, full_width_, window_;
  size_t padded_channels_ = 0, weight_bytes_ = 0, chunks_ = 0;
};

// Of a sum: clamp((sum * first) * second + bias); by DepthwiseLayout.
struct DepthwiseFloats {
  const float *first, *second, *bias;
  float low, high;
};

struct Depthwise8Bit {
  size_t lanes;           // DepthwiseLanes
  const int8_t* weights;  // by DepthwiseLayout
  // What int8 does not hold of the differences to the zero point, by DepthwiseLayout too, and for which groups of taps
  // it is not 0. Null where it is 0 throughout.
  const int8_t* more_weights;
  const uint8_t* more_groups;
  const int32_t* offsets;  // bias and zero points; by DepthwiseLayout
  ChannelScales scales;    // by DepthwiseLayout
  numerics::OutputStage stage;
  const DepthwiseFloats* floats = nullptr;  // null where codes come out
};

size_t DepthwiseConv2D8BitScratch(const ref::Conv2DGeometry& g) noexcept;

// Computes the output rows `rows`, of all images' rows counted through. `input_zero_point` is a code as it stands in
// the input's memory. The geometry's output_c must be its input_c.
void DepthwiseConv2D8Bit(const ref::Conv2DGeometry& g, const uint8_t* input, bool is_signed, uint8_t input_zero_point,
                         const Depthwise8Bit& filter, Range rows, uint8_t* scratch, uint8_t* output) noexcept;

// Dynamic range: what comes in are codes without sign (hybrid.h) of one image, which follow one range; what comes out
// are floats. Arrays are by DepthwiseLayout.
struct DepthwiseHybrid {
  size_t lanes;  // DepthwiseLanes
  size_t padded_channels;
  const int8_t* weights;
  const int32_t* weight_sums;
  const float *scales, *bias;
  const ref::HybridScaling* scalings;  // not kFused
  float low, high;
};
size_t DepthwiseConv2DHybridScratch(const ref::Conv2DGeometry& g, size_t padded_channels) noexcept;
void DepthwiseConv2DHybrid(const ref::Conv2DGeometry& g, const DepthwiseHybrid& filter, const ref::DynamicRange& range,
                           const uint8_t* codes, Range rows, uint8_t* scratch, float* output) noexcept;

// Sums start from the bias (which may be null: 0) and take the taps with one fused multiply-add each as in
// matrix_float.h, in XNNPACK's order.
size_t DepthwiseConv2DFloatScratch(const ref::Conv2DGeometry& g) noexcept;
// How many rows of output are computed together, at most: fewer at once read what their windows share anew.
size_t DepthwiseConv2DFloatRows(const ref::Conv2DGeometry& g) noexcept;
void DepthwiseConv2DFloat(const ref::Conv2DGeometry& g, const float* input, const float* filter, const float* bias,
                          float low, float high, Range rows, uint8_t* scratch, float* output) noexcept;

}  // namespace assay::kernels::simd
