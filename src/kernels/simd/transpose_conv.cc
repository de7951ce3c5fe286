#include "kernels/simd/transpose_conv.h"

#include <algorithm>

namespace assay::kernels::simd {
namespace {

struct Axis {
  AxisTaps taps;
  int32_t outputs, pad;  // of the phase's convolution
};

Axis AxisOf(int32_t first, int32_t output, int32_t filter, int32_t stride, int32_t pad) {
  const int64_t p = int64_t{first} + pad;
  const auto remainder = static_cast<int32_t>(p % stride);
  Axis axis = {};
  axis.taps = {filter, remainder, std::min(stride, filter),
               remainder < filter ? (filter - 1 - remainder) / stride + 1 : 0};
  axis.outputs = (output - 1 - first) / stride + 1;
  axis.pad = axis.taps.count - 1 - static_cast<int32_t>(p / stride);
  return axis;
}

}  // namespace

PhaseCounts CountPhases(const ref::TransposeConvGeometry& g) noexcept {
  return {std::min(g.stride_h, g.output_h), std::min(g.stride_w, g.output_w)};
}

TransposeConvPhase PhaseAt(const ref::TransposeConvGeometry& g, int32_t y, int32_t x) noexcept {
  const Axis h = AxisOf(y, g.output_h, g.filter_h, g.stride_h, g.pad_h);
  const Axis w = AxisOf(x, g.output_w, g.filter_w, g.stride_w, g.pad_w);
  TransposeConvPhase phase = {};
  phase.rows = h.taps, phase.columns = w.taps;
  ref::Conv2DGeometry& conv = phase.geometry;
  conv.batches = g.batches;
  conv.output_h = h.outputs, conv.output_w = w.outputs, conv.output_c = g.output_c;
  conv.stride_h = conv.stride_w = conv.dilation_h = conv.dilation_w = 1;
  if (phase.has_taps()) {
    conv.input_h = g.input_h, conv.input_w = g.input_w, conv.input_c = conv.filter_c = g.input_c;
    conv.filter_h = h.taps.count, conv.filter_w = w.taps.count;
    conv.pad_h = h.pad, conv.pad_w = w.pad;
  } else {
    conv.input_h = conv.input_w = conv.input_c = 1;
    conv.filter_h = conv.filter_w = conv.filter_c = 1;
    conv.pad_h = conv.output_h;  // so that no line of the image is met
  }
  // Strides beyond the output's size lead nowhere.
  const int64_t line = int64_t{g.output_w} * g.output_c;
  phase.first_output = y * line + int64_t{x} * g.output_c;
  phase.pixel_step = int64_t{std::min(g.stride_w, g.output_w)} * g.output_c;
  phase.line_step = std::min(g.stride_h, g.output_h) * line;
  phase.image_step = g.OutputImageSize();
  return phase;
}

}  // namespace assay::kernels::simd
