#include "ops/matrix_product.h"

#include "ops/matrix_operands.h"
#include "ops/packed_weights.h"

namespace assay::ops {
namespace {

using kernels::ref::Conv2DGeometry;
using numerics::ChannelScale;
using numerics::OutputStage;

constexpr int kInput = 0, kWeights = 1, kBias = 2;

template <typename T>
const T* BiasOf(const RunContext& run, bool has_bias) {
  return has_bias ? run.In<T>(kBias).data() : nullptr;
}

template <typename P>
int AddPatch(PrepareContext& context, const Conv2DGeometry& g) {
  return context.AddScratch(static_cast<uint64_t>(g.PatchSize()) * sizeof(P));
}

template <typename P>
P* Patch(const RunContext& run, int scratch) {
  return reinterpret_cast<P*>(run.Scratch(scratch).data());
}

}  // namespace

RunFn PrepareMatrixProduct(PrepareContext& context, const Conv2DGeometry& g, FloatRange clamp) {
  if (auto run = PrepareVectorProduct(context, Convolution(g), clamp)) return *std::move(run);
  return [g, clamp, has_bias = context.HasInput(kBias), patch = AddPatch<double>(context, g)](const RunContext& run) {
    kernels::ref::Conv2DFloat(g, run.In<float>(kInput).data(), run.In<float>(kWeights).data(),
                              BiasOf<float>(run, has_bias), clamp.low, clamp.high, Patch<double>(run, patch),
                              run.Out<float>(0).data());
  };
}

RunFn PrepareMatrixProduct(PrepareContext& context, const Conv2DGeometry& g, const OutputStage& stage,
                           const std::vector<ChannelScale>& scales, int32_t weights_zero_point) {
  if (auto run = PrepareVectorProduct(context, Product8Bit{Convolution(g), stage, scales, weights_zero_point})) {
    return *std::move(run);
  }
  const bool has_bias = context.HasInput(kBias);
  const int patch = AddPatch<int16_t>(context, g);
  const int32_t x_zero = context.Input(kInput).zero_point();
  if (context.Input(kInput).dtype == DType::kUInt8) {
    return [g, stage, scales, has_bias, patch, x_zero, weights_zero_point](const RunContext& run) {
      kernels::ref::Conv2DQuantized<uint8_t, uint8_t>(
          g, run.In<uint8_t>(kInput).data(), x_zero, run.In<uint8_t>(kWeights).data(), weights_zero_point,
          BiasOf<int32_t>(run, has_bias), scales.data(), stage, Patch<int16_t>(run, patch), run.Out<uint8_t>(0).data());
    };
  }
  return [g, stage, scales, has_bias, patch, x_zero, weights_zero_point,
          weights = Int8Weights(context, kWeights)](const RunContext& run) {
    kernels::ref::Conv2DQuantized<int8_t, int8_t>(g, run.In<int8_t>(kInput).data(), x_zero, weights.Get(run),
                                                  weights_zero_point, BiasOf<int32_t>(run, has_bias), scales.data(),
                                                  stage, Patch<int16_t>(run, patch), run.Out<int8_t>(0).data());
  };
}

RunFn PrepareMatrixProduct16Bit(PrepareContext& context, const Conv2DGeometry& g, const OutputStage& stage,
                                const std::vector<ChannelScale>& scales, bool wide_bias) {
  if (auto run = PrepareVectorProduct(context, Product16Bit{Convolution(g), stage, scales, wide_bias})) {
    return *std::move(run);
  }
  return [g, stage, scales, wide_bias, has_bias = context.HasInput(kBias), patch = AddPatch<int16_t>(context, g),
          weights = Int8Weights(context, kWeights)](const RunContext& run) {
    const auto with_bias = [&]<typename Bias>(Bias) {
      kernels::ref::Conv2DInt16<Bias>(g, run.In<int16_t>(kInput).data(), weights.Get(run), BiasOf<Bias>(run, has_bias),
                                      scales.data(), stage, Patch<int16_t>(run, patch), run.Out<int16_t>(0).data());
    };
    wide_bias ? with_bias(int64_t{}) : with_bias(int32_t{});
  };
}

}  // namespace assay::ops
