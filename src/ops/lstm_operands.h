// What LSTM, UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM share: where their operands are, what they
// must be, and the run over the sequences.
#pragma once

#include <optional>

#include "graph/attributes.h"
#include "kernels/ref/lstm.h"
#include "kernels/ref/lstm_integer.h"
#include "ops/op.h"

namespace assay::ops {

inline constexpr int kNoOperand = -1;

// Positions among the op's inputs; the gates in the order input, forget, cell, output.
struct LstmOperands {
  int input = 0, aux_input = kNoOperand;
  int input_weights[kernels::ref::kLstmGates];
  int recurrent_weights[kernels::ref::kLstmGates];
  int aux_weights[kernels::ref::kLstmGates] = {kNoOperand, kNoOperand, kNoOperand, kNoOperand};
  int peephole[kernels::ref::kLstmGates];  // the cell gate has none
  int bias[kernels::ref::kLstmGates];
  int layer_norm[kernels::ref::kLstmGates] = {kNoOperand, kNoOperand, kNoOperand, kNoOperand};
  int projection = kNoOperand, projection_bias = kNoOperand;
  int output_state = kNoOperand, cell_state = kNoOperand;
};
// Of LSTM and UNIDIRECTIONAL_SEQUENCE_LSTM: 20 inputs, or 24 with the coefficients of a layer normalisation.
LstmOperands FullLstmOperands(bool with_layer_norm);

struct LstmOptions {
  graph::Activation activation = graph::Activation::kTanh;
  float cell_clip = 0, projection_clip = 0;
  bool asymmetric_quantize_inputs = false;
};

struct LstmSequence {
  int32_t batches = 0, steps = 0;
  bool time_major = false;
  bool backward = false;
  int output = 0;                                // which output of the op
  int32_t output_offset = 0, output_stride = 0;  // in a row of that output
};

// NONE, RELU, RELU6 and TANH; throws InputError for what else there is.
kernels::ref::RecurrentActivation RecurrentActivationOf(graph::Activation activation);

// Checks all operands against each other and throws InputError; the sizes follow from the weights. The operands' types
// decide between float, hybrid and integer.
kernels::ref::LstmSizes CheckLstm(const PrepareContext& context, const LstmOperands& operands);

// Runs over the sequences. Call once CheckLstm has passed and the output's shape was set.
RunFn MakeLstm(PrepareContext& context, const LstmOperands& operands, const kernels::ref::LstmSizes& sizes,
               const LstmOptions& options, const LstmSequence& sequence);

// Whether an LSTM is no more than the four gates' two products and biases, of constant weights that are worth packing
// for vector kernels, which this machine has.
bool HasPackedGates(const PrepareContext& context, const LstmOperands& operands, const kernels::ref::LstmSizes& sizes);

// The vector kernels' form of an LSTM of floats or integers; none where they do not serve: no such kernels on this
// machine, weights that are not constant, parts beyond the four gates' two products and biases.
std::optional<RunFn> PrepareVectorLstm(PrepareContext& context, const LstmOperands& operands,
                                       const kernels::ref::LstmSizes& sizes, const LstmOptions& options,
                                       const LstmSequence& sequence);
std::optional<RunFn> PrepareVectorLstm(PrepareContext& context, const LstmOperands& operands,
                                       const kernels::ref::LstmInteger& lstm, const LstmSequence& sequence);

}  // namespace assay::ops
