#include "format/tflite/appended_archive.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace assay::tflite {
namespace {

// The end record: signature, disks (2 x u16), entries on this disk and all (u16), directory size and offset (u32), the
// length of a comment (u16), the comment. A directory entry: signature, ..., lengths of name, extra field and comment
// (u16 at 28, 30, 32), the offset of the file's own header (u32 at 42), those three texts.
constexpr uint32_t kEndSignature = 0x06054b50, kEntrySignature = 0x02014b50, kFileSignature = 0x04034b50;
constexpr size_t kEndBytes = 22, kEntryBytes = 46, kFileBytes = 30, kMostComment = 0xffff;
// Archives beside a model hold texts; anything larger is not ours to copy.
constexpr size_t kMostBytes = size_t{256} << 20;

template <typename T>
T Load(std::span<const uint8_t> bytes, uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

void Store32(std::vector<uint8_t>& bytes, uint64_t at, uint64_t value) {
  if (value > UINT32_MAX) throw InputError("an archive cannot lie {} bytes into a file", value);
  const auto narrow = static_cast<uint32_t>(value);
  std::memcpy(bytes.data() + at, &narrow, sizeof(narrow));
}

struct Archive {
  uint64_t begin = 0;               // in the file
  uint64_t base = 0;                // what its offsets count from
  uint64_t directory = 0, end = 0;  // where its directory and its end record lie in the file
  std::vector<uint64_t> entries;    // where its directory entries lie in the file
};

std::optional<Archive> Parse(std::span<const uint8_t> file) {
  if (file.size() < kEndBytes) return std::nullopt;
  const uint64_t last = file.size() - kEndBytes;
  const uint64_t first = last > kMostComment ? last - kMostComment : 0;
  for (uint64_t end = last + 1; end-- > first;) {
    if (file[end] != 'P' || Load<uint32_t>(file, end) != kEndSignature) continue;
    if (end + kEndBytes + Load<uint16_t>(file, end + 20) != file.size()) continue;
    Archive archive;
    archive.end = end;
    const uint64_t count = Load<uint16_t>(file, end + 10), size = Load<uint32_t>(file, end + 12);
    const uint64_t offset = Load<uint32_t>(file, end + 16);
    if (size + offset > end || Load<uint16_t>(file, end + 8) != count || Load<uint32_t>(file, end + 4) != 0) {
      return std::nullopt;
    }
    archive.directory = end - size;
    archive.base = archive.directory - offset;
    archive.begin = archive.directory;
    uint64_t at = archive.directory;
    for (uint64_t i = 0; i < count; ++i) {
      if (end - at < kEntryBytes || Load<uint32_t>(file, at) != kEntrySignature) return std::nullopt;
      const uint64_t texts =
          uint64_t{Load<uint16_t>(file, at + 28)} + Load<uint16_t>(file, at + 30) + Load<uint16_t>(file, at + 32);
      if (end - at - kEntryBytes < texts) return std::nullopt;
      const uint64_t header = archive.base + Load<uint32_t>(file, at + 42);
      if (header > archive.directory || archive.directory - header < kFileBytes ||
          Load<uint32_t>(file, header) != kFileSignature) {
        return std::nullopt;
      }
      archive.begin = std::min(archive.begin, header);
      archive.entries.push_back(at);
      at += kEntryBytes + texts;
    }
    if (at != end || file.size() - archive.begin > kMostBytes) return std::nullopt;
    return archive;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<uint8_t>> FindArchive(std::span<const uint8_t> file) {
  const std::optional<Archive> archive = Parse(file);
  if (!archive) return std::nullopt;
  std::vector<uint8_t> bytes(file.begin() + static_cast<ptrdiff_t>(archive->begin), file.end());
  Store32(bytes, archive->end - archive->begin + 16, archive->directory - archive->begin);
  for (const uint64_t entry : archive->entries) {
    const uint64_t header = archive->base + Load<uint32_t>(file, entry + 42);
    Store32(bytes, entry - archive->begin + 42, header - archive->begin);
  }
  return bytes;
}

std::vector<uint8_t> MoveArchive(std::span<const uint8_t> archive, uint64_t offset) {
  const std::optional<Archive> parsed = Parse(archive);
  if (!parsed) throw InputError("the appended archive is not a ZIP file");
  std::vector<uint8_t> bytes(archive.begin(), archive.end());
  Store32(bytes, parsed->end + 16, offset + Load<uint32_t>(archive, parsed->end + 16));
  for (const uint64_t entry : parsed->entries) {
    Store32(bytes, entry + 42, offset + Load<uint32_t>(archive, entry + 42));
  }
  return bytes;
}

}  // namespace assay::tflite
