#include "format/tflite/options.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "format/tflite/schema_generated.h"

namespace assay::tflite {
namespace {

using flatbuffers::ElementaryType;
using flatbuffers::Table;
using flatbuffers::TypeTable;
using graph::Attributes;
using graph::AttributeValue;

std::vector<OptionsTable> MakeTables() {
  std::vector<OptionsTable> tables;
  const auto add = [&](const TypeTable& of, bool in_second) {
    for (size_t i = 1; i < of.num_elems; ++i) {
      const int reference = of.type_codes[i].sequence_ref;
      tables.push_back({of.type_refs[reference](), of.names[i], static_cast<uint8_t>(i), in_second});
    }
  };
  add(*schema::BuiltinOptionsTypeTable(), false);
  add(*schema::BuiltinOptions2TypeTable(), true);
  return tables;
}

const std::vector<OptionsTable>& Tables() {
  static const std::vector<OptionsTable> tables = MakeTables();
  return tables;
}

// Calls `body` with a value of the C++ type of a scalar of the schema.
template <typename Body>
decltype(auto) WithScalar(ElementaryType type, const Body& body) {
  switch (type) {
    case flatbuffers::ET_UTYPE:
    case flatbuffers::ET_BOOL:
    case flatbuffers::ET_UCHAR:
      return body(uint8_t{});
    case flatbuffers::ET_CHAR:
      return body(int8_t{});
    case flatbuffers::ET_SHORT:
      return body(int16_t{});
    case flatbuffers::ET_USHORT:
      return body(uint16_t{});
    case flatbuffers::ET_INT:
      return body(int32_t{});
    case flatbuffers::ET_UINT:
      return body(uint32_t{});
    case flatbuffers::ET_LONG:
      return body(int64_t{});
    case flatbuffers::ET_ULONG:
      return body(uint64_t{});
    case flatbuffers::ET_FLOAT:
      return body(float{});
    case flatbuffers::ET_DOUBLE:
      return body(double{});
    default:
      break;
  }
  ASSAY_CHECK(!"options hold scalars, strings and lists of scalars only");
  return body(uint8_t{});
}

ElementaryType BaseType(const flatbuffers::TypeCode& code) { return static_cast<ElementaryType>(code.base_type); }

// The format is little-endian, as all machines that this runs on.
static_assert(std::endian::native == std::endian::little);

template <typename T>
T Load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

AttributeValue ReadScalar(const uint8_t* at, ElementaryType type, const uint8_t* end) {
  return WithScalar(type, [&](auto kind) -> AttributeValue {
    using T = decltype(kind);
    // The schema's verifier skips the fields that are marked as deprecated.
    if (static_cast<size_t>(end - at) < sizeof(T)) throw InputError("a field lies outside of the file");
    const T value = Load<T>(at);
    if (type == flatbuffers::ET_BOOL) return static_cast<int64_t>(value != 0);
    if constexpr (std::is_floating_point_v<T>) return static_cast<double>(value);
    return static_cast<int64_t>(value);
  });
}

AttributeValue ReadList(const uint8_t* vector, ElementaryType type, Budget& budget) {
  const auto count = Load<uint32_t>(vector);
  const uint8_t* data = vector + sizeof(uint32_t);
  if (type == flatbuffers::ET_UCHAR) {
    budget.Take(count);
    return std::string(reinterpret_cast<const char*>(data), count);
  }
  budget.Take(uint64_t{count} * sizeof(int64_t));
  return WithScalar(type, [&](auto kind) -> AttributeValue {
    using T = decltype(kind);
    std::vector<std::conditional_t<std::is_floating_point_v<T>, double, int64_t>> list(count);
    for (uint32_t i = 0; i < count; ++i) {
      const T value = Load<T>(data + i * sizeof(T));
      using Element = typename decltype(list)::value_type;
      list[i] = type == flatbuffers::ET_BOOL ? static_cast<Element>(value != 0) : static_cast<Element>(value);
    }
    return list;
  });
}

template <typename T>
T ToScalar(const AttributeValue& value, std::string_view name) {
  if constexpr (std::is_floating_point_v<T>) {
    if (const auto* number = std::get_if<double>(&value)) return static_cast<T>(*number);
    throw InputError("option {} is not a floating-point number", name);
  } else {
    const auto* number = std::get_if<int64_t>(&value);
    if (number == nullptr) throw InputError("option {} is not an integer", name);
    if (!std::in_range<T>(*number)) throw InputError("option {} is {}, which its type does not hold", name, *number);
    return static_cast<T>(*number);
  }
}

flatbuffers::uoffset_t WriteList(flatbuffers::FlatBufferBuilder& builder, const AttributeValue& value,
                                 ElementaryType type, std::string_view name) {
  if (type == flatbuffers::ET_UCHAR) {
    const auto* bytes = std::get_if<std::string>(&value);
    if (bytes == nullptr) throw InputError("option {} is not a string of bytes", name);
    return builder.CreateVector(reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()).o;
  }
  return WithScalar(type, [&](auto kind) {
    using T = decltype(kind);
    using Element = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
    const auto* list = std::get_if<std::vector<Element>>(&value);
    if (list == nullptr) throw InputError("option {} is not a list of numbers", name);
    std::vector<T> narrow;
    narrow.reserve(list->size());
    for (const Element element : *list) narrow.push_back(ToScalar<T>(element, name));
    return builder.CreateVector(narrow).o;
  });
}

}  // namespace

void Budget::Take(uint64_t bytes) {
  if (bytes > left_) throw InputError("its tables unfold to more than {} bytes", total_);
  left_ -= bytes;
}

const OptionsTable* FindOptionsTable(std::string_view name) {
  for (const OptionsTable& table : Tables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

const OptionsTable* FindOptionsTable(uint8_t id, bool in_second) {
  for (const OptionsTable& table : Tables()) {
    if (table.id == id && table.in_second == in_second) return &table;
  }
  return nullptr;
}

bool HasUnknownFields(const Table& table, const TypeTable& type) {
  const uint8_t* vtable = table.GetVTable();
  const size_t slots = Load<flatbuffers::voffset_t>(vtable) / sizeof(flatbuffers::voffset_t);
  for (size_t i = 2 + type.num_elems; i < slots; ++i) {
    if (Load<flatbuffers::voffset_t>(vtable + i * sizeof(flatbuffers::voffset_t)) != 0) return true;
  }
  return false;
}

std::string ReadText(const flatbuffers::String* text, std::string_view what, Budget& budget) {
  if (text == nullptr) return {};
  budget.Take(text->size());
  if (!IsUtf8(text->string_view())) throw InputError("{} is not UTF-8", what);
  return text->str();
}

Attributes ReadAttributes(const Table& table, const OptionsTable& type, const uint8_t* end, Budget& budget) {
  Attributes attributes;
  const auto* start = reinterpret_cast<const uint8_t*>(&table);
  for (size_t i = 0; i < type.type->num_elems; ++i) {
    const flatbuffers::voffset_t offset =
        table.GetOptionalFieldOffset(flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(i)));
    if (offset == 0) continue;
    const flatbuffers::TypeCode& code = type.type->type_codes[i];
    const std::string_view name = type.type->names[i];
    const uint8_t* at = start + offset;
    budget.Take(sizeof(Attributes::Field));
    if (code.is_repeating) {
      attributes.Set(name, ReadList(at + Load<flatbuffers::uoffset_t>(at), BaseType(code), budget));
    } else if (BaseType(code) == flatbuffers::ET_STRING) {
      const auto* text = reinterpret_cast<const flatbuffers::String*>(at + Load<flatbuffers::uoffset_t>(at));
      attributes.Set(name, ReadText(text, name, budget));
    } else {
      if (at > end) throw InputError("option {} lies outside of the file", name);
      attributes.Set(name, ReadScalar(at, BaseType(code), end));
    }
  }
  return attributes;
}

flatbuffers::Offset<void> WriteAttributes(flatbuffers::FlatBufferBuilder& builder, const Attributes& attributes,
                                          const OptionsTable& type) {
  const size_t count = type.type->num_elems;
  std::vector<const AttributeValue*> values(count, nullptr);
  for (const Attributes::Field& field : attributes.fields()) {
    size_t i = 0;
    while (i < count && field.name != type.type->names[i]) ++i;
    if (i == count) throw InputError("{} has no option {}", type.name, field.name);
    values[i] = &field.value;
  }
  std::vector<flatbuffers::uoffset_t> children(count, 0);
  for (size_t i = 0; i < count; ++i) {
    if (values[i] == nullptr) continue;
    const flatbuffers::TypeCode& code = type.type->type_codes[i];
    const std::string_view name = type.type->names[i];
    if (code.is_repeating) {
      children[i] = WriteList(builder, *values[i], BaseType(code), name);
    } else if (BaseType(code) == flatbuffers::ET_STRING) {
      const auto* text = std::get_if<std::string>(values[i]);
      if (text == nullptr) throw InputError("option {} is not a string", name);
      children[i] = builder.CreateString(*text).o;
    }
  }
  const flatbuffers::uoffset_t start = builder.StartTable();
  // Wider fields first, so that the table needs the least padding.
  for (const size_t width : {8U, 4U, 2U, 1U}) {
    for (size_t i = 0; i < count; ++i) {
      if (values[i] == nullptr) continue;
      const flatbuffers::TypeCode& code = type.type->type_codes[i];
      const flatbuffers::voffset_t field = flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(i));
      if (children[i] != 0) {
        if (width == sizeof(flatbuffers::uoffset_t)) builder.AddOffset(field, flatbuffers::Offset<void>(children[i]));
        continue;
      }
      WithScalar(BaseType(code), [&](auto kind) {
        using T = decltype(kind);
        // Without a default: a field that the file gave stays given.
        if (sizeof(T) == width) builder.AddElement<T>(field, ToScalar<T>(*values[i], type.type->names[i]));
      });
    }
  }
  return flatbuffers::Offset<void>(builder.EndTable(start));
}

}  // namespace assay::tflite
