// From ranges and weights to scales, zero points and codes, in the arithmetic of TensorFlow's converter (float32 and
// float64 as it mixes them, so that the same ranges give the same bits).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "graph/model.h"
#include "tensor/dtype.h"
#include "tensor/quantization.h"
#include "tensor/shape.h"

namespace assay::quantize {

// The values of a tensor that were seen: low <= high.
struct Range {
  float low = 0, high = 0;
  bool operator==(const Range&) const = default;
};

// From the least to the greatest of the values and 0.
Range ExtentWithZero(std::span<const float> values);

// Throws InputError naming the first value of the constant `name` that is NaN or, unless it may be, infinite.
void CheckNumbers(std::span<const float> values, std::string_view name, bool may_be_infinite);

// A tensor's integer form.
struct Codes {
  DType dtype = DType::kInt8;
  Quantization quantization;
  bool operator==(const Codes&) const = default;
};

// int8: [low, high] widened to include 0, zero point rounded to a code. int16: symmetric around 0.
Codes ActivationCodes(Range range, DType dtype);

// The same from a constant's values (an operand that is no weight).
Codes ConstantCodes(std::span<const float> values);

// Symmetric weights, int8 in [-127, 127] or int4 in [-7, 7], one scale for all.
Codes WeightCodes(std::span<const float> values, DType dtype = DType::kInt8);

// The same with a scale for each slice of `dimension`.
Codes WeightCodesPerChannel(std::span<const float> values, const Shape& shape, int dimension,
                            DType dtype = DType::kInt8);

// Narrows each scale to the part of it, from a half to all, that rounds the weights with the least squared error: what
// lies beyond is clipped. Returns how many changed.
int ClipWeightScales(std::span<const float> values, const Shape& shape, Codes& codes);

// The bias: input scale times weight scale, zero point 0; int32, or int64 beside int16 activations.
Codes BiasCodes(const Codes& input, const Codes& weights);

// Widens weight scales of channels whose bias would leave half of int32's range, so that the accumulator keeps room,
// and `bias_codes` with them. Returns how many changed.
int MakeRoomForBias(std::span<const float> bias, const Codes& input, Codes& weights, Codes& bias_codes);

// Codes of real values. Symmetric int8 (weights) and int32 (bias) round value * (1 / scale) as the converter does.
graph::Constant EncodeActivation(std::span<const float> values, const Codes& codes);
graph::Constant EncodeWeights(std::span<const float> values, const Shape& shape, const Codes& codes);
graph::Constant EncodeBias(std::span<const float> values, const Codes& codes);

// Two int4 codes a byte, the first in the low bits.
graph::Constant PackInt4(std::span<const int8_t> codes);

}  // namespace assay::quantize
