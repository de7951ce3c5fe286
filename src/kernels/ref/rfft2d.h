// RFFT2D: the two-dimensional discrete Fourier transform of real numbers, its right half cut off (it mirrors the left).
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

// Lengths are powers of two. An image is cut to them or padded with zeros. Output [images, height, width / 2 + 1] pairs
// of real and imaginary part.
struct Rfft2dGeometry {
  int64_t images = 0, input_height = 0, input_width = 0;
  int64_t height = 0, width = 0;
};
// Doubles of working memory that Rfft2d needs.
int64_t Rfft2dScratch(const Rfft2dGeometry& g) noexcept;
// Computes in double, rounds once.
void Rfft2d(const Rfft2dGeometry& g, const float* input, double* scratch, float* output) noexcept;

}  // namespace assay::kernels::ref
