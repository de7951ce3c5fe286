#include "ops/lstm_operands.h"

#include <algorithm>
#include <cmath>

#include "kernels/simd/scales.h"
#include "kernels/simd/target.h"
#include "ops/checks.h"
#include "ops/packed_cache.h"

namespace assay::ops {
namespace {

using kernels::ref::kCellGate;
using kernels::ref::kForgetGate;
using kernels::ref::kInputGate;
using kernels::ref::kLstmGates;
using kernels::ref::kOutputGate;
using kernels::ref::LstmSizes;
using kernels::ref::RecurrentActivation;

constexpr const char* kGateNames[] = {"input", "forget", "cell", "output"};
constexpr const char* kInputWeights[] = {"input_to_input_weights", "input_to_forget_weights", "input_to_cell_weights",
                                         "input_to_output_weights"};

bool Has(const PrepareContext& context, int operand) { return operand != kNoOperand && context.HasInput(operand); }

bool IsInteger(const PrepareContext& context, const LstmOperands& o) {
  return context.Input(o.input).dtype == DType::kInt8;
}
bool IsHybrid(const PrepareContext& context, const LstmOperands& o) {
  return context.Input(o.input).dtype == DType::kFloat32 &&
         context.Input(o.input_weights[kOutputGate]).dtype == DType::kInt8;
}

// The types that the parts of one LSTM have.
struct LstmTypes {
  DType weights, peephole, bias, layer_norm, output_state, cell_state, output;
};
LstmTypes TypesOf(const PrepareContext& context, const LstmOperands& o) {
  constexpr DType kFloat = DType::kFloat32;
  if (IsInteger(context, o)) {
    return {DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt16, DType::kInt8, DType::kInt16, DType::kInt8};
  }
  if (IsHybrid(context, o)) return {DType::kInt8, DType::kInt8, kFloat, kFloat, kFloat, kFloat, kFloat};
  return {kFloat, kFloat, kFloat, kFloat, kFloat, kFloat, kFloat};
}

void CheckOperand(const PrepareContext& context, int operand, const std::string& what, DType dtype,
                  const Shape& shape) {
  const TensorRef& tensor = context.Input(operand);
  CheckType(tensor, what.c_str(), {dtype});
  if (tensor.shape != shape) {
    throw InputError("{} has the shape {}, expected {}", what, tensor.shape.ToString(), shape.ToString());
  }
  if (dtype == DType::kInt8 || dtype == DType::kInt16) CheckPerTensorQuantized(tensor, what.c_str());
}

void CheckState(const PrepareContext& context, int operand, const char* what, DType dtype, int64_t size) {
  const TensorRef& tensor = context.Input(operand);
  CheckType(tensor, what, {dtype});
  if (!tensor.info->is_variable) throw InputError("{} is not a variable", what);
  if (tensor.size() != size) throw InputError("{} has {} values, expected {}", what, tensor.size(), size);
  if (dtype != DType::kFloat32) CheckPerTensorQuantized(tensor, what);
}

void CheckGate(const PrepareContext& context, const LstmOperands& o, int gate, const LstmSizes& n,
               const LstmTypes& types, bool has_peephole, bool has_layer_norm) {
  const auto named = [&](const char* what) { return fmt::format("{} of the {} gate", what, kGateNames[gate]); };
  CheckOperand(context, o.input_weights[gate], kInputWeights[gate], types.weights, {n.cells, n.inputs});
  if (n.aux_inputs > 0) {
    CheckOperand(context, o.aux_weights[gate], named("aux weights"), types.weights, {n.cells, n.aux_inputs});
  }
  const TensorRef& recurrent = context.Input(o.recurrent_weights[gate]);
  if (recurrent.shape.rank() == 1 && types.output_state == DType::kFloat32) {
    if (n.outputs != n.cells)
      throw InputError("{} are diagonal, but outputs are not cells", named("recurrent weights"));
    CheckOperand(context, o.recurrent_weights[gate], named("recurrent weights"), DType::kFloat32, {n.cells});
  } else {
    CheckOperand(context, o.recurrent_weights[gate], named("recurrent weights"), types.weights, {n.cells, n.outputs});
  }
  CheckOperand(context, o.bias[gate], named("bias"), types.bias, {n.cells});
  if (has_peephole && gate != kCellGate) {
    CheckOperand(context, o.peephole[gate], named("peephole weights"), types.peephole, {n.cells});
  }
  if (has_layer_norm) {
    CheckOperand(context, o.layer_norm[gate], named("layer norm coefficients"), types.layer_norm, {n.cells});
  }
}

void CheckAbsent(const PrepareContext& context, int operand, const char* what) {
  if (Has(context, operand)) throw InputError("{} is given, but the LSTM has no input gate of its own", what);
}

template <typename T>
const T* Data(const RunContext& run, int operand) {
  return operand != kNoOperand && run.HasInput(operand) ? run.In<T>(operand).data() : nullptr;
}
template <typename T>
T* Memory(const RunContext& run, int id) {
  return reinterpret_cast<T*>(run.Scratch(id).data());
}

uint64_t Count(int64_t count, size_t size) { return static_cast<uint64_t>(count) * size; }

// Calls step(batch, input, aux or null, output state, cell state) for every sequence and time, and stores each step's
// output state.
template <typename In, typename Cell, typename Step>
void ForSteps(const RunContext& run, const LstmOperands& o, const LstmSizes& n, const LstmSequence& s,
              const Step& step) {
  const In* input = run.In<In>(o.input).data();
  const In* aux = n.aux_inputs > 0 ? run.In<In>(o.aux_input).data() : nullptr;
  In* output_state = run.Input(o.output_state).mutable_values<In>().data();
  Cell* cell_state = run.Input(o.cell_state).mutable_values<Cell>().data();
  In* output = run.Out<In>(s.output).data();
  for (int32_t b = 0; b < s.batches; ++b) {
    In* const state = output_state + int64_t{b} * n.outputs;
    for (int32_t k = 0; k < s.steps; ++k) {
      run.CheckCancelled();
      const int32_t t = s.backward ? s.steps - 1 - k : k;
      const int64_t row = s.time_major ? int64_t{t} * s.batches + b : int64_t{b} * s.steps + t;
      step(b, input + row * n.inputs, aux == nullptr ? nullptr : aux + row * n.aux_inputs, state,
           cell_state + int64_t{b} * n.cells);
      std::copy_n(state, n.outputs, output + row * s.output_stride + s.output_offset);
    }
  }
}

RunFn MakeFloat(PrepareContext& context, const LstmOperands& o, const LstmSizes& n, const LstmOptions& options,
                const LstmSequence& sequence) {
  if (auto run = PrepareVectorLstm(context, o, n, options, sequence)) return *std::move(run);
  kernels::ref::LstmFloat fixed;
  fixed.sizes = n;
  fixed.cell_clip = options.cell_clip, fixed.projection_clip = options.projection_clip;
  fixed.activation = RecurrentActivationOf(options.activation);
  for (int gate = 0; gate < kLstmGates; ++gate) {
    fixed.gates[gate].recurrent_is_diagonal =
        Has(context, o.recurrent_weights[gate]) && context.Input(o.recurrent_weights[gate]).shape.rank() == 1;
  }
  const int gates = context.AddScratch(Count(int64_t{n.cells} * kLstmGates, sizeof(float)));
  return [=](const RunContext& run) {
    kernels::ref::LstmFloat lstm = fixed;
    for (int gate = 0; gate < kLstmGates; ++gate) {
      lstm.gates[gate].input_weights = Data<float>(run, o.input_weights[gate]);
      lstm.gates[gate].aux_weights = Data<float>(run, o.aux_weights[gate]);
      lstm.gates[gate].recurrent_weights = Data<float>(run, o.recurrent_weights[gate]);
      lstm.gates[gate].peephole = Data<float>(run, o.peephole[gate]);
      lstm.gates[gate].layer_norm = Data<float>(run, o.layer_norm[gate]);
      lstm.gates[gate].bias = Data<float>(run, o.bias[gate]);
    }
    lstm.projection = Data<float>(run, o.projection);
    lstm.projection_bias = Data<float>(run, o.projection_bias);
    // TFLite takes the sequences of a time-major input together, the others one by one.
    const auto is_product = [&](const float* x, int32_t sequence_index, int32_t size) {
      const int64_t together = sequence.time_major ? sequence.batches : 1;
      const float* first = sequence.time_major ? x - int64_t{sequence_index} * size : x;
      return std::any_of(first, first + together * size, [](float value) { return value != 0; });
    };
    ForSteps<float, float>(
        run, o, n, sequence, [&](int32_t b, const float* x, const float* aux, float* state, float* cell) {
          int products = 2;
          if (lstm.activation == kernels::ref::RecurrentActivation::kNone) {
            products =
                (is_product(x, b, n.inputs) ? 1 : 0) + (aux != nullptr && is_product(aux, b, n.aux_inputs) ? 1 : 0);
          }
          kernels::ref::LstmStepFloat(lstm, {x, aux, products}, state, cell, Memory<float>(run, gates));
        });
  };
}

RunFn MakeHybrid(PrepareContext& context, const LstmOperands& o, const LstmSizes& n, const LstmOptions& options,
                 const LstmSequence& sequence) {
  const auto scale_of = [&](int operand) { return Has(context, operand) ? context.Input(operand).scale() : 0.0F; };
  kernels::ref::LstmHybrid fixed;
  fixed.sizes = n;
  fixed.cell_clip = options.cell_clip, fixed.projection_clip = options.projection_clip;
  fixed.activation = RecurrentActivationOf(options.activation);
  fixed.quantizer = options.asymmetric_quantize_inputs ? kernels::ref::DynamicQuantizer::kAsymmetric
                                                       : kernels::ref::DynamicQuantizer::kSymmetric;
  bool diagonal[kLstmGates] = {};
  for (int gate = 0; gate < kLstmGates; ++gate) {
    diagonal[gate] =
        Has(context, o.recurrent_weights[gate]) && context.Input(o.recurrent_weights[gate]).shape.rank() == 1;
    fixed.gates[gate].input.scale = scale_of(o.input_weights[gate]);
    fixed.gates[gate].aux.scale = scale_of(o.aux_weights[gate]);
    if (!diagonal[gate]) fixed.gates[gate].recurrent.scale = scale_of(o.recurrent_weights[gate]);
    fixed.gates[gate].peephole.scale = scale_of(o.peephole[gate]);
  }
  fixed.projection.scale = scale_of(o.projection);
  const int gates = context.AddScratch(Count(int64_t{n.cells} * kLstmGates, sizeof(float)));
  const int input = context.AddScratch(Count(n.inputs, 1)), aux_input = context.AddScratch(Count(n.aux_inputs, 1));
  const int output = context.AddScratch(Count(n.outputs, 1)), cells = context.AddScratch(Count(n.cells, 1));
  return [=](const RunContext& run) {
    kernels::ref::LstmHybrid lstm = fixed;
    for (int gate = 0; gate < kLstmGates; ++gate) {
      kernels::ref::LstmHybridGate& g = lstm.gates[gate];
      g.input.weights = Data<int8_t>(run, o.input_weights[gate]);
      g.aux.weights = Data<int8_t>(run, o.aux_weights[gate]);
      if (diagonal[gate]) {
        g.recurrent_diagonal = Data<float>(run, o.recurrent_weights[gate]);
      } else {
        g.recurrent.weights = Data<int8_t>(run, o.recurrent_weights[gate]);
      }
      g.peephole.weights = Data<int8_t>(run, o.peephole[gate]);
      g.layer_norm = Data<float>(run, o.layer_norm[gate]);
      g.bias = Data<float>(run, o.bias[gate]);
    }
    lstm.projection.weights = Data<int8_t>(run, o.projection);
    lstm.projection_bias = Data<float>(run, o.projection_bias);
    const kernels::ref::LstmHybridMemory memory = {.gates = Memory<float>(run, gates),
                                                   .input = Memory<int8_t>(run, input),
                                                   .aux = Memory<int8_t>(run, aux_input),
                                                   .state = Memory<int8_t>(run, output),
                                                   .cell = Memory<int8_t>(run, cells)};
    ForSteps<float, float>(run, o, n, sequence,
                           [&](int32_t, const float* x, const float* aux, float* state, float* cell) {
                             kernels::ref::LstmStepHybrid(lstm, x, aux, state, cell, memory);
                           });
  };
}

// x as a power of two: its exponent. Throws where it is none.
int ExponentOf(float x, const char* what) {
  constexpr double kTolerance = 1e-3;
  const double exponent = std::log2(static_cast<double>(x));
  const double nearest = std::round(exponent);
  if (!(std::abs(exponent - nearest) < kTolerance)) throw InputError("{} has the scale {}, no power of two", what, x);
  return static_cast<int>(nearest);
}

numerics::FixedPointScale FixedOf(double scale, const char* what, int gate, int spare_bits = 0) {
  const numerics::FixedPointScale fixed =
      std::isfinite(scale) ? numerics::ToFixedPoint(scale) : numerics::FixedPointScale{};
  if (!std::isfinite(scale) || fixed.shift + spare_bits > 30) {
    throw InputError("the {} of the {} gate has the scale {}", what, kGateNames[gate], scale);
  }
  return fixed;
}

// How the scales of the operands become multipliers: as TFLite does it, product by product in float.
kernels::ref::LstmInteger IntegerScales(const PrepareContext& context, const LstmOperands& o, const LstmSizes& n,
                                        const LstmOptions& options) {
  constexpr int kIntermediates = 5, kHidden = 4;
  if (context.op().intermediates.size() != kIntermediates) {
    throw InputError("has {} intermediate tensors, expected {}", context.op().intermediates.size(), kIntermediates);
  }
  const TensorRef& hidden = context.Intermediate(kHidden);
  CheckPerTensorQuantized(hidden, "intermediate tensor 4");
  const TensorRef &state = context.Input(o.output_state), &cell = context.Input(o.cell_state);
  kernels::ref::LstmInteger lstm;
  lstm.sizes = n;
  lstm.cell_exponent = ExponentOf(cell.scale(), "cell_state");
  if (lstm.cell_exponent < -15 || lstm.cell_exponent > -9) {
    throw InputError("cell_state has the scale {}, expected 2^-15 to 2^-9", cell.scale());
  }
  const float input_scale = context.Input(o.input).scale();
  const bool has_layer_norm = Has(context, o.layer_norm[kForgetGate]);
  for (int gate = 0; gate < kLstmGates; ++gate) {
    if (!Has(context, o.input_weights[gate])) continue;
    kernels::ref::LstmIntegerGate& g = lstm.gates[gate];
    float gate_scale = 1.0F / 4096;  // 3 integer bits
    if (has_layer_norm) {
      const TensorRef& intermediate = context.Intermediate(gate);
      CheckPerTensorQuantized(intermediate, fmt::format("intermediate tensor {}", gate).c_str());
      gate_scale = intermediate.scale();
      const float norm_scale = context.Input(o.layer_norm[gate]).scale();
      g.layer_norm_scale = FixedOf(static_cast<double>(norm_scale), "layer norm", gate, /*spare_bits=*/12);
      g.variance_guard = std::max(1, static_cast<int32_t>(std::min(10000 * norm_scale, 1e9F)));
    }
    const float x = context.Input(o.input_weights[gate]).scale() * input_scale / gate_scale;
    const float h = context.Input(o.recurrent_weights[gate]).scale() * state.scale() / gate_scale;
    g.input.scale = FixedOf(static_cast<double>(x), "product with the input", gate);
    g.recurrent.scale = FixedOf(static_cast<double>(h), "product with the output", gate);
    if (gate != kCellGate && Has(context, o.peephole[gate])) {
      const auto c = static_cast<float>(std::ldexp(1.0, lstm.cell_exponent) *
                                        static_cast<double>(context.Input(o.peephole[gate]).scale()) /
                                        static_cast<double>(gate_scale));
      g.peephole_scale = FixedOf(static_cast<double>(c), "product with the cells", gate);
    }
  }
  const auto hidden_scale =
      static_cast<float>(std::ldexp(1.0, -15) / static_cast<double>(hidden.scale()) * std::ldexp(1.0, -15));
  lstm.hidden_scale = FixedOf(static_cast<double>(hidden_scale), "hidden value", kOutputGate);
  lstm.hidden_zero_point = hidden.zero_point();
  lstm.output_zero_point = state.zero_point();
  if (Has(context, o.projection)) {
    const float p = context.Input(o.projection).scale() * hidden.scale() / state.scale();
    lstm.projection.scale = FixedOf(static_cast<double>(p), "projection", kOutputGate);
  }
  if (options.cell_clip > 0) {
    lstm.cell_clip = static_cast<int16_t>(std::clamp(options.cell_clip / cell.scale(), -32768.0F, 32767.0F));
  }
  if (options.projection_clip > 0) {
    const float clip = options.projection_clip / context.Output(0).scale();
    lstm.projection_clip = static_cast<int8_t>(std::clamp(clip, -128.0F, 127.0F));
  }
  return lstm;
}

RunFn MakeInteger(PrepareContext& context, const LstmOperands& o, const LstmSizes& n, const LstmOptions& options,
                  const LstmSequence& sequence) {
  CheckPerTensorQuantized(context.Input(o.input), "input");
  CheckPerTensorQuantized(context.Output(0), "output");
  const kernels::ref::LstmInteger fixed = IntegerScales(context, o, n, options);
  if (auto run = PrepareVectorLstm(context, o, fixed, sequence)) return *std::move(run);
  const int gates = context.AddScratch(Count(int64_t{n.cells} * kLstmGates, sizeof(int16_t)));
  const int hidden = context.AddScratch(Count(n.cells, 1));
  const int biases = context.AddScratch(Count(int64_t{n.cells} * kLstmGates * 2 + n.outputs, sizeof(int32_t)));
  const int32_t input_zero = context.Input(o.input).zero_point();
  return [=](const RunContext& run) {
    kernels::ref::LstmInteger lstm = fixed;
    auto* folded = Memory<int32_t>(run, biases);
    const auto fold = [&](kernels::ref::LstmIntegerMatrix& matrix, int operand, int32_t rows, int32_t columns,
                          int32_t zero_point, const int32_t* bias) {
      matrix.weights = Data<int8_t>(run, operand);
      if (matrix.weights == nullptr) return;
      kernels::ref::FoldZeroPoint(matrix.weights, rows, columns, zero_point, bias, folded);
      matrix.bias = folded;
      folded += rows;
    };
    for (int gate = 0; gate < kLstmGates; ++gate) {
      kernels::ref::LstmIntegerGate& g = lstm.gates[gate];
      g.layer_norm = Data<int16_t>(run, o.layer_norm[gate]);
      g.peephole = Data<int16_t>(run, o.peephole[gate]);
      const auto* bias = Data<int32_t>(run, o.bias[gate]);
      g.layer_norm_bias = bias;
      fold(g.input, o.input_weights[gate], n.cells, n.inputs, -input_zero, g.layer_norm == nullptr ? bias : nullptr);
      fold(g.recurrent, o.recurrent_weights[gate], n.cells, n.outputs, -lstm.output_zero_point, nullptr);
    }
    fold(lstm.projection, o.projection, n.outputs, n.cells, lstm.hidden_zero_point,
         Data<int32_t>(run, o.projection_bias));
    const int32_t together = sequence.time_major ? sequence.batches : 1;  // sequences in one row of the peephole
    ForSteps<int8_t, int16_t>(
        run, o, n, sequence, [&](int32_t b, const int8_t* x, const int8_t*, int8_t* state, int16_t* cell) {
          const kernels::ref::PeepholeSpan span = {.first = together > 1 ? int64_t{b} * n.cells : 0,
                                                   .end = int64_t{together} * n.outputs};
          kernels::ref::LstmStepInteger(lstm, span, x, state, cell, Memory<int16_t>(run, gates),
                                        Memory<int8_t>(run, hidden));
        });
  };
}

}  // namespace

RecurrentActivation RecurrentActivationOf(graph::Activation activation) {
  switch (activation) {
    case graph::Activation::kNone:
      return RecurrentActivation::kNone;
    case graph::Activation::kRelu:
      return RecurrentActivation::kRelu;
    case graph::Activation::kRelu6:
      return RecurrentActivation::kRelu6;
    case graph::Activation::kTanh:
      return RecurrentActivation::kTanh;
    default:
      throw InputError("fused activation {} has no kernel", graph::ActivationName(activation));
  }
}

LstmOperands FullLstmOperands(bool with_layer_norm) {
  LstmOperands o = {.input = 0,
                    .input_weights = {1, 2, 3, 4},
                    .recurrent_weights = {5, 6, 7, 8},
                    .peephole = {9, 10, kNoOperand, 11},
                    .bias = {12, 13, 14, 15},
                    .projection = 16,
                    .projection_bias = 17,
                    .output_state = 18,
                    .cell_state = 19};
  if (with_layer_norm) {
    for (int gate = 0; gate < kLstmGates; ++gate) o.layer_norm[gate] = 20 + gate;
  }
  return o;
}

LstmSizes CheckLstm(const PrepareContext& context, const LstmOperands& o) {
  const TensorRef& input = context.Input(o.input);
  CheckType(input, "input", {DType::kFloat32, DType::kInt8});
  CheckRank(input, "input", 2, 3);
  const TensorRef& weights = context.Input(o.input_weights[kOutputGate]);
  const TensorRef& recurrent = context.Input(o.recurrent_weights[kOutputGate]);
  CheckType(weights, kInputWeights[kOutputGate], {DType::kFloat32, DType::kInt8});
  CheckRank(weights, kInputWeights[kOutputGate], 2, 2);
  CheckRank(recurrent, "recurrent_to_output_weights", 1, 2);
  const LstmTypes types = TypesOf(context, o);
  LstmSizes n;
  n.inputs = input.shape.FromEnd(1);
  n.cells = weights.shape[0];
  n.outputs = recurrent.shape.FromEnd(1);
  if (o.aux_input != kNoOperand) {
    CheckSameType(input, "input", context.Input(o.aux_input), "aux input");
    n.aux_inputs = context.Input(o.aux_input).shape.FromEnd(1);
  }
  if (n.cells < 1 || n.outputs < 1 || n.inputs < 1) {
    throw InputError("has {} inputs, {} cells and {} outputs", n.inputs, n.cells, n.outputs);
  }
  const bool cifg = !Has(context, o.input_weights[kInputGate]);
  const bool has_peephole = Has(context, o.peephole[kOutputGate]);
  const bool has_layer_norm = Has(context, o.layer_norm[kForgetGate]);
  if (cifg) {
    CheckAbsent(context, o.recurrent_weights[kInputGate], "recurrent_to_input_weights");
    CheckAbsent(context, o.bias[kInputGate], "input_gate_bias");
    CheckAbsent(context, o.peephole[kInputGate], "cell_to_input_weights");
    CheckAbsent(context, o.layer_norm[kInputGate], "input_layer_norm_coefficients");
    CheckAbsent(context, o.aux_weights[kInputGate], "aux_input_to_input_weights");
  }
  if (!has_peephole && (Has(context, o.peephole[kInputGate]) || Has(context, o.peephole[kForgetGate]))) {
    throw InputError("peephole weights are given for some gates only");
  }
  for (int gate = kInputGate; gate < kLstmGates; ++gate) {
    if (!has_layer_norm && Has(context, o.layer_norm[gate])) {
      throw InputError("layer norm coefficients are given for some gates only");
    }
    if (n.aux_inputs == 0 && Has(context, o.aux_weights[gate])) {
      throw InputError("aux weights are given without an aux input");
    }
  }
  for (int gate = cifg ? kForgetGate : kInputGate; gate < kLstmGates; ++gate) {
    CheckGate(context, o, gate, n, types, has_peephole, has_layer_norm);
  }
  if (Has(context, o.projection)) {
    CheckOperand(context, o.projection, "projection_weights", types.weights, {n.outputs, n.cells});
    if (Has(context, o.projection_bias)) {
      CheckOperand(context, o.projection_bias, "projection_bias", types.bias, {n.outputs});
    }
  } else if (Has(context, o.projection_bias)) {
    throw InputError("projection_bias is given without projection_weights");
  } else if (n.outputs != n.cells) {
    throw InputError("{} cells and {} outputs without a projection", n.cells, n.outputs);
  }
  return n;
}

bool HasPackedGates(const PrepareContext& context, const LstmOperands& o, const LstmSizes& n) {
  if (context.shapes_only() || !kernels::simd::UsesVectors() || Has(context, o.projection)) return false;
  for (int gate = 0; gate < kLstmGates; ++gate) {
    if (!Has(context, o.input_weights[gate]) || Has(context, o.peephole[gate]) || Has(context, o.layer_norm[gate]))
      return false;
    for (const int operand : {o.input_weights[gate], o.recurrent_weights[gate], o.bias[gate]}) {
      if (!Has(context, operand) || !context.IsKnown(operand)) return false;
    }
    if (context.Input(o.recurrent_weights[gate]).shape.rank() != 2) return false;
  }
  const size_t cells = static_cast<size_t>(n.cells), depth = static_cast<size_t>(n.inputs) + cells;
  return IsWorthPacking(kernels::simd::PaddedOutputs(cells) * depth, cells * depth);
}

RunFn MakeLstm(PrepareContext& context, const LstmOperands& o, const LstmSizes& n, const LstmOptions& options,
               const LstmSequence& sequence) {
  if (!(options.cell_clip >= 0) || !(options.projection_clip >= 0)) {
    throw InputError("cell_clip and proj_clip are {} and {}, expected at least 0", options.cell_clip,
                     options.projection_clip);
  }
  const LstmTypes types = TypesOf(context, o);
  CheckType(context.Output(sequence.output), "output", {types.output});
  CheckState(context, o.output_state, "output_state", types.output_state, int64_t{sequence.batches} * n.outputs);
  CheckState(context, o.cell_state, "cell_state", types.cell_state, int64_t{sequence.batches} * n.cells);
  if (IsInteger(context, o)) return MakeInteger(context, o, n, options, sequence);
  if (IsHybrid(context, o)) return MakeHybrid(context, o, n, options, sequence);
  return MakeFloat(context, o, n, options, sequence);
}

}  // namespace assay::ops
