// Activations of floats that kernels/ref takes from the C library, and the cells of an LSTM. What a value becomes does
// not depend on where it stands, so results are the same for any number of threads.
#pragma once

#include <cstddef>

namespace assay::kernels::simd {

// y[i] = f(x[i]); x may be y.
void LogisticFloats(const float* x, float* y, size_t count) noexcept;
// x times that.
void SwishFloats(const float* x, float* y, size_t count) noexcept;
void TanhFloats(const float* x, float* y, size_t count) noexcept;

// e^(beta (x - max)) / sum of a row.
void SoftmaxFloats(const float* x, float* y, size_t count, float beta) noexcept;

// Of one step: gates[0] to gates[3] are the sums of the input, forget, cell and output gates.
//   c = clip(logistic(forget) c + logistic(input) tanh(cell)),  h = logistic(output) tanh(c);  clip 0: none
void LstmCells(const float* const* gates, size_t cells, float clip, float* cell_state, float* output_state) noexcept;

}  // namespace assay::kernels::simd
