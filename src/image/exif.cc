#include <algorithm>

#include "image/codecs.h"

namespace assay {
namespace {

constexpr uint16_t kOrientationTag = 0x0112;
constexpr size_t kEntryBytes = 12;

// Reads integers of the block's byte order; beyond the end `ok` turns false and 0 is returned.
class TiffReader {
 public:
  TiffReader(std::span<const uint8_t> bytes, bool little_endian) : bytes_(bytes), little_endian_(little_endian) {}

  uint32_t Read(uint64_t offset, int size) {
    if (offset + static_cast<uint64_t>(size) > bytes_.size()) {
      ok_ = false;
      return 0;
    }
    uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      const uint32_t byte = bytes_[offset + static_cast<uint64_t>(i)];
      value |= byte << (8 * (little_endian_ ? i : size - 1 - i));
    }
    return value;
  }
  bool ok() const { return ok_; }

 private:
  std::span<const uint8_t> bytes_;
  bool little_endian_;
  bool ok_ = true;
};

}  // namespace

int ExifOrientation(std::span<const uint8_t> tiff) {
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 0;
  TiffReader reader(tiff, tiff[0] == 'I');
  if (reader.Read(2, 2) != 42) return 0;
  const uint64_t directory = reader.Read(4, 4);
  const uint32_t entries = reader.Read(directory, 2);
  for (uint32_t i = 0; i < entries && reader.ok(); ++i) {
    const uint64_t entry = directory + 2 + kEntryBytes * i;
    if (reader.Read(entry, 2) != kOrientationTag) continue;
    const uint32_t orientation = reader.Read(entry + 8, 2);
    return reader.ok() && orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 0;
  }
  return 0;
}

Array ApplyOrientation(Array image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const int64_t height = image.shape()[0], width = image.shape()[1];
  // Orientations 5..8 swap the axes; then each may run backwards.
  const bool transposed = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int64_t out_height = transposed ? width : height, out_width = transposed ? height : width;
  Array out(DType::kUInt8, Shape{static_cast<int32_t>(out_height), static_cast<int32_t>(out_width), 3});
  const uint8_t* from = image.bytes().data();
  uint8_t* to = out.bytes().data();
  for (int64_t y = 0; y < out_height; ++y) {
    for (int64_t x = 0; x < out_width; ++x, to += 3) {
      const int64_t row = transposed ? x : y, column = transposed ? y : x;
      const int64_t source_y = flip_y ? height - 1 - row : row;
      const int64_t source_x = flip_x ? width - 1 - column : column;
      std::copy_n(from + (source_y * width + source_x) * 3, 3, to);
    }
  }
  return out;
}

}  // namespace assay
