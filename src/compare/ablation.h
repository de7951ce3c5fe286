// What comes back of the loss when one part of the model is exchanged for the float one, everything else as it is: the
// check of every suspicion. Works on the model's float form whose tensors are rounded to their codes.
#pragma once

#include <functional>
#include <optional>

#include "compare/study.h"

namespace assay::compare {

struct Outcome {
  double loss = 0;
  double agreement = 1;        // with the reference's answers
  std::vector<double> losses;  // by sample; their sum is the loss
};

enum class Exchange {
  kFloatLayer,     // the reference's weights, the output not rounded
  kFloatOutput,    // the model's weights, the output not rounded
  kFloatWeights,   // the reference's weights, the output rounded to the model's codes
  kReferenceBias,  // the model's weights and rounding, the reference's bias
};

class Ablation {
 public:
  // The study must have a simulation and traces.
  explicit Ablation(const Study& study);

  const Outcome& simulated() const { return simulated_; }
  // The loss of the model's float form, nothing rounded.
  Outcome Unquantized() const;
  // The model with all of `tensors`, and what only passes them on, stored in float.
  Outcome WithUnrounded(const std::set<int32_t>& tensors) const;
  // The model fed with the reference's inputs, unrounded; none where an input has no match of its size.
  std::optional<Outcome> WithReferenceInputs() const;
  // The model fed with what `change` makes of its own inputs' real values.
  std::optional<Outcome> WithInputs(
      const std::function<std::vector<float>(size_t sample, int32_t model_tensor)>& values) const;
  // None where this layer cannot be exchanged: the reference's part does not line up, or computes another shape.
  std::optional<Outcome> WithLayer(const LayerResult& layer, Exchange how) const;

  // (loss - loss then) / loss.
  double Recovered(const Outcome& outcome) const;
  // How far from that share another draw of samples may well lie: twice the jackknife's standard error.
  double Margin(const Outcome& outcome) const;

  // Tensors that only pass `tensor`'s codes on, itself included: they clip with it.
  std::set<int32_t> SameCodes(int32_t tensor) const;

 private:
  Outcome Judge(const ScoresOf& scores) const;
  std::optional<Outcome> WithInputs(
      const std::function<std::vector<float>(size_t sample, int32_t model_tensor)>& values,
      const runtime::OpHook& hook) const;
  std::optional<Outcome> Finish(const LayerResult& layer, const std::vector<Array>& values,
                                std::set<int32_t> unrounded) const;

  const Study& study_;
  std::vector<int32_t> producers_;
  Outcome simulated_;
};

}  // namespace assay::compare
