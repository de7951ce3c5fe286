#include "ops/packed_weights.h"

#include <algorithm>

#include "kernels/simd/conv_2d.h"
#include "kernels/simd/hybrid.h"
#include "kernels/simd/matrix_16bit.h"
#include "kernels/simd/target.h"
#include "ops/matrix_operands.h"
#include "ops/packed_cache.h"
#include "ops/packed_codes.h"
#include "ops/vector_operands.h"

namespace assay::ops {
namespace {

using kernels::simd::Range;

// Output pixels go to threads in pieces that fill whole tiles of the matrix kernels; so do, where there are few of
// those, blocks of output channels.
constexpr size_t kTilePixels = 24, kTileBlocks = 4;
constexpr size_t TilesOf(size_t pixels) { return (pixels + kTilePixels - 1) / kTilePixels; }
size_t BlockCount(size_t outputs) { return kernels::simd::PaddedOutputs(outputs) / kernels::simd::kChannelBlock; }

// Calls compute(pixels, blocks, worker) for parts of all output pixels and of their `blocks` blocks of channels; a
// pixel costs about ns_per_pixel.
template <typename Compute>
void ForTiles(const RunContext& run, size_t pixels, size_t blocks, double ns_per_pixel, const Compute& compute) {
  if (run.part() != nullptr) {
    return run.Loop(pixels, 1, [&](size_t begin, size_t end, int worker) {
      compute(Range{begin, end}, kernels::simd::kAllBlocks, worker);
    });
  }
  constexpr size_t kWantedPerThread = 6;
  const size_t tiles = TilesOf(pixels), threads = static_cast<size_t>(run.pool().threads());
  if (tiles == 0) return;
  const size_t wanted = threads == 1 ? 1 : std::max(kWantedPerThread * threads / tiles, size_t{1});
  const size_t most_groups = (blocks + kTileBlocks - 1) / kTileBlocks;
  const size_t group = (most_groups + wanted - 1) / wanted * kTileBlocks, groups = (blocks + group - 1) / group;
  const double ns = ns_per_pixel * static_cast<double>(std::min(pixels, kTilePixels)) / static_cast<double>(groups);
  run.pool().Run(tiles * groups, GrainOf(ns), [&](size_t begin, size_t end, int worker) {
    while (begin < end) {
      const size_t first = begin % tiles, count = std::min(end - begin, tiles - first), at = begin / tiles * group;
      compute(Range{first * kTilePixels, std::min((first + count) * kTilePixels, pixels)}, Range{at, at + group},
              worker);
      begin += count;
    }
  });
}

// How many groups are one matrix together, the weights between them being 0: of few outputs and short sums so many that
// a tile of the kernels is full. Products cost little there, beside handing out pixels and rounding sums.
int32_t GroupsTogether(const kernels::ref::Conv2DGeometry& g, int32_t groups) {
  constexpr int64_t kShortSum = 144;
  constexpr int32_t kChannels = kernels::simd::kChannelBlock, kDepth = kernels::simd::kDepthGroup;
  const int32_t outputs = g.output_c / groups;
  if (outputs >= kChannels || g.PatchSize() > kShortSum || g.filter_h >= kMostPhaseTaps) return 1;
  return std::min(groups, g.input_c <= kDepth ? groups : kChannels / outputs);
}

enum class Grouping : uint8_t { kApart, kTogether };

// A part for every group or for some of them; one for all, which no matrix kernel serves, where there are very many.
// Parts end at output `cut`, if that is not 0.
Convolution SplitGroups(const Convolution& whole, Grouping grouping, int32_t cut = 0) {
  const kernels::ref::Conv2DGeometry& g = whole.geometry();
  if (!whole.is_whole() || (g.filter_c == g.input_c && !whole.by_tap)) return whole;
  Convolution convolution = whole;
  constexpr int32_t kMostGroups = 4096;
  const int32_t groups = g.input_c / g.filter_c, outputs = g.output_c / groups;
  if (groups > kMostGroups || (whole.by_tap && outputs >= kMostGroupOutputs)) return whole;
  const int32_t together = grouping == Grouping::kTogether ? GroupsTogether(g, groups) : 1;
  convolution.parts.clear();
  const auto add = [&](int32_t first, int32_t last) {
    ConvolutionPart part = {g};
    const int32_t first_group = first / outputs, count = (last - 1) / outputs - first_group + 1;
    part.geometry.output_c = last - first;
    part.geometry.filter_c = count * g.filter_c;
    part.first_channel = first;
    part.first_input = first_group * g.filter_c;
    if (count > 1 || whole.by_tap) part.groups = GroupTaps{g.filter_c, outputs, first, g.output_c, whole.by_tap};
    convolution.parts.push_back(part);
  };
  for (int32_t i = 0; i < groups; i += together) {
    const int32_t first = i * outputs, last = std::min(i + together, groups) * outputs;
    if (first < cut && cut < last) {
      add(first, cut), add(cut, last);
    } else {
      add(first, last);
    }
  }
  return convolution;
}

// Calls compute(index of a part, pixels of it, blocks of channels, worker); all channels at once unless `by_channels`.
template <typename Compute>
void ForParts(const RunContext& run, const std::vector<ConvolutionPart>& parts, double ns_per_pixel, bool by_channels,
              const Compute& compute) {
  if (parts.size() == 1) {
    const ConvolutionPart& part = parts.front();
    const bool cut = by_channels && !part.phase.has_value();
    return ForTiles(run, kernels::simd::PixelCount(part.geometry),
                    cut ? BlockCount(static_cast<size_t>(part.geometry.output_c)) : 1, ns_per_pixel,
                    [&](Range pixels, Range blocks, int worker) {
                      compute(size_t{0}, pixels, cut ? blocks : kernels::simd::kAllBlocks, worker);
                    });
  }
  if (!parts.front().phase.has_value()) {
    // Groups: of some lines all, while what they share of input and output is near.
    constexpr size_t kNearBytes = size_t{256} << 10, kLeastLines = 8;
    const kernels::ref::Conv2DGeometry& g = parts.front().geometry;
    const size_t line = static_cast<size_t>(g.output_w), channels = static_cast<size_t>(g.input_c);
    const size_t near = std::max(kNearBytes / (line * channels + 1), kLeastLines) * line;
    return ForTiles(run, kernels::simd::PixelCount(g), 1, ns_per_pixel * static_cast<double>(parts.size()),
                    [&](Range pixels, Range, int worker) {
                      for (size_t begin = pixels.begin; begin < pixels.end; begin += near) {
                        const Range some = {begin, std::min(begin + near, pixels.end)};
                        for (size_t i = 0; i < parts.size(); ++i) {
                          compute(i, some, kernels::simd::kAllBlocks, worker);
                        }
                      }
                    });
  }
  size_t tiles = 0;
  for (const ConvolutionPart& part : parts) tiles += TilesOf(kernels::simd::PixelCount(part.geometry));
  run.pool().Run(tiles, GrainOf(ns_per_pixel * kTilePixels), [&](size_t begin, size_t end, int worker) {
    size_t first = 0;  // of the part's tiles
    for (size_t i = 0; i < parts.size() && first < end; ++i) {
      const size_t pixels = kernels::simd::PixelCount(parts[i].geometry), last = first + TilesOf(pixels);
      const size_t from = std::max(begin, first), to = std::min(end, last);
      if (from < to) {
        compute(i, Range{(from - first) * kTilePixels, std::min((to - first) * kTilePixels, pixels)},
                kernels::simd::kAllBlocks, worker);
      }
      first = last;
    }
  });
}

// The mean over all parts' pixels of cost(outputs, depth), in nanoseconds.
template <typename Cost>
double MeanCost(const std::vector<ConvolutionPart>& parts, const Cost& cost) {
  double sum = 0, all = 0;
  for (const ConvolutionPart& part : parts) {
    const auto pixels = static_cast<double>(kernels::simd::PixelCount(part.geometry));
    sum += pixels * cost(static_cast<double>(part.geometry.output_c), static_cast<double>(part.geometry.PatchSize()));
    all += pixels;
  }
  return all > 0 ? sum / all : 0;
}

// The most that bytes_of(part) gives.
template <typename BytesOf>
size_t MostBytes(const std::vector<ConvolutionPart>& parts, const BytesOf& bytes_of) {
  size_t most = 0;
  for (const ConvolutionPart& part : parts) most = std::max(most, bytes_of(part.geometry, part.phase.has_value()));
  return most;
}

// What an op's kernels read: for every part its packed operands.
template <typename Packed>
struct PackedParts {
  explicit PackedParts(const Convolution& convolution) : parts(convolution.parts) {
    packed.reserve(parts.size());
    for (const ConvolutionPart& part : parts) {
      channels = std::max(channels, part.first_channel + part.geometry.output_c);
    }
  }
  std::vector<ConvolutionPart> parts;
  int32_t channels = 0;  // of the output
  std::vector<Packed> packed;
};

// Where a part's pixels go, of an op with `channels` outputs.
template <typename T>
kernels::simd::OutputPixels<T> PixelsOf(const ConvolutionPart& part, int32_t channels, T* output) {
  T* first = output + part.first_channel;
  if (!part.phase.has_value()) return {first, static_cast<size_t>(channels)};
  const kernels::simd::TransposeConvPhase& phase = *part.phase;
  const kernels::ref::Conv2DGeometry& g = part.geometry;
  const auto pixel = static_cast<size_t>(phase.pixel_step);
  if (phase.pixel_step == channels && phase.line_step == g.output_w * phase.pixel_step) return {first, pixel};
  return {first + phase.first_output, pixel, static_cast<size_t>(phase.line_step),
          static_cast<size_t>(phase.image_step)};
}

// The outputs of the filter that make a part's channels.
TensorRef FilterOf(const TensorRef& filter, const ConvolutionPart& part) {
  const int32_t outputs = part.geometry.output_c;
  if (filter.shape.rank() == 0 || filter.shape[0] == outputs || (part.groups.has_value() && part.groups->by_tap)) {
    return filter;
  }
  TensorRef slice = filter;
  const size_t bytes = filter.bytes / static_cast<size_t>(filter.shape[0]);
  slice.data += static_cast<size_t>(part.first_channel) * bytes;
  slice.bytes = static_cast<size_t>(outputs) * bytes;
  slice.shape[0] = outputs;
  return slice;
}

const kernels::simd::TransposeConvPhase* PhaseOf(const ConvolutionPart& part) {
  return part.phase.has_value() ? &*part.phase : nullptr;
}
bool HasTaps(const ConvolutionPart& part) { return !part.phase.has_value() || part.phase->has_taps(); }

SharedCodes PackCodesOf(const TensorRef& filter, const ConvolutionPart& part, int32_t zero_point) {
  const auto outputs = static_cast<size_t>(part.geometry.output_c);
  const Lines lines(part.geometry);
  const GroupTaps* groups = part.groups.has_value() ? &*part.groups : nullptr;
  return HasTaps(part) ? PackProduct(FilterOf(filter, part), outputs, lines, zero_point, PhaseOf(part), groups)
                       : PackZeros(outputs, lines);
}

// A part's weights as `size` values that pack(outputs, depth, weights, packed) makes of what read(filter) gives.
template <typename To, typename Read, typename Pack>
std::shared_ptr<const PackedArray<To>> PackValuesOf(const TensorRef& filter, const ConvolutionPart& part, size_t size,
                                                    PackedCache::Layout whole, PackedCache::Layout of_phase,
                                                    PackedCache::Layout by_tap, const Read& read, const Pack& pack) {
  if (!HasTaps(part)) return std::make_shared<const PackedArray<To>>(AlignedVector<To>(size));
  const TensorRef weights = FilterOf(filter, part);
  const auto outputs = static_cast<size_t>(part.geometry.output_c);
  const auto depth = static_cast<size_t>(part.geometry.PatchSize());
  const kernels::simd::TransposeConvPhase* phase = PhaseOf(part);
  const bool of_one_channel = part.groups.has_value() && part.groups->by_tap;
  ASSAY_CHECK(!of_one_channel || part.groups->channels == part.geometry.output_c);
  const auto make = [&]() -> PackedArray<To> {
    AlignedVector<To> packed(size);
    auto values = read(weights);
    if (phase == nullptr && !of_one_channel) {
      pack(outputs, depth, values.data(), packed.data());
    } else {
      std::vector<std::remove_cvref_t<decltype(values[0])>> taps(outputs * depth);
      if (of_one_channel) {
        for (size_t i = 0; i < taps.size(); ++i) taps[i] = values[i % depth * outputs + i / depth];
        pack(outputs, depth, taps.data(), packed.data());
        return packed;
      }
      kernels::simd::GatherTaps(*phase, part.geometry.output_c, part.geometry.input_c, values.data(), taps.data());
      pack(outputs, depth, taps.data(), packed.data());
    }
    return packed;
  };
  return SharePacked(weights, outputs, phase == nullptr ? depth : KeyOf(*phase, /*zero_point=*/0),
                     of_one_channel     ? by_tap
                     : phase == nullptr ? whole
                                        : of_phase,
                     make, [&](const PackedArray<To>& packed) { return packed.size() == size; });
}

// Whether matrix kernels serve a convolution of which packed(outputs, Lines) weights are kept for each part.
template <typename Packed>
bool HasMatrixForm(const PrepareContext& context, const Convolution& convolution, const Packed& packed) {
  if (context.shapes_only() || !kernels::simd::UsesVectors() ||
      !HasConstantOperands(context, convolution.filter, convolution.bias)) {
    return false;
  }
  if (convolution.is_whole() && convolution.geometry().filter_c != convolution.geometry().input_c) return false;
  if (convolution.by_tap && !convolution.parts.front().groups.has_value()) return false;
  // Two weights of four bits share a byte, which may belong to two groups.
  if (convolution.parts.size() > 1 && !convolution.by_tap && context.Input(convolution.filter).dtype == DType::kInt4) {
    return false;
  }
  size_t kept = 0;
  for (const ConvolutionPart& part : convolution.parts) {
    const kernels::ref::Conv2DGeometry& g = part.geometry;
    if (g.PatchSize() < 1) return false;
    if (part.phase.has_value() &&
        (part.phase->rows.size >= kMostPhaseTaps || part.phase->columns.size >= kMostPhaseTaps)) {
      return false;
    }
    kept += packed(static_cast<size_t>(g.output_c), Lines(g));
  }
  // Filters of groups are small beside what a model holds.
  constexpr size_t kOfGroups = size_t{4} << 20;
  return IsWorthPacking(kept, static_cast<size_t>(context.Input(convolution.filter).size())) ||
         (convolution.parts.front().groups.has_value() && kept <= kOfGroups);
}
size_t Packed8BitSize(size_t outputs, const Lines& lines) {
  return kernels::simd::PaddedOutputs(outputs) * lines.padded();
}

}  // namespace

PackedScales::PackedScales(std::span<const numerics::ChannelScale> scales)
    : PackedScales(scales, kernels::simd::PaddedOutputs(scales.size()), [](size_t c) { return c; }) {}

PackedScales::PackedScales(std::span<const numerics::ChannelScale> scales, size_t size,
                           const std::function<size_t(size_t)>& place)
    : multiplier_(size), left_(size), right_(size), single_(size), real_(size) {
  for (size_t c = 0; c < scales.size(); ++c) {
    const numerics::ChannelScale& scale = scales[c];
    const size_t at = place(c);
    multiplier_[at] = scale.fixed.multiplier;
    left_[at] = std::max(scale.fixed.shift, 0);
    right_[at] = std::max(-scale.fixed.shift, 0);
    single_[at] = scale.single;
    real_[at] = scale.real;
    reaches_one_ |= left_[at] != 0 || scale.real >= kernels::simd::kAlmostOne;
    tiny_ |= scale.real != 0 && scale.real < kernels::simd::kTiny;
  }
}

kernels::simd::ChannelScales PackedScales::view() const {
  return {multiplier_.data(), left_.data(), right_.data(), single_.data(), real_.data(), reaches_one_, tiny_};
}

std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Product8Bit& product) {
  const Convolution convolution = SplitGroups(product.convolution, Grouping::kTogether);
  if (!HasMatrixForm(context, convolution, Packed8BitSize)) return std::nullopt;
  struct Part {
    SharedCodes weights;
    AlignedVector<int32_t> offsets;
    std::shared_ptr<const PackedScales> scales;
    kernels::simd::Matrix8Bit matrix;
  };
  auto state = std::make_shared<PackedParts<Part>>(convolution);
  const ZeroPoint zero(context.Input(convolution.input));
  for (const ConvolutionPart& part : convolution.parts) {
    const auto outputs = static_cast<size_t>(part.geometry.output_c);
    Part& packed = state->packed.emplace_back();
    packed.weights = PackCodesOf(context.Input(convolution.filter), part, product.filter_zero_point);
    packed.offsets = Offsets(*packed.weights, BiasOf<int32_t>(context, convolution, part), zero,
                             kernels::simd::PaddedOutputs(outputs), [](size_t c) { return c; });
    // All phases have the same ones.
    const size_t before = state->packed.size() - 1;
    const ConvolutionPart& last = state->parts[before > 0 ? before - 1 : 0];
    packed.scales =
        before > 0 && last.first_channel == part.first_channel && last.geometry.output_c == part.geometry.output_c
            ? state->packed[before - 1].scales
            : std::make_shared<const PackedScales>(ChannelsOf(part, product.scales));
    packed.matrix = MatrixOf(*packed.weights, outputs, Lines(part.geometry));
    packed.matrix.offsets = packed.offsets.data();
    packed.matrix.scales = packed.scales->view();
    packed.matrix.stage = product.stage;
    packed.matrix.stage.rounding = part.rounding.value_or(product.stage.rounding);
  }
  const ThreadScratch scratch(context, MostBytes(state->parts, kernels::simd::Conv2D8BitScratch));
  const double ns = MeanCost(state->parts, [](double outputs, double depth) { return outputs * (0.2 + depth / 150); });
  if (!convolution.has_phases()) context.OfferRows(RowFormOf(convolution.geometry()));
  return [state, zero, scratch, ns, operand = convolution.input](const RunContext& run) {
    const uint8_t* input = run.Input(operand).data;
    uint8_t* output = run.Output(0).data;
    ForParts(run, state->parts, ns, true, [&](size_t i, Range pixels, Range blocks, int worker) {
      const ConvolutionPart& part = state->parts[i];
      kernels::simd::Matrix8Bit matrix = state->packed[i].matrix;
      matrix.blocks = blocks;
      kernels::simd::Conv2D8Bit(part.geometry, input + part.first_input, zero.is_signed, zero.code, matrix, pixels,
                                scratch.Of(run, worker), PixelsOf(part, state->channels, output));
    });
  };
}

std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Convolution& whole, FloatRange clamp) {
  // Not together: 0 times what is not finite is no 0.
  const Convolution convolution = SplitGroups(whole, Grouping::kApart);
  const auto size_of = [](size_t outputs, const Lines& lines) {
    return kernels::simd::PaddedOutputs(outputs) * lines.count * lines.depth;
  };
  if (!HasMatrixForm(context, convolution, size_of)) return std::nullopt;
  struct Part {
    std::shared_ptr<const PackedArray<float>> weights;
    kernels::simd::MatrixFloat matrix;
    AlignedVector<float> bias;
  };
  auto state = std::make_shared<PackedParts<Part>>(convolution);
  for (const ConvolutionPart& part : convolution.parts) {
    const auto outputs = static_cast<size_t>(part.geometry.output_c);
    Part& packed = state->packed.emplace_back();
    packed.weights = PackValuesOf<float>(
        context.Input(convolution.filter), part, size_of(outputs, Lines(part.geometry)),
        PackedCache::Layout::kFloatProduct, PackedCache::Layout::kFloatPhase, PackedCache::Layout::kFloatByTap,
        [](const TensorRef& filter) { return filter.values<float>(); }, kernels::simd::PackWeightsFloat);
    packed.bias.resize(kernels::simd::PaddedOutputs(outputs));
    std::ranges::copy(BiasOf<float>(context, convolution, part), packed.bias.begin());
    packed.matrix = {outputs,
                     static_cast<size_t>(part.geometry.PatchSize()),
                     packed.weights->data(),
                     packed.bias.data(),
                     clamp.low,
                     clamp.high};
  }
  const ThreadScratch scratch(context, MostBytes(state->parts, kernels::simd::Conv2DFloatScratch));
  const double ns = MeanCost(state->parts, [](double outputs, double depth) { return outputs * (0.2 + depth / 50); });
  if (!convolution.has_phases()) context.OfferRows(RowFormOf(convolution.geometry()));
  return [state, scratch, ns, operand = convolution.input](const RunContext& run) {
    const float* input = run.In<float>(operand).data();
    float* output = run.Out<float>(0).data();
    ForParts(run, state->parts, ns, true, [&](size_t i, Range pixels, Range blocks, int worker) {
      const ConvolutionPart& part = state->parts[i];
      kernels::simd::MatrixFloat matrix = state->packed[i].matrix;
      matrix.blocks = blocks;
      kernels::simd::Conv2DFloat(part.geometry, input + part.first_input, matrix, pixels, scratch.Of(run, worker),
                                 PixelsOf(part, state->channels, output));
    });
  };
}

namespace {

// Whether every image is one window: a row with a range of its own.
bool IsOfRows(const kernels::ref::Conv2DGeometry& g) {
  return g.input_h == 1 && g.input_w == 1 && g.filter_h == 1 && g.filter_w == 1 && g.output_h == 1 && g.output_w == 1 &&
         g.pad_h == 0 && g.pad_w == 0;
}

}  // namespace

std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const HybridProduct& product) {
  Convolution convolution = SplitGroups(product.convolution, Grouping::kTogether, product.tail_begin);
  for (ConvolutionPart& part : convolution.parts) {
    if (product.tail_begin > 0 && part.first_channel >= product.tail_begin) part.scaling = product.tail;
  }
  const kernels::ref::Conv2DGeometry& g = convolution.geometry();
  if (!HasMatrixForm(context, convolution, Packed8BitSize)) return std::nullopt;
  struct Part {
    SharedCodes weights;
    AlignedVector<int32_t> zeros, sums;
    AlignedVector<float> scales, bias;
    kernels::simd::MatrixHybrid matrix;
  };
  auto state = std::make_shared<PackedParts<Part>>(convolution);
  for (const ConvolutionPart& part : convolution.parts) {
    const auto outputs = static_cast<size_t>(part.geometry.output_c), padded = kernels::simd::PaddedOutputs(outputs);
    Part& packed = state->packed.emplace_back();
    packed.weights = PackCodesOf(context.Input(convolution.filter), part, /*zero_point=*/0);
    packed.zeros.resize(padded), packed.sums.resize(padded), packed.scales.resize(padded), packed.bias.resize(padded);
    for (size_t o = 0; o < outputs; ++o) packed.sums[o] = static_cast<int32_t>(packed.weights->sums[o]);
    std::ranges::copy(ChannelsOf(part, product.scales), packed.scales.begin());
    std::ranges::copy(BiasOf<float>(context, convolution, part), packed.bias.begin());
    kernels::simd::Matrix8Bit products = MatrixOf(*packed.weights, outputs, Lines(part.geometry));
    products.offsets = packed.zeros.data();
    packed.matrix = {products,
                     packed.sums.data(),
                     packed.scales.data(),
                     packed.bias.data(),
                     part.scaling.value_or(product.rule.scaling),
                     product.clamp.low,
                     product.clamp.high};
  }
  const double ns = MeanCost(state->parts, [](double outputs, double depth) { return outputs * (0.4 + depth / 150); });
  if (convolution.is_whole() && IsOfRows(g)) {
    const ThreadScratch scratch(context, kernels::simd::RowsHybridScratch(state->packed.front().matrix));
    context.OfferRows(RowFormOf(g));
    return [rows = static_cast<size_t>(g.batches), state, scratch, ns,
            how = product.rule.quantizer](const RunContext& run) {
      const float* input = run.In<float>(0).data();
      float* output = run.Out<float>(0).data();
      const kernels::simd::MatrixHybrid& whole = state->packed.front().matrix;
      ForTiles(run, rows, BlockCount(whole.sums.outputs), ns, [&](Range some, Range blocks, int worker) {
        kernels::simd::MatrixHybrid matrix = whole;
        matrix.sums.blocks = blocks;
        kernels::simd::RowsHybrid(matrix, how, input, some, scratch.Of(run, worker), output);
      });
    };
  }
  const QuantizedImages images(context, convolution.input, g.batches, product.rule.quantizer);
  const ThreadScratch scratch(context, MostBytes(state->parts, kernels::simd::Conv2DHybridScratch));
  RunFn rows = [state, images, scratch, ns](const RunContext& run) {
    float* output = run.Out<float>(0).data();
    ForParts(run, state->parts, ns, true, [&](size_t i, Range pixels, Range blocks, int worker) {
      const ConvolutionPart& part = state->parts[i];
      kernels::simd::MatrixHybrid matrix = state->packed[i].matrix;
      matrix.sums.blocks = blocks;
      const auto image_pixels =
          static_cast<size_t>(part.geometry.output_h) * static_cast<size_t>(part.geometry.output_w);
      kernels::simd::Conv2DHybrid(part.geometry, images.Codes(run) + part.first_input, images.Ranges(run), image_pixels,
                                  matrix, pixels, scratch.Of(run, worker), PixelsOf(part, state->channels, output));
    });
  };
  return Offer(context, convolution, images, std::move(rows));
}

std::optional<RunFn> PrepareVectorProduct(PrepareContext& context, const Product16Bit& product) {
  const Convolution convolution = SplitGroups(product.convolution, Grouping::kApart);
  const auto size_of = [](size_t outputs, const Lines& lines) {
    return kernels::simd::PaddedOutputs(outputs) * kernels::simd::PaddedDepth16(lines.count * lines.depth);
  };
  if (product.stage.zero_point != 0 || !HasMatrixForm(context, convolution, size_of)) return std::nullopt;
  struct Part {
    std::shared_ptr<const PackedArray<int16_t>> weights;
    Packed16BitStage stage;
    kernels::simd::Matrix16Bit matrix;
  };
  auto state = std::make_shared<PackedParts<Part>>(convolution);
  for (const ConvolutionPart& part : convolution.parts) {
    const auto outputs = static_cast<size_t>(part.geometry.output_c);
    auto weights =
        PackValuesOf<int16_t>(context.Input(convolution.filter), part, size_of(outputs, Lines(part.geometry)),
                              PackedCache::Layout::kWideProduct, PackedCache::Layout::kWidePhase,
                              PackedCache::Layout::kWideByTap, SignedCodes, kernels::simd::PackWeights16Bit);
    const kernels::simd::Matrix16Bit matrix = {outputs, static_cast<size_t>(part.geometry.PatchSize()),
                                               weights->data()};
    state->packed.push_back({std::move(weights), Packed16BitStage(context, product, part), matrix});
  }
  const ThreadScratch scratch(context,
                              MostBytes(state->parts, [](const kernels::ref::Conv2DGeometry& g, bool /*apart*/) {
                                return kernels::simd::Conv2DInt16Scratch(g);
                              }));
  const double ns = MeanCost(state->parts, [](double outputs, double depth) { return outputs * (0.5 + depth / 60); });
  if (!convolution.has_phases()) context.OfferRows(RowFormOf(convolution.geometry()));
  return [state, scratch, ns, operand = convolution.input](const RunContext& run) {
    const int16_t* input = run.In<int16_t>(operand).data();
    int16_t* output = run.Out<int16_t>(0).data();
    ForParts(run, state->parts, ns, false, [&](size_t i, Range pixels, Range, int worker) {
      const ConvolutionPart& part = state->parts[i];
      kernels::simd::Conv2DInt16(part.geometry, input + part.first_input, state->packed[i].matrix,
                                 state->packed[i].stage.view(), pixels, scratch.Of(run, worker),
                                 PixelsOf(part, state->channels, output));
    });
  };
}

}  // namespace assay::ops
