// Copies a box of elements between two arrays, each walked with strides of its own:
//   output[out_offset + sum(i[d] * out_stride[d])] = input[in_offset + sum(i[d] * in_stride[d])]
// Slices, transpositions, tiles, paddings, broadcasts and concatenations are all this one loop.
// Elements have 2 or 4 (packed, the lowest bits first), 8, 16, 32, 64 or 128 bits.
#pragma once

#include <cstdint>

namespace assay::kernels::ref {

inline constexpr int kMaxCopyRank = 16;

// Sizes, strides and offsets count elements; strides may be zero or negative. Every index must be in range.
struct StridedCopy {
  int rank = 0;
  int64_t size[kMaxCopyRank] = {};
  int64_t in_stride[kMaxCopyRank] = {};
  int64_t out_stride[kMaxCopyRank] = {};
  int64_t in_offset = 0, out_offset = 0;
};

// The arrays do not overlap.
void CopyStrided(const StridedCopy& copy, int bits, const void* input, void* output) noexcept;

// output[out_offset + i] = input[in_offset + i] for i < count.
void CopyElements(int bits, const void* input, int64_t in_offset, int64_t count, void* output,
                  int64_t out_offset) noexcept;

// Sets `count` elements to the one at `value`.
void FillElements(int bits, const void* value, int64_t count, void* output) noexcept;

}  // namespace assay::kernels::ref
