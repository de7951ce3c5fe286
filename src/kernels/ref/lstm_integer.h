// One time step of one sequence of an LSTM with int8 inputs, weights and outputs, int16 gates and int16 cells: TFLite's
// "8x8 to 16". Gates before their activation have 3 integer bits, behind it none; a cell has 15 + cell_exponent.
#pragma once

#include <cstdint>

#include "kernels/ref/lstm.h"
#include "numerics/requantize.h"

namespace assay::kernels::ref {

struct LstmIntegerMatrix {
  const int8_t* weights = nullptr;
  const int32_t* bias = nullptr;  // zero points folded in
  numerics::FixedPointScale scale;
};
struct LstmIntegerGate {
  LstmIntegerMatrix input, recurrent;  // no input weights: CIFG
  const int16_t* peephole = nullptr;   // optional
  numerics::FixedPointScale peephole_scale;
  const int16_t* layer_norm = nullptr;  // optional
  const int32_t* layer_norm_bias = nullptr;
  numerics::FixedPointScale layer_norm_scale;
  int32_t variance_guard = 1;  // in place of a variance below 1
};
struct LstmInteger {
  LstmSizes sizes;
  LstmIntegerGate gates[kLstmGates];
  LstmIntegerMatrix projection;  // optional
  numerics::FixedPointScale hidden_scale;
  int32_t hidden_zero_point = 0, output_zero_point = 0;
  int16_t cell_clip = 0;        // 0: none
  int8_t projection_clip = 0;   // 0: none
  int32_t cell_exponent = -11;  // of 2: the cell's scale; -15 to -9
};

// The peephole of TFLite takes the cells of all sequences that it steps at once for one row of `outputs` weights after
// the other. A sequence on its own: {0, outputs}.
struct PeepholeSpan {
  int64_t first = 0;  // of this sequence's cells in that row
  int64_t end = 0;    // of the row
};

// `gates` has room for 4 * cells values, `hidden` for cells.
void LstmStepInteger(const LstmInteger& lstm, const PeepholeSpan& span, const int8_t* input, int8_t* output_state,
                     int16_t* cell_state, int16_t* gates, int8_t* hidden) noexcept;

// The activations of its gates (3 integer bits) and cells (0 to 6).
int16_t LstmLogistic(int16_t x) noexcept;
int16_t LstmTanh(int16_t x, int integer_bits) noexcept;

// bias (or 0) + zero_point * sum of each row of weights.
void FoldZeroPoint(const int8_t* weights, int32_t rows, int32_t columns, int32_t zero_point, const int32_t* bias,
                   int32_t* folded) noexcept;

}  // namespace assay::kernels::ref
