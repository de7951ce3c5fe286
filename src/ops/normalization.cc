// L2_NORMALIZATION (float32, int8, uint8) and LOCAL_RESPONSE_NORMALIZATION (float32).
#include "graph/ops/normalization.h"

#include "kernels/ref/normalization.h"
#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

template <typename T>
RunFn NormalizeCodes(const PrepareContext& context, int64_t rows, int32_t depth, int32_t output_zero_point) {
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  CheckPerTensorQuantized(input, "input");
  CheckPerTensorQuantized(output, "output");
  if (output.scale() != 1.0F / 128 || output.zero_point() != output_zero_point) {
    throw InputError("output has scale {} and zero point {}, expected 1/128 and {}", output.scale(),
                     output.zero_point(), output_zero_point);
  }
  return [rows, depth, zero_point = input.zero_point()](const RunContext& run) {
    kernels::ref::L2NormalizeCodes<T>(rows, depth, zero_point, run.In<T>(0).data(), run.Out<T>(0).data());
  };
}

}  // namespace

RunFn PrepareL2Normalization(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  CheckSameType(input, "input", context.Output(0), "output");
  if (input.shape.rank() < 1) throw InputError("input is a scalar, expected at least one dimension");
  const auto a = context.op().attributes.As<graph::L2NormAttributes>();
  if (a.fused_activation_function != graph::Activation::kNone) {
    throw InputError("fused activation {} has no kernel", graph::ActivationName(a.fused_activation_function));
  }
  context.SetOutputShape(0, input.shape);
  const int32_t depth = input.shape.FromEnd(1);
  const int64_t rows = depth == 0 ? 0 : input.size() / depth;
  switch (input.dtype) {
    case DType::kFloat32:
      return [rows, depth](const RunContext& run) {
        kernels::ref::L2NormalizeFloat(rows, depth, run.In<float>(0).data(), run.Out<float>(0).data());
      };
    case DType::kInt8:
      return NormalizeCodes<int8_t>(context, rows, depth, 0);
    case DType::kUInt8:
      return NormalizeCodes<uint8_t>(context, rows, depth, 128);
    default:
      UnsupportedTypes(context);
  }
}

RunFn PrepareLocalResponseNormalization(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  CheckType(input, "input", {DType::kFloat32});
  CheckType(context.Output(0), "output", {DType::kFloat32});
  CheckRank(input, "input", 4, 4);
  const auto a = context.op().attributes.As<graph::LocalResponseNormalizationAttributes>();
  if (a.radius < 0) throw InputError("radius is {}, expected at least 0", a.radius);
  context.SetOutputShape(0, input.shape);
  const int32_t depth = input.shape[3];
  const kernels::ref::LocalResponse p = {.rows = depth == 0 ? 0 : input.size() / depth,
                                         .depth = depth,
                                         .radius = a.radius,
                                         // The reference kernel leaves the window's last channel out.
                                         .with_last = context.engine() != numerics::Engine::kReference,
                                         .bias = a.bias,
                                         .alpha = a.alpha,
                                         .beta = a.beta};
  return [p](const RunContext& run) {
    kernels::ref::LocalResponseNormalize(p, run.In<float>(0).data(), run.Out<float>(0).data());
  };
}

}  // namespace assay::ops
