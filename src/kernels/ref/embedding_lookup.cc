#include "kernels/ref/embedding_lookup.h"

#include <cstring>

namespace assay::kernels::ref {
namespace {

float ScaleOf(std::span<const float> row_scales, int32_t row) {
  return row_scales.size() == 1 ? row_scales[0] : row_scales[static_cast<size_t>(row)];
}

}  // namespace

void EmbeddingLookup(std::span<const int32_t> indices, const uint8_t* table, int64_t row_bytes,
                     uint8_t* output) noexcept {
  if (row_bytes == 0) return;
  for (const int32_t row : indices) {
    std::memcpy(output, table + row * row_bytes, static_cast<size_t>(row_bytes));
    output += row_bytes;
  }
}

void EmbeddingLookupInt8(std::span<const int32_t> indices, const int8_t* table, int64_t columns,
                         std::span<const float> row_scales, float* output) noexcept {
  for (const int32_t row : indices) {
    const float scale = ScaleOf(row_scales, row);
    for (int64_t c = 0; c < columns; ++c) *output++ = static_cast<float>(table[row * columns + c]) * scale;
  }
}

void EmbeddingLookupInt4(std::span<const int32_t> indices, const uint8_t* table, int64_t columns,
                         std::span<const float> row_scales, float* output) noexcept {
  for (const int32_t row : indices) {
    const float scale = ScaleOf(row_scales, row);
    const uint8_t* packed = table + row * columns / 2;
    for (int64_t c = 0; c < columns; ++c) {
      const int nibble = (packed[c / 2] >> (c % 2 * 4)) & 15;
      *output++ = static_cast<float>((nibble ^ 8) - 8) * scale;
    }
  }
}

}  // namespace assay::kernels::ref
