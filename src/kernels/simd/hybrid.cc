#include "kernels/simd/hybrid.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/hybrid.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

// The smallest and the largest of at least one value.
void FindExtent(const float* HWY_RESTRICT x, size_t count, float* ends) {
  const hn::CappedTag<float, 16> d;
  using V = hn::Vec<decltype(d)>;
  constexpr size_t kLanes = hn::MaxLanes(d), kStep = 4 * kLanes;
  float low = x[0], high = x[0];
  size_t i = 0;
  if (count >= kStep) {
    V lows[4], highs[4];
    for (size_t k = 0; k < 4; ++k) lows[k] = highs[k] = hn::LoadU(d, x + k * kLanes);
    for (; i + kStep <= count; i += kStep) {
      for (size_t k = 0; k < 4; ++k) {
        const V v = hn::LoadU(d, x + i + k * kLanes);
        lows[k] = hn::Min(lows[k], v), highs[k] = hn::Max(highs[k], v);
      }
    }
    for (size_t k = 1; k < 4; ++k) lows[0] = hn::Min(lows[0], lows[k]), highs[0] = hn::Max(highs[0], highs[k]);
    low = hn::GetLane(hn::MinOfLanes(d, lows[0])), high = hn::GetLane(hn::MaxOfLanes(d, highs[0]));
  }
  for (; i < count; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  ends[0] = low, ends[1] = high;
}

// Limited to what an int32 holds with room to add a zero point; in this order
// NaN is limited too.
HWY_INLINE int32_t ToInt(float x) {
  constexpr float kLimit = 1 << 24;
  return static_cast<int32_t>(std::min(kLimit, std::max(-kLimit, x)));
}

// codes[i] = clamp(trunc(x * factor +- half) + zero)
void QuantizeInBlocks(const float* HWY_RESTRICT x, size_t count, float factor, int32_t zero, int32_t low,
                      int8_t* HWY_RESTRICT codes) {
  for (size_t i = 0; i < count; ++i) {
    const float y = x[i] * factor;
    const int32_t rounded = ToInt(y + (y < 0 ? -0.5F : 0.5F)) + zero;
    codes[i] = static_cast<int8_t>(std::min(std::max(rounded, low), 127));
  }
}

// codes[i] = clamp(rint(x * factor) + zero)
void QuantizeHalfEven(const float* HWY_RESTRICT x, size_t count, float factor, int32_t zero,
                      int8_t* HWY_RESTRICT codes) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t rounded = std::min(std::max(ToInt(std::nearbyintf(x[i] * factor)), -32768), 32767) + zero;
    codes[i] = static_cast<int8_t>(std::min(std::max(rounded, -128), 127));
  }
}

template <ref::HybridScaling kScaling>
HWY_INLINE void ScaleSums(const int32_t* HWY_RESTRICT sums, const int32_t* HWY_RESTRICT weight_sums, uint32_t zero,
                          size_t begin, size_t end, const RowScaling& row, float* HWY_RESTRICT out) {
  const float* HWY_RESTRICT scales = row.scales;
  const float* HWY_RESTRICT bias = row.bias;
  const float input_scale = row.input_scale, low = row.low, high = row.high;
  for (size_t o = begin; o < end; ++o) {
    const auto sum =
        static_cast<int32_t>(static_cast<uint32_t>(sums[o]) - zero * static_cast<uint32_t>(weight_sums[o]));
    out[o] = std::min(std::max(ref::HybridValue(kScaling, sum, input_scale, scales[o], bias[o]), low), high);
  }
}

// out[o] from sums[o] - zero * weight_sums[o], modulo 2^32.
void ScaleRow(ref::HybridScaling scaling, const int32_t* sums, const int32_t* weight_sums, uint32_t zero, size_t begin,
              size_t end, const RowScaling& row, float* out) {
  using ref::HybridScaling;
  switch (scaling) {
    case HybridScaling::kScalesFirst:
      return ScaleSums<HybridScaling::kScalesFirst>(sums, weight_sums, zero, begin, end, row, out);
    case HybridScaling::kWeightFirst:
      return ScaleSums<HybridScaling::kWeightFirst>(sums, weight_sums, zero, begin, end, row, out);
    case HybridScaling::kInputFirst:
      return ScaleSums<HybridScaling::kInputFirst>(sums, weight_sums, zero, begin, end, row, out);
    case HybridScaling::kFused:
      return ScaleSums<HybridScaling::kFused>(sums, weight_sums, zero, begin, end, row, out);
  }
}

void QuantizeXnnpackRows(const float* values, size_t rows, size_t size, int8_t* codes, ref::DynamicRange* ranges) {
  // The ranges of several rows come out together, for their divisions take long.
  constexpr size_t kTogether = 16;
  for (size_t r = 0; r < rows; r += kTogether) {
    const size_t count = std::min(kTogether, rows - r);
    float lows[kTogether] = {}, highs[kTogether] = {}, steps[kTogether], scales[kTogether];
    int32_t zeros[kTogether];
    for (size_t i = 0; i < count; ++i) {
      float ends[2];
      FindExtent(values + (r + i) * size, size, ends);
      lows[i] = ends[0], highs[i] = ends[1];
    }
    for (size_t i = 0; i < kTogether; ++i) {
      const ref::XnnpackRange range = ref::RangeAsXnnpack(lows[i], highs[i]);
      steps[i] = range.steps, scales[i] = range.range.scale, zeros[i] = range.range.zero_point;
    }
    for (size_t i = 0; i < count; ++i) {
      ranges[r + i] = {scales[i], zeros[i]};
      QuantizeHalfEven(values + (r + i) * size, size, steps[i], zeros[i], codes + (r + i) * size);
    }
  }
}

void ScaleRows(const MatrixHybrid& m, const ref::DynamicRange* ranges, size_t first, size_t rows_per_range, size_t rows,
               const int32_t* sums, float* output) {
  const size_t outputs = m.sums.outputs, width = PaddedOutputs(outputs);
  size_t at = first / rows_per_range, left = (at + 1) * rows_per_range - first;  // rows of that range
  for (size_t r = 0; r < rows; ++r, --left, sums += width, output += outputs) {
    if (left == 0) ++at, left = rows_per_range;
    // sum (u - 128 - zero) w = sum u w - (128 + zero) sum w
    ScaleRow(m.scaling, sums, m.weight_sums, static_cast<uint32_t>(ranges[at].zero_point + 128), 0, outputs,
             {ranges[at].scale, m.scales, m.bias, m.low, m.high}, output);
  }
}

HWY_INLINE void AddTap(const int8_t* HWY_RESTRICT x, int32_t zero, const int8_t* HWY_RESTRICT w, size_t channels,
                       int32_t* HWY_RESTRICT sums) {
  for (size_t c = 0; c < channels; ++c) sums[c] += (int32_t{x[c]} - zero) * int32_t{w[c]};
}

void Depthwise(const ref::Conv2DGeometry& g, const DepthwiseHybrid& f, const ref::DynamicRange& range,
               const int8_t* codes, Range rows, int32_t* sums, float* output) {
  const auto channels = static_cast<size_t>(g.input_c);
  const RowScaling scaling = {range.scale, f.scales, f.bias, f.low, f.high};
  output += rows.begin * static_cast<size_t>(g.output_w) * channels;
  for (auto oy = static_cast<int64_t>(rows.begin); oy < static_cast<int64_t>(rows.end); ++oy) {
    for (int32_t ox = 0; ox < g.output_w; ++ox, output += channels) {
      std::fill_n(sums, channels, 0);
      for (int32_t ky = 0; ky < g.filter_h; ++ky) {
        const int64_t y = oy * g.stride_h - g.pad_h + int64_t{ky} * g.dilation_h;
        if (y < 0 || y >= g.input_h) continue;
        for (int32_t kx = 0; kx < g.filter_w; ++kx) {
          const int64_t x = int64_t{ox} * g.stride_w - g.pad_w + int64_t{kx} * g.dilation_w;
          if (x < 0 || x >= g.input_w) continue;
          AddTap(codes + (y * g.input_w + x) * g.input_c, range.zero_point,
                 f.weights + (int64_t{ky} * g.filter_w + kx) * g.input_c, channels, sums);
        }
      }
      ScaleRow(f.blocks, sums, sums, 0, 0, f.blocked_channels, scaling, output);
      ScaleRow(f.tail, sums, sums, 0, f.blocked_channels, channels, scaling, output);
    }
  }
}

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

HWY_EXPORT(QuantizeXnnpackRows);
HWY_EXPORT(ScaleRows);
HWY_EXPORT(FindExtent);
HWY_EXPORT(QuantizeInBlocks);
HWY_EXPORT(QuantizeHalfEven);
HWY_EXPORT(Depthwise);

ref::DynamicRange QuantizeDynamically(ref::DynamicQuantizer how, std::span<const float> values,
                                      int8_t* codes) noexcept {
  using ref::DynamicQuantizer;
  // kernels/ref's own code for few values gives scale and zero point, which the
  // ends of the range decide, and the codes of those that are left of blocks
  // of 8.
  constexpr size_t kBlock = 8, kMostLeft = kBlock - 1 - 2;
  if (values.size() < kBlock) return ref::QuantizeDynamically(how, values, codes);
  if (how == DynamicQuantizer::kXnnpack) {
    ref::DynamicRange range;
    HWY_DYNAMIC_DISPATCH(QuantizeXnnpackRows)(values.data(), 1, values.size(), codes, &range);
    return range;
  }
  float few[kBlock];
  int8_t few_codes[kBlock];
  HWY_DYNAMIC_DISPATCH(FindExtent)(values.data(), values.size(), few);
  const float low = few[0], high = few[1];
  const ref::DynamicRange range = ref::QuantizeDynamically(how, {few, 2}, few_codes);
  if (low == 0 && high == 0) {
    std::fill_n(codes, values.size(), int8_t{0});
    return range;
  }
  const bool symmetric = how == DynamicQuantizer::kSymmetric;
  const float factor = symmetric ? 127.0F / std::max(std::abs(low), std::abs(high)) : 1.0F / range.scale;
  const size_t blocked = values.size() / kBlock * kBlock;
  HWY_DYNAMIC_DISPATCH(QuantizeInBlocks)
  (values.data(), blocked, factor, range.zero_point, symmetric ? -127 : -128, codes);
  for (size_t i = blocked; i < values.size();) {
    const size_t count = std::min(kMostLeft, values.size() - i);
    std::copy_n(values.data() + i, count, few + 2);
    ref::QuantizeDynamically(how, {few, 2 + count}, few_codes);
    std::copy_n(few_codes + 2, count, codes + i);
    i += count;
  }
  return range;
}

void QuantizeRows(ref::DynamicQuantizer how, const float* values, size_t rows, size_t size, int8_t* codes,
                  ref::DynamicRange* ranges) noexcept {
  if (how == ref::DynamicQuantizer::kXnnpack && size > 0) {
    return HWY_DYNAMIC_DISPATCH(QuantizeXnnpackRows)(values, rows, size, codes, ranges);
  }
  for (size_t r = 0; r < rows; ++r)
    ranges[r] = simd::QuantizeDynamically(how, {values + r * size, size}, codes + r * size);
}

void ScaleHybrid(const MatrixHybrid& m, const ref::DynamicRange* ranges, size_t first, size_t rows_per_range,
                 size_t rows, const int32_t* sums, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(ScaleRows)(m, ranges, first, rows_per_range, rows, sums, output);
}

void DepthwiseConv2DHybrid(const ref::Conv2DGeometry& g, const DepthwiseHybrid& filter, const ref::DynamicRange& range,
                           const int8_t* codes, Range rows, int32_t* sums, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(Depthwise)(g, filter, range, codes, rows, sums, output);
}

}  // namespace assay::kernels::simd
#endif
