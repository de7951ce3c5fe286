// DEPTHWISE_CONV_2D on vector kernels.
#include "kernels/simd/depthwise_conv_2d.h"

#include <algorithm>

#include "kernels/simd/hybrid.h"
#include "kernels/simd/matrix_16bit.h"
#include "kernels/simd/target.h"
#include "ops/packed_cache.h"
#include "ops/packed_codes.h"
#include "ops/packed_weights.h"
#include "ops/vector_operands.h"

namespace assay::ops {
namespace {

size_t RowCount(const kernels::ref::Conv2DGeometry& g) {
  return static_cast<size_t>(g.batches) * static_cast<size_t>(g.output_h);
}

bool HasDepthwiseForm(const PrepareContext& context, const kernels::ref::Conv2DGeometry& g) {
  return !context.shapes_only() && kernels::simd::UsesVectors() && g.output_c == g.input_c &&
         HasConstantOperands(context, 1, 2);
}

}  // namespace

std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const Product8Bit& product) {
  const kernels::ref::Conv2DGeometry& g = product.convolution.geometry();
  const auto channels = static_cast<size_t>(g.output_c), taps = static_cast<size_t>(g.PatchSize());
  if (taps == 0 || !HasDepthwiseForm(context, g)) return std::nullopt;
  struct State {
    SharedCodes weights;
    AlignedVector<int32_t> offsets;
    PackedScales scales;
  };
  const TensorRef& weights = context.Input(1);
  const size_t lanes = kernels::simd::DepthwiseLanes(g);
  const kernels::simd::DepthwiseLayout layout(lanes, taps);
  if (!IsWorthPacking(layout.weight_bytes(), channels * taps)) return std::nullopt;
  const auto place = [&](size_t c) { return layout.ChannelAt(c); };
  const ZeroPoint zero(context.Input(0));
  const auto bias = context.HasInput(2) ? context.Values<int32_t>(2) : std::span<const int32_t>();
  SharedCodes packed = PackDepthwise(weights, layout, lanes, channels, taps, product.filter_zero_point);
  if (packed->codes.empty()) return std::nullopt;
  AlignedVector<int32_t> offsets = Offsets(*packed, bias, zero, layout.padded_channels(), place);
  std::vector<numerics::ChannelScale> scales(lanes);
  for (size_t l = 0; l < lanes; ++l) scales[l] = product.scales[l % channels];
  auto state = std::make_shared<const State>(
      State{std::move(packed), std::move(offsets), PackedScales(scales, layout.padded_channels(), place)});
  const PackedCodes& codes = *state->weights;
  const bool has_more = !codes.more_groups.empty();
  const kernels::simd::Depthwise8Bit filter = {lanes,
                                               codes.codes.data(),
                                               has_more ? codes.more_codes.data() : nullptr,
                                               has_more ? codes.more_groups.data() : nullptr,
                                               state->offsets.data(),
                                               state->scales.view(),
                                               product.stage};
  const ThreadScratch scratch(context, kernels::simd::DepthwiseConv2D8BitScratch(g));
  const double ns =
      static_cast<double>(g.output_w) * static_cast<double>(channels) * (0.1 + 0.03 * static_cast<double>(taps));
  context.OfferRows(RowFormOf(g));
  return [g, filter, state, zero, scratch, ns](const RunContext& run) {
    const uint8_t* input = run.Input(0).data;
    uint8_t* output = run.Output(0).data;
    run.Loop(RowCount(g), GrainOf(ns), [&](size_t begin, size_t end, int worker) {
      kernels::simd::DepthwiseConv2D8Bit(g, input, zero.is_signed, zero.code, filter, {begin, end},
                                         scratch.Of(run, worker), output);
    });
  };
}

std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const kernels::ref::Conv2DGeometry& g,
                                            FloatRange clamp) {
  if (!kernels::simd::UsesVectors() || g.output_c != g.input_c) return std::nullopt;
  const ThreadScratch scratch(context, kernels::simd::DepthwiseConv2DFloatScratch(g));
  const double ns = static_cast<double>(g.output_w * g.output_c) * (0.3 + 0.1 * static_cast<double>(g.PatchSize()));
  context.OfferRows(RowFormOf(g));
  return [g, clamp, has_bias = context.HasInput(2), scratch, ns](const RunContext& run) {
    const float *input = run.In<float>(0).data(), *filter = run.In<float>(1).data();
    const float* bias = has_bias ? run.In<float>(2).data() : nullptr;
    float* output = run.Out<float>(0).data();
    run.Loop(RowCount(g), GrainOf(ns), [&](size_t begin, size_t end, int worker) {
      kernels::simd::DepthwiseConv2DFloat(g, input, filter, bias, clamp.low, clamp.high, {begin, end},
                                          scratch.Of(run, worker), output);
    });
  };
}

std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const HybridDepthwise& product) {
  const kernels::ref::Conv2DGeometry& g = product.geometry;
  const auto channels = static_cast<size_t>(g.output_c), taps = static_cast<size_t>(g.PatchSize());
  if (taps == 0 || !HasDepthwiseForm(context, g)) return std::nullopt;
  struct State {
    SharedCodes weights;
    AlignedVector<int32_t> sums;
    AlignedVector<float> scales, bias;
    std::vector<kernels::ref::HybridScaling> scalings;
  };
  const size_t lanes = kernels::simd::DepthwiseLanes(g);
  const kernels::simd::DepthwiseLayout layout(lanes, taps);
  if (!IsWorthPacking(layout.weight_bytes(), channels * taps)) return std::nullopt;
  auto state = std::make_shared<State>();
  state->weights = PackDepthwise(context.Input(1), layout, lanes, channels, taps, /*zero_point=*/0);
  const size_t padded = layout.padded_channels();
  state->sums.resize(padded), state->scales.resize(padded), state->bias.resize(padded);
  state->scalings.resize(padded, product.rule.blocks);
  for (size_t l = 0; l < lanes; ++l) {
    const size_t at = layout.ChannelAt(l), c = l % channels;
    state->sums[at] = static_cast<int32_t>(state->weights->sums[l]);
    state->scales[at] = product.scales[c];
    if (context.HasInput(2)) state->bias[at] = context.Values<float>(2)[c];
    if (c >= static_cast<size_t>(product.rule.blocked_channels)) state->scalings[at] = product.rule.tail;
  }
  const kernels::simd::DepthwiseHybrid filter = {lanes,
                                                 padded,
                                                 state->weights->codes.data(),
                                                 state->sums.data(),
                                                 state->scales.data(),
                                                 state->bias.data(),
                                                 state->scalings.data(),
                                                 product.clamp.low,
                                                 product.clamp.high};
  const QuantizedImages images(context, 0, g.batches, product.rule.quantizer);
  kernels::ref::Conv2DGeometry one = g;
  one.batches = 1;
  const ThreadScratch scratch(context, kernels::simd::DepthwiseConv2DHybridScratch(one, padded));
  const double ns =
      static_cast<double>(g.output_w) * static_cast<double>(channels) * (0.2 + 0.03 * static_cast<double>(taps));
  return Offer(context, Convolution(g), images, [g, one, filter, state, images, scratch, ns](const RunContext& run) {
    const int64_t output_image = int64_t{g.output_h} * g.output_w * g.output_c;
    float* output = run.Out<float>(0).data();
    run.Loop(RowCount(g), GrainOf(ns), [&](size_t begin, size_t end, int worker) {
      const auto image_rows = static_cast<size_t>(g.output_h);
      for (size_t row = begin; row < end;) {
        const size_t image = row / image_rows, first = row % image_rows;
        const size_t count = std::min(end - row, image_rows - first);
        kernels::simd::DepthwiseConv2DHybrid(
            one, filter, images.Ranges(run)[image], images.Codes(run) + static_cast<int64_t>(image) * g.ImageSize(),
            {first, first + count}, scratch.Of(run, worker), output + static_cast<int64_t>(image) * output_image);
        row += count;
      }
    });
  });
}

std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const Product16Bit& product) {
  const kernels::ref::Conv2DGeometry& g = product.convolution.geometry();
  if (product.stage.zero_point != 0 || !HasDepthwiseForm(context, g)) return std::nullopt;
  const auto weights = ShareCodes(context.Input(1));
  const auto stage = std::make_shared<const Packed16BitStage>(context, product, product.convolution.parts.front());
  const ThreadScratch scratch(context, static_cast<size_t>(g.output_c) * sizeof(int64_t));
  const double ns = static_cast<double>(g.output_w * g.output_c) * (0.5 + 0.2 * static_cast<double>(g.PatchSize()));
  context.OfferRows(RowFormOf(g));
  return [g, weights, stage, scratch, ns](const RunContext& run) {
    const int16_t* input = run.In<int16_t>(0).data();
    int16_t* output = run.Out<int16_t>(0).data();
    run.Loop(RowCount(g), GrainOf(ns), [&](size_t begin, size_t end, int worker) {
      kernels::simd::DepthwiseConv2DInt16(g, input, weights->data(), stage->view(), {begin, end},
                                          reinterpret_cast<int64_t*>(scratch.Of(run, worker)), output);
    });
  };
}

}  // namespace assay::ops
