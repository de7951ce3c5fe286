// Output channels as vectors read them: in blocks, and their scales as one array per form, padded to whole blocks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "numerics/requantize.h"

namespace assay::kernels::simd {

// Output channels come in blocks of this many; arrays per channel are padded to it.
inline constexpr size_t kChannelBlock = 16;
constexpr size_t PaddedOutputs(size_t outputs) { return (outputs + kChannelBlock - 1) / kChannelBlock * kChannelBlock; }

// Part of a kernel's work, for one of many threads.
struct Range {
  size_t begin, end;
};

inline constexpr Range kAllBlocks = {0, SIZE_MAX};

// How many of the blocks that are left the next tile takes: five and more are halved, for four with one or two left
// would end in narrow tiles.
constexpr size_t TileBlocks(size_t left, size_t most) {
  if (left <= most) return left;
  return left < 2 * most ? left / 2 : most;
}

// So many of `rows` rows, each of `bytes` with its outputs, stay in the second-level cache while every block of
// channels passes over them. Where the weights do not stay there themselves, every chunk of rows reads them from
// farther off: then more rows at once, and of chunks not one that is small.
inline constexpr size_t kChunkBytes = size_t{160} << 10, kLargeChunkBytes = size_t{2} << 20;
inline constexpr size_t kFarWeights = size_t{256} << 10;
inline constexpr size_t kMinChunkRows = 12;
constexpr size_t ChunkRows(size_t rows, size_t bytes, size_t weight_bytes = 0) {
  const size_t budget = weight_bytes > kFarWeights ? kLargeChunkBytes : kChunkBytes;
  const size_t most = std::max(budget / bytes / kMinChunkRows * kMinChunkRows, kMinChunkRows);
  if (rows <= most) return std::max(rows, kMinChunkRows);
  const size_t chunks = (rows + most - 1) / most, each = (rows + chunks - 1) / chunks;
  return (each + kMinChunkRows - 1) / kMinChunkRows * kMinChunkRows;
}

struct ChannelScales {
  const int32_t *multiplier, *left, *right;  // numerics::FixedPointScale, its shift split by direction
  const float* single;
  const double* real;
  bool reaches_one;   // any scale reaches kAlmostOne
  bool tiny = false;  // any that is not 0 is below kTiny
};

// Scales below this shift nothing to the left, and no sum of 32 bits times one of them leaves 32 bits, also in float.
inline constexpr double kAlmostOne = 0.9999;

// Times this, sums that a float does not hold lie beyond any code.
inline constexpr double kTiny = 0x1p-16;

// What is known of codes before they are computed.
enum class CodeForm : uint8_t {
  kAny,
  kInt8,   // the type's whole range, no scale tiny, all below one
  kUInt8,  // the same
};
inline CodeForm FormOf(const numerics::OutputStage& stage, const ChannelScales& scales) {
  if (scales.reaches_one || scales.tiny) return CodeForm::kAny;
  if (stage.low == -128 && stage.high == 127) return CodeForm::kInt8;
  return stage.low == 0 && stage.high == 255 ? CodeForm::kUInt8 : CodeForm::kAny;
}

}  // namespace assay::kernels::simd
