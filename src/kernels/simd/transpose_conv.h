// TRANSPOSE_CONV as ordinary convolutions. Along an axis, output p - pad meets input i through tap k where
// i * stride + k = p: outputs whose p leave the same remainder r meet the taps r, r + stride, ..., the last of which
// carries the first input. Such outputs of both axes are a phase: a convolution without strides by those taps in
// reversed order, whose output pixels lie `stride` apart (kernels/simd/conv_2d.h).
#pragma once

#include <cstdint>

#include "kernels/ref/conv_2d.h"
#include "kernels/ref/transpose_conv.h"

namespace assay::kernels::simd {

// Along one axis of a filter of `size` taps: first, first + step, ..., `count` of them.
struct AxisTaps {
  int32_t size, first, step, count;
};

struct TransposeConvPhase {
  AxisTaps rows, columns;
  // Where there are no taps, its windows are one value, which lies outside of the image: the weights must be 0.
  ref::Conv2DGeometry geometry;
  // From the output's beginning to the phase's first pixel, from there to its next one, to that of its next line and
  // to that of the next image, in values.
  int64_t first_output, pixel_step, line_step, image_step;

  bool has_taps() const { return rows.count > 0 && columns.count > 0; }
};

// Phases are counted by their first output pixel's place.
struct PhaseCounts {
  int32_t rows, columns;
};
PhaseCounts CountPhases(const ref::TransposeConvGeometry& g) noexcept;

// The phase that begins at output pixel (y, x). Strides are at least 1.
TransposeConvPhase PhaseAt(const ref::TransposeConvGeometry& g, int32_t y, int32_t x) noexcept;

// The phase's taps of a filter [outputs, filter_h, filter_w, channels], as the filter of its convolution.
template <typename T>
void GatherTaps(const TransposeConvPhase& phase, int64_t outputs, int64_t channels, const T* filter, T* taps) {
  const AxisTaps &h = phase.rows, &w = phase.columns;
  for (int64_t o = 0; o < outputs; ++o) {
    for (int32_t j = h.count - 1; j >= 0; --j) {
      const int64_t line = (o * h.size + h.first + int64_t{j} * h.step) * w.size;
      for (int32_t i = w.count - 1; i >= 0; --i, taps += channels) {
        const T* from = filter + (line + w.first + int64_t{i} * w.step) * channels;
        for (int64_t c = 0; c < channels; ++c) taps[c] = from[c];
      }
    }
  }
}

}  // namespace assay::kernels::simd
