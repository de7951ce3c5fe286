#include "format/savedmodel/bundle.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"

namespace assay::savedmodel {
namespace {

constexpr uint64_t kTableMagic = 0xdb4775248b80fb57;
constexpr size_t kFooterBytes = 48, kBlockTrailerBytes = 5;
constexpr uint64_t kMaxIndexBytes = uint64_t{256} << 20;
constexpr uint64_t kMaxVariableBytes = uint64_t{16} << 30;

uint32_t Load32(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 | static_cast<uint32_t>(p[2]) << 16 |
         static_cast<uint32_t>(p[3]) << 24;
}

uint64_t Load64(const uint8_t* p) { return Load32(p) | static_cast<uint64_t>(Load32(p + 4)) << 32; }

// Eight tables for eight bytes a step (polynomial 0x1edc6f41, reflected).
struct CrcTables {
  std::array<std::array<uint32_t, 256>, 8> t;
  CrcTables() {
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
      t[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; ++i) {
      for (size_t k = 1; k < 8; ++k) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xff];
    }
  }
};

class Cursor {
 public:
  explicit Cursor(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) throw InputError("it ends inside of a number");
      const uint8_t byte = bytes_[0];
      bytes_ = bytes_.subspan(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw InputError("a number is longer than 64 bits");
  }
  std::span<const uint8_t> Take(uint64_t count) {
    if (count > bytes_.size()) throw InputError("an entry of {} bytes where {} are left", count, bytes_.size());
    const auto taken = bytes_.first(static_cast<size_t>(count));
    bytes_ = bytes_.subspan(static_cast<size_t>(count));
    return taken;
  }

 private:
  std::span<const uint8_t> bytes_;
};

struct BlockHandle {
  uint64_t offset = 0, size = 0;
};

BlockHandle ReadHandle(Cursor& cursor) {
  BlockHandle handle;
  handle.offset = cursor.Varint();
  handle.size = cursor.Varint();
  return handle;
}

std::span<const uint8_t> ReadBlock(std::span<const uint8_t> file, const BlockHandle& handle, bool check_sums) {
  if (handle.offset > file.size() || handle.size > file.size() - handle.offset ||
      file.size() - handle.offset - handle.size < kBlockTrailerBytes) {
    throw InputError("a block of {} bytes at {} in a file of {}", handle.size, handle.offset, file.size());
  }
  const auto at = static_cast<size_t>(handle.offset), size = static_cast<size_t>(handle.size);
  const std::span<const uint8_t> covered = file.subspan(at, size + 1);
  if (check_sums && MaskedCrc(Crc32c(covered)) != Load32(file.data() + at + size + 1)) {
    throw InputError("the checksum of the block at {} does not fit: it is damaged", handle.offset);
  }
  if (covered[size] != 0) throw InputError("the block at {} is compressed, which is not supported", handle.offset);
  return covered.first(size);
}

// Calls sink(key, value) for every entry; keys share beginnings with the one before.
template <typename Sink>
void ForEachEntry(std::span<const uint8_t> block, const Sink& sink) {
  if (block.size() < 4) throw InputError("a block of {} bytes", block.size());
  const uint64_t restarts = Load32(block.data() + block.size() - 4);
  if (restarts > (block.size() - 4) / 4) throw InputError("a block with {} restarts", restarts);
  Cursor cursor(block.first(block.size() - 4 - static_cast<size_t>(restarts) * 4));
  std::string key;
  while (!cursor.empty()) {
    const uint64_t shared = cursor.Varint(), own = cursor.Varint(), value_size = cursor.Varint();
    if (shared > key.size()) throw InputError("a key shares {} bytes with one of {}", shared, key.size());
    key.resize(static_cast<size_t>(shared));
    const auto rest = cursor.Take(own);
    key.append(rest.begin(), rest.end());
    sink(key, cursor.Take(value_size));
  }
}

}  // namespace

uint32_t Crc32c(std::span<const uint8_t> bytes, uint32_t crc) {
  static const CrcTables tables;
  const auto& t = tables.t;
  crc = ~crc;
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, p += 8) {
    const uint32_t low = Load32(p) ^ crc, high = Load32(p + 4);
    crc = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^ t[3][high & 0xff] ^
          t[2][(high >> 8) & 0xff] ^ t[1][(high >> 16) & 0xff] ^ t[0][high >> 24];
  }
  for (; left > 0; --left, ++p) crc = (crc >> 8) ^ t[0][(crc ^ *p) & 0xff];
  return ~crc;
}

uint32_t MaskedCrc(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8U; }

std::vector<std::pair<std::string, std::string>> ReadTable(std::span<const uint8_t> file, bool check_sums) {
  if (file.size() < kFooterBytes) throw InputError("{} bytes are no table", file.size());
  const std::span<const uint8_t> footer = file.last(kFooterBytes);
  if (Load64(footer.data() + kFooterBytes - 8) != kTableMagic) throw InputError("it is no table, or cut off");
  Cursor cursor(footer);
  ReadHandle(cursor);  // of the block about blocks, which holds nothing of interest
  const BlockHandle index = ReadHandle(cursor);
  std::vector<std::pair<std::string, std::string>> entries;
  uint64_t covered = 0, total = 0;
  ForEachEntry(ReadBlock(file, index, check_sums), [&](const std::string&, std::span<const uint8_t> value) {
    Cursor handle_bytes(value);
    const BlockHandle handle = ReadHandle(handle_bytes);
    // Blocks do not overlap: a file that names one block many times is hostile.
    covered += std::min<uint64_t>(handle.size, file.size()) + kBlockTrailerBytes;
    if (covered > file.size()) throw InputError("its blocks overlap");
    ForEachEntry(ReadBlock(file, handle, check_sums), [&](const std::string& key, std::span<const uint8_t> bytes) {
      total += key.size() + bytes.size();
      if (total > kMaxIndexBytes) throw InputError("its entries have more than {} bytes", kMaxIndexBytes);
      entries.emplace_back(key, std::string(bytes.begin(), bytes.end()));
    });
  });
  return entries;
}

uint64_t TypeBytes(int32_t dtype) {
  switch (dtype) {
    case kTfUInt8:
    case kTfInt8:
    case kTfBool:
      return 1;
    case kTfInt16:
    case kTfUInt16:
    case kTfHalf:
    case kTfBFloat16:
      return 2;
    case kTfFloat:
    case kTfInt32:
    case kTfUInt32:
      return 4;
    case kTfDouble:
    case kTfInt64:
    case kTfUInt64:
    case kTfComplex64:
      return 8;
    default:
      return 0;
  }
}

std::string TypeName(int32_t dtype) {
  constexpr std::pair<int32_t, const char*> kNames[] = {
      {kTfFloat, "float32"},  {kTfDouble, "float64"}, {kTfInt32, "int32"},       {kTfUInt8, "uint8"},
      {kTfInt16, "int16"},    {kTfInt8, "int8"},      {kTfString, "string"},     {kTfComplex64, "complex64"},
      {kTfInt64, "int64"},    {kTfBool, "bool"},      {kTfBFloat16, "bfloat16"}, {kTfUInt16, "uint16"},
      {kTfHalf, "float16"},   {kTfUInt32, "uint32"},  {kTfUInt64, "uint64"},     {kTfResource, "resource"},
      {kTfVariant, "variant"}};
  for (const auto& [id, name] : kNames) {
    if (id == dtype) return name;
  }
  return fmt::format("type {}", dtype);
}

Shape ClosedShape(const PartialShape& shape, uint64_t element_bytes, uint64_t max_bytes) {
  if (!shape.has_rank) throw InputError("it has no shape");
  if (shape.dims.size() > 32) throw InputError("it has {} dimensions", shape.dims.size());
  std::vector<int32_t> dims;
  for (const int64_t dim : shape.dims) {
    if (dim < 0 || dim > INT32_MAX) throw InputError("a dimension of its shape is {}", dim);
    dims.push_back(static_cast<int32_t>(dim));
  }
  Shape closed(std::move(dims));
  if (!closed.IsValid(static_cast<int64_t>(max_bytes / std::max<uint64_t>(element_bytes, 1)))) {
    throw InputError("its shape is {}", closed.ToString());
  }
  return closed;
}

Bundle Bundle::FromIndex(std::span<const uint8_t> index, const std::string& prefix, bool check_sums) {
  Bundle bundle;
  bundle.prefix_ = prefix;
  bool has_header = false;
  for (const auto& [key, value] : ReadTable(index, check_sums)) {
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(value.data()), value.size());
    if (key.empty()) {
      bundle.header_ = ParseBundleHeader(bytes);
      has_header = true;
    } else {
      bundle.entries_[key] =
          InContext([&entry = key] { return "entry '" + entry + "'"; }, [&] { return ParseBundleEntry(bytes); });
    }
  }
  if (!has_header) throw InputError("it has no header");
  if (bundle.header_.is_big_endian) throw InputError("it was written on a big-endian machine, which is not supported");
  if (bundle.header_.num_shards < 1 || bundle.header_.num_shards > 99999) {
    throw InputError("it claims {} shards", bundle.header_.num_shards);
  }
  return bundle;
}

Bundle Bundle::Open(const std::string& prefix) {
  const std::string path = prefix + ".index";
  const auto file = MappedFile::Open(path, kMaxIndexBytes);
  return InContext([&] { return path; }, [&] { return FromIndex(file->bytes(), prefix); });
}

VariableValue Bundle::Read(const std::string& key) {
  return InContext([&] { return "variable '" + key + "'"; },
                   [&] {
                     const auto found = entries_.find(key);
                     if (found == entries_.end()) throw InputError("the checkpoint {}.index does not have it", prefix_);
                     const BundleEntry& entry = found->second;
                     if (entry.is_sliced)
                       throw InputError("it is stored in slices (a partitioned variable), which is not supported");
                     const uint64_t element = TypeBytes(entry.dtype);
                     if (element == 0)
                       throw InputError("it is of type {}, which is not supported", TypeName(entry.dtype));
                     VariableValue value;
                     value.dtype = entry.dtype;
                     value.shape = ClosedShape(entry.shape, element, kMaxVariableBytes);
                     const uint64_t bytes = static_cast<uint64_t>(value.shape.NumElements()) * element;
                     if (entry.size < 0 || static_cast<uint64_t>(entry.size) != bytes) {
                       throw InputError("the checkpoint gives {} bytes for {} of {}", entry.size,
                                        value.shape.ToString(), TypeName(entry.dtype));
                     }
                     if (entry.shard < 0 || entry.shard >= header_.num_shards) {
                       throw InputError("it lies in shard {} of {}", entry.shard, header_.num_shards);
                     }
                     std::shared_ptr<const MappedFile>& shard = shards_[entry.shard];
                     const std::string path =
                         fmt::format("{}.data-{:05}-of-{:05}", prefix_, entry.shard, header_.num_shards);
                     if (shard == nullptr) shard = MappedFile::Open(path);
                     const auto file = shard->bytes();
                     if (entry.offset < 0 || static_cast<uint64_t>(entry.offset) > file.size() ||
                         bytes > file.size() - static_cast<uint64_t>(entry.offset)) {
                       throw InputError("{} has {} bytes, too few for {} at {}: it is cut off", path, file.size(),
                                        bytes, entry.offset);
                     }
                     const auto data = file.subspan(static_cast<size_t>(entry.offset), static_cast<size_t>(bytes));
                     if (MaskedCrc(Crc32c(data)) != entry.crc32c) {
                       throw InputError("its checksum in {} does not fit: the file is damaged", path);
                     }
                     // Values follow each other without gaps; kernels want elements at multiples of their size.
                     const bool is_aligned = reinterpret_cast<uintptr_t>(data.data()) % element == 0;
                     value.data = is_aligned ? graph::Constant::OfFile(data, shard)
                                             : graph::Constant::Own(std::vector<uint8_t>(data.begin(), data.end()));
                     return value;
                   });
}

}  // namespace assay::savedmodel
