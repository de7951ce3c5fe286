// Every layer of the model against the reference: the error that has accumulated at its output, the error that it adds
// by itself, the error that faultless 8-bit quantization would add, how its output uses its range.
#pragma once

#include <vector>

#include "compare/samples.h"

namespace assay::compare {

// What the reference computes at one of its tensors over all samples.
struct ObservedRange {
  bool known = false;
  float min = 0, max = 0;
};

// The least range of an integer type's codes that holds an observed range and 0, as a converter would choose it.
Quantization QuantizationFor(const ObservedRange& range, DType dtype);

// The same for a tensor whose own range may be somewhat wider: a converter sees other samples than these few, so up to
// twice the step that they need is no fault.
Quantization FaultlessQuantization(const ObservedRange& range, const graph::Tensor& tensor);

// One entry per tensor of the reference: what it holds on the kept samples, or, where the model's op must keep its
// input's codes (pooling, reshaping), what that input holds.
std::vector<ObservedRange> ObserveReference(const Study& study);

// One entry per op of the model that computes something from the inputs, in order; over the kept samples and further
// ones, `samples` in all. Only what faultless quantization costs stands on the kept samples alone, as `ranges` do.
std::vector<LayerResult> MeasureLayers(const Study& study, const std::vector<ObservedRange>& ranges,
                                       const FurtherSamples& further, size_t samples);

// The reference with faultless 8-bit weights and activations, per sample the loss terms' values by the model's tensors.
// Empty where there is no such thing (no float form, no quantized tensor in the model).
std::vector<TensorValues> RunIdeal(const Study& study, const std::vector<ObservedRange>& ranges);

}  // namespace assay::compare
