// One time step of one sequence of an LSTM, in float or with int8 weights ("hybrid"):
//
//   gate   = act(Wx x + Wa aux + Wr h + Wp . c + bias), layer-normalised: act(norm(...) . coefficients + bias)
//   c      = clip(forget . c + input . cell)         input = 1 - forget where it has no weights of its own (CIFG)
//   h      = clip(P (output . act(c)) + p)           without a projection: output . act(c)
//
// Without an activation (kNone) h comes from output . cell, as TFLite computes it.
#pragma once

#include <cstdint>

#include "kernels/ref/hybrid_vector.h"
#include "kernels/ref/recurrent_activation.h"

namespace assay::kernels::ref {

struct LstmSizes {
  int32_t inputs = 0, aux_inputs = 0, cells = 0, outputs = 0;
};
enum LstmGate : uint8_t { kInputGate = 0, kForgetGate, kCellGate, kOutputGate, kLstmGates };

struct LstmFloatGate {
  const float* input_weights = nullptr;      // [cells, inputs]; absent: CIFG
  const float* aux_weights = nullptr;        // [cells, aux_inputs]; optional
  const float* recurrent_weights = nullptr;  // [cells, outputs], or [cells] where diagonal
  bool recurrent_is_diagonal = false;
  const float* peephole = nullptr;    // [cells]; optional
  const float* layer_norm = nullptr;  // [cells]; optional
  const float* bias = nullptr;        // [cells]
};
struct LstmFloat {
  LstmSizes sizes;
  LstmFloatGate gates[kLstmGates];
  const float* projection = nullptr;         // [outputs, cells]; optional, outputs equal cells without it
  const float* projection_bias = nullptr;    // [outputs]; optional
  float cell_clip = 0, projection_clip = 0;  // 0: none
  RecurrentActivation activation = RecurrentActivation::kTanh;
};
// What a step reads. `aux` may be null.
struct LstmStepInput {
  const float *input, *aux;
  // Where there is no activation: how many of the two are multiplied. TFLite leaves out what is zero in all sequences
  // of the step.
  int products;
};
// `gates` is working memory for 4 * cells values. Updates both states; the new output state is the step's output.
void LstmStepFloat(const LstmFloat& lstm, const LstmStepInput& x, float* output_state, float* cell_state,
                   float* gates) noexcept;

struct LstmHybridGate {
  HybridMatrix input, aux, recurrent;
  const float* recurrent_diagonal = nullptr;  // in place of `recurrent`
  HybridMatrix peephole;
  const float* layer_norm = nullptr;
  const float* bias = nullptr;
};
struct LstmHybrid {
  LstmSizes sizes;
  LstmHybridGate gates[kLstmGates];
  HybridMatrix projection;
  const float* projection_bias = nullptr;
  float cell_clip = 0, projection_clip = 0;
  RecurrentActivation activation = RecurrentActivation::kTanh;
  DynamicQuantizer quantizer = DynamicQuantizer::kSymmetric;
};
struct LstmHybridMemory {
  float* gates = nullptr;  // 4 * cells
  int8_t* input = nullptr;
  int8_t* aux = nullptr;
  int8_t* state = nullptr;  // outputs
  int8_t* cell = nullptr;   // cells
};
void LstmStepHybrid(const LstmHybrid& lstm, const float* input, const float* aux, float* output_state,
                    float* cell_state, const LstmHybridMemory& memory) noexcept;

}  // namespace assay::kernels::ref
