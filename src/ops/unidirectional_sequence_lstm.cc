// UNIDIRECTIONAL_SEQUENCE_LSTM and LSTM (one step): float32, int8 with int16 gates and cells, hybrid (float32 with int8
// weights); with or without input gate, peephole, projection and layer normalisation.
#include "graph/ops/lstm.h"
#include "ops/checks.h"
#include "ops/lstm_operands.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

LstmOperands OperandsOf(const PrepareContext& context) {
  constexpr int kPlain = 20, kWithLayerNorm = 24;
  if (context.num_inputs() != kPlain && context.num_inputs() != kWithLayerNorm) {
    throw InputError("has {} inputs, expected {} or {}", context.num_inputs(), kPlain, kWithLayerNorm);
  }
  CheckArity(context, kPlain, kWithLayerNorm, 1);
  return FullLstmOperands(context.num_inputs() == kWithLayerNorm);
}

RunFn Prepare(PrepareContext& context, const LstmOptions& options, const Shape& input_shape, LstmSequence sequence) {
  const LstmOperands operands = OperandsOf(context);
  const kernels::ref::LstmSizes sizes = CheckLstm(context, operands);
  Shape output = input_shape;
  output[output.rank() - 1] = sizes.outputs;
  sequence.output_stride = sizes.outputs;
  context.SetOutputShape(0, std::move(output));
  return MakeLstm(context, operands, sizes, options, sequence);
}

}  // namespace

RunFn PrepareUnidirectionalSequenceLstm(PrepareContext& context) {
  const auto a = context.op().attributes.As<graph::UnidirectionalSequenceLstmAttributes>();
  const TensorRef& input = context.Input(0);
  CheckRank(input, "input", 3, 3);
  const LstmSequence sequence = {.batches = input.shape[a.time_major ? 1 : 0],
                                 .steps = input.shape[a.time_major ? 0 : 1],
                                 .time_major = a.time_major};
  return Prepare(context, {a.fused_activation_function, a.cell_clip, a.proj_clip, a.asymmetric_quantize_inputs},
                 input.shape, sequence);
}

RunFn PrepareLstm(PrepareContext& context) {
  const auto a = context.op().attributes.As<graph::LstmAttributes>();
  if (a.kernel_type != graph::LstmKernelType::kFull) throw InputError("the BASIC form of LSTM has no kernel");
  const TensorRef& input = context.Input(0);
  CheckRank(input, "input", 2, 2);
  const LstmSequence sequence = {.batches = input.shape[0], .steps = 1, .time_major = true};
  return Prepare(context, {a.fused_activation_function, a.cell_clip, a.proj_clip, a.asymmetric_quantize_inputs},
                 input.shape, sequence);
}

}  // namespace assay::ops
