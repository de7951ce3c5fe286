// The parts of an LSTM of integers (kernels/ref/lstm_integer.h) around its products, to the bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/ref/lstm_integer.h"
#include "kernels/simd/scales.h"

namespace assay::kernels::simd {

// gates[i] = sums[i] rescaled (MultiplyHalfAway), plus base[i] unless that is null, saturated. `count` is whole blocks
// of channels; base may be gates.
void RescaleLstmGates(const int32_t* sums, const ChannelScales& scales, size_t count, const int16_t* base,
                      int16_t* gates) noexcept;

// Functions of all 16-bit values, by the value as an unsigned number.
struct LstmTables {
  const int16_t *logistic, *tanh;  // of a gate
  const int16_t* cell_tanh;
};

// One step without a projection: gates[0] to gates[3] are the input, forget, cell and output gates before their
// activations.
void LstmIntegerCells(const ref::LstmInteger& lstm, const LstmTables& tables, const int16_t* const* gates,
                      int16_t* cell_state, int8_t* output_state) noexcept;

}  // namespace assay::kernels::simd
