#include "graph/flexbuffer_map.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "tensor/float16.h"

namespace assay::graph {
namespace {

// The format's types that matter here.
enum : uint8_t {
  kNull = 0,
  kInt = 1,
  kUInt = 2,
  kFloat = 3,
  kIndirectInt = 6,
  kIndirectUInt = 7,
  kIndirectFloat = 8,
  kMap = 9,
  kBool = 26,
};

// The bytes with every access checked. Offsets count from the front; references point backwards.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  uint64_t UInt(uint64_t at, uint8_t width) const {
    Check(at, width);
    uint64_t value = 0;
    for (uint8_t i = width; i-- > 0;) value = value << 8 | bytes_[at + i];
    return value;
  }
  int64_t Int(uint64_t at, uint8_t width) const {
    ASSAY_CHECK(width >= 1 && width <= 8);
    const int unused = 64 - 8 * width;
    return static_cast<int64_t>(UInt(at, width) << unused) >> unused;
  }
  double Float(uint64_t at, uint8_t width) const {
    const uint64_t bits = UInt(at, width);
    switch (width) {
      case 8:
        return std::bit_cast<double>(bits);
      case 4:
        return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
      case 2:
        return static_cast<double>(HalfToFloat(static_cast<uint16_t>(bits)));
      default:
        throw InputError("custom options: a number of {} byte is no float", width);
    }
  }
  uint64_t Follow(uint64_t at, uint8_t width) const {
    const uint64_t back = UInt(at, width);
    if (back > at) throw InputError("custom options: a reference at byte {} points in front of the start", at);
    return at - back;
  }
  uint64_t Before(uint64_t at, uint64_t distance) const {
    if (distance > at) throw InputError("custom options: what byte {} needs lies in front of the start", at);
    return at - distance;
  }
  std::string_view Key(uint64_t at) const {
    const auto* start = reinterpret_cast<const char*>(bytes_.data()) + at;
    const void* end = at < bytes_.size() ? std::memchr(start, 0, bytes_.size() - at) : nullptr;
    if (end == nullptr) throw InputError("custom options: the key at byte {} has no end", at);
    return {start, static_cast<size_t>(static_cast<const char*>(end) - start)};
  }
  void Check(uint64_t at, uint64_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) {
      throw InputError("custom options: bytes {} to {} of {} are needed", at, at + count, bytes_.size());
    }
  }

 private:
  std::span<const uint8_t> bytes_;
};

uint8_t CheckedWidth(uint64_t width) {
  if (width != 1 && width != 2 && width != 4 && width != 8) {
    throw InputError("custom options: no FlexBuffers map (a width of {} bytes)", width);
  }
  return static_cast<uint8_t>(width);
}

}  // namespace

FlexbufferMap::FlexbufferMap(std::span<const uint8_t> bytes) {
  constexpr size_t kShortest = 3;
  if (bytes.size() < kShortest) throw InputError("custom options: {} bytes are no FlexBuffers map", bytes.size());
  const Reader reader(bytes);
  const uint8_t root_width = CheckedWidth(bytes[bytes.size() - 1]);
  const uint8_t root_type = bytes[bytes.size() - 2];
  if (root_type >> 2 != kMap) throw InputError("custom options: no FlexBuffers map (type {})", root_type >> 2);
  const auto width = static_cast<uint8_t>(1U << (root_type & 3U));
  const uint64_t map = reader.Follow(reader.Before(bytes.size() - 2, root_width), root_width);
  const uint64_t count = reader.UInt(reader.Before(map, width), width);
  const uint8_t key_width = CheckedWidth(reader.UInt(reader.Before(map, uint64_t{2} * width), width));
  const uint64_t keys = reader.Follow(reader.Before(map, uint64_t{3} * width), width);
  // One type byte per value follows the values, so a count beyond the bytes is caught before it multiplies.
  if (count > bytes.size()) throw InputError("custom options: {} values in {} bytes", count, bytes.size());
  reader.Check(map, count * width + count);
  reader.Check(keys, count * key_width);
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view key = reader.Key(reader.Follow(keys + i * key_width, key_width));
    const uint8_t type = bytes[map + count * width + i];
    const auto target_width = static_cast<uint8_t>(1U << (type & 3U));
    const uint64_t at = map + i * width;
    Value value;
    switch (type >> 2) {
      case kNull:
        continue;
      case kInt:
        value = reader.Int(at, width);
        break;
      case kUInt:
      case kBool:
        value = static_cast<int64_t>(reader.UInt(at, width));
        break;
      case kFloat:
        value = reader.Float(at, width);
        break;
      case kIndirectInt:
        value = reader.Int(reader.Follow(at, width), target_width);
        break;
      case kIndirectUInt:
        value = static_cast<int64_t>(reader.UInt(reader.Follow(at, width), target_width));
        break;
      case kIndirectFloat:
        value = reader.Float(reader.Follow(at, width), target_width);
        break;
      default:
        break;
    }
    constexpr size_t kLongestKey = 256;  // many keys may share their bytes: copies stay in proportion to the options
    if (key.size() <= kLongestKey) values_.try_emplace(std::string(key), value);
  }
}

const FlexbufferMap::Value* FlexbufferMap::Find(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return nullptr;
  if (std::holds_alternative<std::monostate>(found->second)) throw InputError("custom option {} is no number", name);
  return &found->second;
}

int32_t FlexbufferMap::Int32(std::string_view name, int32_t otherwise) const {
  const Value* value = Find(name);
  if (value == nullptr) return otherwise;
  constexpr auto kLow = std::numeric_limits<int32_t>::min(), kHigh = std::numeric_limits<int32_t>::max();
  if (const auto* integer = std::get_if<int64_t>(value)) {
    if (*integer < kLow || *integer > kHigh) throw InputError("custom option {} is {}", name, *integer);
    return static_cast<int32_t>(*integer);
  }
  const double real = std::get<double>(*value);
  if (!(real > kLow - 1.0 && real < kHigh + 1.0)) throw InputError("custom option {} is {}", name, real);
  return static_cast<int32_t>(real);
}

float FlexbufferMap::Float(std::string_view name, float otherwise) const {
  const Value* value = Find(name);
  if (value == nullptr) return otherwise;
  if (const auto* integer = std::get_if<int64_t>(value)) return static_cast<float>(*integer);
  const double real = std::get<double>(*value);
  if (!std::isfinite(real) || std::abs(real) > static_cast<double>(std::numeric_limits<float>::max())) {
    throw InputError("custom option {} is {}", name, real);
  }
  return static_cast<float>(real);
}

bool FlexbufferMap::Bool(std::string_view name, bool otherwise) const {
  const Value* value = Find(name);
  if (value == nullptr) return otherwise;
  if (const auto* integer = std::get_if<int64_t>(value)) return *integer != 0;
  return std::get<double>(*value) != 0;
}

}  // namespace assay::graph
