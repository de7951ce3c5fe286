#include "ops/checks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/requantize.h"
#include "tensor/real_values.h"

namespace assay::ops {
namespace {

void CheckScales(const TensorRef& tensor, const char* what, bool symmetric) {
  const Quantization& q = tensor.quantization();
  for (const float scale : q.scale) {
    if (!std::isfinite(scale) || scale <= 0) {
      throw InputError("{} has the scale {}, expected a positive number", what, scale);
    }
  }
  const IntRange range = TypeRange(tensor.dtype);
  for (const int64_t zero_point : q.zero_point) {
    if (zero_point < range.low || zero_point > range.high) {
      throw InputError("{} has the zero point {}, outside of {}", what, zero_point, DTypeName(tensor.dtype));
    }
    if (symmetric && zero_point != 0) throw InputError("{} has the zero point {}, expected 0", what, zero_point);
  }
  if (q.zero_point.size() > 1 && q.zero_point.size() != q.scale.size()) {
    throw InputError("{} has {} scales but {} zero points", what, q.scale.size(), q.zero_point.size());
  }
}

}  // namespace

void CheckArity(const PrepareContext& context, int min_inputs, int max_inputs, int outputs) {
  if (context.num_inputs() < min_inputs || context.num_inputs() > max_inputs) {
    throw InputError("has {} inputs, expected {}{}", context.num_inputs(), min_inputs,
                     min_inputs == max_inputs ? "" : fmt::format(" to {}", max_inputs));
  }
  if (context.num_outputs() != outputs) {
    throw InputError("has {} outputs, expected {}", context.num_outputs(), outputs);
  }
}

void CheckType(const TensorRef& tensor, const char* what, std::initializer_list<DType> allowed) {
  if (std::find(allowed.begin(), allowed.end(), tensor.dtype) != allowed.end()) return;
  std::string names;
  for (const DType dtype : allowed) names += fmt::format("{}{}", names.empty() ? "" : ", ", DTypeName(dtype));
  throw InputError("{} is {}, expected {}", what, DTypeName(tensor.dtype), names);
}

void CheckSameType(const TensorRef& a, const char* a_name, const TensorRef& b, const char* b_name) {
  if (a.dtype != b.dtype) {
    throw InputError("{} is {} but {} is {}", a_name, DTypeName(a.dtype), b_name, DTypeName(b.dtype));
  }
}

void CheckRank(const TensorRef& tensor, const char* what, int low, int high) {
  if (tensor.shape.rank() < low || tensor.shape.rank() > high) {
    throw InputError("{} has rank {} (shape {}), expected {}", what, tensor.shape.rank(), tensor.shape.ToString(),
                     low == high ? fmt::format("{}", low) : fmt::format("{} to {}", low, high));
  }
}

void CheckPerTensorQuantized(const TensorRef& tensor, const char* what, bool symmetric) {
  const size_t count = tensor.quantization().scale.size();
  if (count != 1) throw InputError("{} has {} scales, expected 1 (quantized per tensor)", what, count);
  CheckScales(tensor, what, symmetric);
}

void CheckQuantizedAlong(const TensorRef& tensor, const char* what, int dimension, bool symmetric) {
  const Quantization& q = tensor.quantization();
  const size_t count = q.scale.size();
  const auto slices = static_cast<size_t>(dimension < tensor.shape.rank() ? tensor.shape[dimension] : 1);
  if (count != 1 && count != slices) {
    throw InputError("{} has {} scales, expected 1 or {} (dimension {} of {})", what, count, slices, dimension,
                     tensor.shape.ToString());
  }
  if (count > 1 && q.quantized_dimension != dimension) {
    throw InputError("{} is quantized along dimension {}, expected {}", what, q.quantized_dimension, dimension);
  }
  CheckScales(tensor, what, symmetric);
}

void UnsupportedTypes(const PrepareContext& context) {
  std::string text = "types (";
  for (int i = 0; i < context.num_inputs(); ++i) {
    text += fmt::format("{}{}", i > 0 ? ", " : "", context.HasInput(i) ? DTypeName(context.Input(i).dtype) : "none");
  }
  text += ") -> (";
  for (int i = 0; i < context.num_outputs(); ++i) {
    text += fmt::format("{}{}", i > 0 ? ", " : "", DTypeName(context.Output(i).dtype));
  }
  throw InputError("{}) have no kernel", text);
}

int NormalizeAxis(int64_t axis, int rank, const char* what) {
  if (axis < -rank || axis >= rank) throw InputError("{} is {}, outside of rank {}", what, axis, rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

FloatRange ActivationRange(graph::Activation activation) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  switch (activation) {
    case graph::Activation::kNone:
      return {-kInf, kInf};
    case graph::Activation::kRelu:
      return {0, kInf};
    case graph::Activation::kReluN1To1:
      return {-1, 1};
    case graph::Activation::kRelu6:
      return {0, 6};
    default:
      throw InputError("fused activation {} has no kernel", graph::ActivationName(activation));
  }
}

IntRange TypeRange(DType dtype) {
  const CodeRange codes = CodesOf(IsQuantizedInteger(dtype) ? dtype : DType::kInt32);
  return {static_cast<int32_t>(codes.low), static_cast<int32_t>(codes.high)};
}

IntRange QuantizedActivationRange(graph::Activation activation, const TensorRef& output, numerics::Engine engine) {
  const IntRange type = TypeRange(output.dtype);
  if (activation == graph::Activation::kNone) return type;
  const FloatRange real = ActivationRange(activation);
  const auto quantize = [&](float bound) {
    if (std::isinf(bound)) return bound < 0 ? type.low : type.high;
    const float q = bound / output.scale();
    if (engine == numerics::Engine::kXnnpack) {
      return numerics::RoundHalfEvenClamped(q + static_cast<float>(output.zero_point()), static_cast<float>(type.low),
                                            static_cast<float>(type.high));
    }
    const int64_t code = int64_t{output.zero_point()} + numerics::RoundHalfAway(static_cast<double>(q));
    return static_cast<int32_t>(std::clamp<int64_t>(code, type.low, type.high));
  };
  return {quantize(real.low), quantize(real.high)};
}

WindowAxis ComputeWindow(graph::Padding padding, int32_t input, int32_t filter, int64_t stride, int64_t dilation,
                         const char* axis_name) {
  constexpr int64_t kMaxStep = std::numeric_limits<int32_t>::max();
  if (stride < 1 || stride > kMaxStep) {
    throw InputError("stride of the {} is {}, expected at least 1", axis_name, stride);
  }
  if (dilation < 1 || dilation > kMaxStep) {
    throw InputError("dilation of the {} is {}, expected at least 1", axis_name, dilation);
  }
  if (filter < 1) throw InputError("filter {} is {}, expected at least 1", axis_name, filter);
  const int64_t reach = (int64_t{filter} - 1) * dilation + 1;
  const int64_t output = padding == graph::Padding::kSame ? (int64_t{input} + stride - 1) / stride
                                                          : (int64_t{input} - reach + stride) / stride;
  if (output < 1 || input < 1) {
    throw InputError("a window of {} does not fit into the {} of {}", reach, axis_name, input);
  }
  const int64_t total =
      padding == graph::Padding::kSame ? std::max<int64_t>((output - 1) * stride + reach - input, 0) : 0;
  if (total / 2 > kMaxStep) throw InputError("padding of the {} is too large", axis_name);
  return {static_cast<int32_t>(output), static_cast<int32_t>(total / 2)};
}

}  // namespace assay::ops
