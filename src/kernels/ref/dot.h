// Inner products, the innermost loops of all matrix ops, written so that compilers vectorize them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace assay::kernels::ref {

// Products of two floats are exact in double; four partial sums let two of them share a register.
inline double Dot(const double* x, const float* w, int64_t count) noexcept {
  double lanes[4] = {};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int k = 0; k < 4; ++k) lanes[k] += x[i + k] * static_cast<double>(w[i + k]);
  }
  double sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  for (; i < count; ++i) sum += x[i] * static_cast<double>(w[i]);
  return sum;
}

// Modulo 2^32, as the runtimes' sums wrap. |x| <= 255, W an 8-bit type: 2^14 products fit an int32.
template <typename W>
inline uint32_t Dot(const int16_t* x, const W* w, int64_t count) noexcept {
  constexpr int64_t kExact = int64_t{1} << 14;
  uint32_t sum = 0;
  for (int64_t begin = 0; begin < count; begin += kExact) {
    const int64_t end = std::min(begin + kExact, count);
    int32_t part = 0;
    for (int64_t i = begin; i < end; ++i) part += static_cast<int32_t>(x[i]) * static_cast<int32_t>(w[i]);
    sum += static_cast<uint32_t>(part);
  }
  return sum;
}

// Exact, for any 16-bit x: 2^7 products fit an int32.
inline int64_t DotWide(const int16_t* x, const int8_t* w, int64_t count) noexcept {
  constexpr int64_t kExact = int64_t{1} << 7;
  int64_t sum = 0;
  for (int64_t begin = 0; begin < count; begin += kExact) {
    const int64_t end = std::min(begin + kExact, count);
    int32_t part = 0;
    for (int64_t i = begin; i < end; ++i) part += static_cast<int32_t>(x[i]) * static_cast<int32_t>(w[i]);
    sum += part;
  }
  return sum;
}

}  // namespace assay::kernels::ref
