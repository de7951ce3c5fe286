#include "kernels/simd/matrix_16bit.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/matrix_16bit.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/simd/dot8-inl.h"
#include "kernels/simd/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;
using D32 = hn::CappedTag<int32_t, kChannelBlock>;
constexpr size_t kVectors = kChannelBlock / hn::MaxLanes(D32());
// A product has 22 bits and a sign: so many pairs go into 32 bits before their sum is moved on.
constexpr size_t kSpan = 128;
constexpr size_t kMaxSums = 24 * kChannelBlock;

struct TileOperands {
  const int16_t* x;
  size_t stride;
  const int16_t* weights;
  size_t block_stride;  // from one block's weights to the next one's
  size_t pairs;         // at most kSpan
};

template <size_t kRows, size_t kBlocks>
HWY_NOINLINE void MultiplyTile(const TileOperands& t, int32_t* HWY_RESTRICT sums) {
  const D32 d;
  const hn::Repartition<int16_t, D32> d16;
  constexpr size_t kColumns = kBlocks * kVectors;
  hn::Vec<D32> acc[kRows][kColumns];
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c < kColumns; ++c) acc[r][c] = hn::Zero(d);
  }
  const int16_t* HWY_RESTRICT x = t.x;
  const int16_t* HWY_RESTRICT weights = t.weights;
  const size_t stride = t.stride, block_stride = t.block_stride, pairs = t.pairs;
  for (size_t p = 0; p < pairs; ++p) {
    hn::Vec<D32> w[kColumns];
    for (size_t c = 0; c < kColumns; ++c) {
      const int16_t* from = weights + c / kVectors * block_stride + p * 2 * kChannelBlock;
      w[c] = hn::BitCast(d, hn::LoadU(d16, from + c % kVectors * hn::MaxLanes(d16)));
    }
    for (size_t r = 0; r < kRows; ++r) {
      int32_t pair;
      std::memcpy(&pair, x + r * stride + 2 * p, sizeof(pair));
      const auto v = hn::Set(d, pair);
      for (size_t c = 0; c < kColumns; ++c) acc[r][c] = Dot2(d, acc[r][c], v, w[c]);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t c = 0; c < kColumns; ++c) {
      hn::StoreU(acc[r][c], d, sums + (r * kBlocks) * kChannelBlock + c * hn::MaxLanes(d));
    }
  }
}

struct TileKernel {
  using Fn = void (*)(const TileOperands&, int32_t*);
  static constexpr size_t kRowsOfTwoVectors = 4;
  template <size_t kRows, size_t kWidth>
  static Fn Get() {
    return MultiplyTile<kRows, PaddedOutputs(kWidth) / kChannelBlock>;
  }
};

HWY_INLINE void Widen(const int32_t* HWY_RESTRICT sums, size_t count, bool first, int64_t* HWY_RESTRICT wide) {
  if (first) {
    for (size_t i = 0; i < count; ++i) wide[i] = sums[i];
  } else {
    for (size_t i = 0; i < count; ++i) wide[i] += sums[i];
  }
}

void Sum(const Matrix16Bit& m, const int16_t* x, size_t rows, size_t x_stride, int64_t* out) {
  HWY_ALIGN int32_t sums[kMaxSums];
  const size_t pairs = PaddedDepth16(m.depth) / 2, width = PaddedOutputs(m.outputs);
  const size_t blocks = width / kChannelBlock, block_stride = pairs * 2 * kChannelBlock;
  for (size_t block = 0; block < blocks;) {
    const size_t wide = TileBlocks(blocks - block, kMaxBlocks), columns = wide * kChannelBlock;
    const int16_t* weights = m.weights + block * block_stride;
    for (size_t r = 0; r < rows;) {
      const Tile<TileKernel> tile = FindTile<TileKernel>(columns, rows - r);
      for (size_t p = 0; p < pairs; p += kSpan) {
        tile.multiply({x + r * x_stride + 2 * p, x_stride, weights + p * 2 * kChannelBlock, block_stride,
                       std::min(kSpan, pairs - p)},
                      sums);
        for (size_t i = 0; i < tile.rows; ++i) {
          Widen(sums + i * columns, columns, p == 0, out + (r + i) * width + block * kChannelBlock);
        }
      }
      r += tile.rows;
    }
    block += wide;
  }
}

// x rounded half away from zero.
HWY_INLINE double HalfAway(double x) {
  const double whole = std::trunc(x);
  return whole + (std::abs(x - whole) >= 0.5 ? std::copysign(1.0, x) : 0.0);
}

void Store(const Stage16Bit& stage, const int64_t* HWY_RESTRICT sums, size_t outputs, int16_t* HWY_RESTRICT out) {
  const int64_t* HWY_RESTRICT bias = stage.bias;
  if (stage.real != nullptr) {
    const double* HWY_RESTRICT real = stage.real;
    const auto low = static_cast<double>(stage.low), high = static_cast<double>(stage.high);
    for (size_t o = 0; o < outputs; ++o) {
      const auto sum = static_cast<int64_t>(static_cast<uint64_t>(sums[o]) + static_cast<uint64_t>(bias[o]));
      const double y = std::min(std::max(HalfAway(static_cast<double>(sum) * real[o]), low), high);
      out[o] = static_cast<int16_t>(static_cast<int32_t>(y));
    }
    return;
  }
  if (stage.scales != nullptr) {
    for (size_t o = 0; o < outputs; ++o) {
      const auto sum = static_cast<int32_t>(static_cast<uint64_t>(sums[o]) + static_cast<uint64_t>(bias[o]));
      out[o] = static_cast<int16_t>(numerics::Requantize(sum, stage.scales[o], stage.stage));
    }
    return;
  }
  const int64_t* HWY_RESTRICT multiplier = stage.multiplier;
  const int64_t* HWY_RESTRICT half = stage.half;
  const int64_t* HWY_RESTRICT shift = stage.shift;
  const int64_t low = stage.low, high = stage.high;
  for (size_t o = 0; o < outputs; ++o) {
    const uint64_t sum = static_cast<uint64_t>(sums[o]) + static_cast<uint64_t>(bias[o]);
    const auto product =
        static_cast<int64_t>(sum * static_cast<uint64_t>(multiplier[o]) + static_cast<uint64_t>(half[o]));
    int64_t y = product >> shift[o];
    y = y < low ? low : y;
    y = y > high ? high : y;
    out[o] = static_cast<int16_t>(y);
  }
}

HWY_INLINE void AddTap(const int16_t* HWY_RESTRICT x, const int8_t* HWY_RESTRICT w, size_t channels,
                       int64_t* HWY_RESTRICT sums) {
  for (size_t c = 0; c < channels; ++c) sums[c] += int32_t{x[c]} * int32_t{w[c]};
}

void Depthwise(const ref::Conv2DGeometry& g, const int16_t* input, const int8_t* weights, const Stage16Bit& stage,
               Range rows, int64_t* sums, int16_t* output) {
  const auto channels = static_cast<size_t>(g.input_c);
  output += rows.begin * static_cast<size_t>(g.output_w) * channels;
  for (auto row = static_cast<int64_t>(rows.begin); row < static_cast<int64_t>(rows.end); ++row) {
    const int16_t* image = input + row / g.output_h * g.ImageSize();
    const int64_t top = row % g.output_h * g.stride_h - g.pad_h;
    for (int32_t ox = 0; ox < g.output_w; ++ox, output += channels) {
      std::fill_n(sums, channels, 0);
      for (int32_t ky = 0; ky < g.filter_h; ++ky) {
        const int64_t y = top + int64_t{ky} * g.dilation_h;
        if (y < 0 || y >= g.input_h) continue;
        for (int32_t kx = 0; kx < g.filter_w; ++kx) {
          const int64_t x = int64_t{ox} * g.stride_w - g.pad_w + int64_t{kx} * g.dilation_w;
          if (x < 0 || x >= g.input_w) continue;
          AddTap(image + (y * g.input_w + x) * g.input_c, weights + (int64_t{ky} * g.filter_w + kx) * g.input_c,
                 channels, sums);
        }
      }
      Store(stage, sums, channels, output);
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {
namespace {

template <typename W, typename Part>
void Pack(size_t outputs, size_t depth, const WeightSteps& steps, const W* weights, int16_t* packed, const Part& part) {
  for (size_t first = 0; first < outputs; first += kChannelBlock) {
    const size_t channels = std::min(kChannelBlock, outputs - first);
    for (size_t k = 0; k < PaddedDepth16(depth); k += 2, packed += 2 * kChannelBlock) {
      const bool whole = k + 1 < depth;
      if (!whole || channels < kChannelBlock) std::memset(packed, 0, 2 * kChannelBlock * sizeof(int16_t));
      const W* from = weights + first * steps.output + k * steps.depth;
      for (size_t c = 0; c < channels; ++c) packed[2 * c] = part(from[c * steps.output]);
      if (!whole) continue;
      for (size_t c = 0; c < channels; ++c) packed[2 * c + 1] = part(from[c * steps.output + steps.depth]);
    }
  }
}

}  // namespace

void PackWeights16Bit(size_t outputs, size_t depth, const int8_t* weights, int16_t* packed) noexcept {
  PackStrided16Bit(outputs, depth, {depth, 1}, weights, packed);
}

void PackStrided16Bit(size_t outputs, size_t depth, const WeightSteps& steps, const int8_t* weights,
                      int16_t* packed) noexcept {
  Pack(outputs, depth, steps, weights, packed, [](int8_t w) { return w; });
}

void PackSplit16Bit(size_t outputs, size_t depth, const WeightSteps& steps, const int16_t* weights, int16_t* low,
                    int16_t* high) noexcept {
  const auto lower = [](int16_t w) { return static_cast<int8_t>(w); };
  Pack(outputs, depth, steps, weights, low, lower);
  Pack(outputs, depth, steps, weights, high, [&](int16_t w) { return static_cast<int16_t>((w - lower(w)) >> 8); });
}

HWY_EXPORT(Sum);
HWY_EXPORT(Store);
HWY_EXPORT(Depthwise);

void Sum16Bit(const Matrix16Bit& matrix, const int16_t* x, size_t rows, size_t x_stride, int64_t* sums) noexcept {
  HWY_DYNAMIC_DISPATCH(Sum)(matrix, x, rows, x_stride, sums);
}
void Store16Bit(const Stage16Bit& stage, const int64_t* sums, size_t outputs, int16_t* out) noexcept {
  HWY_DYNAMIC_DISPATCH(Store)(stage, sums, outputs, out);
}
void DepthwiseConv2DInt16(const ref::Conv2DGeometry& g, const int16_t* input, const int8_t* weights,
                          const Stage16Bit& stage, Range rows, int64_t* sums, int16_t* output) noexcept {
  HWY_DYNAMIC_DISPATCH(Depthwise)(g, input, weights, stage, rows, sums, output);
}

}  // namespace assay::kernels::simd
#endif
