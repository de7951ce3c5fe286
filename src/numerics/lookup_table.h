// Functions of codes as tables: one entry per code in 8 bits, 513 interpolated ones in 16.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "numerics/requantize.h"

namespace assay::numerics {

struct CodeScale {
  float scale = 1;
  int32_t zero_point = 0;
};

// Codes of either sign, indexed by uint8_t(code); values are int8 or uint8 codes.
using Table8 = std::array<int16_t, 256>;

// How the real value becomes a code.
enum class TableRounding : uint8_t {
  kHalfAway,  // TFLite: round(y * (1/so)) + zo, then clamped
  kHalfEven,  // XNNPACK: rint(y * (1/so) + zo)
};

// table[x] = code of f(scale of the input * (x - its zero point)); T is int8_t or uint8_t. Everything in float.
template <typename T, typename F>
Table8 MakeTable8(const CodeScale& input, const CodeScale& output, TableRounding rounding, F f) {
  constexpr auto kLow = static_cast<float>(std::numeric_limits<T>::min());
  constexpr auto kHigh = static_cast<float>(std::numeric_limits<T>::max());
  Table8 table = {};
  const float inverse_scale = 1 / output.scale;
  for (int code = std::numeric_limits<T>::min(); code <= std::numeric_limits<T>::max(); ++code) {
    const float x = input.scale * static_cast<float>(code - input.zero_point);
    const float y = f(x) * inverse_scale;
    const auto zero_point = static_cast<float>(output.zero_point);
    const float rounded =
        rounding == TableRounding::kHalfAway ? std::round(y) + zero_point : std::nearbyint(y + zero_point);
    table[static_cast<uint8_t>(code)] = static_cast<int16_t>(rounded >= kLow ? std::min(rounded, kHigh) : kLow);
  }
  return table;
}

// 512 steps over the input's range and one entry beyond. Each entry is off by half of the interpolation's error in the
// middle of its step.
using Table16 = std::array<int16_t, 513>;

template <typename Real, typename F>
Table16 MakeTable16(Real input_scale, int32_t input_zero_point, Real output_scale, int32_t output_zero_point, F f) {
  constexpr int32_t kLow = -32768, kHigh = 32767;
  const Real input_min = input_scale * static_cast<Real>(kLow - input_zero_point);
  const Real input_max = input_scale * static_cast<Real>(kHigh - input_zero_point);
  const Real output_min = output_scale * static_cast<Real>(kLow - output_zero_point);
  const Real output_max = output_scale * static_cast<Real>(kHigh - output_zero_point);
  const Real step = (input_max - input_min) / 512;
  const Real half_step = step / 2;
  const Real to_code = static_cast<Real>(65536) / (output_max - output_min);
  const auto clamp = [](Real y) {  // where f overflows, inf - inf: TFLite's cast of NaN gives 0 on x86
    if (std::isnan(y)) return int16_t{0};
    return static_cast<int16_t>(std::clamp(y, static_cast<Real>(kLow), static_cast<Real>(kHigh)));
  };
  Table16 table = {};
  for (int i = 0; i < 512; ++i) {
    const Real at = input_min + static_cast<Real>(i) * step;
    const Real here = std::round(f(at) * to_code);
    const Real next = f(input_min + static_cast<Real>(i + 1) * step) * to_code;
    const Real middle = std::round(f(at + half_step) * to_code);
    const Real error = std::round((next + here) / 2) - middle;
    table[static_cast<size_t>(i)] = clamp(here - std::round(error / 2));
  }
  table[512] = clamp(std::round(f(input_max) * to_code));
  return table;
}

inline int16_t Lookup16(int16_t x, const Table16& table) {
  const auto i = static_cast<size_t>(256 + (x >> 7));
  const auto slope = static_cast<int16_t>(table[i + 1] - table[i]);
  return static_cast<int16_t>(table[i] + ((slope * (x & 0x7F) + 64) >> 7));
}

// 65536 / (1 + exp(-i/24)), raised by half of the error that linear interpolation would have in the middle of the step
// (the logistic function is concave there). TFLite's 16-bit LOGISTIC and TANH interpolate in it.
using SigmoidTable = std::array<uint16_t, 256>;
SigmoidTable MakeSigmoidTable();

}  // namespace assay::numerics
