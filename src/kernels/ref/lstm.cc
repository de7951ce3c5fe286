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

void FloatGate(const LstmFloat& lstm, LstmGate which, const float* input, const float* aux, const float* output_state,
               const float* cell_state, float* gate) {
  const LstmFloatGate& g = lstm.gates[which];
  const LstmSizes& n = lstm.sizes;
  for (int32_t c = 0; c < n.cells; ++c) {
    double sum = g.layer_norm == nullptr ? static_cast<double>(g.bias[c]) : 0.0;
    sum += Dot(g.input_weights + int64_t{c} * n.inputs, input, n.inputs);
    if (aux != nullptr) sum += Dot(g.aux_weights + int64_t{c} * n.aux_inputs, aux, n.aux_inputs);
    sum += g.recurrent_is_diagonal ? Dot(g.recurrent_weights + c, output_state + c, 1)
                                   : Dot(g.recurrent_weights + int64_t{c} * n.outputs, output_state, n.outputs);
    if (g.peephole != nullptr) sum += Dot(g.peephole + c, cell_state + c, 1);
    gate[c] = static_cast<float>(sum);
  }
  if (g.layer_norm != nullptr) NormalizeLayer(n.cells, g.layer_norm, g.bias, gate);
  const RecurrentActivation activation = ActivationOf(which, lstm.activation);
  for (int32_t c = 0; c < n.cells; ++c) gate[c] = Activate(activation, gate[c]);
}

// A quantized vector.
struct Codes {
  const int8_t* codes = nullptr;
  DynamicRange range;
};

// to += (matrix . (codes - zero point)) * (scale of the matrix * scale of the codes).
void AddProduct(const LstmHybridMatrix& matrix, int32_t rows, int32_t columns, const Codes& x, float* to) {
  const float scale = x.range.scale * matrix.scale;
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t* w = matrix.weights + int64_t{r} * columns;
    uint32_t sum = 0;  // wraps
    for (int32_t i = 0; i < columns; ++i) {
      sum += static_cast<uint32_t>(int32_t{w[i]} * (int32_t{x.codes[i]} - x.range.zero_point));
    }
    to[r] += static_cast<float>(static_cast<int32_t>(sum)) * scale;
  }
}

bool IsZero(const float* values, int32_t count) {
  return std::all_of(values, values + count, [](float x) { return x == 0; });
}

void HybridGate(const LstmHybrid& lstm, LstmGate which, const Codes& input, const Codes& aux, const Codes& state,
                const float* output_state, const float* cell_state, float* gate) {
  const LstmHybridGate& g = lstm.gates[which];
  const LstmSizes& n = lstm.sizes;
  for (int32_t c = 0; c < n.cells; ++c) gate[c] = g.layer_norm == nullptr ? g.bias[c] : 0.0F;
  if (input.codes != nullptr) AddProduct(g.input, n.cells, n.inputs, input, gate);
  if (aux.codes != nullptr) AddProduct(g.aux, n.cells, n.aux_inputs, aux, gate);
  if (state.codes != nullptr && g.recurrent_diagonal != nullptr) {
    for (int32_t c = 0; c < n.cells; ++c) gate[c] += g.recurrent_diagonal[c] * output_state[c];
  } else if (state.codes != nullptr) {
    AddProduct(g.recurrent, n.cells, n.outputs, state, gate);
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

float Activate(RecurrentActivation activation, float x) noexcept {
  switch (activation) {
    case RecurrentActivation::kNone:
      return x;
    case RecurrentActivation::kRelu:
      return std::max(x, 0.0F);
    case RecurrentActivation::kRelu6:
      return std::min(std::max(x, 0.0F), 6.0F);
    case RecurrentActivation::kTanh:
      return std::tanh(x);
    case RecurrentActivation::kLogistic:
      return 1.0F / (1.0F + std::exp(-x));
  }
  return x;
}

void LstmStepFloat(const LstmFloat& lstm, const float* input, const float* aux, float* output_state, float* cell_state,
                   float* gates) noexcept {
  const LstmSizes& n = lstm.sizes;
  const bool cifg = lstm.gates[kInputGate].input_weights == nullptr;
  for (const LstmGate gate : {kInputGate, kForgetGate, kCellGate}) {
    if (gate == kInputGate && cifg) continue;
    FloatGate(lstm, gate, input, aux, output_state, cell_state, gates + int64_t{gate} * n.cells);
  }
  UpdateCell(n, cifg, lstm.cell_clip, gates, cell_state);
  FloatGate(lstm, kOutputGate, input, aux, output_state, cell_state, gates + int64_t{kOutputGate} * n.cells);
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
  const auto quantize = [&](const float* values, int32_t count, int8_t* codes) -> Codes {
    if (values == nullptr || IsZero(values, count)) return {};
    return {codes, QuantizeDynamically(lstm.quantizer, {values, static_cast<size_t>(count)}, codes)};
  };
  const Codes input_codes = quantize(input, n.inputs, memory.input);
  const Codes aux_codes = quantize(aux, n.aux_inputs, memory.aux);
  const Codes state_codes = quantize(output_state, n.outputs, memory.state);
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
  const Codes cell_codes = quantize(output, n.cells, memory.cell);
  if (cell_codes.codes != nullptr) AddProduct(lstm.projection, n.outputs, n.cells, cell_codes, output_state);
  for (int32_t o = 0; o < n.outputs; ++o) output_state[o] = Clipped(output_state[o], lstm.projection_clip);
}

}  // namespace assay::kernels::ref
