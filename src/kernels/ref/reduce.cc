#include "kernels/ref/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace assay::kernels::ref {
namespace {

// Calls each(input offset, output offset, whether it is the output's first input) in the order of the input.
template <typename Each>
inline void ForInputs(const ReduceGeometry& g, Each&& each) {
  if (g.input_size == 0) return;
  int64_t stride[kMaxReduceRank] = {};
  int64_t step = 1;
  for (int d = g.rank - 1; d >= 0; --d) {
    if (g.reduced[d]) continue;
    stride[d] = step;
    step *= g.dims[d];
  }
  int32_t index[kMaxReduceRank] = {};
  int64_t to = 0;
  int nonzero = 0;  // reduced dimensions whose index is not 0
  for (int64_t from = 0; from < g.input_size; ++from) {
    each(from, to, nonzero == 0);
    for (int d = g.rank - 1; d >= 0; --d) {
      if (g.reduced[d] && index[d] == 0 && g.dims[d] > 1) ++nonzero;
      if (++index[d] < g.dims[d]) {
        to += stride[d];
        break;
      }
      to -= stride[d] * (g.dims[d] - 1);
      if (g.reduced[d] && g.dims[d] > 1) --nonzero;
      index[d] = 0;
    }
  }
}

template <typename T>
T WrappingAdd(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(static_cast<U>(a) + static_cast<U>(b)));
  } else {
    return a + b;
  }
}

template <typename T>
T WrappingMul(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}

template <typename T, typename Combine>
void ReduceWith(const ReduceGeometry& g, T neutral, bool from_first, const T* input, T* output, Combine combine) {
  std::fill_n(output, g.output_size, neutral);
  ForInputs(g, [&](int64_t from, int64_t to, bool first) {
    output[to] = first && from_first ? input[from] : combine(output[to], input[from]);
  });
}

template <typename T>
T Clamped(int64_t value) {
  return static_cast<T>(std::clamp<int64_t>(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

// What does not fit becomes the lowest value, as the machine's conversion does it.
int32_t TruncateAsX86(float x) {
  return x >= -2147483648.0F && x < 2147483648.0F ? static_cast<int32_t>(x) : std::numeric_limits<int32_t>::min();
}

}  // namespace

template <typename T>
void Reduce(const ReduceGeometry& g, ReduceKind kind, bool from_first, const T* input, T* output) noexcept {
  switch (kind) {
    case ReduceKind::kSum:
      return ReduceWith(g, T{0}, from_first, input, output, [](T a, T b) { return WrappingAdd(a, b); });
    case ReduceKind::kProd:
      return ReduceWith(g, T{1}, from_first, input, output, [](T a, T b) { return WrappingMul(a, b); });
    case ReduceKind::kMax:
      // The two differ where a NaN is met: the first keeps it, the second passes it over.
      if (from_first) {
        return ReduceWith(g, std::numeric_limits<T>::lowest(), true, input, output,
                          [](T a, T b) { return a > b ? a : b; });
      }
      return ReduceWith(g, std::numeric_limits<T>::lowest(), false, input, output,
                        [](T a, T b) { return b > a ? b : a; });
    case ReduceKind::kMin:
      if (from_first) {
        return ReduceWith(g, std::numeric_limits<T>::max(), true, input, output,
                          [](T a, T b) { return a < b ? a : b; });
      }
      return ReduceWith(g, std::numeric_limits<T>::max(), false, input, output, [](T a, T b) { return b < a ? b : a; });
  }
}

template void Reduce<float>(const ReduceGeometry&, ReduceKind, bool, const float*, float*) noexcept;
template void Reduce<int8_t>(const ReduceGeometry&, ReduceKind, bool, const int8_t*, int8_t*) noexcept;
template void Reduce<uint8_t>(const ReduceGeometry&, ReduceKind, bool, const uint8_t*, uint8_t*) noexcept;
template void Reduce<int16_t>(const ReduceGeometry&, ReduceKind, bool, const int16_t*, int16_t*) noexcept;
template void Reduce<int32_t>(const ReduceGeometry&, ReduceKind, bool, const int32_t*, int32_t*) noexcept;
template void Reduce<int64_t>(const ReduceGeometry&, ReduceKind, bool, const int64_t*, int64_t*) noexcept;

void ReduceBool(const ReduceGeometry& g, bool all, const uint8_t* input, uint8_t* output) noexcept {
  std::fill_n(output, g.output_size, static_cast<uint8_t>(all ? 1 : 0));
  ForInputs(g, [&](int64_t from, int64_t to, bool) {
    const bool x = input[from] != 0;
    output[to] = static_cast<uint8_t>(all ? output[to] != 0 && x : output[to] != 0 || x);
  });
}

void MeanFloat(const ReduceGeometry& g, const float* input, float* output) noexcept {
  if (g.input_size == 0) {
    std::fill_n(output, g.output_size, std::numeric_limits<float>::quiet_NaN());
    return;
  }
  Reduce(g, ReduceKind::kSum, false, input, output);
  for (int64_t i = 0; i < g.output_size; ++i) output[i] /= static_cast<float>(g.count);
}

void SumFloat(const ReduceGeometry& g, const float* input, float* output) noexcept {
  std::fill_n(output, g.output_size, 0.0F);
  ForInputs(g, [&](int64_t from, int64_t to, bool) { output[to] += input[from]; });
}

void SumFloatWide(const ReduceGeometry& g, bool mean, const float* input, double* sums, float* output) noexcept {
  std::fill_n(sums, g.output_size, 0.0);
  ForInputs(g, [&](int64_t from, int64_t to, bool) { sums[to] += static_cast<double>(input[from]); });
  const float factor = mean ? 1.0F / static_cast<float>(g.count) : 1.0F;
  for (int64_t i = 0; i < g.output_size; ++i) output[i] = static_cast<float>(sums[i]) * factor;
}

template <typename T>
void MeanInteger(const ReduceGeometry& g, const T* input, int64_t* sums, T* output) noexcept {
  std::fill_n(sums, g.output_size, 0);
  ForInputs(g, [&](int64_t from, int64_t to, bool) { sums[to] = WrappingAdd(sums[to], int64_t{input[from]}); });
  for (int64_t i = 0; i < g.output_size; ++i) output[i] = g.count == 0 ? T{0} : static_cast<T>(sums[i] / g.count);
}

template void MeanInteger<int32_t>(const ReduceGeometry&, const int32_t*, int64_t*, int32_t*) noexcept;
template void MeanInteger<int64_t>(const ReduceGeometry&, const int64_t*, int64_t*, int64_t*) noexcept;

template <typename T>
void SumCodes(const ReduceGeometry& g, const T* input, int32_t* sums) noexcept {
  std::fill_n(sums, g.output_size, 0);
  ForInputs(g, [&](int64_t from, int64_t to, bool) { sums[to] = WrappingAdd(sums[to], int32_t{input[from]}); });
}

template void SumCodes<int8_t>(const ReduceGeometry&, const int8_t*, int32_t*) noexcept;
template void SumCodes<uint8_t>(const ReduceGeometry&, const uint8_t*, int32_t*) noexcept;
template void SumCodes<int16_t>(const ReduceGeometry&, const int16_t*, int32_t*) noexcept;

template <typename T>
void FinishCodeSums(const CodeSumStage& stage, int64_t size, const int32_t* sums, T* output) noexcept {
  constexpr int32_t kBlock = 16;
  constexpr auto kLow = static_cast<float>(std::numeric_limits<T>::min());
  constexpr auto kHigh = static_cast<float>(std::numeric_limits<T>::max());
  switch (stage.rule) {
    case CodeSumStage::Rule::kFixed:
      for (int64_t i = 0; i < size; ++i) {
        const int32_t sum = WrappingAdd(sums[i], WrappingMul(stage.input_zero_total, -1));
        output[i] = Clamped<T>(int64_t{numerics::MultiplyHalfAway(sum, stage.scale)} + stage.output_zero_point);
      }
      return;
    case CodeSumStage::Rule::kFixedRaw:
      for (int64_t i = 0; i < size; ++i) {
        const auto channel = static_cast<int32_t>(i % stage.channels);
        const bool in_block = channel < stage.channels / kBlock * kBlock;
        const int32_t y = in_block ? numerics::MultiplyHalfUp(sums[i], stage.scale)
                                   : numerics::MultiplyHalfAway(sums[i], stage.scale);
        output[i] = Clamped<T>(int64_t{y} + stage.bias);
      }
      return;
    case CodeSumStage::Rule::kFloatAfter:
      for (int64_t i = 0; i < size; ++i) {
        const float y = static_cast<float>(sums[i]) * stage.real_scale + stage.real_bias;
        output[i] = Clamped<T>(WrappingAdd(TruncateAsX86(std::round(y)), stage.output_zero_point));
      }
      return;
    case CodeSumStage::Rule::kHalfEven:
      for (int64_t i = 0; i < size; ++i) {
        const float y = static_cast<float>(sums[i]) * stage.real_scale + stage.real_bias;
        output[i] = static_cast<T>(numerics::RoundHalfEvenClamped(y, kLow, kHigh));
      }
      return;
  }
}

template void FinishCodeSums<int8_t>(const CodeSumStage&, int64_t, const int32_t*, int8_t*) noexcept;
template void FinishCodeSums<uint8_t>(const CodeSumStage&, int64_t, const int32_t*, uint8_t*) noexcept;
template void FinishCodeSums<int16_t>(const CodeSumStage&, int64_t, const int32_t*, int16_t*) noexcept;

template <typename T>
void ProdCodes(const ReduceGeometry& g, numerics::FixedPointScale scale, int32_t input_zero_point,
               int32_t output_zero_point, const T* input, int32_t* products, T* output) noexcept {
  const auto rescaled = [narrow = numerics::ScaleOf15Bits(scale)](int64_t x) {
    return static_cast<int32_t>(narrow.Apply(x));
  };
  ForInputs(g, [&](int64_t from, int64_t to, bool first) {
    const int32_t x = int32_t{input[from]} - input_zero_point;
    products[to] = first ? x : rescaled(int64_t{products[to]} * x);
  });
  for (int64_t i = 0; i < g.output_size; ++i) {
    output[i] = g.count == 0 ? T{0} : Clamped<T>(int64_t{rescaled(products[i])} + output_zero_point);
  }
}

template void ProdCodes<int8_t>(const ReduceGeometry&, numerics::FixedPointScale, int32_t, int32_t, const int8_t*,
                                int32_t*, int8_t*) noexcept;
template void ProdCodes<int16_t>(const ReduceGeometry&, numerics::FixedPointScale, int32_t, int32_t, const int16_t*,
                                 int32_t*, int16_t*) noexcept;

}  // namespace assay::kernels::ref
