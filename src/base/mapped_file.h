// A file's bytes: mapped privately and read-only when large, read into memory when small (a mapped file that someone
// truncates raises SIGBUS, so small files are never mapped).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace assay {

class MappedFile {
 public:
  // Throws InputError naming the path when it is missing, a folder, unreadable or larger than `max_bytes`.
  static std::shared_ptr<const MappedFile> Open(const std::string& path, uint64_t max_bytes = uint64_t{1} << 40);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  void* mapping_ = nullptr;
  std::unique_ptr<uint8_t[]> copy_;
};

// Writes `bytes` beside `path` and renames: the file is whole or absent. Throws InputError.
void WriteFileAtomically(const std::string& path, std::span<const uint8_t> bytes);
void WriteFileAtomically(const std::string& path, const std::string& text);
// The file is `pieces`, one after the other.
void WriteFileAtomically(const std::string& path, std::span<const std::span<const uint8_t>> pieces);

// Throws the InputError that writing `path` would end in, as far as that shows before: to be asked ahead of long work.
void CheckWritable(const std::string& path);

std::string ReadTextFile(const std::string& path, uint64_t max_bytes = uint64_t{256} << 20);

}  // namespace assay
