// Between floats and codes, and between codes of different scales. Letters as in docs/numerics.md.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "numerics/requantize.h"

namespace assay::kernels::ref {

// A cast as x86 does it: NaN and what int32 cannot hold become the least integer.
template <typename Real>
int32_t CastToInt32(Real x) {
  return std::abs(x) < static_cast<Real>(2147483648.0) ? static_cast<int32_t>(x) : std::numeric_limits<int32_t>::min();
}
inline int32_t WrappingSum(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

// The output's side of QUANTIZE, per tensor or for one channel.
struct CodeOf {
  float scale = 1;
  int32_t zero_point = 0, low = 0, high = 0;

  // round(x / scale), half away.
  int32_t Reference(float x) const {
    return std::clamp(WrappingSum(CastToInt32(std::round(x / scale)), zero_point), low, high);
  }
  // Full blocks of the optimised kernel: rint(x * (1 / scale)).
  int32_t Block(float x) const {
    const auto inverse = static_cast<float>(1.0 / static_cast<double>(scale));
    return std::clamp(WrappingSum(CastToInt32(std::nearbyint(x * inverse)), zero_point), low, high);
  }
  // Its tail: in double.
  int32_t Tail(float x) const {
    const double y = std::round(static_cast<double>(x) / static_cast<double>(scale));
    return std::clamp(WrappingSum(CastToInt32(y), zero_point), low, high);
  }
  // XNNPACK: as Block, but saturating; NaN becomes the upper end.
  int32_t Xnnpack(float x) const {
    return zero_point + numerics::RoundHalfEvenClamped(x * (1.0F / scale), static_cast<float>(low - zero_point),
                                                       static_cast<float>(high - zero_point));
  }
};

// Codes to codes: rule D, or U in full blocks of the optimised kernels.
struct Requantizer {
  int32_t input_zero_point = 0;
  numerics::FixedPointScale scale;
  int32_t zero_point = 0, low = 0, high = 0;
  int32_t HalfAway(int32_t code) const { return Finish(numerics::MultiplyHalfAway(From(code), scale)); }
  int32_t HalfUp(int32_t code) const { return Finish(numerics::MultiplyHalfUp(From(code), scale)); }

 private:
  int32_t From(int32_t code) const {
    return static_cast<int32_t>(static_cast<uint32_t>(code) - static_cast<uint32_t>(input_zero_point));
  }
  int32_t Finish(int32_t y) const { return std::clamp(WrappingSum(y, zero_point), low, high); }
};

// Codes to floats.
struct Dequantizer {
  float scale = 1;
  int32_t zero_point = 0;
  float operator()(int32_t code) const { return scale * static_cast<float>(int64_t{code} - zero_point); }
  // Full blocks of the optimised kernels: x * scale + (-zero_point * scale).
  float Block(int32_t code) const {
    const auto offset = static_cast<float>(-static_cast<double>(zero_point) * static_cast<double>(scale));
    return static_cast<float>(code) * scale + offset;
  }
};

// y[i] = inside(x[i]) in full blocks of `block`, tail(x[i]) behind them.
template <typename In, typename Out, typename Inside, typename Tail>
void MapInBlocks(std::span<const In> x, std::span<Out> y, size_t block, const Inside& inside,
                 const Tail& tail) noexcept {
  const size_t blocked = x.size() / block * block;
  for (size_t i = 0; i < blocked; ++i) y[i] = static_cast<Out>(inside(x[i]));
  for (size_t i = blocked; i < x.size(); ++i) y[i] = static_cast<Out>(tail(x[i]));
}

// A tensor whose scales run along one dimension: channel of element i = i / inner % channels.
struct ChannelAxis {
  int64_t channels = 1, inner = 1;
  size_t operator()(size_t i) const { return static_cast<size_t>(static_cast<int64_t>(i) / inner % channels); }
};

}  // namespace assay::kernels::ref
