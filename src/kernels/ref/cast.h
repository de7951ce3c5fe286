// Conversions between element types as TFLite's CAST does them: C++'s, saturating from reals to integers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tensor/float16.h"

namespace assay::kernels::ref {

// Stored forms without a C++ type.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};
struct Complex64 {
  float real, imaginary;
};

// The value that arithmetic sees.
template <typename T>
auto Load(T x) {
  if constexpr (std::is_same_v<T, Half>) {
    return HalfToFloat(x.bits);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return BFloat16ToFloat(x.bits);
  } else if constexpr (std::is_same_v<T, Bool>) {
    return static_cast<int32_t>(x.byte != 0);
  } else if constexpr (std::is_same_v<T, Complex64>) {
    return x.real;
  } else {
    return x;
  }
}

// A real number to an integer by truncation; what does not fit saturates, NaN becomes the largest value.
template <typename To, typename Real>
To SaturateTo(Real x) {
  using Limits = std::numeric_limits<To>;
  // 2^digits is exact in every floating type, the largest integer may not be.
  if (!(x < std::ldexp(Real{1}, Limits::digits))) return Limits::max();
  return static_cast<To>(std::max(x, static_cast<Real>(Limits::min())));
}

template <typename To, typename From>
To Convert(From from) {
  const auto x = Load(from);
  using X = decltype(x);
  constexpr bool kReal = std::is_floating_point_v<std::remove_const_t<X>>;
  if constexpr (std::is_same_v<To, Bool>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_same_v<To, Half>) {
    return {FloatToHalf(static_cast<float>(x))};
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return {FloatToBFloat16(static_cast<float>(x))};
  } else if constexpr (std::is_same_v<To, Complex64>) {
    if constexpr (std::is_same_v<From, Complex64>) return from;
    return {static_cast<float>(x), 0};
  } else if constexpr (kReal && std::is_integral_v<To>) {
    return SaturateTo<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace assay::kernels::ref
