// Matrix products go tile by tile: some rows times some blocks of output channels, as many sums as there are registers
// to hold them beside the weights. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_TILE_INL_H_
#undef ASSAY_KERNELS_SIMD_TILE_INL_H_
#else
#define ASSAY_KERNELS_SIMD_TILE_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/simd/scales.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL
inline constexpr size_t kMaxBlocks = 4;
template <typename Kernel>
constexpr size_t RowsFor(size_t width) {
  return width >= 64 ? 6 : width >= 48 ? 8 : 12;
}
#else
inline constexpr size_t kMaxBlocks = 1;
template <typename Kernel>
constexpr size_t RowsFor(size_t width) {
  constexpr bool kTwoVectors = hwy::HWY_NAMESPACE::MaxLanes(hwy::HWY_NAMESPACE::CappedTag<float, kChannelBlock>()) >= 8;
  return (kTwoVectors ? Kernel::kRowsOfTwoVectors : 2) * (width < kChannelBlock ? 2 : 1);
}
#endif

template <typename Kernel>
struct Tile {
  typename Kernel::Fn multiply;
  size_t rows;
};

// The channels that a tile of `blocks` blocks computes where `left` are left: half a block will do for 8.
constexpr size_t TileWidth(size_t blocks, size_t left) {
  return blocks == 1 && left <= kChannelBlock / 2 ? kChannelBlock / 2 : blocks * kChannelBlock;
}

// Kernel: the function's type Fn, Get<kRows, kWidth>() and kRowsOfTwoVectors, the rows of a full tile where a block is
// two vectors wide. Gives the largest kernel of at most `rows` rows; of a few more than a full tile not all at once,
// for very low tiles wait for every sum.
template <typename Kernel, size_t kWidth>
Tile<Kernel> TileOf(size_t rows) {
  constexpr size_t kFull = RowsFor<Kernel>(kWidth);
  if (rows >= kFull && (rows - kFull > 2 || rows == kFull)) return {Kernel::template Get<kFull, kWidth>(), kFull};
  if constexpr (kFull > 8) {
    if (rows >= 8) return {Kernel::template Get<8, kWidth>(), 8};
  }
  if constexpr (kFull > 6) {
    if (rows >= 6) return {Kernel::template Get<6, kWidth>(), 6};
  }
  if constexpr (kFull > 4) {
    if (rows >= 4) return {Kernel::template Get<4, kWidth>(), 4};
  }
  if constexpr (kFull > 3) {
    if (rows >= 3) return {Kernel::template Get<3, kWidth>(), 3};
  }
  if constexpr (kFull > 2) {
    if (rows >= 2) return {Kernel::template Get<2, kWidth>(), 2};
  }
  if (rows >= kFull) return {Kernel::template Get<kFull, kWidth>(), kFull};
  return {Kernel::template Get<1, kWidth>(), 1};
}

template <typename Kernel>
Tile<Kernel> FindTile(size_t width, size_t rows) {
  if constexpr (kMaxBlocks == 4) {
    if (width == 64) return TileOf<Kernel, 64>(rows);
    if (width == 48) return TileOf<Kernel, 48>(rows);
    if (width == 32) return TileOf<Kernel, 32>(rows);
  }
  return width == 16 ? TileOf<Kernel, 16>(rows) : TileOf<Kernel, 8>(rows);
}

// Weights that no cache near the core holds come late, for a tile reads them faster than memory gives them: while the
// rows pass over some blocks of channels, each of the first tiles fetches one of the blocks that come next.
class BlocksAhead {
 public:
  // After the `wide` blocks from `block` on, of a matrix that ends with block `end`.
  BlocksAhead(size_t block, size_t wide, size_t end, size_t block_bytes)
      : block_(block),
        next_(block + wide),
        end_(end * block_bytes > kFarWeights ? std::min(end, block + 2 * wide) : 0),
        block_bytes_(block_bytes) {}
  bool some() const { return next_ < end_; }
  // How far the next one lies behind the blocks at hand.
  size_t Next() { return (next_++ - block_) * block_bytes_; }

 private:
  size_t block_, next_, end_, block_bytes_;
};

// Fetches what lies `bytes` behind p into the second-level cache.
HWY_INLINE void FetchBehind(const void* p, size_t bytes) {
  __builtin_prefetch(static_cast<const uint8_t*>(p) + bytes, 0, 2);
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
