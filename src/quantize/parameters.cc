#include "quantize/parameters.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "graph/verifier.h"
#include "tensor/real_values.h"

namespace assay::quantize {
namespace {

constexpr double kNearZero = 1e-6;
constexpr int32_t kHalfOfInt32 = std::numeric_limits<int32_t>::max() / 2;  // the converter's, rounded down
constexpr double kBiasMax = kHalfOfInt32;

struct Span {
  double low, high;
};

Span WithZero(Range range) {
  return {std::min(static_cast<double>(range.low), 0.0), std::max(static_cast<double>(range.high), 0.0)};
}

// scale = (high - low) / (codes - 1) in float32; the zero point is where low lands, in float32 from a float64 quotient.
Codes Asymmetric(Span span, DType dtype) {
  const CodeRange codes = CodesOf(dtype);
  const float scale =
      (static_cast<float>(span.high) - static_cast<float>(span.low)) / static_cast<float>(codes.high - codes.low);
  const auto from_low = static_cast<float>(static_cast<double>(codes.low) - span.low / static_cast<double>(scale));
  int64_t zero_point = codes.low;
  if (from_low > static_cast<float>(codes.high)) {
    zero_point = codes.high;
  } else if (from_low >= static_cast<float>(codes.low)) {
    zero_point = static_cast<int64_t>(std::round(from_low));
  }
  return {dtype, {{scale}, {zero_point}, 0, {}, {}}};
}

float WeightMax(DType dtype) { return dtype == DType::kInt4 ? 7 : 127; }

float WeightScale(float magnitude, DType dtype) {
  double high = magnitude;
  if (2 * high <= kNearZero) high = kNearZero / 2;
  return (static_cast<float>(high) - static_cast<float>(-high)) / (2 * WeightMax(dtype));
}

float Magnitude(std::span<const float> values) {
  float magnitude = 0;
  for (const float v : values) magnitude = std::max(magnitude, std::abs(v));
  return magnitude;
}

// Of each slice along `dimension`: consecutive runs of `inner` values belong to slices in turn.
struct Slices {
  size_t count = 1, inner = 1;
};

Slices SlicesOf(const Shape& shape, int dimension) {
  Slices slices;
  slices.count = static_cast<size_t>(shape[dimension]);
  for (int d = dimension + 1; d < shape.rank(); ++d) slices.inner *= static_cast<size_t>(shape[d]);
  return slices;
}

template <typename T>
std::vector<T> Rounded(std::span<const float> values, const Codes& codes) {
  constexpr auto kLow = static_cast<double>(std::numeric_limits<T>::min());
  constexpr auto kHigh = static_cast<double>(std::numeric_limits<T>::max());
  const auto scale = static_cast<double>(codes.quantization.scale[0]);
  const auto zero_point = static_cast<double>(codes.quantization.first_zero_point());
  std::vector<T> out;
  out.reserve(values.size());
  for (const float v : values) {
    out.push_back(static_cast<T>(std::clamp(std::round(static_cast<double>(v) / scale + zero_point), kLow, kHigh)));
  }
  return out;
}

graph::Constant Packed(const std::vector<int8_t>& codes, DType dtype) {
  return dtype == DType::kInt4 ? PackInt4(codes) : graph::Constant::Own(codes);
}

float Inverse(float scale) { return scale == 0 ? 0 : static_cast<float>(1.0 / static_cast<double>(scale)); }

int8_t WeightCode(float value, float inverse_scale, float most) {
  return static_cast<int8_t>(std::clamp(std::round(value * inverse_scale), -most, most));
}

template <typename T>
std::vector<T> RoundedBias(std::span<const float> values, const std::vector<float>& scales) {
  constexpr auto kHigh = static_cast<double>(std::numeric_limits<T>::max());
  std::vector<T> out;
  out.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float code = std::round(values[i] * Inverse(scales.size() == 1 ? scales[0] : scales[i]));
    const auto wide = static_cast<double>(code);
    // 2^63 itself is no int64.
    out.push_back(wide >= kHigh ? std::numeric_limits<T>::max()
                                : (wide <= -kHigh ? -std::numeric_limits<T>::max() : static_cast<T>(wide)));
  }
  return out;
}

}  // namespace

void CheckNumbers(std::span<const float> values, std::string_view name, bool may_be_infinite) {
  for (size_t k = 0; k < values.size(); ++k) {
    if (std::isfinite(values[k]) || (may_be_infinite && !std::isnan(values[k]))) continue;
    throw InputError("value {} of '{}' is {}", k, graph::Printable(name), std::isnan(values[k]) ? "NaN" : "infinite");
  }
}

Range ExtentWithZero(std::span<const float> values) {
  Range range;
  for (const float v : values) range = {std::min(range.low, v), std::max(range.high, v)};
  return range;
}

Codes ActivationCodes(Range range, DType dtype) {
  Span span = WithZero(range);
  if (dtype == DType::kInt16) {
    span.high = std::max(std::abs(span.low), std::abs(span.high));
    const float scale = std::max(static_cast<float>(span.high), static_cast<float>(kNearZero)) / 32767.0F;
    return {dtype, {{scale}, {0}, 0, {}, {}}};
  }
  if (span.high - span.low < kNearZero) {
    span.low -= kNearZero;
    span.high += kNearZero;
  }
  return Asymmetric(span, dtype);
}

Codes ConstantCodes(std::span<const float> values) {
  Span span = WithZero(ExtentWithZero(values));
  if (span.high - span.low <= kNearZero) {
    span = {std::min(span.low, -kNearZero / 2), std::max(span.high, kNearZero / 2)};
  }
  return Asymmetric(span, DType::kInt8);
}

Codes WeightCodes(std::span<const float> values, DType dtype) {
  return {dtype, {{WeightScale(Magnitude(values), dtype)}, {0}, 0, {}, {}}};
}

Codes WeightCodesPerChannel(std::span<const float> values, const Shape& shape, int dimension, DType dtype) {
  const Slices slices = SlicesOf(shape, dimension);
  std::vector<float> magnitudes(slices.count, 0.0F);
  for (size_t at = 0, slice = 0; at < values.size(); at += slices.inner, slice = (slice + 1) % slices.count) {
    magnitudes[slice] = std::max(magnitudes[slice], Magnitude(values.subspan(at, slices.inner)));
  }
  Codes codes = {dtype, {{}, std::vector<int64_t>(slices.count, 0), dimension, {}, {}}};
  for (const float magnitude : magnitudes) codes.quantization.scale.push_back(WeightScale(magnitude, dtype));
  return codes;
}

int ClipWeightScales(std::span<const float> values, const Shape& shape, Codes& codes) {
  constexpr int kSteps = 50;
  std::vector<float>& scales = codes.quantization.scale;
  const Slices slices =
      scales.size() == 1 ? Slices{1, values.size()} : SlicesOf(shape, codes.quantization.quantized_dimension);
  const float most = WeightMax(codes.dtype);
  int changed = 0;
  for (size_t s = 0; s < scales.size(); ++s) {
    const auto error_of = [&](float scale) {
      const float inverse = Inverse(scale);
      double error = 0;
      for (size_t at = s * slices.inner; at < values.size(); at += slices.inner * slices.count) {
        for (const float v : values.subspan(at, slices.inner)) {
          const float off = static_cast<float>(WeightCode(v, inverse, most)) * scale - v;
          error += static_cast<double>(off * off);
        }
      }
      return error;
    };
    const float widest = scales[s];
    double least = error_of(widest);
    for (int i = kSteps - 1; i >= kSteps / 2; --i) {
      const float scale = widest * static_cast<float>(i) / kSteps;
      const double error = error_of(scale);
      if (error >= least) continue;
      least = error;
      scales[s] = scale;
    }
    changed += scales[s] != widest;
  }
  return changed;
}

Codes BiasCodes(const Codes& input, const Codes& weights) {
  const std::vector<float>& scales = weights.quantization.scale;
  Codes bias = {input.dtype == DType::kInt16 ? DType::kInt64 : DType::kInt32, {}};
  for (const float scale : scales) {
    bias.quantization.scale.push_back(
        static_cast<float>(static_cast<double>(input.quantization.scale[0]) * static_cast<double>(scale)));
  }
  bias.quantization.zero_point.assign(scales.size(), 0);
  return bias;
}

int MakeRoomForBias(std::span<const float> bias, const Codes& input, Codes& weights, Codes& bias_codes) {
  if (bias_codes.dtype != DType::kInt32) return 0;
  std::vector<float>& scales = bias_codes.quantization.scale;
  const auto input_scale = static_cast<double>(input.quantization.scale[0]);
  int changed = 0;
  for (size_t c = 0; c < scales.size(); ++c) {
    const auto magnitude =
        static_cast<double>(scales.size() == 1 ? Magnitude(bias) : std::abs(bias[std::min(c, bias.size() - 1)]));
    if (magnitude / static_cast<double>(scales[c]) <= kBiasMax) continue;
    scales[c] = static_cast<float>(magnitude / kBiasMax);
    weights.quantization.scale[c] = static_cast<float>(magnitude / kBiasMax / input_scale);
    ++changed;
  }
  return changed;
}

graph::Constant PackInt4(std::span<const int8_t> codes) {
  std::vector<uint8_t> bytes((codes.size() + 1) / 2);
  for (size_t i = 0; i < codes.size(); ++i) {
    bytes[i / 2] = static_cast<uint8_t>(bytes[i / 2] | (codes[i] & 15) << (i % 2 * 4));
  }
  return graph::Constant::Own(std::move(bytes));
}

graph::Constant EncodeActivation(std::span<const float> values, const Codes& codes) {
  switch (codes.dtype) {
    case DType::kInt8:
      return graph::Constant::Own(Rounded<int8_t>(values, codes));
    case DType::kInt16:
      return graph::Constant::Own(Rounded<int16_t>(values, codes));
    default:
      ASSAY_CHECK(false);
  }
}

graph::Constant EncodeWeights(std::span<const float> values, const Shape& shape, const Codes& codes) {
  const std::vector<float>& scales = codes.quantization.scale;
  const float most = WeightMax(codes.dtype);
  std::vector<int8_t> out(values.size());
  if (scales.size() == 1) {
    // The converter takes 127 / magnitude here, not 1 / scale, where the scale is the weights' own.
    const float magnitude = Magnitude(values);
    const bool is_own = magnitude > 0 && scales[0] == WeightScale(magnitude, codes.dtype);
    const float inverse = is_own ? most / magnitude : Inverse(scales[0]);
    for (size_t i = 0; i < values.size(); ++i) out[i] = WeightCode(values[i], inverse, most);
    return Packed(out, codes.dtype);
  }
  const Slices slices = SlicesOf(shape, codes.quantization.quantized_dimension);
  std::vector<float> inverses;
  inverses.reserve(scales.size());
  for (const float scale : scales) inverses.push_back(Inverse(scale));
  for (size_t i = 0; i < values.size(); ++i) {
    out[i] = WeightCode(values[i], inverses[i / slices.inner % slices.count], most);
  }
  return Packed(out, codes.dtype);
}

graph::Constant EncodeBias(std::span<const float> values, const Codes& codes) {
  return codes.dtype == DType::kInt64 ? graph::Constant::Own(RoundedBias<int64_t>(values, codes.quantization.scale))
                                      : graph::Constant::Own(RoundedBias<int32_t>(values, codes.quantization.scale));
}

}  // namespace assay::quantize
