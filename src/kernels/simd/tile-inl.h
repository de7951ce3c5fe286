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
constexpr size_t RowsFor(size_t blocks) {
  return blocks >= 4 ? 6 : blocks == 3 ? 8 : 12;
}
#else
inline constexpr size_t kMaxBlocks = 1;
template <typename Kernel>
constexpr size_t RowsFor(size_t /*blocks*/) {
  return hwy::HWY_NAMESPACE::MaxLanes(hwy::HWY_NAMESPACE::CappedTag<float, kChannelBlock>()) >= 8
             ? Kernel::kRowsOfTwoVectors
             : 2;
}
#endif

template <typename Kernel>
struct Tile {
  typename Kernel::Fn multiply;
  size_t rows;
};

// Kernel: the function's type Fn, Get<kRows, kBlocks>() and kRowsOfTwoVectors, the rows of a full tile where a block is
// two vectors wide. Gives the largest kernel of at most `rows` rows.
template <typename Kernel, size_t kBlocks>
Tile<Kernel> TileOf(size_t rows) {
  constexpr size_t kFull = RowsFor<Kernel>(kBlocks);
  if (rows >= kFull) return {Kernel::template Get<kFull, kBlocks>(), kFull};
  if constexpr (kFull > 4) {
    if (rows >= 4) return {Kernel::template Get<4, kBlocks>(), 4};
  }
  if constexpr (kFull > 2) {
    if (rows >= 2) return {Kernel::template Get<2, kBlocks>(), 2};
  }
  return {Kernel::template Get<1, kBlocks>(), 1};
}

template <typename Kernel>
Tile<Kernel> FindTile(size_t blocks, size_t rows) {
  if constexpr (kMaxBlocks == 4) {
    if (blocks == 4) return TileOf<Kernel, 4>(rows);
    if (blocks == 3) return TileOf<Kernel, 3>(rows);
    if (blocks == 2) return TileOf<Kernel, 2>(rows);
  }
  return TileOf<Kernel, 1>(rows);
}

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
