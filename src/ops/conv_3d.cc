// CONV_3D: float32. Input NDHWC, filter DHWIO, optional bias.
#include "graph/ops/conv_3d.h"

#include "kernels/ref/conv_3d.h"
#include "ops/checks.h"
#include "ops/matrix_operands.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using graph::Conv3DAttributes;
using kernels::ref::Conv3DAxis;
using kernels::ref::Conv3DGeometry;

Conv3DAxis Axis(graph::Padding padding, int32_t input, int32_t filter, int32_t stride, int32_t dilation,
                const char* name) {
  const WindowAxis window = ComputeWindow(padding, input, filter, stride, dilation, name);
  return {.input = input,
          .filter = filter,
          .output = window.output,
          .stride = stride,
          .dilation = dilation,
          .pad_before = window.pad_before};
}

}  // namespace

RunFn PrepareConv3D(PrepareContext& context) {
  CheckArity(context, 2, 3, 1);
  const auto a = context.op().attributes.As<Conv3DAttributes>();
  const TensorRef &input = context.Input(0), &filter = context.Input(1), &output = context.Output(0);
  const bool has_bias = context.HasInput(2);
  CheckType(input, "input", {DType::kFloat32});
  CheckType(filter, "filter", {DType::kFloat32});
  CheckType(output, "output", {DType::kFloat32});
  if (has_bias) CheckType(context.Input(2), "bias", {DType::kFloat32});
  CheckRank(input, "input", 5, 5);
  CheckRank(filter, "filter", 5, 5);
  Conv3DGeometry g = {};
  g.batches = input.shape[0], g.input_c = input.shape[4], g.output_c = filter.shape[4];
  if (g.input_c < 1 || filter.shape[3] != g.input_c) {
    throw InputError("input has {} channels, the filter {}", g.input_c, filter.shape[3]);
  }
  if (g.output_c < 1) throw InputError("filter has no output channels");
  CheckBiasSize(context, 2, g.output_c);
  g.depth = Axis(a.padding, input.shape[1], filter.shape[0], a.stride_d, a.dilation_d_factor, "depth");
  g.height = Axis(a.padding, input.shape[2], filter.shape[1], a.stride_h, a.dilation_h_factor, "height");
  g.width = Axis(a.padding, input.shape[3], filter.shape[2], a.stride_w, a.dilation_w_factor, "width");
  context.SetOutputShape(0, {g.batches, g.depth.output, g.height.output, g.width.output, g.output_c});
  const int sums = context.AddScratch(static_cast<uint64_t>(g.output_c) * sizeof(double));
  return [g, clamp = ActivationRange(a.fused_activation_function), has_bias, sums](const RunContext& run) {
    kernels::ref::Conv3DFloat(g, run.In<float>(0).data(), run.In<float>(1).data(),
                              has_bias ? run.In<float>(2).data() : nullptr, clamp.low, clamp.high,
                              reinterpret_cast<double*>(run.Scratch(sums).data()), run.Out<float>(0).data());
  };
}

}  // namespace assay::ops
