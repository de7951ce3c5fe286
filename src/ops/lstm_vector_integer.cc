// LSTMs of integers on vector kernels, arranged as in lstm_vector.cc: the products of many steps with the input at
// once, then step by step the product with the last output. Activations come from tables of all 16-bit values.
#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "base/aligned_vector.h"
#include "kernels/simd/lstm_integer.h"
#include "kernels/simd/matrix_8bit.h"
#include "ops/lstm_operands.h"
#include "ops/packed_weights.h"

namespace assay::ops {
namespace {

using kernels::ref::kLstmGates;
using kernels::ref::LstmInteger;
using kernels::ref::LstmSizes;
using LstmTable = std::vector<int16_t>;

constexpr int32_t kIntegerSteps = 32;

template <typename F>
std::shared_ptr<const LstmTable> MakeLstmTable(const F& f) {
  auto table = std::make_shared<LstmTable>(size_t{1} << 16);
  for (int32_t x = INT16_MIN; x <= INT16_MAX; ++x) {
    (*table)[static_cast<uint16_t>(x)] = f(static_cast<int16_t>(x));
  }
  return table;
}

// Made once: the logistic function of gates at 0, tanh with m integer bits at 1 + m.
std::shared_ptr<const LstmTable> FindLstmTable(size_t index) {
  constexpr size_t kTables = 8;
  static std::mutex mutex;
  static std::array<std::shared_ptr<const LstmTable>, kTables> tables;
  const std::lock_guard lock(mutex);
  if (tables[index] == nullptr) {
    tables[index] = MakeLstmTable([&](int16_t x) {
      return index == 0 ? kernels::ref::LstmLogistic(x) : kernels::ref::LstmTanh(x, static_cast<int>(index) - 1);
    });
  }
  return tables[index];
}

// A product's weights, the four gates' one below the other and padded to whole blocks of outputs each, with what goes
// with every output.
struct IntegerGates {
  IntegerGates(const PrepareContext& context, const int* operands, const int* bias, size_t cells, size_t inputs,
               int32_t zero_point, const std::array<numerics::FixedPointScale, kLstmGates>& gate_scales)
      : depth(inputs),
        width(kLstmGates * kernels::simd::PaddedOutputs(cells)),
        weights(width * kernels::simd::PaddedDepth(1, inputs)),
        offsets(width),
        scales(Spread(gate_scales, width)) {
    const size_t padded = width / kLstmGates;
    std::vector<int8_t> rows(width * depth);
    for (size_t gate = 0; gate < kLstmGates; ++gate) {
      const auto codes = context.Values<int8_t>(operands[gate]);
      std::ranges::copy(codes, rows.begin() + static_cast<int64_t>(gate * padded * depth));
      for (size_t c = 0; c < cells; ++c) {
        uint32_t sum = 0;
        for (size_t k = 0; k < depth; ++k) sum += static_cast<uint32_t>(int32_t{codes[c * depth + k]});
        const int32_t start = bias == nullptr ? 0 : context.Values<int32_t>(bias[gate])[c];
        // The kernels see codes without a sign: 128 more.
        offsets[gate * padded + c] =
            static_cast<int32_t>(static_cast<uint32_t>(start) - static_cast<uint32_t>(zero_point + 128) * sum);
      }
    }
    kernels::simd::PackWeights8Bit(width, 1, depth, rows.data(), weights.data());
  }

  kernels::simd::Matrix8Bit matrix() const {
    kernels::simd::Matrix8Bit m = {};
    m.outputs = width, m.lines = 1, m.line_depth = depth;
    m.weights = weights.data(), m.offsets = offsets.data();
    return m;
  }

  static std::vector<numerics::ChannelScale> Spread(const std::array<numerics::FixedPointScale, kLstmGates>& scales,
                                                    size_t width) {
    std::vector<numerics::ChannelScale> spread(width);
    for (size_t i = 0; i < width; ++i) spread[i].fixed = scales[i / (width / kLstmGates)];
    return spread;
  }

  size_t depth, width;
  AlignedVector<int8_t> weights;
  AlignedVector<int32_t> offsets;
  PackedScales scales;
};

struct IntegerState {
  LstmInteger lstm;
  IntegerGates input, recurrent;
  std::shared_ptr<const LstmTable> logistic, tanh, cell_tanh;
};

}  // namespace

std::optional<RunFn> PrepareVectorLstm(PrepareContext& context, const LstmOperands& o, const LstmInteger& lstm,
                                       const LstmSequence& s) {
  constexpr int kGateIntegerBits = 3;
  const LstmSizes& n = lstm.sizes;
  if (!HasPackedGates(context, o, n)) return std::nullopt;
  const size_t cells = static_cast<size_t>(n.cells), inputs = static_cast<size_t>(n.inputs);
  std::array<numerics::FixedPointScale, kLstmGates> input_scales, recurrent_scales;
  for (size_t gate = 0; gate < kLstmGates; ++gate) {
    input_scales[gate] = lstm.gates[gate].input.scale;
    recurrent_scales[gate] = lstm.gates[gate].recurrent.scale;
  }
  const auto state = std::make_shared<const IntegerState>(IntegerState{
      lstm,
      IntegerGates(context, o.input_weights, o.bias, cells, inputs, context.Input(o.input).zero_point(), input_scales),
      IntegerGates(context, o.recurrent_weights, nullptr, cells, cells, lstm.output_zero_point, recurrent_scales),
      FindLstmTable(0), FindLstmTable(1 + kGateIntegerBits),
      FindLstmTable(size_t{16} - static_cast<size_t>(-lstm.cell_exponent))});
  const size_t width = state->input.width, row_bytes = kernels::simd::PaddedLine(inputs);
  // Rows are read in whole groups; where they are none, a copy is.
  const int rows_memory = context.AddScratch(row_bytes == inputs ? 0 : kIntegerSteps * uint64_t{row_bytes});
  const int sums_memory = context.AddScratch(kIntegerSteps * uint64_t{width} * sizeof(int32_t));
  const int gates_memory = context.AddScratch((kIntegerSteps + 1) * uint64_t{width} * sizeof(int16_t));
  return [=](const RunContext& run) {
    const int8_t* input = run.In<int8_t>(o.input).data();
    int8_t* output = run.Out<int8_t>(s.output).data();
    int8_t* const all_states = run.Input(o.output_state).mutable_values<int8_t>().data();
    int16_t* const all_cells = run.Input(o.cell_state).mutable_values<int16_t>().data();
    auto* const copied = run.Scratch(rows_memory).data();
    auto* const sums = reinterpret_cast<int32_t*>(run.Scratch(sums_memory).data());
    auto* const step_gates = reinterpret_cast<int16_t*>(run.Scratch(gates_memory).data());
    int16_t* const gates = step_gates + kIntegerSteps * width;
    const size_t padded = width / kLstmGates;
    const int16_t* const each_gate[] = {gates, gates + padded, gates + 2 * padded, gates + 3 * padded};
    const kernels::simd::LstmTables tables = {state->logistic->data(), state->tanh->data(), state->cell_tanh->data()};
    const kernels::simd::Matrix8Bit from_input = state->input.matrix(), from_state = state->recurrent.matrix();
    const kernels::simd::ChannelScales input_rescaling = state->input.scales.view();
    const kernels::simd::ChannelScales state_rescaling = state->recurrent.scales.view();
    for (int32_t b = 0; b < s.batches; ++b) {
      int8_t* const output_state = all_states + int64_t{b} * n.outputs;
      const auto row_of = [&](int32_t t) {
        return s.time_major ? int64_t{t} * s.batches + b : int64_t{b} * s.steps + t;
      };
      const size_t between = s.time_major ? inputs * static_cast<size_t>(s.batches) : inputs;
      for (int32_t done = 0; done < s.steps; done += kIntegerSteps) {
        run.CheckCancelled();
        const int32_t count = std::min(kIntegerSteps, s.steps - done);
        const int32_t first = s.backward ? s.steps - done - count : done;
        const auto* codes = reinterpret_cast<const uint8_t*>(input + row_of(first) * n.inputs);
        size_t stride = between;
        if (row_bytes != inputs) {
          for (size_t r = 0; r < static_cast<size_t>(count); ++r) {
            std::memcpy(copied + r * row_bytes, codes + r * between, inputs);
          }
          codes = copied, stride = row_bytes;
        }
        kernels::simd::Sum8Bit(from_input, {codes, static_cast<size_t>(count), stride, row_bytes, /*flip_sign=*/true},
                               sums, width);
        for (size_t r = 0; r < static_cast<size_t>(count); ++r) {
          kernels::simd::RescaleLstmGates(sums + r * width, input_rescaling, width, nullptr, step_gates + r * width);
        }
        for (int32_t k = 0; k < count; ++k) {
          const int32_t t = s.backward ? first + count - 1 - k : first + k;
          const auto* last = reinterpret_cast<const uint8_t*>(output_state);
          kernels::simd::Sum8Bit(from_state, {last, 1, cells, kernels::simd::PaddedLine(cells), /*flip_sign=*/true},
                                 sums, width);
          kernels::simd::RescaleLstmGates(sums, state_rescaling, width,
                                          step_gates + static_cast<size_t>(t - first) * width, gates);
          kernels::simd::LstmIntegerCells(state->lstm, tables, each_gate, all_cells + int64_t{b} * n.cells,
                                          output_state);
          std::copy_n(output_state, n.outputs, output + row_of(t) * s.output_stride + s.output_offset);
        }
      }
    }
  };
}

}  // namespace assay::ops
