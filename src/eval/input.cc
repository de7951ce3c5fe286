#include "eval/input.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace assay::eval {
namespace {

using runtime::TensorDetails;

// The input's shape with one sample: every open dimension is 1.
Shape OneSample(const TensorDetails& input) {
  Shape shape = input.shape;
  if (static_cast<int>(input.shape_signature.size()) == shape.rank()) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (input.shape_signature[static_cast<size_t>(i)] == -1) shape[i] = 1;
    }
  }
  return shape;
}

template <typename T>
Array Quantized(const Array& value, const TensorDetails& input, const Shape& shape) {
  if (input.quantization.scale.size() != 1) {
    throw InputError("input '{}' is {} without quantization parameters: real values cannot be turned into it",
                     input.name, DTypeName(input.dtype));
  }
  const float scale = input.quantization.scale[0];
  const float zero = input.quantization.zero_point.empty() ? 0 : static_cast<float>(input.quantization.zero_point[0]);
  constexpr auto kLow = static_cast<float>(std::numeric_limits<T>::min());
  constexpr auto kHigh = static_cast<float>(std::numeric_limits<T>::max());
  Array out(input.dtype, shape);
  const auto codes = out.values<T>();
  for (size_t i = 0; i < codes.size(); ++i) {
    const auto x = static_cast<float>(ElementAsDouble(value, static_cast<int64_t>(i)));
    const float q = std::nearbyintf(x / scale) + zero;
    if (std::isnan(q)) throw InputError("value {} of input '{}' is NaN", i, input.name);
    codes[i] = static_cast<T>(q < kLow ? kLow : (q > kHigh ? kHigh : q));
  }
  return out;
}

template <typename T>
Array ByValue(const Array& value, const TensorDetails& input, const Shape& shape) {
  Array out(input.dtype, shape);
  const auto codes = out.values<T>();
  for (size_t i = 0; i < codes.size(); ++i) {
    const double x = ElementAsDouble(value, static_cast<int64_t>(i));
    if (!(x >= static_cast<double>(std::numeric_limits<T>::min()) &&
          x <= static_cast<double>(std::numeric_limits<T>::max()))) {
      throw InputError("value {} of input '{}' is {}, outside of {}", i, input.name, x, DTypeName(input.dtype));
    }
    codes[i] = static_cast<T>(x);
  }
  return out;
}

bool IsReal(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

template <typename T>
Array ToInteger(const Array& value, const TensorDetails& input, const Shape& shape) {
  return IsReal(value.dtype()) && !input.quantization.scale.empty() ? Quantized<T>(value, input, shape)
                                                                    : ByValue<T>(value, input, shape);
}

}  // namespace

Array ToInput(const Array& value, const TensorDetails& input) {
  const Shape shape = OneSample(input);
  if (value.size() != shape.NumElements()) {
    throw InputError("has {} values (shape {}), input '{}' takes {} (shape {})", value.size(), value.shape().ToString(),
                     input.name, shape.NumElements(), shape.ToString());
  }
  if (value.dtype() == input.dtype) return value.Reshaped(shape);
  switch (input.dtype) {
    case DType::kFloat32: {
      Array out(DType::kFloat32, shape);
      const auto reals = out.values<float>();
      for (size_t i = 0; i < reals.size(); ++i)
        reals[i] = static_cast<float>(ElementAsDouble(value, static_cast<int64_t>(i)));
      return out;
    }
    case DType::kInt8: {
      if (value.dtype() != DType::kUInt8) return ToInteger<int8_t>(value, input, shape);
      Array out(DType::kInt8, shape);
      const auto pixels = value.values<uint8_t>();
      const auto codes = out.values<int8_t>();
      for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(static_cast<int>(pixels[i]) - 128);
      return out;
    }
    case DType::kUInt8:
      return ToInteger<uint8_t>(value, input, shape);
    case DType::kInt16:
      return ToInteger<int16_t>(value, input, shape);
    case DType::kInt32:
      return ToInteger<int32_t>(value, input, shape);
    case DType::kInt64:
      return ByValue<int64_t>(value, input, shape);
    default:
      throw InputError("input '{}' is {}, which samples of {} cannot be turned into", input.name,
                       DTypeName(input.dtype), DTypeName(value.dtype()));
  }
}

void FillInputs(const data::Sample& sample, const Pipeline& pipeline, runtime::Interpreter& interpreter) {
  const auto fill = [&](size_t position, const Array& value) {
    const TensorDetails input = interpreter.InputDetails(position);
    Array ready;
    try {
      ready = ToInput(value, input);
    } catch (const Error& error) {
      throw error.WithContext(sample.name);
    }
    interpreter.ResizeInput(position, ready.shape());
    interpreter.SetInput(position, ready);
  };
  if (!sample.picture.empty()) {
    if (interpreter.input_count() != 1) {
      throw InputError("{}: has {} inputs; pictures feed models with one", interpreter.model().source,
                       interpreter.input_count());
    }
    const Array pixels = PreprocessImage(pipeline, sample.picture, sample.name);
    const Shape wanted = OneSample(interpreter.InputDetails(0));
    if (pixels.size() != wanted.NumElements() && wanted.rank() == 4) {
      throw InputError(
          "{}: the picture comes out as {}, input '{}' takes {}; let --preprocess end in resize={}x{}:METHOD{}",
          sample.name, pixels.shape().ToString(), interpreter.InputDetails(0).name, wanted.ToString(), wanted[2],
          wanted[1], wanted[3] == 1 ? ",color=grey" : "");
    }
    fill(0, pixels);
    return;
  }
  std::vector<bool> given(interpreter.input_count(), false);
  for (const auto& [name, array] : sample.arrays) {
    size_t position = 0;
    if (!name.empty()) {
      position = interpreter.FindInput(name);
    } else if (interpreter.input_count() != 1) {
      throw InputError("{}: has {} inputs; give one array per input, by name", interpreter.model().source,
                       interpreter.input_count());
    }
    Array value = array;
    if (sample.arrays_are_bytes) {
      // The file's type was not said: it is the input's own.
      const TensorDetails input = interpreter.InputDetails(position);
      const auto bits = static_cast<uint64_t>(DTypeBits(input.dtype));
      if (bits % 8 != 0 || bits == 0 || value.bytes().size() * 8 % bits != 0) {
        throw InputError("{}: {} bytes are not a number of {} values", sample.name, value.bytes().size(),
                         DTypeName(input.dtype));
      }
      Array typed(input.dtype, {static_cast<int32_t>(value.bytes().size() * 8 / bits)});
      std::memcpy(typed.bytes().data(), value.bytes().data(), value.bytes().size());
      value = std::move(typed);
    }
    if (!pipeline.steps.empty()) {
      try {
        value = ApplyPreprocess(pipeline, std::move(value));
      } catch (const Error& error) {
        throw error.WithContext(sample.name);
      }
    }
    fill(position, value);
    given[position] = true;
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i]) throw InputError("{}: holds nothing for input '{}'", sample.name, interpreter.InputDetails(i).name);
  }
}

void CheckPipeline(const Pipeline& pipeline, const data::Dataset& dataset) {
  if (!dataset.holds_pictures() && pipeline.needs_picture()) {
    throw UsageError("--preprocess {}: decode, crop, resize and color are for pictures; these data are arrays",
                     pipeline.ToString());
  }
}

}  // namespace assay::eval
