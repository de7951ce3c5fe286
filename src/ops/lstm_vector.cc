// Float LSTMs on vector kernels: the products of many steps with the input at once, then step by step the product with
// the last output, which starts from them.
#include <algorithm>
#include <limits>

#include "base/aligned_vector.h"
#include "kernels/simd/activations.h"
#include "kernels/simd/matrix_float.h"
#include "ops/lstm_operands.h"

namespace assay::ops {
namespace {

using kernels::ref::kLstmGates;
using kernels::ref::LstmSizes;

constexpr int32_t kStepsAtOnce = 32;
constexpr float kInf = std::numeric_limits<float>::infinity();

// The four gates' weights one below the other, each gate padded to whole blocks of outputs.
AlignedVector<float> PackGates(const PrepareContext& context, const int* operands, size_t cells, size_t depth) {
  const size_t padded = kernels::simd::PaddedOutputs(cells);
  std::vector<float> rows(kLstmGates * padded * depth);
  for (size_t gate = 0; gate < kLstmGates; ++gate) {
    std::ranges::copy(context.Values<float>(operands[gate]),
                      rows.begin() + static_cast<int64_t>(gate * padded * depth));
  }
  AlignedVector<float> packed(rows.size());
  kernels::simd::PackWeightsFloat(kLstmGates * padded, depth, rows.data(), packed.data());
  return packed;
}

struct State {
  AlignedVector<float> input, recurrent, bias;
};

}  // namespace

std::optional<RunFn> PrepareVectorLstm(PrepareContext& context, const LstmOperands& o, const LstmSizes& n,
                                       const LstmOptions& options, const LstmSequence& s) {
  if (options.activation != graph::Activation::kTanh || n.aux_inputs > 0 || !HasPackedGates(context, o, n)) {
    return std::nullopt;
  }
  const size_t cells = static_cast<size_t>(n.cells), inputs = static_cast<size_t>(n.inputs);
  const size_t padded = kernels::simd::PaddedOutputs(cells), width = kLstmGates * padded;
  State packed = {PackGates(context, o.input_weights, cells, inputs),
                  PackGates(context, o.recurrent_weights, cells, cells), AlignedVector<float>(width)};
  for (size_t gate = 0; gate < kLstmGates; ++gate) {
    std::ranges::copy(context.Values<float>(o.bias[gate]), packed.bias.begin() + static_cast<int64_t>(gate * padded));
  }
  const auto state = std::make_shared<const State>(std::move(packed));
  // The sums of kStepsAtOnce steps, and those of one with the recurrent product.
  const int memory = context.AddScratch((kStepsAtOnce + 1) * uint64_t{width} * sizeof(float));
  return [o, n, s, state, cells, inputs, padded, width, memory, clip = options.cell_clip](const RunContext& run) {
    const float* input = run.In<float>(o.input).data();
    float* output = run.Out<float>(s.output).data();
    float* const all_states = run.Input(o.output_state).mutable_values<float>().data();
    float* const all_cells = run.Input(o.cell_state).mutable_values<float>().data();
    auto* const step_sums = reinterpret_cast<float*>(run.Scratch(memory).data());
    float* const sums = step_sums + kStepsAtOnce * width;
    const float* const gates[] = {sums, sums + padded, sums + 2 * padded, sums + 3 * padded};
    const kernels::simd::MatrixFloat from_input = {width, inputs, state->input.data(), state->bias.data(), -kInf, kInf};
    for (int32_t b = 0; b < s.batches; ++b) {
      float* const output_state = all_states + int64_t{b} * n.outputs;
      const auto row_of = [&](int32_t t) {
        return s.time_major ? int64_t{t} * s.batches + b : int64_t{b} * s.steps + t;
      };
      for (int32_t done = 0; done < s.steps; done += kStepsAtOnce) {
        run.CheckCancelled();
        const int32_t count = std::min(kStepsAtOnce, s.steps - done);
        const int32_t first = s.backward ? s.steps - done - count : done;
        const size_t between = s.time_major ? inputs * static_cast<size_t>(s.batches) : inputs;
        kernels::simd::MultiplyFloat(from_input,
                                     {input + row_of(first) * n.inputs, static_cast<size_t>(count), between, 1, inputs},
                                     step_sums, width);
        for (int32_t k = 0; k < count; ++k) {
          const int32_t t = s.backward ? first + count - 1 - k : first + k;
          const float* start = step_sums + static_cast<size_t>(t - first) * width;
          kernels::simd::MultiplyFloat({width, cells, state->recurrent.data(), start, -kInf, kInf},
                                       {output_state, 1, cells, 1, cells}, sums, width);
          kernels::simd::LstmCells(gates, cells, clip, all_cells + int64_t{b} * n.cells, output_state);
          std::copy_n(output_state, n.outputs, output + row_of(t) * s.output_stride + s.output_offset);
        }
      }
    }
  };
}

}  // namespace assay::ops
