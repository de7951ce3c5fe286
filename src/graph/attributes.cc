#include "graph/attributes.h"

#include "base/error.h"

namespace assay::graph {

const AttributeValue* Attributes::Find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (field.name == name) return &field.value;
  }
  return nullptr;
}

void Attributes::Set(std::string_view name, AttributeValue value) {
  for (Field& field : fields_) {
    if (field.name == name) {
      field.value = std::move(value);
      return;
    }
  }
  fields_.push_back({std::string(name), std::move(value)});
}

int64_t Attributes::GetInt(std::string_view name, int64_t low, int64_t high, int64_t otherwise) const {
  const AttributeValue* value = Find(name);
  if (value == nullptr) return otherwise;
  const auto* number = std::get_if<int64_t>(value);
  if (number == nullptr) throw InputError("option {} is not an integer", name);
  if (*number < low || *number > high) {
    throw InputError("option {} is {}, outside of [{}, {}]", name, *number, low, high);
  }
  return *number;
}

double Attributes::GetFloat(std::string_view name, double otherwise) const {
  const AttributeValue* value = Find(name);
  if (value == nullptr) return otherwise;
  const auto* number = std::get_if<double>(value);
  if (number == nullptr) throw InputError("option {} is not a floating-point number", name);
  return *number;
}

const std::string* Attributes::GetString(std::string_view name) const {
  const AttributeValue* value = Find(name);
  if (value == nullptr) return nullptr;
  const auto* text = std::get_if<std::string>(value);
  if (text == nullptr) throw InputError("option {} is not a string", name);
  return text;
}

const std::vector<int64_t>* Attributes::GetInts(std::string_view name) const {
  const AttributeValue* value = Find(name);
  if (value == nullptr) return nullptr;
  const auto* list = std::get_if<std::vector<int64_t>>(value);
  if (list == nullptr) throw InputError("option {} is not a list of integers", name);
  return list;
}

std::string_view ActivationName(Activation activation) {
  constexpr std::string_view kNames[] = {"NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"};
  const auto id = static_cast<size_t>(activation);
  return id < std::size(kNames) ? kNames[id] : "UNKNOWN";
}

}  // namespace assay::graph
