#include "kernels/ref/lstm_integer.h"

#include <algorithm>
#include <limits>

#include "numerics/fixed_point.h"
#include "numerics/inverse_sqrt.h"

namespace assay::kernels::ref {
namespace {

using numerics::MultiplyHalfAway;

template <typename T>
T Saturated(int64_t x) {
  return static_cast<T>(std::clamp<int64_t>(x, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

int32_t Row(const LstmIntegerMatrix& m, int32_t row, int32_t columns, const int8_t* x) {
  auto sum = static_cast<uint32_t>(m.bias[row]);
  const int8_t* w = m.weights + int64_t{row} * columns;
  for (int32_t i = 0; i < columns; ++i) sum += static_cast<uint32_t>(int32_t{w[i]} * int32_t{x[i]});
  return MultiplyHalfAway(static_cast<int32_t>(sum), m.scale);
}

// norm(gate) . coefficients + bias, the normalised values with 10 bits behind the point.
void NormalizeLayer(const LstmIntegerGate& g, int32_t count, int16_t* gate) {
  constexpr int32_t kTwoTo20 = 1 << 20;
  int64_t sum = 0, squares = 0;
  for (int32_t i = 0; i < count; ++i) {
    sum += gate[i];
    squares += int32_t{gate[i]} * int32_t{gate[i]};
  }
  const auto mean = static_cast<int32_t>(sum * 1024 / count);
  const int64_t variance = squares * (kTwoTo20 / count) - int64_t{mean} * mean;
  auto steps = static_cast<int32_t>(variance / kTwoTo20);
  if (steps < 1) steps = g.variance_guard;
  const numerics::FixedPointScale inverse = numerics::InverseSqrt(steps);
  numerics::FixedPointScale scale = g.layer_norm_scale;
  scale.shift += 12;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t rescaled = MultiplyHalfAway(1024 * int32_t{gate[i]} - mean, inverse);
    const auto weighted =
        static_cast<int32_t>(static_cast<uint32_t>(rescaled) * static_cast<uint32_t>(int32_t{g.layer_norm[i]}) +
                             static_cast<uint32_t>(g.layer_norm_bias[i]));
    const int64_t wide = weighted;
    const auto rounded = static_cast<int32_t>((wide > 0 ? wide + 512 : wide - 512) / 1024);
    gate[i] = Saturated<int16_t>(MultiplyHalfAway(rounded, scale));
  }
}

void Gate(const LstmInteger& lstm, LstmGate which, const PeepholeSpan& span, const int8_t* input,
          const int8_t* output_state, const int16_t* cell_state, int16_t* gate) {
  const LstmIntegerGate& g = lstm.gates[which];
  const LstmSizes& n = lstm.sizes;
  for (int32_t c = 0; c < n.cells; ++c) {
    const auto from_input = Saturated<int16_t>(Row(g.input, c, n.inputs, input));
    gate[c] = Saturated<int16_t>(int64_t{Row(g.recurrent, c, n.outputs, output_state)} + from_input);
    const int64_t at = span.first + c;
    if (g.peephole == nullptr || at >= span.end || at % n.outputs >= n.cells) continue;
    const int32_t product = int32_t{g.peephole[at % n.outputs]} * int32_t{cell_state[c]};
    gate[c] = Saturated<int16_t>(int64_t{MultiplyHalfAway(product, g.peephole_scale)} + gate[c]);
  }
  if (g.layer_norm != nullptr) NormalizeLayer(g, n.cells, gate);
  constexpr int kGateIntegerBits = 3;
  for (int32_t c = 0; c < n.cells; ++c) {
    gate[c] = which == kCellGate ? LstmTanh(gate[c], kGateIntegerBits) : LstmLogistic(gate[c]);
  }
}

// a * b / 2^shift, half away from zero, as 16 bits.
int16_t Product(int16_t a, int16_t b, int shift) {
  return static_cast<int16_t>(numerics::RoundingShiftRightHalfAway(int32_t{a} * int32_t{b}, shift));
}

}  // namespace

int16_t LstmLogistic(int16_t x) noexcept { return numerics::Logistic(numerics::Fixed<int16_t, 3>{x}).raw; }

int16_t LstmTanh(int16_t x, int integer_bits) noexcept {
  switch (integer_bits) {
    case 0:
      return numerics::Tanh(numerics::Fixed<int16_t, 0>{x}).raw;
    case 1:
      return numerics::Tanh(numerics::Fixed<int16_t, 1>{x}).raw;
    case 2:
      return numerics::Tanh(numerics::Fixed<int16_t, 2>{x}).raw;
    case 3:
      return numerics::Tanh(numerics::Fixed<int16_t, 3>{x}).raw;
    case 4:
      return numerics::Tanh(numerics::Fixed<int16_t, 4>{x}).raw;
    case 5:
      return numerics::Tanh(numerics::Fixed<int16_t, 5>{x}).raw;
    default:
      return numerics::Tanh(numerics::Fixed<int16_t, 6>{x}).raw;
  }
}

void LstmStepInteger(const LstmInteger& lstm, const PeepholeSpan& span, const int8_t* input, int8_t* output_state,
                     int16_t* cell_state, int16_t* gates, int8_t* hidden) noexcept {
  const LstmSizes& n = lstm.sizes;
  const bool cifg = lstm.gates[kInputGate].input.weights == nullptr;
  int16_t* gate[kLstmGates];
  for (int k = 0; k < kLstmGates; ++k) gate[k] = gates + int64_t{k} * n.cells;
  for (const LstmGate which : {kInputGate, kForgetGate, kCellGate}) {
    if (which == kInputGate && cifg) continue;
    Gate(lstm, which, span, input, output_state, cell_state, gate[which]);
  }
  for (int32_t c = 0; c < n.cells; ++c) {
    const int16_t kept = Product(gate[kForgetGate][c], cell_state[c], 15);
    const auto in = static_cast<int16_t>(cifg ? 32767 - gate[kForgetGate][c] : gate[kInputGate][c]);
    const int16_t added = Product(in, gate[kCellGate][c], 30 + lstm.cell_exponent);
    cell_state[c] = Saturated<int16_t>(int64_t{kept} + added);
    if (lstm.cell_clip > 0) {
      cell_state[c] = std::clamp(cell_state[c], static_cast<int16_t>(-lstm.cell_clip), lstm.cell_clip);
    }
  }
  Gate(lstm, kOutputGate, span, input, output_state, cell_state, gate[kOutputGate]);
  const bool projects = lstm.projection.weights != nullptr;
  for (int32_t c = 0; c < n.cells; ++c) {
    const int16_t activated = LstmTanh(cell_state[c], 15 + lstm.cell_exponent);
    const int32_t value = MultiplyHalfAway(int32_t{gate[kOutputGate][c]} * int32_t{activated}, lstm.hidden_scale);
    const int32_t zero_point = projects ? -lstm.hidden_zero_point : lstm.hidden_zero_point;
    (projects ? hidden : output_state)[c] = Saturated<int8_t>(int64_t{value} + zero_point);
  }
  if (!projects) return;
  for (int32_t o = 0; o < n.outputs; ++o) {
    const auto value = Saturated<int8_t>(int64_t{Row(lstm.projection, o, n.cells, hidden)} + lstm.output_zero_point);
    output_state[o] = lstm.projection_clip > 0
                          ? std::clamp(value, static_cast<int8_t>(-lstm.projection_clip), lstm.projection_clip)
                          : value;
  }
}

void FoldZeroPoint(const int8_t* weights, int32_t rows, int32_t columns, int32_t zero_point, const int32_t* bias,
                   int32_t* folded) noexcept {
  for (int32_t r = 0; r < rows; ++r) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < columns; ++i) sum += static_cast<uint32_t>(int32_t{weights[int64_t{r} * columns + i]});
    const uint32_t start = bias == nullptr ? 0 : static_cast<uint32_t>(bias[r]);
    folded[r] = static_cast<int32_t>(start + sum * static_cast<uint32_t>(zero_point));
  }
}

}  // namespace assay::kernels::ref
