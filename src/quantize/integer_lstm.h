// UNIDIRECTIONAL_SEQUENCE_LSTM in integers, as TensorFlow's converter writes it: inputs, outputs and weights in int8,
// biases in int32, the cells in int16 with a power of two for a scale.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "graph/model.h"
#include "ops/op.h"
#include "quantize/parameters.h"

namespace assay::quantize {

// Positions of the operands.
struct LstmOperands {
  static constexpr size_t kGates = 4, kInputWeights = 1, kRecurrentWeights = 5, kPeephole = 9, kBiases = 12,
                          kProjection = 16, kOutputState = 18, kCellState = 19, kOperands = 20, kIntermediates = 5;
};

inline bool IsLstm(const graph::Operator& op) { return op.code == graph::BuiltinOp::kUnidirectionalSequenceLstm; }
// Of an LSTM's operands: by position.
inline bool IsLstmWeights(size_t operand) {
  return operand >= LstmOperands::kInputWeights && operand < LstmOperands::kPeephole;
}
inline bool IsLstmBias(size_t operand) {
  return operand >= LstmOperands::kBiases && operand < LstmOperands::kBiases + LstmOperands::kGates;
}

// To follow the op's name; empty where it has an integer form.
std::string_view WhyLstmNotInteger(const graph::Subgraph& graph, const graph::Operator& op);

// Of cells whose values lie in `range`: what holds them is rounded up to a power of two, from 1 to 64.
Codes LstmCellCodes(Range range);

// The cells of every sequence after every step, of a float LSTM that just ran on `inputs` and had states of 0. Empty
// where it has a form that WhyLstmNotInteger names.
std::vector<float> LstmCells(const graph::Operator& op, std::span<const ops::TensorRef* const> inputs);

}  // namespace assay::quantize
