// Reads the options of custom ops: a FlexBuffers map of names to numbers. The bytes may be anything: what lies outside
// of them is never read, and what is no map of the format is an InputError.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace assay::graph {

class FlexbufferMap {
 public:
  // Throws InputError.
  explicit FlexbufferMap(std::span<const uint8_t> bytes);

  bool Has(std::string_view name) const { return values_.find(name) != values_.end(); }
  // Numbers of any kind are converted; what is absent or null gives `otherwise`. Each throws InputError where the value
  // is no number or does not fit.
  int32_t Int32(std::string_view name, int32_t otherwise) const;
  float Float(std::string_view name, float otherwise) const;
  bool Bool(std::string_view name, bool otherwise) const;

  // monostate: something that is no number.
  using Value = std::variant<std::monostate, int64_t, double>;
  // In the order of the names; nulls are left out.
  const std::map<std::string, Value, std::less<>>& values() const { return values_; }

 private:
  const Value* Find(std::string_view name) const;

  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace assay::graph
