#include "kernels/simd/matrix_8bit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/simd/hybrid.h"
#include "kernels/simd/pack.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/matrix_8bit.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/codes-inl.h"
#include "kernels/simd/dot8-inl.h"
#include "kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using D32 = hn::CappedTag<int32_t, kChannelBlock>;
constexpr size_t kVectors = kChannelBlock / hn::MaxLanes(D32());  // per block of channels
template <size_t kWidth>
using WidthTag = hn::CappedTag<int32_t, std::min(kWidth, kChannelBlock)>;
constexpr size_t kGroupBytes = kChannelBlock * kDepthGroup;
// Sums of several tiles are kept before they are requantized together.
constexpr size_t kKeptBlocks = 96;

HWY_INLINE int32_t Load4(const uint8_t* p) {
  int32_t v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

struct TileOperands {
  const uint8_t* x;
  size_t stride, lines, line_step, line_groups;
  const int8_t* weights;
  const int32_t* offsets;
  size_t behind;  // where the weights are that are fetched for a tile to come, if any
};

// sums[kRows][kWidth, whole blocks] of one tile, the offsets included.
template <size_t kRows, size_t kWidth, bool kFlip, bool kFetch>
HWY_NOINLINE void MultiplyTile(const TileOperands& t, int32_t* HWY_RESTRICT sums) {
  const WidthTag<kWidth> d;
  using V = hn::Vec<decltype(d)>;
  const hn::Repartition<int8_t, decltype(d)> d8;
  constexpr size_t kLanes = hn::MaxLanes(d), kColumns = kWidth / kLanes, kBlockColumns = kChannelBlock / kLanes;
  V acc[kRows][kColumns];
  for (size_t c = 0; c < kColumns; ++c) {
    const auto offset = hn::LoadU(d, t.offsets + c * kLanes);
    for (size_t r = 0; r < kRows; ++r) acc[r][c] = offset;
  }
  const auto flip = hn::Set(d, static_cast<int32_t>(0x80808080U));
  const size_t groups = t.line_groups, stride = t.stride, block_bytes = t.lines * groups * kGroupBytes;
  const int8_t* HWY_RESTRICT weights = t.weights;
  const uint8_t* HWY_RESTRICT x = t.x;
  // There is at least one group of one line; loops that say so keep the sums in registers.
  size_t line = 0;
  do {
    size_t g = 0;
    do {
      if constexpr (kFetch) FetchBehind(weights, t.behind);
      SignedBytes<V> w[kColumns];
      for (size_t c = 0; c < kColumns; ++c) {
        const int8_t* from = weights + c / kBlockColumns * block_bytes + c % kBlockColumns * hn::MaxLanes(d8);
        w[c] = SplitSigned(d, hn::BitCast(d, hn::LoadU(d8, from)));
      }
      for (size_t r = 0; r < kRows; ++r) {
        auto u = hn::Set(d, Load4(x + r * stride + g * kDepthGroup));
        if constexpr (kFlip) u = hn::Xor(u, flip);
        for (size_t c = 0; c < kColumns; ++c) acc[r][c] = Dot4(d, acc[r][c], u, w[c]);
      }
      weights += kGroupBytes;
    } while (++g < groups);
    x += t.line_step;
  } while (++line < t.lines);
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c < kColumns; ++c) {
      hn::StoreU(acc[r][c], d, sums + r * PaddedOutputs(kWidth) + c * kLanes);
    }
  }
}

template <bool kFlip, bool kFetch>
struct TileKernel {
  using Fn = void (*)(const TileOperands&, int32_t*);
  static constexpr size_t kRowsOfTwoVectors = 4;
  template <size_t kRows, size_t kWidth>
  static Fn Get() {
    return MultiplyTile < kRows, kWidth, kFlip, kFetch && kRows == RowsFor<TileKernel>(kWidth) > ;
  }
};

struct TileOutput {
  const int32_t* sums;
  size_t rows, channel, channels;
  uint8_t* out;
  size_t out_stride;
};

// Rows of kWidth bytes of a vector, the first `channels` of each, to places `stride` apart.
template <size_t kWidth, class V8>
HWY_INLINE void StoreRows(V8 bytes, uint8_t* out, size_t stride, size_t rows, size_t channels) {
  constexpr size_t kBytes = sizeof(V8);
  const hn::CappedTag<uint8_t, kBytes> d8;
  if constexpr (kWidth == kBytes) {
    if (channels == kWidth) return hn::StoreU(bytes, d8, out);
  }
  if constexpr (2 * kWidth == kBytes) {
    const hn::Half<decltype(d8)> half;
    if (channels == kWidth) {
      hn::StoreU(hn::LowerHalf(half, bytes), half, out);
      if (rows == 2) hn::StoreU(hn::UpperHalf(half, bytes), half, out + stride);
      return;
    }
  }
#if HWY_TARGET <= HWY_AVX3
  if constexpr (2 * kWidth > kBytes) return hn::BlendedStore(bytes, hn::FirstN(d8, channels), d8, out);
#endif
  if constexpr (4 * kWidth == kBytes) {
    if (rows == 4 && channels == kWidth && stride == kWidth) return hn::StoreU(bytes, d8, out);
  }
  HWY_ALIGN uint8_t some[kBytes];
  hn::Store(bytes, d8, some);
  for (size_t i = 0; i < rows; ++i) CopySome(some + i * kWidth, out + i * stride, channels);
}

// Requantizes a tile, four vectors at a time: of one row where it has three or four, else of as many rows as go in.
template <numerics::Rounding kRounding, CodeForm kForm, size_t kColumns>
HWY_NOINLINE void StoreTile(const Matrix8Bit& m, const TileOutput& t) {
  const D32 d;
  constexpr size_t kLanes = hn::MaxLanes(d), kWidth = kColumns * kLanes;
  constexpr size_t kTogether = kColumns >= 3 ? 1 : 4 / kColumns;
  using R = CodeRounder<kRounding, kForm, D32>;
  R round[kColumns];
  for (size_t c = 0; c < kColumns; ++c) round[c].Load(m.scales, m.stage, t.channel + c * kLanes);
  const Codes<kForm, D32> codes(m.stage);
  const R* const rounders[4] = {&round[0], &round[1 % kColumns], &round[2 % kColumns], &round[3 % kColumns]};
  for (size_t r = 0; r < t.rows; r += kTogether) {
    const size_t rows = std::min(kTogether, t.rows - r);
    const auto sum = [&](size_t vector) HWY_ATTR {
      const size_t row = vector / kColumns, column = vector % kColumns;
      if (row >= rows) return hn::Zero(d);
      return hn::LoadU(d, t.sums + (r + row) * kWidth + column * kLanes);
    };
    const hn::Vec<D32> sums[4] = {sum(0), sum(1), sum(2), sum(3)};
    hn::Vec<D32> rounded[4];
    R::RoundFour(rounders, sums, rounded);
    const auto bytes = InOrder(d, codes.template Of<R::kHasZeroPoint>(rounded));
    StoreRows<kWidth>(bytes, t.out + r * t.out_stride, t.out_stride, rows, t.channels);
  }
}

using StoreFn = void (*)(const Matrix8Bit&, const TileOutput&);
template <numerics::Rounding kRounding, size_t kColumns>
StoreFn FindStoreOf(CodeForm form) {
  switch (form) {
    case CodeForm::kAny:
      return StoreTile<kRounding, CodeForm::kAny, kColumns>;
    case CodeForm::kInt8:
      return StoreTile<kRounding, CodeForm::kInt8, kColumns>;
    case CodeForm::kUInt8:
      return StoreTile<kRounding, CodeForm::kUInt8, kColumns>;
  }
  return nullptr;
}
template <size_t kColumns>
StoreFn FindStoreOf(numerics::Rounding rounding, CodeForm form) {
  switch (rounding) {
    case numerics::Rounding::kFixedHalfAway:
      return FindStoreOf<numerics::Rounding::kFixedHalfAway, kColumns>(form);
    case numerics::Rounding::kFixedHalfUp:
      return FindStoreOf<numerics::Rounding::kFixedHalfUp, kColumns>(form);
    case numerics::Rounding::kFloatHalfEven:
      return FindStoreOf<numerics::Rounding::kFloatHalfEven, kColumns>(form);
    case numerics::Rounding::kDoubleHalfAway:
      return StoreTile<numerics::Rounding::kDoubleHalfAway, CodeForm::kAny, kColumns>;
  }
  return nullptr;
}
StoreFn FindStore(numerics::Rounding rounding, CodeForm form, size_t blocks) {
  if constexpr (kMaxBlocks == 4) {
    if (blocks == 4) return FindStoreOf<4 * kVectors>(rounding, form);
    if (blocks == 3) return FindStoreOf<3 * kVectors>(rounding, form);
    if (blocks == 2) return FindStoreOf<2 * kVectors>(rounding, form);
  }
  return FindStoreOf<kVectors>(rounding, form);
}

// Adds the corrections of `wide` blocks to the sums of `rows` rows from `first` on.
void Correct(const Matrix8Bit& m, const Rows8Bit& x, size_t first, size_t rows, size_t block, size_t wide,
             int32_t* HWY_RESTRICT sums) {
  const D32 d;
  const hn::Repartition<int8_t, D32> d8;
  constexpr size_t kLanes = hn::MaxLanes(d);
  const auto flip = hn::Set(d, x.flip_sign ? static_cast<int32_t>(0x80808080U) : 0);
  for (size_t b = 0; b < wide; ++b) {
    for (uint32_t i = m.corrections_begin[block + b]; i < m.corrections_begin[block + b + 1]; ++i) {
      const Correction8Bit& correction = m.corrections[i];
      SignedBytes<hn::Vec<D32>> w[kVectors];
      for (size_t v = 0; v < kVectors; ++v) {
        w[v] = SplitSigned(d, hn::BitCast(d, hn::LoadU(d8, correction.weights + v * hn::MaxLanes(d8))));
      }
      const uint8_t* codes = x.data + first * x.stride + correction.line * x.line_step + correction.group * kDepthGroup;
      int32_t* to = sums + b * kChannelBlock;
      for (size_t r = 0; r < rows; ++r, codes += x.stride, to += wide * kChannelBlock) {
        const auto u = hn::Xor(hn::Set(d, Load4(codes)), flip);
        for (size_t v = 0; v < kVectors; ++v) {
          hn::StoreU(Dot4(d, hn::LoadU(d, to + v * kLanes), u, w[v]), d, to + v * kLanes);
        }
      }
    }
  }
}

void AddToRows(const int32_t* offsets, size_t rows, size_t width, int32_t* HWY_RESTRICT sums) {
  const D32 d;
  for (size_t r = 0; r < rows; ++r) {
    const auto offset = hn::Set(d, offsets[r]);
    for (size_t c = 0; c < width; c += hn::MaxLanes(d), sums += hn::MaxLanes(d)) {
      hn::StoreU(hn::Add(hn::LoadU(d, sums), offset), d, sums);
    }
  }
}

// Calls store(first row, rows, first channel, blocks of channels, sums) for parts of the product.
template <typename StoreTileFn>
HWY_INLINE void ForTiles(const Matrix8Bit& m, const Rows8Bit& x, StoreTileFn&& store) {
  HWY_ALIGN int32_t sums[kKeptBlocks * kChannelBlock];
  size_t lines = m.lines, line_groups = PaddedLine(m.line_depth) / kDepthGroup;
  const size_t block_bytes = lines * line_groups * kGroupBytes;
  if (x.line_step == line_groups * kDepthGroup) line_groups *= lines, lines = 1;  // one line after the other
  const size_t blocks = std::min(PaddedOutputs(m.outputs) / kChannelBlock, m.blocks.end);
  for (size_t block = m.blocks.begin; block < blocks;) {
    const size_t wide = TileBlocks(blocks - block, kMaxBlocks);
    const size_t channel = block * kChannelBlock;
    const size_t width = TileWidth(wide, m.outputs - channel);
    const int8_t* weights = m.weights + block * block_bytes;
    // Half of every block is never written.
    if (width < kChannelBlock) std::memset(sums, 0, std::min(kKeptBlocks, x.rows) * kChannelBlock * sizeof(sums[0]));
    BlocksAhead ahead(block, wide, blocks, block_bytes);
    const auto run = [&]<bool kFlip, bool kFetch>(std::bool_constant<kFlip>, std::bool_constant<kFetch>) {
      for (size_t first = 0; first < x.rows;) {
        const size_t most = std::min(kKeptBlocks / wide, x.rows - first);
        for (size_t r = 0; r < most;) {
          const auto multiply = [&]<typename Kernel>(Kernel, size_t behind) {
            const Tile<Kernel> tile = FindTile<Kernel>(width, most - r);
            tile.multiply({x.data + (first + r) * x.stride, x.stride, lines, x.line_step, line_groups, weights,
                           m.offsets + channel, behind},
                          sums + r * wide * kChannelBlock);
            return tile.rows;
          };
          const bool fetch = kFetch && ahead.some();
          r += fetch ? multiply(TileKernel<kFlip, kFetch>(), ahead.Next()) : multiply(TileKernel<kFlip, false>(), 0);
        }
        if (m.corrections_begin != nullptr) Correct(m, x, first, most, block, wide, sums);
        if (x.row_offsets != nullptr) AddToRows(x.row_offsets + first, most, wide * kChannelBlock, sums);
        store(first, most, channel, wide, sums);
        first += most;
      }
    };
    const auto with = [&](auto fetch) { x.flip_sign ? run(std::true_type(), fetch) : run(std::false_type(), fetch); };
    ahead.some() ? with(std::true_type()) : with(std::false_type());
    block += wide;
  }
}

void Multiply(const Matrix8Bit& m, const Rows8Bit& x, uint8_t* out, size_t out_stride) {
  const numerics::Rounding rounding = FastestRounding(m.stage);
  const CodeForm form = FormOf(m.stage, m.scales);
  ForTiles(m, x, [&](size_t row, size_t rows, size_t channel, size_t blocks, const int32_t* sums) {
    const size_t channels = std::min(blocks * kChannelBlock, m.outputs - channel);
    FindStore(rounding, form, blocks)(m, {sums, rows, channel, channels, out + row * out_stride + channel, out_stride});
  });
}

// sum * the scales + bias, as ref::HybridValue.
template <ref::HybridScaling kScaling, class DF, class V = hn::Vec<DF>>
HWY_INLINE V HybridValue(DF d, V sum, V input, V weight, V bias) {
  using ref::HybridScaling;
  if constexpr (kScaling == HybridScaling::kScalesFirst) {
    return hn::Add(hn::Mul(sum, hn::Mul(weight, input)), bias);
  } else if constexpr (kScaling == HybridScaling::kWeightFirst) {
    return hn::Add(hn::Mul(hn::Mul(sum, weight), input), bias);
  } else if constexpr (kScaling == HybridScaling::kInputFirst) {
    return hn::Add(hn::Mul(hn::Mul(sum, input), weight), bias);
  } else {
#if HWY_NATIVE_FMA
    (void)d;
    return hn::MulAdd(hn::Mul(sum, input), weight, bias);
#else
    constexpr size_t kLanes = hn::MaxLanes(d);
    HWY_ALIGN float product[kLanes], factor[kLanes], term[kLanes];
    hn::Store(hn::Mul(sum, input), d, product), hn::Store(weight, d, factor), hn::Store(bias, d, term);
    for (size_t i = 0; i < kLanes; ++i) product[i] = std::fma(product[i], factor[i], term[i]);
    return hn::Load(d, product);
#endif
  }
}

// Walks along the rows' ranges.
class RangeWalk {
 public:
  RangeWalk(const RowRanges& ranges, size_t row)
      : at_(ranges.ranges + (ranges.first + row) / ranges.rows_per_range),
        rows_per_range_(ranges.rows_per_range),
        left_(rows_per_range_ - (ranges.first + row) % rows_per_range_) {}
  HWY_INLINE const ref::DynamicRange& Next() {
    const ref::DynamicRange& range = *at_;
    if (--left_ == 0) ++at_, left_ = rows_per_range_;
    return range;
  }

 private:
  const ref::DynamicRange* at_;
  size_t rows_per_range_, left_;
};

struct TileFloats {
  const int32_t* sums;
  size_t rows, channel, channels;
  float* out;
  size_t out_stride;
};

// The first `count` of a vector's values.
template <class DF, class V = hn::Vec<DF>>
HWY_INLINE void StoreFew(DF d, V values, size_t count, float* out) {
#if HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(values, hn::FirstN(d, count), d, out);
#else
  HWY_ALIGN float some[hn::MaxLanes(d)];
  hn::Store(values, d, some);
  std::memcpy(out, some, count * sizeof(float));
#endif
}

template <ref::HybridScaling kScaling, size_t kColumns>
HWY_NOINLINE void ScaleTile(const MatrixHybrid& m, RangeWalk ranges, const TileFloats& t) {
  const D32 d;
  const hn::Rebind<float, D32> df;
  using VF = hn::Vec<decltype(df)>;
  constexpr size_t kLanes = hn::MaxLanes(d), kWidth = kColumns * kLanes;
  hn::Vec<D32> weight_sums[kColumns];
  VF scales[kColumns], bias[kColumns];
  for (size_t c = 0; c < kColumns; ++c) {
    weight_sums[c] = hn::LoadU(d, m.weight_sums + t.channel + c * kLanes);
    scales[c] = hn::LoadU(df, m.scales + t.channel + c * kLanes);
    bias[c] = hn::LoadU(df, m.bias + t.channel + c * kLanes);
  }
  const auto low = hn::Set(df, m.low), high = hn::Set(df, m.high);
  const int32_t* HWY_RESTRICT sums = t.sums;
  float* out = t.out;
  for (size_t r = 0; r < t.rows; ++r, sums += kWidth, out += t.out_stride) {
    const ref::DynamicRange& range = ranges.Next();
    // sum (u - 128 - zero) w = sum u w - (128 + zero) sum w
    const auto zero = hn::Set(d, range.zero_point + kSignBit);
    const auto input = hn::Set(df, range.scale);
    const auto value = [&](size_t c) HWY_ATTR {
      const auto sum = hn::Sub(hn::LoadU(d, sums + c * kLanes), hn::Mul(zero, weight_sums[c]));
      const VF y = HybridValue<kScaling>(df, hn::ConvertTo(df, sum), input, scales[c], bias[c]);
      return LimitFloat(df, y, low, high);
    };
    for (size_t c = 0; c < kColumns && c * kLanes < t.channels; ++c) {
      const size_t left = t.channels - c * kLanes;
      left >= kLanes ? hn::StoreU(value(c), df, out + c * kLanes) : StoreFew(df, value(c), left, out + c * kLanes);
    }
  }
}

using ScaleFn = void (*)(const MatrixHybrid&, RangeWalk, const TileFloats&);
template <size_t kColumns>
ScaleFn FindScaleOf(ref::HybridScaling scaling) {
  switch (scaling) {
    case ref::HybridScaling::kScalesFirst:
      return ScaleTile<ref::HybridScaling::kScalesFirst, kColumns>;
    case ref::HybridScaling::kWeightFirst:
      return ScaleTile<ref::HybridScaling::kWeightFirst, kColumns>;
    case ref::HybridScaling::kInputFirst:
      return ScaleTile<ref::HybridScaling::kInputFirst, kColumns>;
    case ref::HybridScaling::kFused:
      return ScaleTile<ref::HybridScaling::kFused, kColumns>;
  }
  return nullptr;
}
ScaleFn FindScale(ref::HybridScaling scaling, size_t blocks) {
  if constexpr (kMaxBlocks == 4) {
    if (blocks == 4) return FindScaleOf<4 * kVectors>(scaling);
    if (blocks == 3) return FindScaleOf<3 * kVectors>(scaling);
    if (blocks == 2) return FindScaleOf<2 * kVectors>(scaling);
  }
  return FindScaleOf<kVectors>(scaling);
}

void MultiplyToFloats(const MatrixHybrid& m, const Rows8Bit& x, const RowRanges& ranges, float* out,
                      size_t out_stride) {
  ForTiles(m.sums, x, [&](size_t row, size_t rows, size_t channel, size_t blocks, const int32_t* sums) {
    const size_t channels = std::min(blocks * kChannelBlock, m.sums.outputs - channel);
    FindScale(m.scaling, blocks)(m, RangeWalk(ranges, row),
                                 {sums, rows, channel, channels, out + row * out_stride + channel, out_stride});
  });
}

void Sum(const Matrix8Bit& m, const Rows8Bit& x, int32_t* out, size_t stride) {
  ForTiles(m, x, [&](size_t row, size_t rows, size_t channel, size_t blocks, const int32_t* sums) {
    const size_t width = blocks * kChannelBlock, count = std::min(width, stride - channel);
    for (size_t r = 0; r < rows; ++r) {
      std::memcpy(out + (row + r) * stride + channel, sums + r * width, count * sizeof(int32_t));
    }
  });
}

// Four rows of a block become one of groups of four.
void PackColumns(size_t outputs, size_t depth, size_t stride, const int8_t* weights, int8_t* HWY_RESTRICT packed) {
  const hn::CappedTag<int8_t, kChannelBlock> d8;
  const hn::Repartition<int16_t, decltype(d8)> d16;
  constexpr size_t kBytes = hn::MaxLanes(d8);
  HWY_ALIGN int8_t some[kDepthGroup * kChannelBlock];
  for (size_t o = 0; o < outputs; o += kChannelBlock) {
    const size_t channels = std::min(kChannelBlock, outputs - o);
    for (size_t k = 0; k < depth; k += kDepthGroup, packed += kGroupBytes) {
      const int8_t* from = weights + k * stride + o;
      size_t step = stride;
      if (const size_t rows = std::min(kDepthGroup, depth - k); rows < kDepthGroup || channels < kChannelBlock) {
        std::memset(some, 0, sizeof(some));
        for (size_t r = 0; r < rows; ++r) std::memcpy(some + r * kChannelBlock, from + r * stride, channels);
        from = some, step = kChannelBlock;
      }
      for (size_t c = 0; c < kChannelBlock; c += kBytes) {
        const auto r0 = hn::LoadU(d8, from + c), r1 = hn::LoadU(d8, from + step + c);
        const auto r2 = hn::LoadU(d8, from + 2 * step + c), r3 = hn::LoadU(d8, from + 3 * step + c);
        const auto low01 = hn::BitCast(d16, hn::InterleaveLower(d8, r0, r1));
        const auto low23 = hn::BitCast(d16, hn::InterleaveLower(d8, r2, r3));
        const auto high01 = hn::BitCast(d16, hn::InterleaveUpper(d8, r0, r1));
        const auto high23 = hn::BitCast(d16, hn::InterleaveUpper(d8, r2, r3));
        int8_t* to = packed + c * kDepthGroup;
        hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d16, low01, low23)), d8, to);
        hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d16, low01, low23)), d8, to + kBytes);
        hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d16, high01, high23)), d8, to + 2 * kBytes);
        hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d16, high01, high23)), d8, to + 3 * kBytes);
      }
    }
  }
}

void SumColumns(size_t outputs, size_t depth, const int8_t* HWY_RESTRICT packed, int32_t* HWY_RESTRICT sums) {
  const D32 d;
  const hn::Repartition<int8_t, D32> d8;
  const size_t groups = PaddedLine(depth) / kDepthGroup;
  const auto ones = hn::Set(d, 0x01010101);
  for (size_t o = 0; o < outputs; o += kChannelBlock) {
    for (size_t v = 0; v < kVectors; ++v) {
      auto sum = hn::Zero(d);
      const int8_t* from = packed + v * hn::MaxLanes(d8);
      for (size_t g = 0; g < groups; ++g, from += kGroupBytes) {
        sum = Dot4(d, sum, ones, SplitSigned(d, hn::BitCast(d, hn::LoadU(d8, from))));
      }
      hn::StoreU(sum, d, sums + o + v * hn::MaxLanes(d));
    }
    packed += groups * kGroupBytes;
  }
}

void SumRows(const Rows8Bit& x, size_t depth, int32_t* HWY_RESTRICT sums) {
  const hn::CappedTag<uint8_t, 64> d8;
  const hn::Repartition<uint64_t, decltype(d8)> d64;
  const uint8_t flip = x.flip_sign ? kSignBit : 0;
  constexpr size_t kBytes = hn::MaxLanes(d8);
  for (size_t r = 0; r < x.rows; ++r) {
    const uint8_t* row = x.data + r * x.stride;
    auto wide = hn::Zero(d64);
    size_t k = 0;
    for (; k + kBytes <= depth; k += kBytes) {
      wide = hn::Add(wide, hn::SumsOf8(hn::Xor(hn::LoadU(d8, row + k), hn::Set(d8, flip))));
    }
    auto sum = static_cast<uint32_t>(hn::GetLane(hn::SumOfLanes(d64, wide)));
    for (; k < depth; ++k) sum += static_cast<uint32_t>(row[k] ^ flip);
    sums[r] = static_cast<int32_t>(sum);
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

void PackWeights8Bit(size_t outputs, size_t lines, size_t line_depth, const int8_t* weights, int8_t* packed) noexcept {
  const size_t depth = lines * line_depth, whole = line_depth / kDepthGroup, rest = line_depth % kDepthGroup;
  std::memset(packed, 0, PaddedOutputs(outputs) * PaddedDepth(lines, line_depth));
  for (size_t first = 0; first < outputs; first += kChannelBlock) {
    const size_t channels = std::min(kChannelBlock, outputs - first);
    for (size_t line = 0; line < lines; ++line) {
      const int8_t* from = weights + first * depth + line * line_depth;
      PackRows(from, channels, depth, whole, packed);
      from += whole * kDepthGroup, packed += whole * kChannelBlock * kDepthGroup;
      if (rest == 0) continue;
      for (size_t c = 0; c < channels; ++c) std::memcpy(packed + c * kDepthGroup, from + c * depth, rest);
      packed += kChannelBlock * kDepthGroup;
    }
  }
}

HWY_EXPORT(Multiply);
HWY_EXPORT(PackColumns);
HWY_EXPORT(SumColumns);
HWY_EXPORT(SumRows);
HWY_EXPORT(Sum);
HWY_EXPORT(MultiplyToFloats);

void Sum8Bit(const Matrix8Bit& matrix, const Rows8Bit& x, int32_t* sums, size_t stride) noexcept {
  HWY_DYNAMIC_DISPATCH(Sum)(matrix, x, sums, stride);
}

void MultiplyHybrid(const MatrixHybrid& matrix, const Rows8Bit& x, const RowRanges& ranges, float* output,
                    size_t output_stride) noexcept {
  HWY_DYNAMIC_DISPATCH(MultiplyToFloats)(matrix, x, ranges, output, output_stride);
}

void Multiply8Bit(const Matrix8Bit& matrix, const Rows8Bit& x, uint8_t* out, size_t out_stride) noexcept {
  HWY_DYNAMIC_DISPATCH(Multiply)(matrix, x, out, out_stride);
}

void PackColumns8Bit(size_t outputs, size_t depth, size_t stride, const int8_t* weights, int8_t* packed) noexcept {
  HWY_DYNAMIC_DISPATCH(PackColumns)(outputs, depth, stride, weights, packed);
}

void SumColumns8Bit(size_t outputs, size_t depth, const int8_t* packed, int32_t* sums) noexcept {
  HWY_DYNAMIC_DISPATCH(SumColumns)(outputs, depth, packed, sums);
}

void SumRows8Bit(const Rows8Bit& x, size_t line_depth, int32_t* sums) noexcept {
  HWY_DYNAMIC_DISPATCH(SumRows)(x, line_depth, sums);
}

}  // namespace assay::kernels::simd
#endif
