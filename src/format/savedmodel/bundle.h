// A TensorFlow checkpoint: `variables.index`, a sorted table of names to entries, and the shards that hold the values.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "format/savedmodel/messages.h"
#include "graph/model.h"

namespace assay::savedmodel {

struct VariableValue {
  int32_t dtype = 0;
  Shape shape;
  graph::Constant data;
};

class Bundle {
 public:
  // `prefix`: "model/variables/variables". Shards are opened when a value of theirs is read. Throws InputError.
  static Bundle Open(const std::string& prefix);
  // The index alone; without its checksums for tests of hostile bytes.
  static Bundle FromIndex(std::span<const uint8_t> index, const std::string& prefix, bool check_sums = true);

  bool Has(const std::string& key) const { return entries_.count(key) > 0; }
  size_t size() const { return entries_.size(); }
  const std::map<std::string, BundleEntry>& entries() const { return entries_; }
  // Checks the value's place, size and checksum. Throws InputError naming the key.
  VariableValue Read(const std::string& key);

 private:
  std::string prefix_;
  BundleHeader header_;
  std::map<std::string, BundleEntry> entries_;
  std::map<int32_t, std::shared_ptr<const MappedFile>> shards_;
};

uint32_t Crc32c(std::span<const uint8_t> bytes, uint32_t crc = 0);
// Checksums are stored in this form, so that one of data that holds checksums is not weak.
uint32_t MaskedCrc(uint32_t crc);

// Keys and values of a table file in its order. Throws InputError where it is damaged.
std::vector<std::pair<std::string, std::string>> ReadTable(std::span<const uint8_t> file, bool check_sums = true);

// Bytes of one element of TensorFlow's type; 0 for types without a fixed size.
uint64_t TypeBytes(int32_t dtype);
std::string TypeName(int32_t dtype);
// The shape's dimensions, checked: none open, and no more than `max_bytes` in all.
Shape ClosedShape(const PartialShape& shape, uint64_t element_bytes, uint64_t max_bytes);

}  // namespace assay::savedmodel
