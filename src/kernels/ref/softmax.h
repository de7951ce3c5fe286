// SOFTMAX and LOG_SOFTMAX over the innermost dimension. Letters as in docs/numerics.md.
#pragma once

#include <array>
#include <cstdint>

#include "numerics/lookup_table.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

struct Rows {
  int64_t count = 0, depth = 0;
};

// exp(beta (x - max)) / sum. `sum_in_float` adds in float in the order of the row, as TFLite's reference does;
// otherwise in double.
void SoftmaxFloat(const Rows& rows, float beta, bool sum_in_float, const float* x, float* y) noexcept;
// x - max - ln(sum exp(x - max)).
void LogSoftmaxFloat(const Rows& rows, bool sum_in_float, const float* x, float* y) noexcept;

// The reference kernels: differences to the row's maximum scaled to 5 integer and 26 fractional bits, exp and
// reciprocal in fixed point, the sum with 12 integer bits.
struct SoftmaxFixedPoint {
  numerics::FixedPointScale scale;  // of a difference of codes
  int32_t least_difference = 0;     // what is further below the maximum counts as 0
  // LOG_SOFTMAX: from 5.26 back to codes.
  numerics::FixedPointScale inverse_scale;
  // e^(-i * scale) of a difference of -i codes, without integer bits; FillExps computes them.
  std::array<int32_t, 256> exp_of_difference = {};
};
// In is int8_t or uint8_t, Out one of those or int16_t; the output's scale is 1/256 (1/65536) and its least code is 0.
void FillExps(SoftmaxFixedPoint& p) noexcept;
template <typename In, typename Out>
void SoftmaxQuantizedFixedPoint(const Rows& rows, const SoftmaxFixedPoint& p, const In* x, Out* y) noexcept;
// The output's scale is 1/16 and its largest code is 0.
template <typename T>
void LogSoftmaxQuantizedFixedPoint(const Rows& rows, const SoftmaxFixedPoint& p, const T* x, T* y) noexcept;

// The optimised kernels: a table of exp(-input scale * beta * i), sums in float.
struct SoftmaxTable {
  std::array<float, 256> exp_of_difference = {};  // [i]: i codes below the maximum
  float input_scale = 1;
  float output_scale = 1;
  int32_t output_zero_point = 0;
};
template <typename In, typename Out>
void SoftmaxQuantizedTable(const Rows& rows, const SoftmaxTable& p, const In* x, Out* y) noexcept;
template <typename T>
void LogSoftmaxQuantizedTable(const Rows& rows, const SoftmaxTable& p, const T* x, T* y) noexcept;

// 16 bits: exp and 1/(1 + x) from interpolated tables.
struct SoftmaxInt16Tables {
  numerics::FixedPointScale scale;  // a difference of codes to [-65535, 0] for [-10, 0]
  numerics::Table16 exp, one_over_one_plus;
};
void SoftmaxInt16(const Rows& rows, const SoftmaxInt16Tables& p, const int16_t* x, int16_t* y) noexcept;

}  // namespace assay::kernels::ref
