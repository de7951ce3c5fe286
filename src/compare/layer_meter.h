// Measures one layer over samples that come block after block: the error that has accumulated at its output, the error
// that it adds by itself, the error that faultless 8-bit quantization would add, how its output uses its range.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "compare/layer_errors.h"
#include "numerics/error_metrics.h"

namespace assay::compare {

// Codes with one scale.
bool HasCodes(const graph::Tensor& tensor);
// Outputs whose scale the format prescribes: no calibration chose it.
bool HasPrescribedRange(graph::BuiltinOp code);

// What the layers of a study have in common.
struct LayerContext {
  // `ideal_reference`: the float reference with faultless weights; null: there is none.
  LayerContext(const Study& study, const std::vector<ObservedRange>& ranges, const graph::Model* ideal_reference);

  const Study& study;
  const std::vector<ObservedRange>& ranges;  // on the kept samples
  const graph::Model* ideal_reference;
  std::vector<bool> given, reference_given;  // by tensor: its values are at hand
  std::vector<int32_t> coded_of;             // the model's tensor that keeps a tensor of the reference as codes, or -1
};

// What an output's codes and its reference's values tell of its range.
struct CodeUse {
  std::vector<int64_t> counts;  // by code - the lowest
  RangeUse range;
  int64_t clipped_low = 0, clipped_high = 0, total = 0;
};

class LayerMeter {
 public:
  // What one thread needs while it measures, to be used anew.
  struct Room {
    std::vector<float> wanted, found, local, ideal, operand;
  };
  // `layer` names the op and its tensors, and gets the results.
  LayerMeter(const LayerContext& context, LayerResult& layer);
  void Add(std::span<const SampleTrace> traces, Room& room);
  // What comes after the kept samples is not quantized faultlessly any more: that takes as long as all else.
  void EndKept();
  // `ranges`: the reference's over all samples.
  void Finish(const std::vector<ObservedRange>& ranges);
  // What the reference computes at the layer's output.
  ObservedRange seen() const;

 private:
  const graph::Tensor& tensor() const { return context_.study.model_tensor(layer_.model_tensor); }
  void StartLocal();
  void StartIdeal();
  void RunLocal(const SampleTrace& trace, Room& room);
  void RunIdeal(const SampleTrace& trace, Room& room);
  void Measure(const SampleTrace& trace, Room& room);
  void FinishRange(const ObservedRange& range);

  const LayerContext& context_;
  LayerResult& layer_;
  bool comparable_ = false;
  numerics::ErrorMeter accumulated_, local_error_, ideal_error_;
  numerics::GrowingHistogram reference_values_, model_values_;
  std::optional<CodeUse> codes_;
  std::optional<SegmentRunner> local_, ideal_;
};

}  // namespace assay::compare
