// BIDIRECTIONAL_SEQUENCE_LSTM: float32 and hybrid (float32 with int8 weights). Both directions read the input, and an
// auxiliary one where it has weights; where it has none, the backward direction reads it in place of the input.
#include <algorithm>

#include "graph/ops/lstm.h"
#include "ops/checks.h"
#include "ops/lstm_operands.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

constexpr int kInputs = 48, kAuxInput = 39;

// `first` is the position of the direction's first weights, `state` of its states, `aux` of its auxiliary weights.
LstmOperands DirectionOperands(int first, int state, int aux, int input, bool has_aux) {
  LstmOperands o = {.input = input,
                    .input_weights = {first, first + 1, first + 2, first + 3},
                    .recurrent_weights = {first + 4, first + 5, first + 6, first + 7},
                    .peephole = {first + 8, first + 9, kNoOperand, first + 10},
                    .bias = {first + 11, first + 12, first + 13, first + 14},
                    .projection = first + 15,
                    .projection_bias = first + 16,
                    .output_state = state,
                    .cell_state = state + 1};
  if (has_aux) {
    o.aux_input = kAuxInput;
    for (int gate = 0; gate < kernels::ref::kLstmGates; ++gate) o.aux_weights[gate] = aux + gate;
  }
  return o;
}

}  // namespace

RunFn PrepareBidirectionalSequenceLstm(PrepareContext& context) {
  const auto a = context.op().attributes.As<graph::BidirectionalSequenceLstmAttributes>();
  CheckArity(context, kInputs, kInputs, a.merge_outputs ? 1 : 2);
  const TensorRef& input = context.Input(0);
  CheckType(input, "input", {DType::kFloat32});
  CheckRank(input, "input", 3, 3);
  constexpr int kForwardAux = 40, kBackwardAux = 44, kForwardAuxToForget = 41;
  const bool has_aux = context.HasInput(kAuxInput), aux_has_weights = context.HasInput(kForwardAuxToForget);
  if (aux_has_weights && !has_aux) throw InputError("aux weights are given without the aux input");
  if (has_aux) {
    const TensorRef& aux = context.Input(kAuxInput);
    CheckRank(aux, "aux input", 3, 3);
    if (aux.shape[0] != input.shape[0] || aux.shape[1] != input.shape[1]) {
      throw InputError("aux input has the shape {}, the input {}", aux.shape.ToString(), input.shape.ToString());
    }
  }
  const bool aux_replaces = has_aux && !aux_has_weights;
  const LstmOperands forward = DirectionOperands(1, 35, kForwardAux, 0, aux_has_weights);
  const LstmOperands backward = DirectionOperands(18, 37, kBackwardAux, aux_replaces ? kAuxInput : 0, aux_has_weights);
  const kernels::ref::LstmSizes n = CheckLstm(context, forward), m = CheckLstm(context, backward);
  LstmSequence ahead = {.batches = input.shape[a.time_major ? 1 : 0],
                        .steps = input.shape[a.time_major ? 0 : 1],
                        .time_major = a.time_major,
                        .output_stride = a.merge_outputs ? n.outputs + m.outputs : n.outputs};
  LstmSequence back = ahead;
  back.backward = true;
  context.SetOutputShape(0, {input.shape[0], input.shape[1], ahead.output_stride});
  if (a.merge_outputs) {
    back.output_offset = n.outputs;
  } else {
    back.output = 1;
    back.output_stride = m.outputs;
    context.SetOutputShape(1, {input.shape[0], input.shape[1], m.outputs});
  }
  const LstmOptions options = {a.fused_activation_function, a.cell_clip, a.proj_clip, a.asymmetric_quantize_inputs};
  return [run_forward = MakeLstm(context, forward, n, options, ahead),
          run_backward = MakeLstm(context, backward, m, options, back)](const RunContext& run) {
    run_forward(run);
    run_backward(run);
  };
}

}  // namespace assay::ops
