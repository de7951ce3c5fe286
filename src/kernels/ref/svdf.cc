#include "kernels/ref/svdf.h"

#include <algorithm>
#include <cstring>

namespace assay::kernels::ref {
namespace {

// Moves every filter's values one step into the past; the newest is to be written behind them.
template <typename T>
void Age(const SvdfGeometry& g, T* state) {
  const int64_t count = int64_t{g.batches} * g.filters * g.memory;
  if (count > 1) std::memmove(state, state + 1, static_cast<size_t>(count - 1) * sizeof(T));
}

template <typename T>
T& Newest(const SvdfGeometry& g, T* state, int32_t batch, int32_t filter) {
  return state[(int64_t{batch} * g.filters + filter + 1) * g.memory - 1];
}

// weight(filter, age) gives the time weights.
template <typename Weight>
void WeightInTime(const SvdfGeometry& g, RecurrentActivation activation, const float* bias, const float* state,
                  float* output, Weight&& weight) {
  const int32_t units = g.units();
  for (int32_t b = 0; b < g.batches; ++b) {
    for (int32_t u = 0; u < units; ++u) {
      double sum = 0;
      for (int32_t f = u * g.rank; f < (u + 1) * g.rank; ++f) {
        const float* x = state + (int64_t{b} * g.filters + f) * g.memory;
        for (int32_t m = 0; m < g.memory; ++m) sum += static_cast<double>(weight(f, m)) * static_cast<double>(x[m]);
      }
      if (bias != nullptr) sum += static_cast<double>(bias[u]);
      output[int64_t{b} * units + u] = Activate(activation, static_cast<float>(sum));
    }
  }
}

}  // namespace

void SvdfFloat(const SvdfGeometry& g, RecurrentActivation activation, const float* input, const float* feature,
               const float* time, const float* bias, float* state, float* output) noexcept {
  Age(g, state);
  for (int32_t b = 0; b < g.batches; ++b) {
    for (int32_t f = 0; f < g.filters; ++f) {
      const float *x = input + int64_t{b} * g.inputs, *w = feature + int64_t{f} * g.inputs;
      double sum = 0;
      for (int32_t i = 0; i < g.inputs; ++i) sum += static_cast<double>(w[i]) * static_cast<double>(x[i]);
      Newest(g, state, b, f) = static_cast<float>(sum);
    }
  }
  WeightInTime(g, activation, bias, state, output,
               [&](int32_t f, int32_t m) { return time[int64_t{f} * g.memory + m]; });
}

void SvdfHybrid(const SvdfGeometry& g, RecurrentActivation activation, DynamicQuantizer quantizer, const float* input,
                const HybridMatrix& feature, const HybridMatrix& time, const float* bias, int8_t* codes,
                float* features, float* state, float* output) noexcept {
  Age(g, state);
  for (int32_t b = 0; b < g.batches; ++b) {
    std::fill_n(features, g.filters, 0.0F);
    AddProduct(feature, g.filters, g.inputs,
               QuantizeHybridVector(quantizer, input + int64_t{b} * g.inputs, g.inputs, codes), features);
    for (int32_t f = 0; f < g.filters; ++f) Newest(g, state, b, f) = features[f];
  }
  WeightInTime(g, activation, bias, state, output, [&](int32_t f, int32_t m) {
    return static_cast<float>(time.weights[int64_t{f} * g.memory + m]) * time.scale;
  });
}

void SvdfInteger(const SvdfGeometry& g, const SvdfScales& scales, const int8_t* input, const int8_t* feature,
                 const int16_t* time, const int32_t* bias, int16_t* state, int8_t* output) noexcept {
  Age(g, state);
  for (int32_t b = 0; b < g.batches; ++b) {
    for (int32_t f = 0; f < g.filters; ++f) {
      const int8_t *x = input + int64_t{b} * g.inputs, *w = feature + int64_t{f} * g.inputs;
      uint32_t sum = 0;  // wraps, as all sums here
      for (int32_t i = 0; i < g.inputs; ++i) {
        sum += static_cast<uint32_t>(int32_t{w[i]} * (int32_t{x[i]} - scales.input_zero_point));
      }
      const int32_t value = numerics::MultiplyHalfAway(static_cast<int32_t>(sum), scales.feature);
      Newest(g, state, b, f) = static_cast<int16_t>(std::clamp(value, -32768, 32767));
    }
  }
  const int32_t units = g.units();
  for (int32_t b = 0; b < g.batches; ++b) {
    for (int32_t u = 0; u < units; ++u) {
      uint32_t sum = bias == nullptr ? 0 : static_cast<uint32_t>(bias[u]);
      for (int32_t f = u * g.rank; f < (u + 1) * g.rank; ++f) {
        const int16_t* x = state + (int64_t{b} * g.filters + f) * g.memory;
        const int16_t* w = time + int64_t{f} * g.memory;
        for (int32_t m = 0; m < g.memory; ++m) sum += static_cast<uint32_t>(int32_t{w[m]} * int32_t{x[m]});
      }
      const int64_t y =
          int64_t{numerics::MultiplyHalfAway(static_cast<int32_t>(sum), scales.output)} + scales.output_zero_point;
      output[int64_t{b} * units + u] = static_cast<int8_t>(std::clamp<int64_t>(y, -128, 127));
    }
  }
}

}  // namespace assay::kernels::ref
