// The option tables of operators to and from attributes, by the names and types that the schema's reflection gives: no
// operator has code of its own here.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "graph/attributes.h"

namespace assay::tflite {

// Bounds what a small file may blow up to in memory by pointing at the same bytes many times.
class Budget {
 public:
  explicit Budget(uint64_t bytes) : total_(bytes), left_(bytes) {}
  void Take(uint64_t bytes);  // throws InputError

 private:
  uint64_t total_, left_;
};

// A table of one of the two option unions of an operator.
struct OptionsTable {
  const flatbuffers::TypeTable* type = nullptr;
  std::string_view name;
  uint8_t id = 0;          // in its union
  bool in_second = false;  // in BuiltinOptions2
};
const OptionsTable* FindOptionsTable(std::string_view name);
const OptionsTable* FindOptionsTable(uint8_t id, bool in_second);

// Whether the table holds fields that the schema does not know.
bool HasUnknownFields(const flatbuffers::Table& table, const flatbuffers::TypeTable& type);

// Text of the file, which must be UTF-8.
std::string ReadText(const flatbuffers::String* text, std::string_view what, Budget& budget);

// The fields that the table gives. The table has passed the schema's verifier; `end` is the end of the verified bytes.
graph::Attributes ReadAttributes(const flatbuffers::Table& table, const OptionsTable& type, const uint8_t* end,
                                 Budget& budget);

// Throws InputError where an attribute is not a field of the table or does not fit it.
flatbuffers::Offset<void> WriteAttributes(flatbuffers::FlatBufferBuilder& builder, const graph::Attributes& attributes,
                                          const OptionsTable& type);

}  // namespace assay::tflite
