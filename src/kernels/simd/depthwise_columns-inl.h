// Depthwise windows of 3x3 and 5x5 on 8-bit codes: the pixels of a column are interleaved once, for one dot product
// each in all windows that the column is part of. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_
#undef ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_
#else
#define ASSAY_KERNELS_SIMD_DEPTHWISE_COLUMNS_INL_H_
#endif

#include <cstring>
#include <type_traits>

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

// Output rows, `pixels` > 0 vectors of channels each.
struct ColumnRows {
  const ColumnLine* lines;  // as many for every row as a window has
  size_t rows, pixels;
  int64_t first;  // the first window's first column; those outside of [0, width) hold `outside` throughout
  int64_t width;
  uintptr_t end;          // of the input's memory
  uint8_t flip, outside;  // `outside` is flipped already
  uint8_t* out;           // of channel 0
  size_t channels;
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
HWY_NOINLINE inline const uint8_t* CopyOfFew(const uint8_t* from, size_t count, size_t width, uint8_t* some) {
  std::memset(some, 0, width);
  std::memcpy(some, from, count);
  return some;
}

// Called often, compilers leave lambdas apart and everything that they see in memory.
#define ASSAY_SIMD_INLINE HWY_ATTR __attribute__((always_inline))

// Along a row's windows, column by column.
template <size_t kLines, class D8>
class ColumnWalk {
 public:
  using V8 = hn::Vec<D8>;
  static constexpr size_t kWidth = hn::MaxLanes(D8());

  HWY_INLINE ColumnWalk(const ColumnRows& rows, const ColumnLine* lines, const DepthwiseChunk& chunk)
      : x_(rows.first), width_(rows.width), end_(rows.end), count_(chunk.count), flip_(hn::Set(D8(), rows.flip)) {
    for (size_t k = 0; k < kLines; ++k) {
      step_[k] = lines[k].step;
      from_[k] = lines[k].from + chunk.channel + static_cast<size_t>(std::max<int64_t>(x_, 0)) * step_[k];
    }
  }
  // Gives the next column's pixels, or false where it lies outside.
  HWY_INLINE bool Next(V8 (&pixels)[kLines]) {
    if (HWY_UNLIKELY(static_cast<uint64_t>(x_++) >= static_cast<uint64_t>(width_))) return false;
    HWY_ALIGN uint8_t some[kWidth];
    for (size_t k = 0; k < kLines; ++k) {
      const uint8_t* from = from_[k];
      if (HWY_UNLIKELY(count_ < kWidth && end_ - reinterpret_cast<uintptr_t>(from) < kWidth)) {
        from = CopyOfFew(from, count_, kWidth, some);
      }
      pixels[k] = hn::Xor(hn::LoadU(D8(), from), flip_);
      from_[k] += step_[k];
    }
    return true;
  }

 private:
  int64_t x_, width_;
  uintptr_t end_;
  size_t count_;
  const uint8_t* from_[kLines];
  size_t step_[kLines];
  V8 flip_;
};

// What all windows of a chunk share: weights as vectors, four for each group of taps.
template <size_t kWidth>
class ColumnWeights {
 public:
  using D8 = hn::CappedTag<uint8_t, kWidth>;
  using D32 = hn::Repartition<int32_t, D8>;
  using V32 = hn::Vec<D32>;

  HWY_INLINE ColumnWeights(const Depthwise8Bit& f, const DepthwiseChunk& chunk) : chunk_(chunk) {
    for (size_t j = 0; j < 4; ++j) {
      offsets_[j] = hn::LoadU(D32(), f.offsets + chunk.padded_channel + j * hn::MaxLanes(D32()));
    }
  }
  HWY_INLINE V32 offset(size_t j) const { return offsets_[j]; }
  HWY_INLINE SignedBytes<V32> Load(size_t group, size_t j) const { return At(chunk_.weights, group, j); }
  HWY_INLINE void Add(size_t group, const V32 (&quads)[4], V32 (&sums)[4]) const {
    for (size_t j = 0; j < 4; ++j) sums[j] = Dot4(D32(), sums[j], quads[j], Load(group, j));
  }
  // The products of a group with what its weights are more than 8 bits hold.
  HWY_INLINE void AddMore(size_t group, const V32 (&quads)[4], V32 (&sums)[4]) const {
    if (!chunk_.has_more || chunk_.more_groups[group] == 0) return;
    for (size_t j = 0; j < 4; ++j) {
      sums[j] = Dot4(D32(), sums[j], quads[j], At(chunk_.more_weights, group, j));
    }
  }

 private:
  static HWY_INLINE SignedBytes<V32> At(const int8_t* weights, size_t group, size_t j) {
    const hn::Repartition<int8_t, D8> ds8;
    return SplitSigned(D32(), hn::BitCast(D32(), hn::LoadU(ds8, weights + (group * 4 + j) * kWidth)));
  }

  const DepthwiseChunk& chunk_;
  V32 offsets_[4];
};

// kWidth channels of all 3x3 windows of some rows; kMore: chunk.has_more is looked at.
template <size_t kWidth, class Finish, Columns kColumns, bool kMore>
HWY_NOINLINE void ComputeColumns(const Depthwise8Bit& f, const ColumnRows& rows, const DepthwiseChunk& chunk) {
  const hn::CappedTag<uint8_t, kWidth> d8;
  const hn::Repartition<int32_t, decltype(d8)> d32;
  using V8 = hn::Vec<decltype(d8)>;
  using V32 = hn::Vec<decltype(d32)>;
  constexpr size_t kWindow = 3;
  const Finish finish(f, chunk.padded_channel);
  const ColumnWeights<kWidth> all(f, chunk);
  SignedBytes<V32> weights[kWindow * 4];
  for (size_t i = 0; i < kWindow * 4; ++i) weights[i] = all.Load(i / 4, i % 4);
  const V32 outside = hn::BitCast(d32, hn::Set(d8, rows.outside));
  auto* out = reinterpret_cast<typename Finish::Output*>(rows.out) + chunk.channel;
  for (size_t row = 0; row < rows.rows; ++row) {
    ColumnWalk<kWindow, hn::CappedTag<uint8_t, kWidth>> walk(rows, rows.lines + row * kWindow, chunk);
    const auto next = [&](V32(&quads)[4]) ASSAY_SIMD_INLINE {
      V8 pixels[kWindow];
      if (!walk.Next(pixels)) {
        for (V32& quad : quads) quad = outside;
        return;
      }
      const V8 taps[4] = {pixels[0], pixels[1], pixels[2], pixels[2]};  // the last one's weight is 0
      Interleave(d8, taps, quads);
    };
    const auto window = [&](const V32(&left)[4], const V32(&middle)[4], const V32(&right)[4]) ASSAY_SIMD_INLINE {
      V32 sums[4];
      for (size_t j = 0; j < 4; ++j) {
        sums[j] = Dot4(d32, all.offset(j), left[j], weights[j]);
        sums[j] = Dot4(d32, sums[j], middle[j], weights[4 + j]);
        sums[j] = Dot4(d32, sums[j], right[j], weights[8 + j]);
      }
      if (HWY_UNLIKELY(kMore && chunk.has_more)) {
        all.AddMore(0, left, sums), all.AddMore(1, middle, sums), all.AddMore(2, right, sums);
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

// kWidth channels of all 5x5 windows of some rows. The columns' upper four pixels are groups; of the lowest pixels four
// neighbours are, and the last one is a group of its own.
template <size_t kWidth, class Finish, Columns kColumns>
HWY_NOINLINE void ComputeColumns5(const Depthwise8Bit& f, const ColumnRows& rows, const DepthwiseChunk& chunk) {
  const hn::CappedTag<uint8_t, kWidth> d8;
  const hn::Repartition<int32_t, decltype(d8)> d32;
  using V8 = hn::Vec<decltype(d8)>;
  using V32 = hn::Vec<decltype(d32)>;
  constexpr size_t kWindow = 5, kNew = kColumns == Columns::kTwoNew ? 2 : 1;
  const Finish finish(f, chunk.padded_channel);
  const ColumnWeights<kWidth> weights(f, chunk);
  // Vector j: of every 16 bytes 4j to 4j + 3, each first of four.
  V8 apart[4];
  for (size_t j = 0; j < 4; ++j) {
    HWY_ALIGN uint8_t from[kWidth];
    for (size_t i = 0; i < kWidth; ++i) from[i] = static_cast<uint8_t>(4 * j + i % 16 / 4);
    apart[j] = hn::Load(d8, from);
  }
  const V8 outside = hn::Set(d8, rows.outside);
  auto* out = reinterpret_cast<typename Finish::Output*>(rows.out) + chunk.channel;
  for (size_t row = 0; row < rows.rows; ++row) {
    ColumnWalk<kWindow, hn::CappedTag<uint8_t, kWidth>> walk(rows, rows.lines + row * kWindow, chunk);
    V32 upper[kWindow][4];
    V8 lowest[kWindow];
    const auto next = [&](size_t column) ASSAY_SIMD_INLINE {
      V8 pixels[kWindow];
      if (!walk.Next(pixels)) {
        for (V32& quad : upper[column]) quad = hn::BitCast(d32, outside);
        lowest[column] = outside;
        return;
      }
      const V8 taps[4] = {pixels[0], pixels[1], pixels[2], pixels[3]};
      Interleave(d8, taps, upper[column]);
      lowest[column] = pixels[4];
    };
    // Of a window whose first column is at `kFirst`: the columns go round.
    const auto window = [&]<size_t kFirst>(std::integral_constant<size_t, kFirst>) ASSAY_SIMD_INLINE {
      constexpr auto kAt = [](size_t column) { return (kFirst + column) % kWindow; };
      for (size_t column = kWindow - kNew; column < kWindow; ++column) next(kAt(column));
      V32 sums[4], quads[4];
      for (size_t j = 0; j < 4; ++j) sums[j] = weights.offset(j);
      for (size_t column = 0; column < kWindow; ++column) weights.Add(column, upper[kAt(column)], sums);
      if (HWY_UNLIKELY(chunk.has_more)) {
        for (size_t column = 0; column < kWindow; ++column) weights.AddMore(column, upper[kAt(column)], sums);
      }
      const V8 neighbours[4] = {lowest[kAt(0)], lowest[kAt(1)], lowest[kAt(2)], lowest[kAt(3)]};
      Interleave(d8, neighbours, quads);
      weights.Add(kWindow, quads, sums), weights.AddMore(kWindow, quads, sums);
      for (size_t j = 0; j < 4; ++j) quads[j] = hn::BitCast(d32, hn::TableLookupBytes(lowest[kAt(4)], apart[j]));
      weights.Add(kWindow + 1, quads, sums), weights.AddMore(kWindow + 1, quads, sums);
      finish.Store(sums, chunk.count, out);
      out += rows.channels;
    };
    for (size_t column = 0; column + kNew < kWindow; ++column) next(column);
    for (size_t left = rows.pixels;;) {
      window(std::integral_constant<size_t, 0>());
      if (--left == 0) break;
      window(std::integral_constant<size_t, kNew>());
      if (--left == 0) break;
      window(std::integral_constant<size_t, 2 * kNew % kWindow>());
      if (--left == 0) break;
      window(std::integral_constant<size_t, 3 * kNew % kWindow>());
      if (--left == 0) break;
      window(std::integral_constant<size_t, 4 * kNew % kWindow>());
      if (--left == 0) break;
    }
  }
}

#undef ASSAY_SIMD_INLINE

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
