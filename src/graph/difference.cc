#include "graph/difference.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "graph/verifier.h"

namespace assay::graph {
namespace {

bool Same(const std::span<const uint8_t>& a, const std::span<const uint8_t>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}
bool Same(const Constant& a, const Constant& b) { return Same(a.bytes(), b.bytes()); }
bool Same(const std::optional<Constant>& a, const std::optional<Constant>& b) {
  return a.has_value() == b.has_value() && (!a || Same(*a, *b));
}
bool Same(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(a, b, {}, std::bit_cast<uint32_t, float>, std::bit_cast<uint32_t, float>);
}
bool Same(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }
bool Same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::ranges::equal(a, b, {}, std::bit_cast<uint64_t, double>, std::bit_cast<uint64_t, double>);
}
bool Same(const AttributeValue& a, const AttributeValue& b) {
  return a.index() == b.index() &&
         std::visit(
             [&](const auto& value) {
               using T = std::decay_t<decltype(value)>;
               if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::vector<double>>) {
                 return Same(value, std::get<T>(b));
               } else {
                 return value == std::get<T>(b);
               }
             },
             a);
}
template <typename T>
bool Same(const T& a, const T& b) {
  return a == b;
}

std::string Show(const Shape& shape) { return shape.ToString(); }
std::string Show(DType dtype) { return std::string(DTypeName(dtype)); }
std::string Show(const Constant& constant) { return fmt::format("{} bytes", constant.bytes().size()); }
template <typename T>
std::string Show(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return fmt::format("{}", value);
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    return '"' + Printable(value) + '"';
  } else if constexpr (requires { value.has_value(); }) {
    if constexpr (std::is_same_v<T, std::optional<Constant>>) return value ? Show(*value) : "none";
    return value ? "one" : "none";
  } else if constexpr (requires { value.size(); }) {
    return fmt::format("{} values", value.size());
  } else {
    return "one";
  }
}

// Compares field after field and keeps the first difference.
class Differ {
 public:
  template <typename T>
  bool Field(std::string_view what, const T& a, const T& b) {
    if (!found_.empty()) return true;
    if (Same(a, b)) return false;
    const std::string left = Show(a), right = Show(b);
    found_ =
        fmt::format("{}{}: {}", place_, what,
                    left == right ? "the same in kind (" + left + "), different in value" : left + " and " + right);
    return true;
  }

  // body(a[i], b[i]) for every pair, under the place that name(i, a[i]) gives.
  template <typename T, typename Name, typename Body>
  void Each(std::string_view what, const std::vector<T>& a, const std::vector<T>& b, const Name& name,
            const Body& body) {
    if (Field(fmt::format("number of {}", what), a.size(), b.size())) return;
    for (size_t i = 0; i < a.size() && found_.empty(); ++i) {
      const std::string outer = place_;
      place_ += name(i, a[i]) + ": ";
      body(a[i], b[i]);
      place_ = outer;
    }
  }

  std::string& found() { return found_; }

 private:
  std::string place_, found_;
};

void CompareTensors(Differ& d, const Tensor& a, const Tensor& b) {
  d.Field("name", a.name, b.name);
  d.Field("type", a.dtype, b.dtype);
  d.Field("shape", a.shape, b.shape);
  d.Field("shape signature", a.shape_signature, b.shape_signature);
  d.Field("has_rank", a.has_rank, b.has_rank);
  d.Field("is_variable", a.is_variable, b.is_variable);
  d.Field("scales", a.quantization.scale, b.quantization.scale);
  d.Field("zero points", a.quantization.zero_point, b.quantization.zero_point);
  d.Field("quantized dimension", a.quantization.quantized_dimension, b.quantization.quantized_dimension);
  d.Field("minima", a.quantization.min, b.quantization.min);
  d.Field("maxima", a.quantization.max, b.quantization.max);
  d.Field("blockwise quantization", a.blockwise, b.blockwise);
  d.Field("quantization along several dimensions", a.multi_axis, b.multi_axis);
  d.Field("custom quantization", a.custom_quantization, b.custom_quantization);
  d.Field("sparsity", a.sparsity, b.sparsity);
  d.Field("variant tensors", a.variant_tensors, b.variant_tensors);
  d.Field("data", a.data, b.data);
  d.Field("external buffer", a.external_buffer, b.external_buffer);
}

void CompareOperators(Differ& d, const Operator& a, const Operator& b) {
  d.Field("code", static_cast<int>(a.code), static_cast<int>(b.code));
  d.Field("custom code", a.custom_code, b.custom_code);
  d.Field("version", a.version, b.version);
  d.Field("inputs", a.inputs, b.inputs);
  d.Field("outputs", a.outputs, b.outputs);
  d.Field("intermediates", a.intermediates, b.intermediates);
  d.Field("mutating inputs", a.mutating_variable_inputs, b.mutating_variable_inputs);
  d.Field("options table", a.options_table, b.options_table);
  d.Field("custom options", a.custom_options, b.custom_options);
  d.Field("debug metadata index", a.debug_metadata_index, b.debug_metadata_index);
  // The order of options means nothing.
  d.Field("number of options", a.attributes.fields().size(), b.attributes.fields().size());
  for (const Attributes::Field& field : a.attributes.fields()) {
    const AttributeValue* other = b.attributes.Find(field.name);
    if (d.Field("option " + field.name + " given", true, other != nullptr)) return;
    d.Field("option " + field.name, field.value, *other);
  }
}

}  // namespace

std::string FirstDifference(const Model& a, const Model& b) {
  Differ d;
  d.Field("version", a.version, b.version);
  d.Field("description", a.description, b.description);
  d.Field("has_unknown_fields", a.has_unknown_fields, b.has_unknown_fields);
  const auto numbered = [](const char* what) {
    return [what](size_t i, const auto&) { return fmt::format("{} {}", what, i); };
  };
  d.Each("subgraphs", a.subgraphs, b.subgraphs, numbered("subgraph"), [&](const Subgraph& x, const Subgraph& y) {
    d.Field("name", x.name, y.name);
    d.Field("inputs", x.inputs, y.inputs);
    d.Field("outputs", x.outputs, y.outputs);
    d.Field("debug metadata index", x.debug_metadata_index, y.debug_metadata_index);
    d.Each(
        "tensors", x.tensors, y.tensors,
        [](size_t i, const Tensor& tensor) { return fmt::format("tensor {} \"{}\"", i, Printable(tensor.name)); },
        [&](const Tensor& left, const Tensor& right) { CompareTensors(d, left, right); });
    d.Each(
        "operators", x.operators, y.operators,
        [](size_t i, const Operator& op) { return fmt::format("op {} {}", i, Printable(op.Name())); },
        [&](const Operator& left, const Operator& right) { CompareOperators(d, left, right); });
  });
  d.Each("signatures", a.signatures, b.signatures, numbered("signature"), [&](const Signature& x, const Signature& y) {
    d.Field("key", x.key, y.key);
    d.Field("subgraph", x.subgraph, y.subgraph);
    d.Field("inputs", x.inputs, y.inputs);
    d.Field("outputs", x.outputs, y.outputs);
  });
  d.Each("metadata entries", a.metadata, b.metadata, numbered("metadata"), [&](const Metadata& x, const Metadata& y) {
    d.Field("name", x.name, y.name);
    d.Field("data", x.data, y.data);
  });
  d.Each("metadata entries without a name", a.legacy_metadata, b.legacy_metadata, numbered("metadata without a name"),
         [&](const Constant& x, const Constant& y) { d.Field("data", x, y); });
  d.Field("external buffer groups", a.external_buffer_groups, b.external_buffer_groups);
  d.Field("external buffers", a.external_buffers, b.external_buffers);
  d.Field("appended archive", a.appended_archive, b.appended_archive);
  return d.found();
}

}  // namespace assay::graph
