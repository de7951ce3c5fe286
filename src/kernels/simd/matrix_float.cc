#include "kernels/simd/matrix_float.h"

#include <algorithm>
#include <cstring>

#include "kernels/simd/pack.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/matrix_float.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/requantize-inl.h"
#include "kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

// kFetch: weights `behind` bytes behind its own, too, for a tile to come.
template <size_t kRows, size_t kWidth, bool kFetch>
HWY_NOINLINE void MultiplyTile(const MatrixFloat& m, const RowsFloat& rows, size_t channel, size_t behind,
                               float* HWY_RESTRICT out, size_t out_stride) {
  const hn::CappedTag<float, std::min(kWidth, kChannelBlock)> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kLanes = hn::MaxLanes(d), kColumns = kWidth / kLanes, kBlockColumns = kChannelBlock / kLanes;
  const float* HWY_RESTRICT weights = m.weights + channel * m.depth;
  V acc[kRows][kColumns];
  for (size_t c = 0; c < kColumns; ++c) {
    const auto bias = hn::LoadU(d, m.bias + channel + c * kLanes);
    for (size_t r = 0; r < kRows; ++r) acc[r][c] = bias;
  }
  const float* HWY_RESTRICT x = rows.data;
  const size_t line_depth = m.depth / rows.lines, stride = rows.stride, block_values = m.depth * kChannelBlock;
  // There is at least one value in one line; loops that say so keep the sums in registers.
  size_t line = 0;
  do {
    size_t k = 0;
    do {
      if constexpr (kFetch) FetchBehind(weights, behind);
      V w[kColumns];
      for (size_t c = 0; c < kColumns; ++c) {
        w[c] = hn::LoadU(d, weights + c / kBlockColumns * block_values + c % kBlockColumns * kLanes);
      }
      for (size_t r = 0; r < kRows; ++r) {
        const auto v = hn::Set(d, x[r * stride + k]);
        for (size_t c = 0; c < kColumns; ++c) acc[r][c] = hn::MulAdd(v, w[c], acc[r][c]);
      }
      weights += kChannelBlock;
    } while (++k < line_depth);
    x += rows.line_step;
  } while (++line < rows.lines);
  const auto low = hn::Set(d, m.low), high = hn::Set(d, m.high);
  for (size_t c = 0; c < kColumns; ++c) {
    const size_t first = channel + c * kLanes;
    if (first >= m.outputs) break;
    const size_t count = std::min(kLanes, m.outputs - first);
    for (size_t r = 0; r < kRows; ++r) {
      const auto y = LimitFloat(d, acc[r][c], low, high);
      float* to = out + r * out_stride + c * kLanes;
      if (count == kLanes) {
        hn::StoreU(y, d, to);
      } else {
        HWY_ALIGN float some[kLanes];
        hn::Store(y, d, some);
        std::memcpy(to, some, count * sizeof(float));
      }
    }
  }
}

template <bool kFetch>
struct TileKernel {
  using Fn = void (*)(const MatrixFloat&, const RowsFloat&, size_t, size_t, float*, size_t);
  static constexpr size_t kRowsOfTwoVectors = 6;
  template <size_t kRows, size_t kWidth>
  static Fn Get() {
    return MultiplyTile < kRows, kWidth, kFetch && kRows == RowsFor<TileKernel>(kWidth) > ;
  }
};

void Multiply(const MatrixFloat& m, const RowsFloat& x, float* out, size_t out_stride) {
  const size_t blocks = std::min(PaddedOutputs(m.outputs) / kChannelBlock, m.blocks.end);
  RowsFloat rows = x;
  if (x.lines * x.line_step == m.depth) rows.lines = 1;  // one line after the other
  for (size_t block = m.blocks.begin; block < blocks;) {
    const size_t wide = TileBlocks(blocks - block, kMaxBlocks);
    const size_t channel = block * kChannelBlock, width = TileWidth(wide, m.outputs - channel);
    BlocksAhead ahead(block, wide, blocks, m.depth * kChannelBlock * sizeof(float));
    const auto run = [&]<typename Kernel>(Kernel, size_t r, size_t behind) {
      const Tile<Kernel> tile = FindTile<Kernel>(width, x.rows - r);
      rows.data = x.data + r * x.stride;
      tile.multiply(m, rows, channel, behind, out + r * out_stride + channel, out_stride);
      return tile.rows;
    };
    for (size_t r = 0; r < x.rows;) {
      r += ahead.some() ? run(TileKernel<true>(), r, ahead.Next()) : run(TileKernel<false>(), r, 0);
    }
    block += wide;
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

void PackWeightsFloat(size_t outputs, size_t depth, const float* weights, float* packed) noexcept {
  for (size_t first = 0; first < outputs; first += kChannelBlock, packed += depth * kChannelBlock) {
    const size_t channels = std::min(kChannelBlock, outputs - first);
    if (channels < kChannelBlock) std::memset(packed, 0, depth * kChannelBlock * sizeof(float));
    PackRows(weights + first * depth, channels, depth * sizeof(float), depth, packed);
  }
}

void PackColumnsFloat(size_t outputs, size_t depth, size_t stride, const float* weights, float* packed) noexcept {
  for (size_t o = 0; o < outputs; o += kChannelBlock) {
    const size_t count = std::min(kChannelBlock, outputs - o);
    for (size_t k = 0; k < depth; ++k, packed += kChannelBlock) {
      const float* from = weights + k * stride + o;
      if (count == kChannelBlock) {
        std::memcpy(packed, from, kChannelBlock * sizeof(float));
        continue;
      }
      std::memset(packed, 0, kChannelBlock * sizeof(float));
      std::memcpy(packed, from, count * sizeof(float));
    }
  }
}

HWY_EXPORT(Multiply);

void MultiplyFloat(const MatrixFloat& matrix, const RowsFloat& x, float* out, size_t out_stride) noexcept {
  HWY_DYNAMIC_DISPATCH(Multiply)(matrix, x, out, out_stride);
}

}  // namespace assay::kernels::simd
#endif
