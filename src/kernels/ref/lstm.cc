#include "kernels/ref/lstm.h"

#include <algorithm>
#include <cmath>

namespace assay::kernels::ref {
namespace {

double Dot(const float* a, const float* b, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// (x - mean) / standard deviation . coefficients + bias.
void NormalizeLayer(int32_t count, const float* coefficients, const float* bias, float* values) {
  constexpr double kAgainstZero = 1e-8;
  double sum = 0, squares = 0;
  for (int32_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]);
  const double mean = sum / count;
  for (int32_t i = 0; i < count; ++i) {
    const double difference = static_cast<double>(values[i]) - mean;
    squares += difference * difference;
  }
  const double inverse = 1 / std::sqrt(squares / count + kAgainstZero);
  for (int32_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>((static_cast<double>(values[i]) - mean) * inverse) * coefficients[i] + bias[i];
  }
}

float Clipped(float x, float clip) { return clip > 0 ? std::max(std::min(clip, x), -clip) : x; }

void UpdateCell(const LstmSizes& sizes, bool cifg, float clip, const float* gates, float* cell_state) {
  const float* forget = gates + int64_t{kForgetGate} * sizes.cells;
  const float* cell = gates + int64_t{kCellGate} * sizes.cells;
  for (int32_t c = 0; c < sizes.cells; ++c) {
    const float kept = forget[c] * cell_state[c];
    const float input = cifg ? 1.0F - forget[c] : gates[c];
    cell_state[c] = Clipped(kept + cell[c] * input, clip);
  }
}

// Overwrites the output gate with output . act(c). Without an activation TFLite copies nothing: what is multiplied is
// what the memory held before, the cell gate.
float* OutputOfCells(const LstmSizes& sizes, RecurrentActivation activation, const float* cell_state,
                     const float* cell_gate, float* output) {
  for (int32_t c = 0; c < sizes.cells; ++c) {
    output[c] *= activation == RecurrentActivation::kNone ? cell_gate[c] : Activate(activation, cell_state[c]);
  }
  return output;
}

RecurrentActivation ActivationOf(LstmGate gate, RecurrentActivation cell_activation) {
  return gate == kCellGate ? cell_activation : RecurrentActivation::kLogistic;
}

// TFLite sums a gate up in two memories in turns, the gate's own first; the activation brings the sum to the gate's
// own. Without an activation nothing does, and the gate stays what was written there last.
struct GateParts {
  bool inputs = true, recurrent = true, normalization = true;
};
GateParts PartsOf(const LstmFloatGate& g, RecurrentActivation activation, int products) {
  if (activation != RecurrentActivation::kNone) return {};
  const bool own_memory_was_last = products % 2 == 0;
  if (g.recurrent_is_diagonal) {  // added in place
    return own_memory_was_last ? GateParts{} : GateParts{.inputs = false, .recurrent = false, .normalization = false};
  }
  return own_memory_was_last ? GateParts{.recurrent = false, .normalization = false} : GateParts{};
}

void FloatGate(const LstmFloat& lstm, LstmGate which, const LstmStepInput& x, const float* output_state,
               const float* cell_state, float* gate) {
  const LstmFloatGate& g = lstm.gates[which];
  const LstmSizes& n = lstm.sizes;
  const RecurrentActivation activation = ActivationOf(which, lstm.activation);
  const GateParts parts = PartsOf(g, activation, x.products);
  for (int32_t c = 0; c < n.cells; ++c) {
    double sum = g.layer_norm == nullptr ? static_cast<double>(g.bias[c]) : 0.0;
    if (parts.inputs) {
      sum += Dot(g.input_weights + int64_t{c} * n.inputs, x.input, n.inputs);
      if (x.aux != nullptr) sum += Dot(g.aux_weights + int64_t{c} * n.aux_inputs, x.aux, n.aux_inputs);
    }
    if (parts.recurrent) {
      sum += g.recurrent_is_diagonal ? Dot(g.recurrent_weights + c, output_state + c, 1)
                                     : Dot(g.recurrent_weights + int64_t{c} * n.outputs, output_state, n.outputs);
    }
    if (g.peephole != nullptr) sum += Dot(g.peephole + c, cell_state + c, 1);
    gate[c] = static_cast<float>(sum);
  }
  if (g.layer_norm != nullptr && parts.normalization) NormalizeLayer(n.cells, g.layer_norm, g.bias, gate);
  for (int32_t c = 0; c < n.cells; ++c) gate[c] = Activate(activation, gate[c]);
}

void HybridGate(const LstmHybrid& lstm, LstmGate which, const HybridVector& input, const HybridVector& aux,
                const HybridVector& state, const float* output_state, const float* cell_state, float* gate) {
  const LstmHybridGate& g = lstm.gates[which];
  const LstmSizes& n = lstm.sizes;
  for (int32_t c = 0; c < n.cells; ++c) gate[c] = g.layer_norm == nullptr ? g.bias[c] : 0.0F;
  AddProduct(g.input, n.cells, n.inputs, input, gate);
  AddProduct(g.aux, n.cells, n.aux_inputs, aux, gate);
  if (g.recurrent_diagonal == nullptr) {
    AddProduct(g.recurrent, n.cells, n.outputs, state, gate);
  } else if (state.codes != nullptr) {
    for (int32_t c = 0; c < n.cells; ++c) gate[c] += g.recurrent_diagonal[c] * output_state[c];
  }
  if (g.peephole.weights != nullptr) {
    for (int32_t c = 0; c < n.cells; ++c) {
      gate[c] += static_cast<float>(g.peephole.weights[c]) * g.peephole.scale * cell_state[c];
    }
  }
  if (g.layer_norm != nullptr) NormalizeLayer(n.cells, g.layer_norm, g.bias, gate);
  const RecurrentActivation activation = ActivationOf(which, lstm.activation);
  for (int32_t c = 0; c < n.cells; ++c) gate[c] = Activate(activation, gate[c]);
}

}  // namespace

void LstmStepFloat(const LstmFloat& lstm, const LstmStepInput& x, float* output_state, float* cell_state,
                   float* gates) noexcept {
  const LstmSizes& n = lstm.sizes;
  const bool cifg = lstm.gates[kInputGate].input_weights == nullptr;
  for (const LstmGate gate : {kInputGate, kForgetGate, kCellGate}) {
    if (gate == kInputGate && cifg) continue;
    FloatGate(lstm, gate, x, output_state, cell_state, gates + int64_t{gate} * n.cells);
  }
  UpdateCell(n, cifg, lstm.cell_clip, gates, cell_state);
  FloatGate(lstm, kOutputGate, x, output_state, cell_state, gates + int64_t{kOutputGate} * n.cells);
  const float* output = OutputOfCells(n, lstm.activation, cell_state, gates + int64_t{kCellGate} * n.cells,
                                      gates + int64_t{kOutputGate} * n.cells);
  for (int32_t o = 0; o < n.outputs; ++o) {
    if (lstm.projection == nullptr) {
      output_state[o] = output[o];
      continue;
    }
    const double bias = lstm.projection_bias == nullptr ? 0.0 : static_cast<double>(lstm.projection_bias[o]);
    const auto value = static_cast<float>(bias + Dot(lstm.projection + int64_t{o} * n.cells, output, n.cells));
    output_state[o] = Clipped(value, lstm.projection_clip);
  }
}

void LstmStepHybrid(const LstmHybrid& lstm, const float* input, const float* aux, float* output_state,
                    float* cell_state, const LstmHybridMemory& memory) noexcept {
  const LstmSizes& n = lstm.sizes;
  const bool cifg = lstm.gates[kInputGate].input.weights == nullptr;
  const auto quantize = [&](const float* values, int32_t count, int8_t* codes) {
    return QuantizeHybridVector(lstm.quantizer, values, count, codes);
  };
  const HybridVector input_codes = quantize(input, n.inputs, memory.input);
  const HybridVector aux_codes = quantize(aux, n.aux_inputs, memory.aux);
  const HybridVector state_codes = quantize(output_state, n.outputs, memory.state);
  for (const LstmGate gate : {kInputGate, kForgetGate, kCellGate}) {
    if (gate == kInputGate && cifg) continue;
    HybridGate(lstm, gate, input_codes, aux_codes, state_codes, output_state, cell_state,
               memory.gates + int64_t{gate} * n.cells);
  }
  UpdateCell(n, cifg, lstm.cell_clip, memory.gates, cell_state);
  HybridGate(lstm, kOutputGate, input_codes, aux_codes, state_codes, output_state, cell_state,
             memory.gates + int64_t{kOutputGate} * n.cells);
  const float* output = OutputOfCells(n, lstm.activation, cell_state, memory.gates + int64_t{kCellGate} * n.cells,
                                      memory.gates + int64_t{kOutputGate} * n.cells);
  if (lstm.projection.weights == nullptr) {
    std::copy_n(output, n.outputs, output_state);
    return;
  }
  for (int32_t o = 0; o < n.outputs; ++o) {
    output_state[o] = lstm.projection_bias == nullptr ? 0.0F : lstm.projection_bias[o];
  }
  const HybridVector cell_codes = quantize(output, n.cells, memory.cell);
  AddProduct(lstm.projection, n.outputs, n.cells, cell_codes, output_state);
  for (int32_t o = 0; o < n.outputs; ++o) output_state[o] = Clipped(output_state[o], lstm.projection_clip);
}

}  // namespace assay::kernels::ref
