// Bilinear resizing of NHWC images by three runtimes' rules. docs/numerics.md, "Resizing".
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

struct ResizeAxis {
  int32_t input = 0, output = 0;
  bool align_corners = false, half_pixel_centers = false;
};

// The two pixels that an output lies between and how far it is from the first: a fraction of 1, or of 2^10.
template <typename Fraction>
struct ResizeTap {
  int32_t low = 0, high = 0;
  Fraction fraction = 0;
};

// Positions in float; where they lie outside of the image both pixels are the outermost one. `taps` has axis.output
// elements.
void ResizeTapsFloat(const ResizeAxis& axis, ResizeTap<float>* taps) noexcept;
// Positions in 1/1024 of a pixel.
void ResizeTapsTenBit(const ResizeAxis& axis, ResizeTap<int64_t>* taps) noexcept;
// Positions in float, clamped to the image.
void ResizeTapsXnnpack(const ResizeAxis& axis, ResizeTap<float>* taps) noexcept;

struct ResizeGeometry {
  int32_t batches = 0, channels = 0;
  ResizeAxis y, x;
};

// float or uint8_t. x * wy * wx, summed in the order 00 10 01 11; codes: truncated after adding a half.
template <typename T>
void ResizeBilinear(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x, const T* input,
                    T* output) noexcept;
// x * (wy * wx), summed in the order 00 01 10 11.
template <typename T>
void ResizeBilinearWeightsFirst(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x,
                                const T* input, T* output) noexcept;
// int8_t or int16_t. Weights of 10 bits each, half away from zero at 2^20.
template <typename T>
void ResizeBilinearTenBit(const ResizeGeometry& g, const ResizeTap<int64_t>* y, const ResizeTap<int64_t>* x,
                          const T* input, T* output) noexcept;
// Along x, then along y: low + fraction * (high - low), each step one fused multiply-add.
void ResizeBilinearFused(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x,
                         const float* input, float* output) noexcept;
// int8_t or uint8_t. Weights of 11 bits, half up at 2^22.
template <typename T>
void ResizeBilinearElevenBit(const ResizeGeometry& g, const ResizeTap<float>* y, const ResizeTap<float>* x,
                             const T* input, T* output) noexcept;

}  // namespace assay::kernels::ref
