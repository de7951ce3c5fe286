// SVDF: a fully connected layer over time in low rank. Each filter takes one value from the input per step and keeps
// the last `memory` of them; those are weighted in time, and `rank` filters make one unit.
#pragma once

#include <cstdint>

#include "kernels/ref/hybrid_vector.h"
#include "kernels/ref/recurrent_activation.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

struct SvdfGeometry {
  int32_t batches = 0, inputs = 0, filters = 0, memory = 0, rank = 1;
  int32_t units() const { return filters / rank; }
};

// input [batches, inputs], feature weights [filters, inputs], time weights [filters, memory], bias [units] or null,
// state [batches, filters, memory], output [batches, units]. Sums in double.
void SvdfFloat(const SvdfGeometry& g, RecurrentActivation activation, const float* input, const float* feature,
               const float* time, const float* bias, float* state, float* output) noexcept;

// The same with int8 weights; the time weights are taken back to float. `codes` has room for `inputs` values,
// `features` for `filters`.
void SvdfHybrid(const SvdfGeometry& g, RecurrentActivation activation, DynamicQuantizer quantizer, const float* input,
                const HybridMatrix& feature, const HybridMatrix& time, const float* bias, int8_t* codes,
                float* features, float* state, float* output) noexcept;

struct SvdfScales {
  numerics::FixedPointScale feature, output;
  int32_t input_zero_point = 0, output_zero_point = 0;
};
void SvdfInteger(const SvdfGeometry& g, const SvdfScales& scales, const int8_t* input, const int8_t* feature,
                 const int16_t* time, const int32_t* bias, int16_t* state, int8_t* output) noexcept;

}  // namespace assay::kernels::ref
