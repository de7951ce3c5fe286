// Reductions along any axes, in the order of the input: the sums of floats depend on it.
#pragma once

#include <cstdint>

#include "numerics/requantize.h"

namespace assay::kernels::ref {

inline constexpr int kMaxReduceRank = 8;

struct ReduceGeometry {
  int rank = 0;
  int32_t dims[kMaxReduceRank] = {};
  bool reduced[kMaxReduceRank] = {};
  int64_t input_size = 1;
  int64_t output_size = 1;
  int64_t count = 1;  // of inputs per output
};

enum class ReduceKind : uint8_t { kSum, kProd, kMax, kMin };

// float and integers; integers wrap. With `from_first` an output starts as its first input, else as the neutral value;
// where there is no input it is the neutral value in any case.
template <typename T>
void Reduce(const ReduceGeometry& g, ReduceKind kind, bool from_first, const T* input, T* output) noexcept;

// Bools as bytes: what is not 0 is true.
void ReduceBool(const ReduceGeometry& g, bool all, const uint8_t* input, uint8_t* output) noexcept;

// Sums in the order of the input.
void SumFloat(const ReduceGeometry& g, const float* input, float* output) noexcept;

// Sums in float one after the other, divided by their count; NaN where there is nothing to sum up.
void MeanFloat(const ReduceGeometry& g, const float* input, float* output) noexcept;
// Sums in double, rounded once; with `mean` times float(1 / count).
void SumFloatWide(const ReduceGeometry& g, bool mean, const float* input, double* sums, float* output) noexcept;
// Sums in int64, divided with truncation; 0 where there is nothing to sum up. Integer is int32_t or int64_t.
template <typename T>
void MeanInteger(const ReduceGeometry& g, const T* input, int64_t* sums, T* output) noexcept;

// Raw sums of codes; they wrap.
template <typename T>
void SumCodes(const ReduceGeometry& g, const T* input, int32_t* sums) noexcept;

// What follows the sums of codes, for MEAN and SUM. docs/numerics.md, "Reductions".
struct CodeSumStage {
  enum class Rule : uint8_t {
    kFixed,       // D((sum - count * zi) * scale) + zo
    kFixedRaw,    // on the raw sum, the bias made ahead: half up in blocks of 16 channels, half away in the tail
    kFloatAfter,  // round half away of float(float(sum * s) + bias), wrapping + zo
    kHalfEven,    // half to even of float(float(float(sum) * s) + y)
  };
  Rule rule = Rule::kFixed;
  numerics::FixedPointScale scale;
  int32_t input_zero_total = 0;  // count * zi, wrapped
  int32_t output_zero_point = 0;
  int32_t bias = 0;      // kFixedRaw
  int32_t channels = 1;  // kFixedRaw: the innermost dimension of the output
  float real_scale = 0, real_bias = 0;
};
template <typename T>
void FinishCodeSums(const CodeSumStage& stage, int64_t size, const int32_t* sums, T* output) noexcept;

// Quantized product: each step is scaled by a 15-bit multiplier so that it does not overflow, the last one again.
template <typename T>
void ProdCodes(const ReduceGeometry& g, numerics::FixedPointScale scale, int32_t input_zero_point,
               int32_t output_zero_point, const T* input, int32_t* products, T* output) noexcept;

}  // namespace assay::kernels::ref
