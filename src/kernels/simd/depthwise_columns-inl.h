// Depthwise 3x3 windows on 8-bit codes: the three pixels of a column are interleaved once, for one dot product each in
// all windows that the column is part of. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_
#undef ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_
#else
#define ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_
#endif

#include <cstring>

#include "hwy/highway.h"
#include "kernels/simd/depthwise_finish-inl.h"
#include "kernels/simd/dot8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Where a window's columns come from, seen from the window before.
enum class Columns : uint8_t {
  kOneNew,   // windows one pixel apart
  kTwoNew,   // two pixels
  kHalfNew,  // a vector holds two pixels, a window begins one pixel, half a vector, behind the one before it
};

// A line of the input. `step` is 0 where it lies outside, for then all pixels are the same.
struct ColumnLine {
  const uint8_t* from;
  size_t step;
};

// Output rows, `pixels` vectors of channels each.
struct ColumnRows {
  const ColumnLine* lines;  // three for every row
  size_t rows, pixels;
  int64_t first;  // the first window's first column; those outside of [0, width) hold `outside` throughout
  int64_t width;
  uintptr_t end;                  // of the input's memory
  uint8_t flip, outside;          // `outside` is flipped already
  uint8_t* out;                   // of channel 0
  size_t channels, output_bytes;  // output_bytes: of one channel
};

// Four taps of a vector of channels, interleaved byte by byte: vector j has the channels 4j to 4j + 3 of every 16.
template <class D8>
HWY_INLINE void Interleave(D8 d8, const hn::Vec<D8> (&x)[4], hn::Vec<hn::Repartition<int32_t, D8>> (&quads)[4]) {
  const hn::Repartition<uint16_t, D8> d16;
  const hn::Repartition<int32_t, D8> d32;
  const auto first_low = hn::BitCast(d16, hn::InterleaveLower(d8, x[0], x[1]));
  const auto first_high = hn::BitCast(d16, hn::InterleaveUpper(d8, x[0], x[1]));
  const auto second_low = hn::BitCast(d16, hn::InterleaveLower(d8, x[2], x[3]));
  const auto second_high = hn::BitCast(d16, hn::InterleaveUpper(d8, x[2], x[3]));
  quads[0] = hn::BitCast(d32, hn::InterleaveLower(d16, first_low, second_low));
  quads[1] = hn::BitCast(d32, hn::InterleaveUpper(d16, first_low, second_low));
  quads[2] = hn::BitCast(d32, hn::InterleaveLower(d16, first_high, second_high));
  quads[3] = hn::BitCast(d32, hn::InterleaveUpper(d16, first_high, second_high));
}

// Few of a vector's bytes, whose other ones may lie behind the end of memory, in `some`.
HWY_NOINLINE const uint8_t* CopyOfFew(const uint8_t* from, size_t count, size_t width, uint8_t* some) {
  std::memset(some, 0, width);
  std::memcpy(some, from, count);
  return some;
}

// Called often, compilers leave lambdas apart and everything that they see in memory.
#define ASSAY_SIMD_INLINE HWY_ATTR __attribute__((always_inline))

// kWidth channels of all windows of some rows.
template <size_t kWidth, class Finish, bool kMore, Columns kColumns>
HWY_NOINLINE void ComputeColumns(const Depthwise8Bit& f, const ColumnRows& rows, const DepthwiseChunk& chunk) {
  const hn::CappedTag<uint8_t, kWidth> d8;
  const hn::Repartition<int8_t, decltype(d8)> ds8;
  const hn::Repartition<int32_t, decltype(d8)> d32;
  using V8 = hn::Vec<decltype(d8)>;
  using V32 = hn::Vec<decltype(d32)>;
  constexpr size_t kLanes32 = kWidth / 4, kWindow = 3;
  const bool partial = chunk.count < kWidth;
  const Finish finish(f, chunk.padded_channel);
  const auto load = [&](const int8_t* weights, size_t i)
                        HWY_ATTR { return SplitSigned(d32, hn::BitCast(d32, hn::LoadU(ds8, weights + i * kWidth))); };
  V32 offsets[4];
  for (size_t j = 0; j < 4; ++j) offsets[j] = hn::LoadU(d32, f.offsets + chunk.padded_channel + j * kLanes32);
  SignedBytes<V32> weights[kWindow * 4];
  for (size_t i = 0; i < kWindow * 4; ++i) weights[i] = load(chunk.weights, i);
  const V8 flip = hn::Set(d8, rows.flip);
  const V32 outside = hn::BitCast(d32, hn::Set(d8, rows.outside));
  HWY_ALIGN uint8_t edge[kWindow][kWidth];
  const ColumnLine* lines = rows.lines;
  auto* out = reinterpret_cast<typename Finish::Output*>(rows.out) + chunk.channel;
  for (size_t row = 0; row < rows.rows; ++row, lines += kWindow) {
    const uint8_t* from[kWindow];
    int64_t x = rows.first;
    for (size_t k = 0; k < kWindow; ++k) {
      from[k] = lines[k].from + chunk.channel + static_cast<size_t>(std::max<int64_t>(x, 0)) * lines[k].step;
    }
    const auto next = [&](V32(&quads)[4]) ASSAY_SIMD_INLINE {
      if (HWY_UNLIKELY(static_cast<uint64_t>(x++) >= static_cast<uint64_t>(rows.width))) {
        for (V32& quad : quads) quad = outside;
        return;
      }
      V8 taps[4];
      for (size_t k = 0; k < kWindow; ++k) {
        const uint8_t* tap = from[k];
        if (HWY_UNLIKELY(partial && rows.end - reinterpret_cast<uintptr_t>(tap) < kWidth)) {
          tap = CopyOfFew(tap, chunk.count, kWidth, edge[k]);
        }
        taps[k] = hn::Xor(hn::LoadU(d8, tap), flip);
        from[k] += lines[k].step;
      }
      taps[3] = taps[2];  // its weight is 0
      Interleave(d8, taps, quads);
    };
    const auto window = [&](const V32(&left)[4], const V32(&middle)[4], const V32(&right)[4]) ASSAY_SIMD_INLINE {
      V32 sums[4];
      for (size_t j = 0; j < 4; ++j) {
        sums[j] = Dot4(d32, offsets[j], left[j], weights[j]);
        sums[j] = Dot4(d32, sums[j], middle[j], weights[4 + j]);
        sums[j] = Dot4(d32, sums[j], right[j], weights[8 + j]);
      }
      if constexpr (kMore) {
        for (size_t j = 0; j < 4; ++j) {
          if (chunk.more_groups[0] != 0) sums[j] = Dot4(d32, sums[j], left[j], load(chunk.more_weights, j));
          if (chunk.more_groups[1] != 0) sums[j] = Dot4(d32, sums[j], middle[j], load(chunk.more_weights, 4 + j));
          if (chunk.more_groups[2] != 0) sums[j] = Dot4(d32, sums[j], right[j], load(chunk.more_weights, 8 + j));
        }
      }
      finish.Store(sums, chunk.count, out);
      out += rows.channels;
    };
    V32 a[4], b[4], c[4];
    size_t left = rows.pixels;
    next(a);
    if constexpr (kColumns == Columns::kHalfNew) {
      for (; left > 0; --left) {
        next(c);
        for (size_t j = 0; j < 4; ++j) b[j] = hn::ConcatLowerUpper(d32, c[j], a[j]);
        window(a, b, c);
        for (size_t j = 0; j < 4; ++j) a[j] = c[j];
      }
    } else if constexpr (kColumns == Columns::kTwoNew) {
      for (; left >= 2; left -= 2) {
        next(b), next(c), window(a, b, c);
        next(b), next(a), window(c, b, a);
      }
      if (left == 1) next(b), next(c), window(a, b, c);
    } else {
      next(b);
      for (; left >= kWindow; left -= kWindow) {
        next(c), window(a, b, c);
        next(a), window(b, c, a);
        next(b), window(c, a, b);
      }
      if (left >= 1) next(c), window(a, b, c);
      if (left == 2) next(a), window(b, c, a);
    }
  }
}

#undef ASSAY_SIMD_INLINE

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
