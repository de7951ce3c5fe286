#include "ops/vector_operands.h"

#include <algorithm>
#include <utility>

#include "kernels/simd/hybrid.h"

namespace assay::ops {

bool HasConstantOperands(const PrepareContext& context, int filter, int bias) {
  return context.IsKnown(filter) && (!context.HasInput(bias) || context.IsKnown(bias));
}

RowForm RowFormOf(const kernels::ref::Conv2DGeometry& g) {
  return {.window = {g.stride_h, g.pad_h, static_cast<int32_t>(int64_t{g.filter_h - 1} * g.dilation_h + 1)}};
}

QuantizedImages::QuantizedImages(PrepareContext& context, int operand, int32_t images,
                                 kernels::ref::DynamicQuantizer how)
    : operand_(operand),
      how_(how),
      images_(static_cast<size_t>(images)),
      size_(static_cast<size_t>(context.Input(operand).size() / std::max(images, 1))),
      codes_(context.AddScratch(uint64_t{images_} * size_)),
      ranges_(context.AddScratch(uint64_t{images_} * sizeof(kernels::ref::DynamicRange))),
      parts_((size_ + kPartValues - 1) / kPartValues),
      ends_(context.AddScratch(uint64_t{images_} * parts_ * sizeof(kernels::simd::ValueEnds))) {}

void QuantizedImages::Compute(const RunContext& run) const {
  const float* input = run.In<float>(operand_).data();
  if (parts_ < 2) {
    return run.pool().Run(images_, GrainOf(0.2 * static_cast<double>(size_)), [&](size_t begin, size_t end, int) {
      kernels::simd::QuantizeRows(how_, input + begin * size_, end - begin, size_, Codes(run) + begin * size_,
                                  Ranges(run) + begin);
    });
  }
  // Large images by parts, always the same ones: what comes of values that are not finite is then the same, too.
  auto* ends = reinterpret_cast<kernels::simd::ValueEnds*>(run.Scratch(ends_).data());
  const auto for_parts = [&](double ns, const auto& each) {
    run.pool().Run(images_ * parts_, GrainOf(ns * kPartValues), [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) {
        const size_t image = i / parts_, at = image * size_ + i % parts_ * kPartValues;
        each(i, image, at, std::span(input + at, std::min(kPartValues, (image + 1) * size_ - at)));
      }
    });
  };
  for_parts(0.05, [&](size_t i, size_t, size_t, std::span<const float> values) {
    ends[i] = kernels::simd::FindEnds(values);
  });
  for_parts(0.1, [&](size_t i, size_t image, size_t at, std::span<const float> values) {
    const auto all = kernels::simd::FindEnds(std::span<const kernels::simd::ValueEnds>(ends + image * parts_, parts_));
    const kernels::ref::DynamicRange range = kernels::simd::QuantizePart(how_, all, values, Codes(run) + at);
    if (i % parts_ == 0) Ranges(run)[image] = range;
  });
}

RunFn Offer(PrepareContext& context, const Convolution& convolution, const QuantizedImages& images, RunFn rows) {
  RowForm form = RowFormOf(convolution.geometry());
  form.before = [images](const RunContext& run) { images.Compute(run); };
  form.rows = std::move(rows);
  if (!convolution.has_phases()) context.OfferRows(form);
  return [form = std::move(form)](const RunContext& run) {
    form.before(run);
    form.rows(run);
  };
}

Packed16BitStage::Packed16BitStage(const numerics::OutputStage& stage, std::span<const numerics::ChannelScale> scales,
                                   bool wide)
    : bias_(scales.size()), stage_(stage) {
  for (const numerics::ChannelScale& scale : scales) {
    if (stage_.rounding == numerics::Rounding::kDoubleHalfAway) {
      real_.push_back(scale.real);
    } else if (wide) {
      const numerics::ScaleOf15Bits narrow(scale.fixed);
      multiplier_.push_back(narrow.multiplier), shift_.push_back(narrow.shift), half_.push_back(narrow.half);
    } else {
      scales_.push_back(scale);
    }
  }
}

namespace {

numerics::OutputStage StageOf(const Product16Bit& product, const ConvolutionPart& part) {
  numerics::OutputStage stage = product.stage;
  stage.rounding = part.rounding.value_or(stage.rounding);
  return stage;
}

}  // namespace

Packed16BitStage::Packed16BitStage(const PrepareContext& context, const Product16Bit& product,
                                   const ConvolutionPart& part)
    : Packed16BitStage(StageOf(product, part), ChannelsOf(part, product.scales), product.wide_bias) {
  const Convolution& convolution = product.convolution;
  if (context.HasInput(convolution.bias) && context.Input(convolution.bias).dtype == DType::kInt64) {
    std::ranges::copy(BiasOf<int64_t>(context, convolution, part), bias_.begin());
  } else {
    std::ranges::copy(BiasOf<int32_t>(context, convolution, part), bias_.begin());
  }
}

kernels::simd::Stage16Bit Packed16BitStage::view() const {
  kernels::simd::Stage16Bit stage = {};
  stage.bias = bias_.data();
  stage.multiplier = multiplier_.data(), stage.half = half_.data(), stage.shift = shift_.data();
  if (!real_.empty()) stage.real = real_.data();
  if (!scales_.empty()) stage.scales = scales_.data(), stage.stage = stage_;
  stage.low = stage_.low, stage.high = stage_.high;
  return stage;
}

}  // namespace assay::ops
