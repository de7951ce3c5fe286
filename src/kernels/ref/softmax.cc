#include "kernels/ref/softmax.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "numerics/fixed_point.h"

namespace assay::kernels::ref {
namespace {

using numerics::Fixed;

template <typename T>
int32_t RowMaximum(const T* x, int64_t depth) {
  return depth == 0 ? 0 : *std::max_element(x, x + depth);
}

// Calls row(x, y) for every row.
template <typename In, typename Out, typename Row>
void ForRows(const Rows& rows, const In* x, Out* y, const Row& row) {
  for (int64_t r = 0; r < rows.count; ++r) row(x + r * rows.depth, y + r * rows.depth);
}

template <typename Sum>
void SoftmaxRow(int64_t depth, float beta, const float* x, float* y) {
  const float maximum = std::max(std::numeric_limits<float>::lowest(), *std::max_element(x, x + depth));
  Sum sum = 0;
  for (int64_t i = 0; i < depth; ++i) {
    y[i] = std::exp((x[i] - maximum) * beta);
    sum += static_cast<Sum>(y[i]);
  }
  for (int64_t i = 0; i < depth; ++i) y[i] = static_cast<float>(static_cast<Sum>(y[i]) / sum);
}

template <typename Sum>
void LogSoftmaxRow(int64_t depth, const float* x, float* y) {
  const float maximum = *std::max_element(x, x + depth);
  Sum sum = 0;
  for (int64_t i = 0; i < depth; ++i) sum += static_cast<Sum>(std::exp(x[i] - maximum));
  const auto log_sum = static_cast<float>(std::log(sum));
  for (int64_t i = 0; i < depth; ++i) y[i] = x[i] - maximum - log_sum;
}

// A difference of codes in 5.26.
int32_t ScaleDifference(int32_t difference, numerics::FixedPointScale scale) {
  return numerics::SaturatingRoundingDoublingHighMul(numerics::WrappingShiftLeft(difference, scale.shift),
                                                     scale.multiplier);
}

Fixed<int32_t, 0> ExpOf(const SoftmaxFixedPoint& p, int32_t difference) {
  return {p.exp_of_difference[static_cast<size_t>(-difference)]};
}

template <typename T>
Fixed<int32_t, 12> SumOfExps(int64_t depth, const SoftmaxFixedPoint& p, const T* x, int32_t maximum) {
  Fixed<int32_t, 12> sum;
  for (int64_t i = 0; i < depth; ++i) {
    const int32_t difference = int32_t{x[i]} - maximum;
    if (difference < p.least_difference) continue;
    sum = sum + ExpOf(p, difference).Rescale<12>();
  }
  return sum;
}

}  // namespace

void SoftmaxFloat(const Rows& rows, float beta, bool sum_in_float, const float* x, float* y) noexcept {
  if (rows.depth == 0) return;
  ForRows(rows, x, y, [&](const float* in, float* out) {
    sum_in_float ? SoftmaxRow<float>(rows.depth, beta, in, out) : SoftmaxRow<double>(rows.depth, beta, in, out);
  });
}

void LogSoftmaxFloat(const Rows& rows, bool sum_in_float, const float* x, float* y) noexcept {
  if (rows.depth == 0) return;
  ForRows(rows, x, y, [&](const float* in, float* out) {
    sum_in_float ? LogSoftmaxRow<float>(rows.depth, in, out) : LogSoftmaxRow<double>(rows.depth, in, out);
  });
}

void FillExps(SoftmaxFixedPoint& p) noexcept {
  for (int32_t i = 0; i < static_cast<int32_t>(p.exp_of_difference.size()); ++i) {
    if (-i < p.least_difference) return;
    const Fixed<int32_t, 5> difference{ScaleDifference(-i, p.scale)};
    p.exp_of_difference[static_cast<size_t>(i)] = numerics::ExpOnNegative(difference).raw;
  }
}

template <typename In, typename Out>
void SoftmaxQuantizedFixedPoint(const Rows& rows, const SoftmaxFixedPoint& p, const In* x, Out* y) noexcept {
  using Limits = std::numeric_limits<Out>;
  ForRows(rows, x, y, [&](const In* in, Out* out) {
    const int32_t maximum = RowMaximum(in, rows.depth);
    int bits_over_unit = 0;
    const Fixed<int32_t, 0> scale{numerics::Reciprocal(SumOfExps(rows.depth, p, in, maximum).raw, 12, &bits_over_unit)};
    // Rows of 4096 and more may overflow the sum; TFLite aborts then.
    const int exponent = std::clamp(bits_over_unit + 31 - static_cast<int>(8 * sizeof(Out)), 0, 31);
    for (int64_t i = 0; i < rows.depth; ++i) {
      const int32_t difference = int32_t{in[i]} - maximum;
      if (difference < p.least_difference) {
        out[i] = Limits::min();
        continue;
      }
      const int32_t code = numerics::RoundingShiftRightHalfAway((scale * ExpOf(p, difference)).raw, exponent);
      out[i] = static_cast<Out>(std::clamp<int64_t>(int64_t{code} + Limits::min(), Limits::min(), Limits::max()));
    }
  });
}

template <typename T>
void LogSoftmaxQuantizedFixedPoint(const Rows& rows, const SoftmaxFixedPoint& p, const T* x, T* y) noexcept {
  using Limits = std::numeric_limits<T>;
  ForRows(rows, x, y, [&](const T* in, T* out) {
    const int32_t maximum = RowMaximum(in, rows.depth);
    const int32_t log_sum = numerics::Log<5>(SumOfExps(rows.depth, p, in, maximum)).raw;
    // What is further below than this would not be representable in 5.26 once the logarithm is taken off.
    const auto least = static_cast<int32_t>(static_cast<uint32_t>(log_sum) + (uint32_t{1} << 31));
    const int32_t bound = std::max(p.least_difference - 1, numerics::MultiplyHalfAway(least, p.inverse_scale));
    for (int64_t i = 0; i < rows.depth; ++i) {
      const int32_t difference = int32_t{in[i]} - maximum;
      if (difference <= bound) {
        out[i] = Limits::min();
        continue;
      }
      const uint32_t scaled = static_cast<uint32_t>(ScaleDifference(difference, p.scale));
      const auto log = static_cast<int32_t>(scaled - static_cast<uint32_t>(log_sum));
      const int32_t code = numerics::RoundingShiftRightHalfAway(log, 31 - 5 - 4) + Limits::max();
      out[i] = static_cast<T>(std::clamp<int32_t>(code, Limits::min(), Limits::max()));
    }
  });
}

template <typename In, typename Out>
void SoftmaxQuantizedTable(const Rows& rows, const SoftmaxTable& p, const In* x, Out* y) noexcept {
  using Limits = std::numeric_limits<Out>;
  ForRows(rows, x, y, [&](const In* in, Out* out) {
    const int32_t maximum = RowMaximum(in, rows.depth);
    const auto exp_of = [&](In code) { return p.exp_of_difference[static_cast<size_t>(maximum - code)]; };
    float sum = 0;
    for (int64_t i = 0; i < rows.depth; ++i) sum += exp_of(in[i]);
    const float to_code = 1.0F / (sum * p.output_scale);
    for (int64_t i = 0; i < rows.depth; ++i) {
      const float real = exp_of(in[i]) * to_code;
      // uint8 has a zero point of 0, whatever the model says, and rounds by truncation.
      const float code = std::is_same_v<Out, uint8_t> ? std::trunc(real + 0.5F)
                                                      : std::round(real) + static_cast<float>(p.output_zero_point);
      constexpr auto kLow = static_cast<float>(Limits::min()), kHigh = static_cast<float>(Limits::max());
      out[i] = static_cast<Out>(code >= kLow ? std::min(code, kHigh) : kLow);
    }
  });
}

template <typename T>
void LogSoftmaxQuantizedTable(const Rows& rows, const SoftmaxTable& p, const T* x, T* y) noexcept {
  using Limits = std::numeric_limits<T>;
  ForRows(rows, x, y, [&](const T* in, T* out) {
    const int32_t maximum = RowMaximum(in, rows.depth);
    float sum = 0;
    for (int64_t i = 0; i < rows.depth; ++i) sum += p.exp_of_difference[static_cast<size_t>(maximum - in[i])];
    const float scale = p.input_scale / p.output_scale;
    const float offset = (p.input_scale * static_cast<float>(maximum) + std::log(sum)) / p.output_scale;
    for (int64_t i = 0; i < rows.depth; ++i) {
      const float code =
          std::nearbyint(scale * static_cast<float>(in[i]) - offset) + static_cast<float>(p.output_zero_point);
      constexpr auto kLow = static_cast<float>(Limits::min()), kHigh = static_cast<float>(Limits::max());
      out[i] = static_cast<T>(code >= kLow ? std::min(code, kHigh) : kLow);
    }
  });
}

void SoftmaxInt16(const Rows& rows, const SoftmaxInt16Tables& p, const int16_t* x, int16_t* y) noexcept {
  const auto saturate = [](int64_t v) { return static_cast<int16_t>(std::clamp<int64_t>(v, INT16_MIN, INT16_MAX)); };
  ForRows(rows, x, y, [&](const int16_t* in, int16_t* out) {
    if (rows.depth == 0) return;
    const int32_t maximum = RowMaximum(in, rows.depth);
    int64_t sum = 0;
    for (int64_t i = 0; i < rows.depth; ++i) {
      const int32_t scaled = numerics::MultiplyHalfAway(in[i] - maximum, p.scale);
      out[i] = numerics::Lookup16(saturate(int64_t{scaled} + 32767), p.exp);
      sum += out[i];
    }
    // 1/sum: the sum scaled to [1, 2), of which the table knows 1/(1 + x). The largest element alone gives 2^15 - 1.
    const auto narrow_sum = static_cast<uint32_t>(std::clamp<int64_t>(sum, 1, INT32_MAX));
    const int zeros = std::countl_zero(narrow_sum);
    const int64_t shifted = ((static_cast<int64_t>(narrow_sum) << (zeros - 1)) + (1 << 13)) >> 14;
    const int16_t reciprocal = numerics::Lookup16(saturate(shifted - (1 << 15) - (1 << 16)), p.one_over_one_plus);
    const int shift = std::max(31 - zeros, 1);
    for (int64_t i = 0; i < rows.depth; ++i) {
      const int64_t code = (int64_t{out[i]} * reciprocal + (int64_t{1} << (shift - 1))) >> shift;
      out[i] = static_cast<int16_t>(std::clamp<int64_t>(code, 0, INT16_MAX));
    }
  });
}

template void SoftmaxQuantizedFixedPoint(const Rows&, const SoftmaxFixedPoint&, const int8_t*, int8_t*) noexcept;
template void SoftmaxQuantizedFixedPoint(const Rows&, const SoftmaxFixedPoint&, const int8_t*, int16_t*) noexcept;
template void SoftmaxQuantizedFixedPoint(const Rows&, const SoftmaxFixedPoint&, const uint8_t*, uint8_t*) noexcept;
template void SoftmaxQuantizedFixedPoint(const Rows&, const SoftmaxFixedPoint&, const uint8_t*, int16_t*) noexcept;
template void LogSoftmaxQuantizedFixedPoint(const Rows&, const SoftmaxFixedPoint&, const int8_t*, int8_t*) noexcept;
template void LogSoftmaxQuantizedFixedPoint(const Rows&, const SoftmaxFixedPoint&, const uint8_t*, uint8_t*) noexcept;
template void SoftmaxQuantizedTable(const Rows&, const SoftmaxTable&, const int8_t*, int8_t*) noexcept;
template void SoftmaxQuantizedTable(const Rows&, const SoftmaxTable&, const int8_t*, int16_t*) noexcept;
template void SoftmaxQuantizedTable(const Rows&, const SoftmaxTable&, const uint8_t*, uint8_t*) noexcept;
template void SoftmaxQuantizedTable(const Rows&, const SoftmaxTable&, const uint8_t*, int16_t*) noexcept;
template void LogSoftmaxQuantizedTable(const Rows&, const SoftmaxTable&, const int8_t*, int8_t*) noexcept;
template void LogSoftmaxQuantizedTable(const Rows&, const SoftmaxTable&, const uint8_t*, uint8_t*) noexcept;

}  // namespace assay::kernels::ref
