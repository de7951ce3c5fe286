// RESIZE_BILINEAR by rows, the channels of a pixel at once; the arithmetic is
// that of kernels/ref.
#pragma once

#include <cstdint>

#include "kernels/ref/resize_bilinear.h"
#include "kernels/simd/scales.h"

namespace assay::kernels::simd {

// ref::ResizeBilinearElevenBit for the output rows `rows` of all images counted
// through.
void ResizeBilinearElevenBit(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y,
                             const ref::ResizeTap<float>* x, Range rows, const int8_t* input, int8_t* output) noexcept;
void ResizeBilinearElevenBit(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y,
                             const ref::ResizeTap<float>* x, Range rows, const uint8_t* input,
                             uint8_t* output) noexcept;

}  // namespace assay::kernels::simd
