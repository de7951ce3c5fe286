// DEPTHWISE_CONV_2D on vector kernels.
#include "kernels/simd/depthwise_conv_2d.h"

#include <algorithm>

#include "kernels/simd/hybrid.h"
#include "kernels/simd/image_strip.h"
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

bool HasDepthwiseForm(const PrepareContext& context) {
  return !context.shapes_only() && kernels::simd::UsesVectors() && HasConstantOperands(context, 1, 2);
}

// Where there are several outputs for each input: lines of the input in which every channel stands once for each of
// them, so that kernels meet one output per channel. For values whose zero is 0.
template <typename T>
class RepeatedLines {
 public:
  static bool Serve(const kernels::ref::Conv2DGeometry& g) {
    constexpr size_t kMostBytes = size_t{1} << 20;
    return g.output_h > 0 && Reach(g) <= kMostBytes && LineBytes(g) > 0 && LineBytes(g) <= kMostBytes / Reach(g);
  }
  RepeatedLines(PrepareContext& context, const kernels::ref::Conv2DGeometry& g)
      : g_(g),
        times_(static_cast<size_t>(g.output_c / g.input_c)),
        rows_(std::clamp((kNearBytes / LineBytes(g) - std::min(kNearBytes / LineBytes(g), Reach(g))) /
                                 static_cast<size_t>(g.stride_h) +
                             1,
                         size_t{1}, static_cast<size_t>(g.output_h))),
        lines_(context, ((rows_ - 1) * static_cast<size_t>(g.stride_h) + Reach(g)) * LineBytes(g)) {}

  // Of as many output rows as are computed at once.
  kernels::ref::Conv2DGeometry geometry() const {
    kernels::ref::Conv2DGeometry g = g_;
    g.batches = 1, g.input_c = g.output_c, g.output_h = static_cast<int32_t>(rows_);
    return g;
  }
  // Calls compute(geometry of some rows, their lines, how many rows, their output) for the output rows [begin, end) of
  // all images counted through.
  template <typename Compute>
  void For(const RunContext& run, size_t begin, size_t end, int worker, const Compute& compute) const {
    T* lines = reinterpret_cast<T*>(lines_.Of(run, worker));
    const auto output_h = static_cast<size_t>(g_.output_h);
    const size_t line = static_cast<size_t>(g_.input_w) * static_cast<size_t>(g_.input_c);
    for (size_t row = begin; row < end;) {
      const size_t oy = row % output_h, count = std::min({rows_, end - row, output_h - oy});
      const int64_t top = static_cast<int64_t>(oy) * g_.stride_h - g_.pad_h;
      const int64_t bottom = top + static_cast<int64_t>((count - 1) * static_cast<size_t>(g_.stride_h) + Reach(g_));
      const int64_t first = std::max<int64_t>(top, 0);
      const int64_t last = std::max(std::min<int64_t>(bottom, g_.input_h), first + 1);
      const T* image = run.In<T>(0).data() + row / output_h * static_cast<size_t>(g_.ImageSize());
      for (int64_t y = first; y < last; ++y) {
        T* to = lines + static_cast<size_t>(y - first) * line * times_;
        if (y < g_.input_h) {
          kernels::simd::RepeatValues(image + static_cast<size_t>(y) * line, line, times_, to);
        } else {
          std::fill_n(to, line * times_, T{0});
        }
      }
      kernels::ref::Conv2DGeometry g = geometry();
      g.input_h = static_cast<int32_t>(last - first), g.pad_h = static_cast<int32_t>(first - top);
      g.output_h = static_cast<int32_t>(count);
      const size_t outputs = static_cast<size_t>(g_.output_w) * static_cast<size_t>(g_.output_c);
      compute(g, lines, count, run.Out<T>(0).data() + row * outputs);
      row += count;
    }
  }

 private:
  static constexpr size_t kNearBytes = size_t{128} << 10;
  static size_t Reach(const kernels::ref::Conv2DGeometry& g) {
    return static_cast<size_t>(g.filter_h - 1) * static_cast<size_t>(g.dilation_h) + 1;
  }
  static size_t LineBytes(const kernels::ref::Conv2DGeometry& g) {
    return static_cast<size_t>(g.input_w) * static_cast<size_t>(g.output_c) * sizeof(T);
  }

  kernels::ref::Conv2DGeometry g_;
  size_t times_, rows_;
  ThreadScratch lines_;
};

// Several outputs for each input are a convolution in as many groups as there are inputs.
Convolution OfGroups(const kernels::ref::Conv2DGeometry& g) {
  Convolution convolution(g);
  convolution.by_tap = true;
  return convolution;
}

}  // namespace

std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const Product8Bit& product) {
  const kernels::ref::Conv2DGeometry& g = product.convolution.geometry();
  if (g.output_c != g.input_c) {
    return PrepareVectorProduct(context,
                                Product8Bit{OfGroups(g), product.stage, product.scales, product.filter_zero_point});
  }
  const auto channels = static_cast<size_t>(g.output_c), taps = static_cast<size_t>(g.PatchSize());
  if (taps == 0 || !HasDepthwiseForm(context)) return std::nullopt;
  struct State {
    SharedCodes weights;
    AlignedVector<int32_t> offsets;
    PackedScales scales;
  };
  const TensorRef& weights = context.Input(1);
  const size_t lanes = kernels::simd::DepthwiseLanes(g);
  const kernels::simd::DepthwiseLayout layout(lanes, g);
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
  if (!kernels::simd::UsesVectors()) return std::nullopt;
  const double ns = static_cast<double>(g.output_w * g.output_c) * (0.3 + 0.1 * static_cast<double>(g.PatchSize()));
  if (g.output_c != g.input_c) {
    // Of one channel all outputs meet the same values.
    if (g.input_c == 1) {
      if (auto run = PrepareVectorProduct(context, OfGroups(g), clamp)) return run;
    }
    if (!RepeatedLines<float>::Serve(g)) return std::nullopt;
    const RepeatedLines<float> lines(context, g);
    const ThreadScratch scratch(context, kernels::simd::DepthwiseConv2DFloatScratch(lines.geometry()));
    context.OfferRows(RowFormOf(g));
    return [lines, g, clamp, has_bias = context.HasInput(2), scratch, ns](const RunContext& run) {
      const float* filter = run.In<float>(1).data();
      const float* bias = has_bias ? run.In<float>(2).data() : nullptr;
      run.Loop(RowCount(g), GrainOf(ns), [&](size_t begin, size_t end, int worker) {
        lines.For(run, begin, end, worker,
                  [&](const kernels::ref::Conv2DGeometry& some, const float* input, size_t rows, float* output) {
                    kernels::simd::DepthwiseConv2DFloat(some, input, filter, bias, clamp.low, clamp.high, {0, rows},
                                                        scratch.Of(run, worker), output);
                  });
      });
    };
  }
  const ThreadScratch scratch(context, kernels::simd::DepthwiseConv2DFloatScratch(g));
  context.OfferRows(RowFormOf(g));
  return [g, clamp, has_bias = context.HasInput(2), scratch, ns,
          together = kernels::simd::DepthwiseConv2DFloatRows(g)](const RunContext& run) {
    const float *input = run.In<float>(0).data(), *filter = run.In<float>(1).data();
    const float* bias = has_bias ? run.In<float>(2).data() : nullptr;
    float* output = run.Out<float>(0).data();
    // The same number of parts for every thread, and as few as may be.
    const auto threads = static_cast<size_t>(run.pool().threads()), rows = RowCount(g), each = rows / threads + 1;
    const size_t parts = threads * ((each + together - 1) / together);
    const size_t grain = std::max(GrainOf(ns), (rows + parts - 1) / parts);
    run.Loop(rows, grain, [&](size_t begin, size_t end, int worker) {
      kernels::simd::DepthwiseConv2DFloat(g, input, filter, bias, clamp.low, clamp.high, {begin, end},
                                          scratch.Of(run, worker), output);
    });
  };
}

std::optional<RunFn> PrepareVectorDepthwise(PrepareContext& context, const HybridDepthwise& product) {
  const kernels::ref::Conv2DGeometry& g = product.geometry;
  if (g.output_c != g.input_c) {
    HybridProduct grouped = {OfGroups(g), {product.rule.quantizer, product.rule.blocks}, product.clamp, product.scales};
    grouped.tail = product.rule.tail, grouped.tail_begin = product.rule.blocked_channels;
    // The reference has no blocks.
    if (grouped.tail_begin == 0) grouped.rule.scaling = product.rule.tail;
    return PrepareVectorProduct(context, grouped);
  }
  const auto channels = static_cast<size_t>(g.output_c), taps = static_cast<size_t>(g.PatchSize());
  if (taps == 0 || !HasDepthwiseForm(context)) return std::nullopt;
  struct State {
    SharedCodes weights;
    AlignedVector<int32_t> sums;
    AlignedVector<float> scales, bias;
    std::vector<kernels::ref::HybridScaling> scalings;
  };
  const size_t lanes = kernels::simd::DepthwiseLanes(g);
  const kernels::simd::DepthwiseLayout layout(lanes, g);
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
  const bool repeats = g.output_c != g.input_c;
  if (product.stage.zero_point != 0 || !HasDepthwiseForm(context)) return std::nullopt;
  if (repeats && g.input_c == 1) {
    if (auto run = PrepareVectorProduct(context,
                                        Product16Bit{OfGroups(g), product.stage, product.scales, product.wide_bias})) {
      return run;
    }
  }
  if (repeats && !RepeatedLines<int16_t>::Serve(g)) return std::nullopt;
  const auto weights = ShareCodes(context.Input(1));
  const auto stage = std::make_shared<const Packed16BitStage>(context, product, product.convolution.parts.front());
  const ThreadScratch scratch(context, static_cast<size_t>(g.output_c) * sizeof(int64_t));
  const double ns = static_cast<double>(g.output_w * g.output_c) * (0.5 + 0.2 * static_cast<double>(g.PatchSize()));
  context.OfferRows(RowFormOf(g));
  if (repeats) {
    return [lines = RepeatedLines<int16_t>(context, g), g, weights, stage, scratch, ns](const RunContext& run) {
      run.Loop(RowCount(g), GrainOf(ns), [&](size_t begin, size_t end, int worker) {
        lines.For(run, begin, end, worker,
                  [&](const kernels::ref::Conv2DGeometry& some, const int16_t* input, size_t rows, int16_t* output) {
                    kernels::simd::DepthwiseConv2DInt16(some, input, weights->data(), stage->view(), {0, rows},
                                                        reinterpret_cast<int64_t*>(scratch.Of(run, worker)), output);
                  });
      });
    };
  }
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
