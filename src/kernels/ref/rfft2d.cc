#include "kernels/ref/rfft2d.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace assay::kernels::ref {
namespace {

struct Complex {
  double re = 0, im = 0;
};

// In place, radix 2, decimation in time; `roots[k * (most / n)]` is exp(-2 pi i k / n).
void Fft(Complex* x, int64_t n, const Complex* roots, int64_t most) {
  for (int64_t i = 1, j = 0; i < n; ++i) {
    int64_t bit = n >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (int64_t half = 1; half < n; half *= 2) {
    const int64_t step = most / (2 * half);
    for (int64_t begin = 0; begin < n; begin += 2 * half) {
      for (int64_t k = 0; k < half; ++k) {
        const Complex w = roots[k * step], a = x[begin + k], b = x[begin + k + half];
        const Complex t = {w.re * b.re - w.im * b.im, w.re * b.im + w.im * b.re};
        x[begin + k] = {a.re + t.re, a.im + t.im};
        x[begin + k + half] = {a.re - t.re, a.im - t.im};
      }
    }
  }
}

int64_t MostPoints(const Rfft2dGeometry& g) { return std::max(g.height, g.width); }

}  // namespace

int64_t Rfft2dScratch(const Rfft2dGeometry& g) noexcept { return 2 * (g.height * g.width + g.height + MostPoints(g)); }

void Rfft2d(const Rfft2dGeometry& g, const float* input, double* scratch, float* output) noexcept {
  const int64_t most = MostPoints(g), bins = g.width / 2 + 1;
  auto* grid = reinterpret_cast<Complex*>(scratch);
  Complex* column = grid + g.height * g.width;
  Complex* roots = column + g.height;
  for (int64_t k = 0; k < most; ++k) {
    const double angle = -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(most);
    roots[k] = {std::cos(angle), std::sin(angle)};
  }
  for (int64_t image = 0; image < g.images; ++image) {
    const float* x = input + image * g.input_height * g.input_width;
    for (int64_t r = 0; r < g.height; ++r) {
      Complex* line = grid + r * g.width;
      for (int64_t c = 0; c < g.width; ++c) {
        const bool inside = r < g.input_height && c < g.input_width;
        line[c] = {inside ? static_cast<double>(x[r * g.input_width + c]) : 0.0, 0.0};
      }
      Fft(line, g.width, roots, most);
    }
    float* y = output + image * g.height * bins * 2;
    for (int64_t c = 0; c < bins; ++c) {
      for (int64_t r = 0; r < g.height; ++r) column[r] = grid[r * g.width + c];
      Fft(column, g.height, roots, most);
      for (int64_t r = 0; r < g.height; ++r) {
        y[(r * bins + c) * 2] = static_cast<float>(column[r].re);
        y[(r * bins + c) * 2 + 1] = static_cast<float>(column[r].im);
      }
    }
  }
}

}  // namespace assay::kernels::ref
