#include "kernels/ref/dynamic_range.h"

#include <algorithm>

namespace assay::kernels::ref {
namespace {

// The built-in kernels convert in blocks of 8 that round by adding half and truncating; the rest rounds half away.
constexpr size_t kBlock = 8;

int32_t ToInt(float x) {
  constexpr float kLimit = 1 << 24;
  if (std::isnan(x)) return 0;
  return static_cast<int32_t>(std::clamp(x, -kLimit, kLimit));
}

int32_t RoundInBlock(float x) { return ToInt(x + (x < 0 ? -0.5f : 0.5f)); }

struct Extent {
  float low, high;
};

Extent FindExtent(std::span<const float> values) {
  Extent e = {values.empty() ? 0 : values[0], values.empty() ? 0 : values[0]};
  for (const float v : values) {
    e.low = v < e.low ? v : e.low;
    e.high = v > e.high ? v : e.high;
  }
  return e;
}

int8_t ToCode(int32_t x, int32_t low) { return static_cast<int8_t>(std::clamp(x, low, 127)); }

DynamicRange QuantizeSymmetrically(std::span<const float> values, int8_t* codes) {
  const Extent e = FindExtent(values);
  const float range = std::max(std::abs(e.low), std::abs(e.high));
  if (range == 0) {
    std::fill_n(codes, values.size(), int8_t{0});
    return {};
  }
  const float inverse = 127.0f / range;
  const size_t in_blocks = values.size() / kBlock * kBlock;
  for (size_t i = 0; i < values.size(); ++i) {
    const float x = values[i] * inverse;
    codes[i] = ToCode(i < in_blocks ? RoundInBlock(x) : ToInt(std::round(x)), -127);
  }
  return {.scale = range / 127.0f, .zero_point = 0};
}

DynamicRange QuantizeAsymmetrically(std::span<const float> values, int8_t* codes) {
  const Extent e = FindExtent(values);
  const float low = std::min(0.0f, e.low), high = std::max(0.0f, e.high);
  if (low == high) {
    std::fill_n(codes, values.size(), int8_t{0});
    return {};
  }
  const double scale = static_cast<double>(high - low) / 255.0;
  // The end of the range that the zero point represents with the smaller error decides.
  const double low_steps = static_cast<double>(low) / scale, high_steps = static_cast<double>(high) / scale;
  const double real_zero =
      128.0 + std::abs(low_steps) < 127.0 + std::abs(high_steps) ? -128.0 - low_steps : 127.0 - high_steps;
  int32_t zero = 0;
  if (real_zero <= -128.0) {
    zero = -128;
  } else if (real_zero >= 127.0) {
    zero = 127;
  } else if (!std::isnan(real_zero)) {
    zero = static_cast<int32_t>(std::round(real_zero));
  }
  const auto input_scale = static_cast<float>(scale);
  const float inverse = 1.0f / input_scale;
  const size_t in_blocks = values.size() / kBlock * kBlock;
  for (size_t i = 0; i < values.size(); ++i) {
    const float x = values[i] * inverse;
    codes[i] = ToCode(i < in_blocks ? RoundInBlock(x) + zero : ToInt(static_cast<float>(zero) + std::round(x)), -128);
  }
  return {.scale = input_scale, .zero_point = zero};
}

DynamicRange QuantizeAsXnnpack(std::span<const float> values, int8_t* codes) {
  const Extent e = FindExtent(values);
  const XnnpackRange r = RangeAsXnnpack(e.low, e.high);
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t x = std::clamp(ToInt(std::nearbyintf(values[i] * r.steps)), -32768, 32767);
    codes[i] = ToCode(x + r.range.zero_point, -128);
  }
  return r.range;
}

}  // namespace

DynamicRange QuantizeDynamically(DynamicQuantizer how, std::span<const float> values, int8_t* codes) noexcept {
  switch (how) {
    case DynamicQuantizer::kSymmetric:
      return QuantizeSymmetrically(values, codes);
    case DynamicQuantizer::kAsymmetric:
      return QuantizeAsymmetrically(values, codes);
    case DynamicQuantizer::kXnnpack:
      return QuantizeAsXnnpack(values, codes);
  }
  return {};
}

}  // namespace assay::kernels::ref
