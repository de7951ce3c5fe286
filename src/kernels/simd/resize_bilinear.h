// RESIZE_BILINEAR by XNNPACK's rules, the arithmetic that of kernels/ref: lines of the image are resized along x, each
// once for all rows of the output that it goes into, then mixed along y.
#pragma once

#include <cstdint>

#include "kernels/ref/resize_bilinear.h"
#include "kernels/simd/scales.h"

namespace assay::kernels::simd {

// Bytes of working memory for one thread.
size_t ResizeBilinearScratch(const ref::ResizeGeometry& g) noexcept;

// The output rows `rows` of all images counted through; int8_t and uint8_t as ref::ResizeBilinearElevenBit, float as
// ref::ResizeBilinearFused. Taps as ref::ResizeTapsXnnpack finds them.
void ResizeBilinearRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                        Range rows, const int8_t* input, void* scratch, int8_t* output) noexcept;
void ResizeBilinearRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                        Range rows, const uint8_t* input, void* scratch, uint8_t* output) noexcept;
void ResizeBilinearRows(const ref::ResizeGeometry& g, const ref::ResizeTap<float>* y, const ref::ResizeTap<float>* x,
                        Range rows, const float* input, void* scratch, float* output) noexcept;

}  // namespace assay::kernels::simd
