// An operator's options as the format stores them: field name to value, only the fields that the file gives. Ops read
// them through small typed structs (graph/ops/*.h), whose members carry the schema's defaults and names:
//
//   struct SoftmaxAttributes {
//     float beta = 0;
//     template <class V> void Visit(V& v) { v("beta", beta); }
//   };
//   auto attributes = op.attributes.As<SoftmaxAttributes>();
//
// So an option is written down once; the reader, the writer, `inspect` and the kernels all follow from that.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace assay::graph {

// Integers of every width, enums and bools are int64_t; `bytes` vectors ([ubyte]) are strings.
using AttributeValue =
    std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>, std::vector<std::string>>;

class Attributes {
 public:
  struct Field {
    std::string name;
    AttributeValue value;
    bool operator==(const Field&) const = default;
  };

  const std::vector<Field>& fields() const { return fields_; }
  const AttributeValue* Find(std::string_view name) const;
  void Set(std::string_view name, AttributeValue value);
  bool operator==(const Attributes&) const = default;

  // The typed struct: defaults where a field is absent. A value that does not fit the member's type throws InputError.
  template <typename T>
  T As() const {
    T typed;
    Getter getter{*this};
    typed.Visit(getter);
    return typed;
  }
  template <typename T>
  static Attributes From(T typed) {
    Attributes attributes;
    Setter setter{attributes};
    typed.Visit(setter);
    return attributes;
  }

 private:
  int64_t GetInt(std::string_view name, int64_t low, int64_t high, int64_t otherwise) const;
  double GetFloat(std::string_view name, double otherwise) const;
  const std::string* GetString(std::string_view name) const;
  const std::vector<int64_t>* GetInts(std::string_view name) const;

  struct Getter {
    const Attributes& from;
    template <typename T>
    void operator()(std::string_view name, T& member) {
      if constexpr (std::is_same_v<T, bool>) {
        member = from.GetInt(name, INT64_MIN, INT64_MAX, member ? 1 : 0) != 0;
      } else if constexpr (std::is_enum_v<T>) {
        // Every enum of the attributes ends in kCount: what lies outside is refused.
        member =
            static_cast<T>(from.GetInt(name, 0, static_cast<int64_t>(T::kCount) - 1, static_cast<int64_t>(member)));
      } else if constexpr (std::is_integral_v<T>) {
        member = static_cast<T>(from.GetInt(name, static_cast<int64_t>(std::numeric_limits<T>::min()),
                                            static_cast<int64_t>(std::numeric_limits<T>::max()),
                                            static_cast<int64_t>(member)));
      } else if constexpr (std::is_floating_point_v<T>) {
        member = static_cast<T>(from.GetFloat(name, static_cast<double>(member)));
      } else if constexpr (std::is_same_v<T, std::string>) {
        if (const std::string* value = from.GetString(name)) member = *value;
      } else {
        static_assert(std::is_same_v<T, std::vector<int64_t>>, "integer lists are std::vector<int64_t>");
        if (const std::vector<int64_t>* value = from.GetInts(name)) member = *value;
      }
    }
  };
  struct Setter {
    Attributes& to;
    template <typename T>
    void operator()(std::string_view name, const T& member) {
      if constexpr (std::is_floating_point_v<T>) {
        to.Set(name, static_cast<double>(member));
      } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
        to.Set(name, static_cast<int64_t>(member));
      } else {
        to.Set(name, member);
      }
    }
  };

  std::vector<Field> fields_;
};

// Enums shared by many ops; ids as in the schema.
enum class Padding : uint8_t { kSame = 0, kValid = 1, kCount };
enum class Activation : uint8_t { kNone = 0, kRelu = 1, kReluN1To1 = 2, kRelu6 = 3, kTanh = 4, kSignBit = 5, kCount };

std::string_view ActivationName(Activation activation);  // "NONE", "RELU", "RELU_N1_TO_1", ...

}  // namespace assay::graph
