#include "tensor/real_values.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "tensor/float16.h"

namespace assay {
namespace {

template <typename T>
void Widen(std::span<const uint8_t> bytes, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

// Packed elements, the first in the lowest bits.
void Unpack(std::span<const uint8_t> bytes, int bits, bool is_signed, std::span<float> out) {
  const int per_byte = 8 / bits;
  const int mask = (1 << bits) - 1;
  for (size_t i = 0; i < out.size(); ++i) {
    const int shift = static_cast<int>(i % static_cast<size_t>(per_byte)) * bits;
    int code = (bytes[i / static_cast<size_t>(per_byte)] >> shift) & mask;
    if (is_signed && code > mask / 2) code -= mask + 1;
    out[i] = static_cast<float>(code);
  }
}

// The exact product of a float and an integer of few bits is a double, so rounding it to a float once is what a product
// of floats does, and many go by at once.
bool IsSmall(int64_t zero_point) { return zero_point >= -(1 << 20) && zero_point <= (1 << 20); }

template <typename T>
void Scale(const T* codes, int32_t zero_point, float scale, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = scale * static_cast<float>(int32_t{codes[i]} - zero_point);
}

}  // namespace

bool HasRealValues(DType dtype) {
  switch (dtype) {
    case DType::kString:
    case DType::kComplex64:
    case DType::kComplex128:
    case DType::kResource:
    case DType::kVariant:
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E5M2:
      return false;
    default:
      return true;
  }
}

std::vector<float> StoredValues(DType dtype, std::span<const uint8_t> bytes, int64_t count) {
  ASSAY_CHECK(count >= 0);
  std::vector<float> out(static_cast<size_t>(count));
  StoredValues(dtype, bytes, out);
  return out;
}

void StoredValues(DType dtype, std::span<const uint8_t> bytes, std::span<float> out) {
  ASSAY_CHECK(bytes.size() >= DTypeBytes(dtype, out.size()));
  switch (dtype) {
    case DType::kFloat32:
      Widen<float>(bytes, out);
      break;
    case DType::kFloat64:
      Widen<double>(bytes, out);
      break;
    case DType::kFloat16:
    case DType::kBFloat16:
      for (size_t i = 0; i < out.size(); ++i) {
        uint16_t half;
        std::memcpy(&half, bytes.data() + 2 * i, 2);
        out[i] = dtype == DType::kFloat16 ? HalfToFloat(half) : BFloat16ToFloat(half);
      }
      break;
    case DType::kInt8:
      Widen<int8_t>(bytes, out);
      break;
    case DType::kUInt8:
      Widen<uint8_t>(bytes, out);
      break;
    case DType::kBool:
      for (size_t i = 0; i < out.size(); ++i) out[i] = bytes[i] != 0 ? 1.0F : 0.0F;
      break;
    case DType::kInt16:
      Widen<int16_t>(bytes, out);
      break;
    case DType::kUInt16:
      Widen<uint16_t>(bytes, out);
      break;
    case DType::kInt32:
      Widen<int32_t>(bytes, out);
      break;
    case DType::kUInt32:
      Widen<uint32_t>(bytes, out);
      break;
    case DType::kInt64:
      Widen<int64_t>(bytes, out);
      break;
    case DType::kUInt64:
      Widen<uint64_t>(bytes, out);
      break;
    case DType::kInt4:
      Unpack(bytes, 4, true, out);
      break;
    case DType::kUInt4:
      Unpack(bytes, 4, false, out);
      break;
    case DType::kInt2:
      Unpack(bytes, 2, true, out);
      break;
    default:
      throw InputError("elements of type {} have no value as a number", DTypeName(dtype));
  }
}

std::vector<float> RealValues(DType dtype, std::span<const uint8_t> bytes, const Shape& shape,
                              const Quantization& quantization) {
  std::vector<float> values(static_cast<size_t>(shape.NumElements()));
  RealValues(dtype, bytes, shape, quantization, values);
  return values;
}

void RealValues(DType dtype, std::span<const uint8_t> bytes, const Shape& shape, const Quantization& quantization,
                std::span<float> out) {
  const size_t scales = quantization.scale.size();
  const bool integer = IsQuantizedInteger(dtype) || dtype == DType::kInt32 || dtype == DType::kInt64;
  if (scales == 0 || !integer || out.empty()) return StoredValues(dtype, bytes, out);
  const auto real = [&](float code, size_t channel) {
    const std::vector<int64_t>& zeros = quantization.zero_point;
    const double zero = zeros.empty() ? 0.0 : static_cast<double>(zeros[zeros.size() == 1 ? 0 : channel]);
    return static_cast<float>(static_cast<double>(quantization.scale[channel]) * (static_cast<double>(code) - zero));
  };
  if (scales == 1 && (dtype == DType::kInt8 || dtype == DType::kUInt8) && IsSmall(quantization.first_zero_point())) {
    ASSAY_CHECK(bytes.size() >= out.size());
    const auto zero = static_cast<int32_t>(quantization.first_zero_point());
    const auto* signed_codes = reinterpret_cast<const int8_t*>(bytes.data());
    return dtype == DType::kInt8 ? Scale(signed_codes, zero, quantization.scale[0], out)
                                 : Scale(bytes.data(), zero, quantization.scale[0], out);
  }
  StoredValues(dtype, bytes, out);
  size_t inner = out.size();  // elements per step along the quantized dimension
  if (scales > 1) {
    const int dimension = quantization.quantized_dimension;
    if (dimension < 0 || dimension >= shape.rank() || static_cast<size_t>(shape[dimension]) != scales) return;
    if (quantization.zero_point.size() > 1 && quantization.zero_point.size() != scales) return;
    inner = 1;
    for (int i = dimension + 1; i < shape.rank(); ++i) inner *= static_cast<size_t>(shape[i]);
  }
  for (size_t i = 0; i < out.size(); ++i) out[i] = real(out[i], scales > 1 ? i / inner % scales : 0);
}

CodeRange CodesOf(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return {-128, 127};
    case DType::kUInt8:
      return {0, 255};
    case DType::kInt16:
      return {-32768, 32767};
    case DType::kInt4:
      return {-8, 7};
    case DType::kUInt4:
      return {0, 15};
    case DType::kInt2:
      return {-2, 1};
    case DType::kInt32:
      return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    default:
      return {};
  }
}

RealRange RangeOf(DType dtype, const Quantization& quantization) {
  const CodeRange codes = CodesOf(dtype);
  if (quantization.scale.empty()) return {};
  const auto scale = static_cast<double>(quantization.scale[0]);
  const double zero = quantization.zero_point.empty() ? 0 : static_cast<double>(quantization.zero_point[0]);
  return {scale * (static_cast<double>(codes.low) - zero), scale * (static_cast<double>(codes.high) - zero)};
}

void FakeQuantize(std::span<float> values, float scale, int64_t zero_point, CodeRange codes) {
  const auto zero = static_cast<float>(zero_point);
  const auto low = static_cast<float>(codes.low), high = static_cast<float>(codes.high);
  constexpr float kMostSteps = 1 << 21;
  if (low - zero >= -kMostSteps && high - zero <= kMostSteps) {
    // Adding a number whose last place is 1 rounds to the nearest integer, the even one of two, without a call: that
    // many values go by at once. Clamping whole numbers of steps first is the same as clamping codes. NaN stays.
    constexpr float kRounds = 3 << 22;
    const float least = low - zero, most = high - zero;
    for (float& value : values) {
      float steps = value / scale;
      steps = steps < least ? least : steps;
      steps = steps > most ? most : steps;
      value = scale * ((steps + kRounds) - kRounds);
    }
    return;
  }
  for (float& value : values) {
    if (std::isnan(value)) continue;
    const float code = std::nearbyintf(value / scale) + zero;
    value = scale * ((code < low ? low : (code > high ? high : code)) - zero);
  }
}

}  // namespace assay
