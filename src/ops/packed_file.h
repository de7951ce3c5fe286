// Packed constants kept in a file, so that the next process need not pack them again. An entry is found by what it was
// made from (a checksum of the constant, its type and dimensions, the layout, the instruction set) and is believed only
// where its own checksum holds and its arrays have the sizes that the kernels count on.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_vector.h"

namespace assay::ops {

// To be raised with every change of what packing writes; a test knows the bytes.
inline constexpr uint32_t kPackingVersion = 2;

class PackedFile {
 public:
  struct Key {
    uint64_t checksum = 0, bytes = 0;  // of the constant
    uint64_t rows = 0, columns = 0;
    uint32_t dtype = 0, layout = 0;
    std::array<char, 16> target = {};  // of kernels/simd/target.h
    auto operator<=>(const Key&) const = default;
  };
  using Arrays = std::vector<std::span<const uint8_t>>;

  // A file that does not exist yet is an empty one; so is one that is damaged or of another version, and `warning` says
  // it. Throws InputError where the file is something else, which must not be written over.
  explicit PackedFile(std::string path);

  const std::string& path() const { return path_; }
  const std::string& warning() const { return warning_; }
  size_t hits() const { return hits_; }

  // The arrays of an entry, valid as long as this is; none where there is no such entry or it is damaged.
  std::optional<Arrays> Find(const Key& key);
  void Add(const Key& key, const Arrays& arrays);
  // Writes the file anew where something was added: whole or not at all, whoever else does so. Throws InputError.
  void Save();

 private:
  struct Entry {
    std::span<const uint8_t> payload;
    uint64_t checksum = 0;
    std::shared_ptr<const AlignedVector<uint8_t>> owner;  // of one that was added
  };
  void Map();
  void Read();

  std::string path_, warning_;
  std::span<const uint8_t> file_;
  std::shared_ptr<const void> mapping_;
  std::mutex mutex_;
  std::map<Key, Entry> entries_;
  size_t hits_ = 0;
  bool changed_ = false;
};

}  // namespace assay::ops
