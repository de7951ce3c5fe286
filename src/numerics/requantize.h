// From an exact integer accumulator to an 8- or 16-bit output: the rules that TFLite's runtimes use. The letters are
// those of docs/numerics.md.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace assay::numerics {

// real ~ multiplier * 2^(shift - 31), multiplier in [2^30, 2^31) or 0. Q(s) of docs/numerics.md.
struct FixedPointScale {
  int32_t multiplier = 0;
  int32_t shift = 0;  // positive: to the left
};

// `scale` must be finite and >= 0; what exceeds 2^30 saturates, what is below 2^-32 becomes 0.
inline FixedPointScale ToFixedPoint(double scale) {
  if (scale == 0) return {};
  int exponent = 0;
  const double mantissa = std::frexp(scale, &exponent);
  auto q = static_cast<int64_t>(std::floor(mantissa * 2147483648.0 + 0.5));
  if (q == int64_t{1} << 31) {
    q /= 2;
    ++exponent;
  }
  if (exponent < -31) return {};
  if (exponent > 30) return {std::numeric_limits<int32_t>::max(), 30};
  return {static_cast<int32_t>(q), exponent};
}

inline int32_t WrappingShiftLeft(int32_t x, int shift) {
  return static_cast<int32_t>(static_cast<uint32_t>(x) << shift);
}

// gemmlowp's SRDHM: (a * b + nudge) / 2^31 truncating, the nudge 2^30 or 1 - 2^30 by the sign of a * b; saturating.
inline int32_t SaturatingRoundingDoublingHighMul(int32_t a, int32_t b) {
  if (a == std::numeric_limits<int32_t>::min() && b == a) return std::numeric_limits<int32_t>::max();
  const int64_t ab = static_cast<int64_t>(a) * b;
  const int64_t nudge = ab >= 0 ? (int64_t{1} << 30) : 1 - (int64_t{1} << 30);
  return static_cast<int32_t>((ab + nudge) / (int64_t{1} << 31));
}

// x / 2^exponent, half away from zero; exponent in [0, 31].
inline int32_t RoundingShiftRightHalfAway(int32_t x, int exponent) {
  const auto mask = static_cast<int32_t>((int64_t{1} << exponent) - 1);
  const int32_t remainder = x & mask;
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

// Rule D: SRDHM, then a right shift half away from zero.
inline int32_t MultiplyHalfAway(int32_t x, FixedPointScale s) {
  const int32_t shifted = s.shift > 0 ? WrappingShiftLeft(x, s.shift) : x;
  return RoundingShiftRightHalfAway(SaturatingRoundingDoublingHighMul(shifted, s.multiplier),
                                    s.shift < 0 ? -s.shift : 0);
}

// Rule U: as D, but both roundings half up.
inline int32_t MultiplyHalfUp(int32_t x, FixedPointScale s) {
  const int32_t shifted = s.shift > 0 ? WrappingShiftLeft(x, s.shift) : x;
  const int64_t high = (static_cast<int64_t>(shifted) * s.multiplier + (int64_t{1} << 30)) >> 31;
  if (s.shift >= 0) return static_cast<int32_t>(high);
  const int right = -s.shift;
  return static_cast<int32_t>((high + (int64_t{1} << (right - 1))) >> right);
}

// Round half away from zero in double, saturating to int32. NaN gives 0.
inline int32_t RoundHalfAway(double x) {
  if (std::isnan(x)) return 0;
  const double r = std::round(x);
  if (r >= 2147483647.0) return std::numeric_limits<int32_t>::max();
  if (r <= -2147483648.0) return std::numeric_limits<int32_t>::min();
  return static_cast<int32_t>(r);
}

// Round half to even, the value clamped to [low, high] first (both must be exact in float). NaN gives high.
inline int32_t RoundHalfEvenClamped(float x, float low, float high) {
  const float clamped = x < low ? low : (x <= high ? x : high);
  return static_cast<int32_t>(std::nearbyintf(clamped));
}

// How an op turns int32 accumulators into its output; chosen per op, type and engine by the tables in ops/.
enum class Rounding : uint8_t {
  kFixedHalfAway,   // D
  kFixedHalfUp,     // U
  kFloatHalfEven,   // X: float(acc) * float(scale), half to even
  kDoubleHalfAway,  // double(acc) * double(scale), half away from zero
};

// How input, weight and output scale make one multiplier.
enum class ScaleProduct : uint8_t {
  kDouble,      // dd: double(input) * weight / output
  kFloatFirst,  // fd: double(float(input * weight)) / output
  kFloat,       // float(float(input * weight) / output)
};

inline double CombineScales(ScaleProduct how, float input, float weight, float output) {
  switch (how) {
    case ScaleProduct::kDouble:
      return static_cast<double>(input) * static_cast<double>(weight) / static_cast<double>(output);
    case ScaleProduct::kFloatFirst:
      return static_cast<double>(input * weight) / static_cast<double>(output);
    case ScaleProduct::kFloat:
      return static_cast<double>(input * weight / output);
  }
  return 0;
}

// One channel's scale in every form that a rounding needs.
struct ChannelScale {
  ChannelScale() = default;
  explicit ChannelScale(double real_scale)
      : fixed(ToFixedPoint(real_scale)), single(static_cast<float>(real_scale)), real(real_scale) {}
  FixedPointScale fixed;
  float single = 0;
  double real = 0;
};

// The output side: rounding, zero point and the clamp that the type and the fused activation give.
struct OutputStage {
  Rounding rounding = Rounding::kFixedHalfAway;
  int32_t zero_point = 0;
  int32_t low = 0, high = 0;
};

inline int32_t Requantize(int32_t accumulator, const ChannelScale& scale, const OutputStage& stage) {
  int64_t y = 0;
  switch (stage.rounding) {
    case Rounding::kFixedHalfAway:
      y = MultiplyHalfAway(accumulator, scale.fixed);
      break;
    case Rounding::kFixedHalfUp:
      y = MultiplyHalfUp(accumulator, scale.fixed);
      break;
    case Rounding::kFloatHalfEven:
      return stage.zero_point + RoundHalfEvenClamped(static_cast<float>(accumulator) * scale.single,
                                                     static_cast<float>(stage.low - stage.zero_point),
                                                     static_cast<float>(stage.high - stage.zero_point));
    case Rounding::kDoubleHalfAway:
      y = RoundHalfAway(static_cast<double>(accumulator) * scale.real);
      break;
  }
  return static_cast<int32_t>(std::clamp<int64_t>(y + stage.zero_point, stage.low, stage.high));
}

// A scale with a multiplier of 15 bits: r = (q + 2^15) >> 16 (0x7FFF from 0x7FFF0000 on).
struct ScaleOf15Bits {
  explicit ScaleOf15Bits(const FixedPointScale& s)
      : multiplier(s.multiplier >= 0x7FFF0000 ? 0x7FFF : (int64_t{s.multiplier} + (1 << 15)) >> 16),
        shift(std::clamp(15 - s.shift, 1, 62)),
        half(int64_t{1} << (shift - 1)) {}
  // (x * r + 2^(14 - e)) >> (15 - e), the sum modulo 2^64.
  int64_t Apply(int64_t x) const {
    const uint64_t product = static_cast<uint64_t>(x) * static_cast<uint64_t>(multiplier);
    return static_cast<int64_t>(product + static_cast<uint64_t>(half)) >> shift;
  }
  int64_t multiplier, shift, half;
};

// 16-bit outputs. An int64 bias brings the multiplier of 15 bits. An int32 one the rounding of the stage, the sum then
// fits int32. Where the stage asks for double, the bias does not matter.
template <typename Bias>
int32_t RequantizeInt16(int64_t accumulator, const ChannelScale& scale, const OutputStage& stage) {
  if (stage.rounding == Rounding::kDoubleHalfAway) {
    const int64_t y = RoundHalfAway(static_cast<double>(accumulator) * scale.real);
    return static_cast<int32_t>(std::clamp<int64_t>(y + stage.zero_point, stage.low, stage.high));
  }
  if constexpr (sizeof(Bias) == 8) {
    const int64_t y = ScaleOf15Bits(scale.fixed).Apply(accumulator);
    return static_cast<int32_t>(std::clamp<int64_t>(y + stage.zero_point, stage.low, stage.high));
  } else {
    return Requantize(static_cast<int32_t>(accumulator), scale, stage);
  }
}

}  // namespace assay::numerics
