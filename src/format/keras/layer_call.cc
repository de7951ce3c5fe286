#include "format/keras/layer_call.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/float16.h"

namespace assay::keras {
namespace {

bool IsNumbered(const Weight& weight) { return !weight.path.empty() && weight.path.back().rfind('#', 0) == 0; }

// "_query_dense" and "query_dense" stand for "query" where a file names attributes rather than layers.
bool PartMatches(std::string part, std::string_view within) {
  if (part.rfind('_', 0) == 0) part.erase(0, 1);
  if (part == "output_dense") part = "attention_output";
  return part.rfind(within, 0) == 0;
}

}  // namespace

WeightBag::WeightBag(const Layer& layer) : layer_(layer), taken_(layer.weights.size(), false) {}

int WeightBag::Find(std::string_view name, std::string_view within) const {
  for (size_t i = 0; i < taken_.size(); ++i) {
    const Weight& weight = layer_.weights[i];
    if (taken_[i] || weight.path.empty()) continue;
    if (!within.empty()) {
      const bool inside = std::any_of(weight.path.begin(), weight.path.end() - 1,
                                      [&](const std::string& part) { return PartMatches(part, within); });
      if (!inside) continue;
    }
    if (weight.path.back() == name || keras::IsNumbered(weight)) return static_cast<int>(i);
  }
  return -1;
}

bool WeightBag::Has(std::string_view name, std::string_view within) const { return Find(name, within) >= 0; }

bool WeightBag::IsNumbered() const { return !layer_.weights.empty() && keras::IsNumbered(layer_.weights[0]); }

const Weight& WeightBag::Take(std::string_view name, std::string_view within) {
  const int i = Find(name, within);
  if (i < 0) {
    std::string there;
    for (const Weight& weight : layer_.weights) there += (there.empty() ? "" : ", ") + weight.Name();
    throw InputError("its weight '{}{}{}' is not in the file (there: {})", within, within.empty() ? "" : "/", name,
                     there.empty() ? "none" : there);
  }
  taken_[static_cast<size_t>(i)] = true;
  const Weight& weight = layer_.weights[static_cast<size_t>(i)];
  if (!weight.is_number) throw InputError("its weight '{}' holds no numbers", weight.Name());
  return weight;
}

void WeightBag::CheckAllTaken() const {
  for (size_t i = 0; i < taken_.size(); ++i) {
    const Weight& weight = layer_.weights[i];
    // States of random generators are no part of what is computed.
    const bool is_float = weight.is_number && (weight.dtype == DType::kFloat32 || weight.dtype == DType::kFloat16 ||
                                               weight.dtype == DType::kFloat64);
    if (!taken_[i] && is_float) {
      throw InputError("the file has a weight '{}' {} for it, which its config does not ask for", weight.Name(),
                       weight.shape.ToString());
    }
  }
}

namespace {

std::vector<float> ToFloats(const Weight& weight) {
  const auto bytes = weight.data.bytes();
  const auto count = static_cast<size_t>(weight.shape.NumElements());
  std::vector<float> values(count);
  const auto convert = [&]<typename T>(T) {
    for (size_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
      values[i] = static_cast<float>(value);
    }
  };
  switch (weight.dtype) {
    case DType::kFloat32:
      if (count > 0) std::memcpy(values.data(), bytes.data(), count * sizeof(float));
      break;
    case DType::kFloat64:
      convert(double{});
      break;
    case DType::kFloat16:
      for (size_t i = 0; i < count; ++i) {
        uint16_t half;
        std::memcpy(&half, bytes.data() + i * sizeof(half), sizeof(half));
        values[i] = HalfToFloat(half);
      }
      break;
    case DType::kInt32:
      convert(int32_t{});
      break;
    case DType::kInt64:
      convert(int64_t{});
      break;
    default:
      throw InputError("its weight '{}' is of type {}", weight.Name(), DTypeName(weight.dtype));
  }
  return values;
}

std::span<const float> ValuesOf(const graph::Constant& constant) {
  return {reinterpret_cast<const float*>(constant.bytes().data()), constant.bytes().size() / sizeof(float)};
}

}  // namespace

std::vector<float> PermuteValues(std::span<const float> values, const Shape& shape, const std::vector<int>& order) {
  const int rank = shape.rank();
  std::vector<int64_t> strides(static_cast<size_t>(rank), 1);
  for (int i = rank - 2; i >= 0; --i)
    strides[static_cast<size_t>(i)] = strides[static_cast<size_t>(i) + 1] * shape[i + 1];
  std::vector<int64_t> sizes, steps;
  for (const int axis : order) {
    sizes.push_back(shape[axis]);
    steps.push_back(strides[static_cast<size_t>(axis)]);
  }
  std::vector<float> out(values.size());
  if (out.empty()) return out;
  if (rank == 0) return {values.begin(), values.end()};
  // The two innermost dimensions make a plane, which is copied in blocks, so that both sides stay in the cache; the
  // outer ones are counted like an odometer.
  std::vector<int64_t> at(static_cast<size_t>(rank), 0);
  const int64_t columns = sizes.back(), column_step = steps.back();
  const int64_t rows = rank >= 2 ? sizes[static_cast<size_t>(rank) - 2] : 1;
  const int64_t row_step = rank >= 2 ? steps[static_cast<size_t>(rank) - 2] : 0;
  const int64_t planes = static_cast<int64_t>(out.size()) / (rows * columns);
  constexpr int64_t kBlock = 64;
  int64_t base = 0;
  for (int64_t p = 0; p < planes; ++p) {
    float* to = out.data() + p * rows * columns;
    for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
      for (int64_t c0 = 0; c0 < columns; c0 += kBlock) {
        for (int64_t r = r0; r < std::min(rows, r0 + kBlock); ++r) {
          for (int64_t c = c0; c < std::min(columns, c0 + kBlock); ++c) {
            to[r * columns + c] = values[static_cast<size_t>(base + r * row_step + c * column_step)];
          }
        }
      }
    }
    for (int d = rank - 3; d >= 0; --d) {
      const auto i = static_cast<size_t>(d);
      base += steps[i];
      if (++at[i] < sizes[i]) break;
      base -= steps[i] * sizes[i];
      at[i] = 0;
    }
  }
  return out;
}

Id LayerCall::TensorOf(const Json& reference) const {
  const Json& at = reference.at("$tensor");
  const TensorRef wanted = {at[0].get<std::string>(), at[1].get<int>(), at[2].get<int>()};
  if (tensors != nullptr) {
    for (const auto& [ref, id] : *tensors) {
      if (ref == wanted) return id;
    }
  }
  throw InputError("it is given output {} of layer '{}', which is not there", wanted.tensor, wanted.layer);
}

Argument LayerCall::Arg(size_t position, const char* name) const {
  const Json* found = nullptr;
  if (node != nullptr) {
    if (position < node->args.size()) found = &node->args[position];
    if (node->kwargs.contains(name)) found = &node->kwargs[name];
  }
  if (found == nullptr || found->is_null()) return {};
  Argument argument;
  argument.json = found;
  if (found->is_object() && found->contains("$tensor")) argument.tensor = TensorOf(*found);
  return argument;
}

Id LayerCall::Mask(size_t input) const {
  if (input == 0) {
    if (const Argument given = Arg(kNoPosition, "mask"); given.tensor.has_value()) return *given.tensor;
  }
  return input < masks.size() ? masks[input] : graph::kNoTensor;
}

bool LayerCall::Has(const char* key) const {
  return config.is_object() && config.contains(key) && !config[key].is_null();
}

int64_t LayerCall::Int(const char* key) const {
  if (!Has(key)) throw InputError("its config has no '{}'", key);
  const Json& value = config[key];
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>() &&
      std::abs(value.get<double>()) < 1e15) {
    return static_cast<int64_t>(value.get<double>());
  }
  if (!value.is_number_integer()) throw InputError("'{}' is {}, not a whole number", key, value.dump().substr(0, 80));
  const auto number = value.get<int64_t>();
  if (std::abs(number) > (int64_t{1} << 31)) throw InputError("'{}' is {}", key, number);
  return number;
}

int64_t LayerCall::Int(const char* key, int64_t otherwise) const { return Has(key) ? Int(key) : otherwise; }

double LayerCall::Real(const char* key, double otherwise) const {
  if (!Has(key)) return otherwise;
  if (!config[key].is_number()) throw InputError("'{}' is {}, not a number", key, config[key].dump().substr(0, 80));
  return config[key].get<double>();
}

bool LayerCall::Bool(const char* key, bool otherwise) const {
  if (!Has(key)) return otherwise;
  const Json& value = config[key];
  if (value.is_number_integer()) return value.get<int64_t>() != 0;
  if (!value.is_boolean()) throw InputError("'{}' is {}, not true or false", key, value.dump().substr(0, 80));
  return value.get<bool>();
}

std::string LayerCall::Text(const char* key, const std::string& otherwise) const {
  if (!Has(key)) return otherwise;
  if (!config[key].is_string()) throw InputError("'{}' is {}, not a text", key, config[key].dump().substr(0, 80));
  return config[key].get<std::string>();
}

std::vector<int32_t> LayerCall::IntList(const char* key) const {
  const Json& value = config.at(key);
  std::vector<int32_t> list;
  for (const Json& entry : value.is_array() ? value : Json::array({value})) {
    if (!entry.is_number_integer() || std::abs(entry.get<int64_t>()) > INT32_MAX) {
      throw InputError("'{}' is {}, not a list of whole numbers", key, value.dump().substr(0, 80));
    }
    list.push_back(entry.get<int32_t>());
  }
  return list;
}

std::vector<int32_t> LayerCall::Sizes(const char* key, size_t count, std::optional<int32_t> otherwise) const {
  if (!Has(key)) {
    if (!otherwise.has_value()) throw InputError("its config has no '{}'", key);
    return std::vector<int32_t>(count, *otherwise);
  }
  std::vector<int32_t> list = IntList(key);
  if (list.size() == 1 && count > 1) list.assign(count, list[0]);
  if (list.size() != count) throw InputError("'{}' has {} values, expected {}", key, list.size(), count);
  for (const int32_t size : list) {
    if (size < 1 || size > (1 << 24)) throw InputError("'{}' is {}", key, size);
  }
  return list;
}

graph::Constant LayerCall::FloatWeight(std::string_view name, const Shape& shape) {
  const Weight& weight = weights.Take(name, within);
  if (weight.shape != shape) {
    throw InputError("its weight '{}' has the shape {}, its config asks for {}", weight.Name(), weight.shape.ToString(),
                     shape.ToString());
  }
  const bool is_aligned = reinterpret_cast<uintptr_t>(weight.data.bytes().data()) % alignof(float) == 0;
  return weight.dtype == DType::kFloat32 && is_aligned ? weight.data : graph::Constant::Own(ToFloats(weight));
}

std::vector<float> LayerCall::Floats(std::string_view name, const Shape& shape) {
  const graph::Constant weight = FloatWeight(name, shape);
  return {ValuesOf(weight).begin(), ValuesOf(weight).end()};
}

Id LayerCall::Permuted(std::string_view name, const Shape& shape, const std::vector<int>& order,
                       const std::string& as) {
  std::vector<int32_t> dims;
  dims.reserve(order.size());
  for (const int axis : order) dims.push_back(shape[axis]);
  const graph::Constant weight = FloatWeight(name, shape);
  return g.Floats(as, Shape(dims), PermuteValues(ValuesOf(weight), shape, order));
}

Id LayerCall::Constant(std::string_view name, const Shape& shape, const std::string& as,
                       std::optional<Shape> as_shape) {
  // The kernel of a depthwise convolution shall not keep the whole file in memory when all others are rearranged.
  constexpr size_t kCopied = size_t{1} << 20;
  graph::Constant weight = FloatWeight(name, shape);
  const auto bytes = weight.bytes();
  if (bytes.size() <= kCopied) weight = graph::Constant::Own(std::vector<uint8_t>(bytes.begin(), bytes.end()));
  return g.ConstantBytes(as, DType::kFloat32, as_shape.value_or(shape), std::move(weight));
}

Id LayerCall::ToChannelsLast(Id x) {
  std::vector<int32_t> order = {0};
  for (int i = 2; i < g.rank(x); ++i) order.push_back(i);
  order.push_back(1);
  return g.Transpose("transpose", x, order);
}

Id LayerCall::FromChannelsLast(Id x) {
  std::vector<int32_t> order = {0, g.rank(x) - 1};
  for (int i = 1; i < g.rank(x) - 1; ++i) order.push_back(i);
  return g.Transpose("transpose_back", x, order);
}

void LayerCall::Unsupported(const std::string& what) const { throw InputError("{} is not supported", what); }

}  // namespace assay::keras
