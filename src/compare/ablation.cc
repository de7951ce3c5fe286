#include "compare/ablation.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "compare/weights.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

using graph::Operator;
using graph::Tensor;

std::vector<float> Stored(const Array& array) { return StoredValues(array.dtype(), array.bytes(), array.size()); }

}  // namespace

Ablation::Ablation(const Study& study) : study_(study), producers_(Producers(study.model_graph())) {
  simulated_ = Judge([&](size_t s, int32_t tensor) { return Stored(study.traces[s].simulated.at(tensor)); });
}

Outcome Ablation::Judge(const ScoresOf& scores) const {
  Outcome outcome;
  outcome.losses = LossesOf(study_, scores);
  outcome.loss = std::accumulate(outcome.losses.begin(), outcome.losses.end(), 0.0);
  outcome.agreement = AgreementOf(study_, scores);
  return outcome;
}

double Ablation::Recovered(const Outcome& outcome) const {
  return simulated_.loss > 0 ? (simulated_.loss - outcome.loss) / simulated_.loss : 0;
}

double Ablation::Margin(const Outcome& outcome) const {
  const size_t count = simulated_.losses.size();
  if (count < 2) return HUGE_VAL;
  std::vector<double> without;
  for (size_t s = 0; s < count; ++s) {
    const double before = simulated_.loss - simulated_.losses[s], after = outcome.loss - outcome.losses[s];
    without.push_back(before > 0 ? (before - after) / before : 0);
  }
  const auto n = static_cast<double>(count);
  const double mean = std::accumulate(without.begin(), without.end(), 0.0) / n;
  double squares = 0;
  for (const double share : without) squares += (share - mean) * (share - mean);
  return 2 * std::sqrt((n - 1) / n * squares);
}

Outcome Ablation::Unquantized() const { return *WithInputs({}, {}); }

Outcome Ablation::WithUnrounded(const std::set<int32_t>& tensors) const {
  std::set<int32_t> unrounded;
  for (const int32_t tensor : tensors) unrounded.merge(SameCodes(tensor));
  return *WithInputs({}, FakeQuantizeOutputs(study_.model, std::move(unrounded)));
}

std::optional<Outcome> Ablation::WithReferenceInputs() const {
  return WithInputs([&](size_t s, int32_t tensor) -> std::vector<float> {
    const int32_t r = study_.match_of(tensor);
    if (r < 0 || !study_.traces[s].reference.Has(r)) return {};
    return RealValuesOf(study_.traces[s].reference.at(r), study_.reference_tensor(r));
  });
}

std::optional<Outcome> Ablation::WithInputs(
    const std::function<std::vector<float>(size_t sample, int32_t model_tensor)>& values) const {
  return WithInputs(values, FakeQuantizeOutputs(study_.model));
}

// Without `values` the inputs stay as they are.
std::optional<Outcome> Ablation::WithInputs(
    const std::function<std::vector<float>(size_t sample, int32_t model_tensor)>& values,
    const runtime::OpHook& hook) const {
  runtime::InterpreterOptions options = study_.options;
  options.preserve_all_tensors = true;
  std::vector<std::unique_ptr<runtime::Interpreter>> interpreters(static_cast<size_t>(std::max(1, study_.threads)));
  std::vector<TensorValues> results(study_.traces.size(), TensorValues(study_.matches.size()));
  std::atomic<bool> fits = true;
  ParallelFor(results.size(), study_.threads, [&](size_t s, int worker) {
    study_.CheckCancelled();
    auto& interpreter = interpreters[static_cast<size_t>(worker)];
    if (interpreter == nullptr) {
      interpreter = std::make_unique<runtime::Interpreter>(study_.float_model, options);
      if (hook) interpreter->SetHook(hook);
    }
    const auto& inputs = study_.model_graph().inputs;
    for (size_t k = 0; k < inputs.size(); ++k) {
      const Array& given = study_.traces[s].simulated.at(inputs[k]);
      interpreter->ResizeInput(k, given.shape());
      if (!values || given.dtype() != DType::kFloat32) {
        interpreter->SetInput(k, given);
        continue;
      }
      const std::vector<float> changed = values(s, inputs[k]);
      if (changed.size() != static_cast<size_t>(given.size())) {
        fits = false;
        return;
      }
      interpreter->SetInput(k, FloatArray(changed, given.shape()));
    }
    interpreter->ResetVariables();
    interpreter->Invoke();
    for (const LossTerm& term : study_.loss_terms) results[s].Set(term.model, interpreter->Tensor(term.model));
  });
  if (!fits) return std::nullopt;
  return Judge([&](size_t s, int32_t tensor) { return Stored(results[s].at(tensor)); });
}

std::set<int32_t> Ablation::SameCodes(int32_t tensor) const {
  std::set<int32_t> same = {tensor};
  const Quantization& codes = study_.model_tensor(tensor).quantization;
  for (const Operator& op : study_.model_graph().operators) {
    if (!PassesValuesOn(op.code)) continue;
    const bool takes = std::any_of(op.inputs.begin(), op.inputs.end(), [&](int32_t t) { return same.count(t) > 0; });
    if (!takes) continue;
    for (const int32_t output : op.outputs) {
      const Quantization& other = study_.model_tensor(output).quantization;
      if (other.scale == codes.scale && other.zero_point == codes.zero_point) same.insert(output);
    }
  }
  return same;
}

std::optional<Outcome> Ablation::WithLayer(const LayerResult& layer, Exchange how) const {
  if (layer.reference_tensor < 0) return std::nullopt;
  const Tensor& tensor = study_.model_tensor(layer.model_tensor);
  const bool coded = IsQuantizedInteger(tensor.dtype) && tensor.quantization.scale.size() == 1;
  if (how != Exchange::kFloatLayer && !coded) return std::nullopt;
  for (const SampleTrace& trace : study_.traces) {
    if (!trace.simulated.Has(layer.model_tensor)) return std::nullopt;
    if (trace.simulated.at(layer.model_tensor).dtype() != DType::kFloat32) return std::nullopt;
  }
  // What the model has computed by then, by its own tensors and by the reference's.
  std::vector<bool> model_given(study_.float_model->subgraphs[0].tensors.size(), false);
  std::vector<int32_t> model_of(study_.reference_graph().tensors.size(), -1);
  for (size_t t = 0; t < study_.matches.size(); ++t) {
    if (producers_[t] >= layer.op_index || !study_.traces[0].simulated.Has(static_cast<int32_t>(t))) continue;
    model_given[t] = true;
    const int32_t r = study_.matches[t].reference;
    if (r < 0 || !study_.IsComparable(static_cast<int32_t>(t))) continue;
    int32_t& known = model_of[static_cast<size_t>(r)];
    if (known < 0 || producers_[t] > producers_[static_cast<size_t>(known)]) known = static_cast<int32_t>(t);
  }
  std::vector<Array> values;
  try {
    const bool own_weights = how == Exchange::kFloatOutput || how == Exchange::kReferenceBias;
    const int32_t same = model_of[static_cast<size_t>(layer.reference_tensor)];
    std::optional<SegmentRunner> segment;
    if (own_weights) {
      const int32_t wanted[] = {layer.model_tensor};
      passes::Segment cut = passes::ExtractSegment(*study_.float_model, wanted, model_given);
      if (how == Exchange::kReferenceBias) {
        const int32_t reference_op = MatchingOp(study_, layer.op_index);
        if (reference_op < 0 || cut.model.subgraphs[0].operators.size() != 1) return std::nullopt;
        const Operator& from = study_.float_reference->subgraphs[0].operators[static_cast<size_t>(reference_op)];
        Operator& to = cut.model.subgraphs[0].operators[0];
        if (from.inputs.size() < 3 || to.inputs.size() < 3 || from.inputs[2] == graph::kNoTensor) return std::nullopt;
        const Tensor& bias = study_.float_reference->subgraphs[0].tensors[static_cast<size_t>(from.inputs[2])];
        if (!bias.data.has_value() || bias.dtype != DType::kFloat32) return std::nullopt;
        cut.model.subgraphs[0].tensors.push_back(bias);
        to.inputs[2] = static_cast<int32_t>(cut.model.subgraphs[0].tensors.size()) - 1;
      }
      segment.emplace(std::move(cut), study_.options);
    } else if (same < 0) {
      std::vector<bool> given(model_of.size(), false);
      for (size_t r = 0; r < given.size(); ++r) given[r] = model_of[r] >= 0;
      const int32_t wanted[] = {layer.reference_tensor};
      segment.emplace(passes::ExtractSegment(*study_.float_reference, wanted, given), study_.options);
    }
    for (const SampleTrace& trace : study_.traces) {
      study_.CheckCancelled();
      const Shape& shape = trace.simulated.at(layer.model_tensor).shape();
      std::vector<float> result;
      if (!segment.has_value()) {
        result = Stored(trace.simulated.at(same));  // rounding alone lies between the two
      } else {
        std::vector<Array> given;
        for (const int32_t input : segment->inputs()) {
          if (own_weights) {
            given.push_back(trace.simulated.at(input));
            continue;
          }
          const Array& value = trace.simulated.at(model_of[static_cast<size_t>(input)]);
          const Tensor& form = study_.float_reference->subgraphs[0].tensors[static_cast<size_t>(input)];
          given.push_back(StoreAs(Stored(value), form, trace.reference.at(input).shape()));
        }
        result = Stored(segment->Run(given)[0]);
      }
      if (result.size() != static_cast<size_t>(shape.NumElements())) return std::nullopt;
      if (how == Exchange::kFloatWeights || how == Exchange::kReferenceBias) {
        RoundToCodes(result, tensor.quantization, tensor.dtype);
      }
      values.push_back(FloatArray(result, shape));
    }
    const bool unrounded = how == Exchange::kFloatLayer || how == Exchange::kFloatOutput;
    return Finish(layer, values, unrounded ? SameCodes(layer.model_tensor) : std::set<int32_t>{});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInput) throw;
    return std::nullopt;
  }
}

// Runs what follows the layer on its exchanged output.
std::optional<Outcome> Ablation::Finish(const LayerResult& layer, const std::vector<Array>& values,
                                        std::set<int32_t> unrounded) const {
  std::vector<int32_t> wanted;
  for (const LossTerm& term : study_.loss_terms) {
    if (producers_[static_cast<size_t>(term.model)] > layer.op_index) wanted.push_back(term.model);
  }
  std::vector<TensorValues> results(values.size(), TensorValues(study_.matches.size()));
  if (!wanted.empty()) {
    std::vector<bool> given(study_.float_model->subgraphs[0].tensors.size(), false);
    for (size_t t = 0; t < study_.matches.size(); ++t) {
      given[t] = producers_[t] <= layer.op_index && study_.traces[0].simulated.Has(static_cast<int32_t>(t));
    }
    SegmentRunner rest(passes::ExtractSegment(*study_.float_model, wanted, given), study_.options,
                       FakeQuantizeOutputs(study_.model, std::move(unrounded)));
    for (size_t s = 0; s < values.size(); ++s) {
      study_.CheckCancelled();
      std::vector<Array> inputs;
      for (const int32_t input : rest.inputs()) {
        inputs.push_back(input == layer.model_tensor ? values[s] : study_.traces[s].simulated.at(input));
      }
      std::vector<Array> outputs = rest.Run(inputs);
      for (size_t k = 0; k < wanted.size(); ++k) results[s].Set(wanted[k], std::move(outputs[k]));
    }
  }
  return Judge([&](size_t s, int32_t t) {
    if (t == layer.model_tensor) return Stored(values[s]);
    return Stored(results[s].Has(t) ? results[s].at(t) : study_.traces[s].simulated.at(t));
  });
}

}  // namespace assay::compare
