// EMBEDDING_LOOKUP: rows of a table by their indices, as they are or dequantized. The indices have been checked.
#pragma once

#include <cstdint>
#include <span>

namespace assay::kernels::ref {

void EmbeddingLookup(std::span<const int32_t> indices, const uint8_t* table, int64_t row_bytes,
                     uint8_t* output) noexcept;

// code * scale. row_scales has one scale for all rows or one for each.
void EmbeddingLookupInt8(std::span<const int32_t> indices, const int8_t* table, int64_t columns,
                         std::span<const float> row_scales, float* output) noexcept;

// Two codes a byte, low nibble first. As in the runtime, a row begins with the low nibble of the byte that holds its
// first code: with an odd number of columns every second row is read one code early.
void EmbeddingLookupInt4(std::span<const int32_t> indices, const uint8_t* table, int64_t columns,
                         std::span<const float> row_scales, float* output) noexcept;

}  // namespace assay::kernels::ref
