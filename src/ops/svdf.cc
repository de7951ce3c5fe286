// SVDF: float32, int8 with int16 state and time weights, hybrid (float32 with int8 weights).
#include "kernels/ref/svdf.h"

#include <cmath>

#include "graph/ops/svdf.h"
#include "ops/checks.h"
#include "ops/lstm_operands.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::SvdfGeometry;

constexpr int kInput = 0, kFeature = 1, kTime = 2, kBias = 3, kState = 4;

SvdfGeometry CheckShapes(const PrepareContext& context, int32_t rank) {
  const TensorRef &input = context.Input(kInput), &feature = context.Input(kFeature), &time = context.Input(kTime);
  CheckRank(input, "input", 2, 2);
  CheckRank(feature, "weights_feature", 2, 2);
  CheckRank(time, "weights_time", 2, 2);
  SvdfGeometry g = {.batches = input.shape[0],
                    .inputs = input.shape[1],
                    .filters = feature.shape[0],
                    .memory = time.shape[1],
                    .rank = rank};
  if (rank < 1 || g.filters % rank != 0) throw InputError("rank {} does not divide the {} filters", rank, g.filters);
  if (g.memory < 1) throw InputError("weights_time has the shape {}", time.shape.ToString());
  if (feature.shape[1] != g.inputs || time.shape[0] != g.filters) {
    throw InputError("weights_feature {} and weights_time {} do not fit the input {}", feature.shape.ToString(),
                     time.shape.ToString(), input.shape.ToString());
  }
  if (context.HasInput(kBias) && context.Input(kBias).shape != Shape{g.units()}) {
    throw InputError("bias has the shape {}, expected [{}]", context.Input(kBias).shape.ToString(), g.units());
  }
  const TensorRef& state = context.Input(kState);
  if (!state.info->is_variable) throw InputError("state is not a variable");
  if (state.size() != int64_t{g.batches} * g.filters * g.memory) {
    throw InputError("state has the shape {}, expected [{},{}]", state.shape.ToString(), g.batches,
                     int64_t{g.filters} * g.memory);
  }
  return g;
}

void CheckTypes(const PrepareContext& context, DType feature, DType time, DType bias, DType state, DType output) {
  CheckType(context.Input(kFeature), "weights_feature", {feature});
  CheckType(context.Input(kTime), "weights_time", {time});
  if (context.HasInput(kBias)) CheckType(context.Input(kBias), "bias", {bias});
  CheckType(context.Input(kState), "state", {state});
  CheckType(context.Output(0), "output", {output});
}

template <typename T>
T* MutableState(const RunContext& run) {
  return run.Input(kState).mutable_values<T>().data();
}
template <typename T>
const T* Bias(const RunContext& run) {
  return run.HasInput(kBias) ? run.In<T>(kBias).data() : nullptr;
}

RunFn PrepareInteger(const PrepareContext& context, const SvdfGeometry& g) {
  CheckTypes(context, DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt16, DType::kInt8);
  const TensorRef &input = context.Input(kInput), &feature = context.Input(kFeature), &time = context.Input(kTime);
  const TensorRef &state = context.Input(kState), &output = context.Output(0);
  CheckPerTensorQuantized(input, "input");
  CheckPerTensorQuantized(feature, "weights_feature");
  CheckPerTensorQuantized(time, "weights_time");
  CheckPerTensorQuantized(state, "state");
  CheckPerTensorQuantized(output, "output");
  const auto scale = [](const TensorRef& tensor) { return static_cast<double>(tensor.scale()); };
  const kernels::ref::SvdfScales scales = {
      .feature = numerics::ToFixedPoint(scale(input) * scale(feature) / scale(state)),
      .output = numerics::ToFixedPoint(scale(state) * scale(time) / scale(output)),
      .input_zero_point = input.zero_point(),
      .output_zero_point = output.zero_point()};
  return [g, scales](const RunContext& run) {
    kernels::ref::SvdfInteger(g, scales, run.In<int8_t>(kInput).data(), run.In<int8_t>(kFeature).data(),
                              run.In<int16_t>(kTime).data(), Bias<int32_t>(run), MutableState<int16_t>(run),
                              run.Out<int8_t>(0).data());
  };
}

RunFn PrepareHybrid(PrepareContext& context, const SvdfGeometry& g, const graph::SvdfAttributes& a) {
  constexpr DType kFloat = DType::kFloat32;
  CheckTypes(context, DType::kInt8, DType::kInt8, kFloat, kFloat, kFloat);
  CheckPerTensorQuantized(context.Input(kFeature), "weights_feature");
  CheckPerTensorQuantized(context.Input(kTime), "weights_time");
  const int codes = context.AddScratch(static_cast<uint64_t>(g.inputs));
  const int features = context.AddScratch(static_cast<uint64_t>(g.filters) * sizeof(float));
  const auto quantizer = a.asymmetric_quantize_inputs ? kernels::ref::DynamicQuantizer::kAsymmetric
                                                      : kernels::ref::DynamicQuantizer::kSymmetric;
  return [g, quantizer, codes, features, activation = RecurrentActivationOf(a.fused_activation_function),
          feature_scale = context.Input(kFeature).scale(),
          time_scale = context.Input(kTime).scale()](const RunContext& run) {
    kernels::ref::SvdfHybrid(
        g, activation, quantizer, run.In<float>(kInput).data(), {run.In<int8_t>(kFeature).data(), feature_scale},
        {run.In<int8_t>(kTime).data(), time_scale}, Bias<float>(run),
        reinterpret_cast<int8_t*>(run.Scratch(codes).data()), reinterpret_cast<float*>(run.Scratch(features).data()),
        MutableState<float>(run), run.Out<float>(0).data());
  };
}

}  // namespace

RunFn PrepareSvdf(PrepareContext& context) {
  CheckArity(context, 5, 5, 1);
  const auto a = context.op().attributes.As<graph::SvdfAttributes>();
  const SvdfGeometry g = CheckShapes(context, a.rank);
  CheckType(context.Input(kInput), "input", {DType::kFloat32, DType::kInt8});
  context.SetOutputShape(0, {g.batches, g.units()});
  if (context.Input(kInput).dtype == DType::kInt8) return PrepareInteger(context, g);
  if (context.Input(kFeature).dtype == DType::kInt8) return PrepareHybrid(context, g, a);
  constexpr DType kFloat = DType::kFloat32;
  CheckTypes(context, kFloat, kFloat, kFloat, kFloat, kFloat);
  return [g, activation = RecurrentActivationOf(a.fused_activation_function)](const RunContext& run) {
    kernels::ref::SvdfFloat(g, activation, run.In<float>(kInput).data(), run.In<float>(kFeature).data(),
                            run.In<float>(kTime).data(), Bias<float>(run), MutableState<float>(run),
                            run.Out<float>(0).data());
  };
}

}  // namespace assay::ops
