#include "quantize/integer_lstm.h"

#include <algorithm>
#include <cmath>

#include "graph/ops/lstm.h"
#include "kernels/ref/lstm.h"
#include "passes/rewrite.h"

namespace assay::quantize {
namespace {

using Lstm = LstmOperands;

bool Has(const graph::Operator& op, size_t operand) {
  return operand < op.inputs.size() && op.inputs[operand] != graph::kNoTensor;
}

bool HasPlainOperands(const graph::Operator& op) {
  if (op.inputs.size() < Lstm::kOperands || op.outputs.size() != 1) return false;
  for (size_t k = Lstm::kPeephole; k < op.inputs.size(); ++k) {
    const bool is_extra =
        k < Lstm::kBiases || k == Lstm::kProjection || k == Lstm::kProjection + 1 || k > Lstm::kCellState;
    if (is_extra && Has(op, k)) return false;
  }
  return true;
}

}  // namespace

std::string_view WhyLstmNotInteger(const graph::Subgraph& graph, const graph::Operator& op) {
  if (!HasPlainOperands(op)) return "has no integer form with peepholes, a projection or layer normalisation";
  const auto a = op.attributes.As<graph::UnidirectionalSequenceLstmAttributes>();
  if (a.fused_activation_function != graph::Activation::kTanh || a.diagonal_recurrent_tensors) {
    return "has an integer form with TANH and full recurrent weights alone";
  }
  for (size_t k = Lstm::kInputWeights; k < Lstm::kBiases + Lstm::kGates; ++k) {
    if (Has(op, k) && !passes::IsFloatConstant(graph, op.inputs[k])) return "has weights that are computed";
  }
  for (const size_t k : {Lstm::kOutputState, Lstm::kCellState}) {
    if (!Has(op, k) || !passes::TensorAt(graph, op.inputs[k]).is_variable) return "has states that are no variables";
  }
  return "";
}

Codes LstmCellCodes(Range range) {
  const float magnitude = std::max(std::abs(range.low), std::abs(range.high));
  // The kernels take scales of 2^-15 to 2^-9.
  const int bits = magnitude > 0 ? std::clamp(static_cast<int>(std::ceil(std::log2(magnitude))), 0, 6) : 0;
  return {DType::kInt16, {{std::ldexp(1.0F, bits - 15)}, {0}, 0, {}, {}}};
}

std::vector<float> LstmCells(const graph::Operator& op, std::span<const ops::TensorRef* const> inputs) {
  if (!HasPlainOperands(op) || inputs.size() < Lstm::kOperands || inputs[0]->shape.rank() != 3) return {};
  const auto a = op.attributes.As<graph::UnidirectionalSequenceLstmAttributes>();
  if (a.fused_activation_function != graph::Activation::kTanh || a.diagonal_recurrent_tensors) return {};
  kernels::ref::LstmFloat lstm;
  lstm.cell_clip = a.cell_clip;
  const auto values = [&](size_t k) -> const float* {
    return inputs[k] == nullptr || inputs[k]->dtype != DType::kFloat32 ? nullptr : inputs[k]->values<float>().data();
  };
  for (size_t g = 0; g < Lstm::kGates; ++g) {
    lstm.gates[g].input_weights = values(Lstm::kInputWeights + g);
    lstm.gates[g].recurrent_weights = values(Lstm::kRecurrentWeights + g);
    lstm.gates[g].bias = values(Lstm::kBiases + g);
  }
  const float* input = values(0);
  if (input == nullptr || lstm.gates[kernels::ref::kOutputGate].input_weights == nullptr) return {};
  const Shape& shape = inputs[0]->shape;
  lstm.sizes = {.inputs = shape[2],
                .aux_inputs = 0,
                .cells = inputs[Lstm::kInputWeights + kernels::ref::kOutputGate]->shape[0],
                .outputs = inputs[Lstm::kRecurrentWeights + kernels::ref::kOutputGate]->shape[1]};
  const int64_t batches = shape[a.time_major ? 1 : 0], steps = shape[a.time_major ? 0 : 1];
  const auto cells = static_cast<size_t>(lstm.sizes.cells);
  std::vector<float> all, gates(cells * Lstm::kGates);
  for (int64_t b = 0; b < batches; ++b) {
    std::vector<float> state(static_cast<size_t>(lstm.sizes.outputs)), cell(cells);
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t row = a.time_major ? t * batches + b : b * steps + t;
      kernels::ref::LstmStepFloat(lstm, {input + row * shape[2], nullptr, 2}, state.data(), cell.data(), gates.data());
      all.insert(all.end(), cell.begin(), cell.end());
    }
  }
  return all;
}

}  // namespace assay::quantize
