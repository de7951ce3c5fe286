#include "compare/layer_errors.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/parallel.h"
#include "compare/layer_meter.h"
#include "compare/weights.h"
#include "kernels/simd/channel_totals.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Tensor;

std::shared_ptr<const graph::Model> IdealReference(const Study& study) {
  return study.weights_need_rounding ? WithEightBitWeights(*study.float_reference) : study.float_reference;
}

}  // namespace

Quantization QuantizationFor(const ObservedRange& range, DType dtype) {
  Quantization q;
  if (!range.known) return q;
  const CodeRange codes = CodesOf(dtype);
  const double low = std::min(0.0, static_cast<double>(range.min)),
               high = std::max(0.0, static_cast<double>(range.max));
  if (dtype == DType::kInt16) {
    const double scale = std::max(-low, high) / static_cast<double>(codes.high);
    if (scale > 0) q.scale = {static_cast<float>(scale)}, q.zero_point = {0};
    return q;
  }
  const double scale = (high - low) / static_cast<double>(codes.levels() - 1);
  if (!(scale > 0) || !std::isfinite(scale)) return q;
  const double zero = std::nearbyint(static_cast<double>(codes.low) - low / scale);
  q.scale = {static_cast<float>(scale)};
  q.zero_point = {
      static_cast<int64_t>(std::clamp(zero, static_cast<double>(codes.low), static_cast<double>(codes.high)))};
  return q;
}

Quantization FaultlessQuantization(const ObservedRange& range, const Tensor& tensor) {
  Quantization needed = QuantizationFor(range, tensor.dtype);
  if (needed.scale.empty() || tensor.quantization.scale.size() != 1) return needed;
  const double wider = static_cast<double>(tensor.quantization.scale[0]) / static_cast<double>(needed.scale[0]);
  if (wider <= 1) return needed;
  const ObservedRange stretched = {true, static_cast<float>(static_cast<double>(range.min) * std::min(wider, 2.0)),
                                   static_cast<float>(static_cast<double>(range.max) * std::min(wider, 2.0))};
  return QuantizationFor(stretched, tensor.dtype);
}

namespace {

void Widen(const ObservedRange& other, ObservedRange& range) {
  if (!other.known) return;
  range.min = range.known ? std::min(range.min, other.min) : other.min;
  range.max = range.known ? std::max(range.max, other.max) : other.max;
  range.known = true;
}

void Widen(std::span<const float> values, ObservedRange& range) {
  const kernels::ref::Extent all = kernels::simd::ExtentOf(values.data(), values.size());
  if (values.empty()) return;
  if (all.all_finite) return Widen({true, all.low, all.high}, range);
  for (const float value : values) {
    if (std::isfinite(value)) Widen({true, value, value}, range);
  }
}

// What passes values on keeps its input's codes: one range must hold both.
void ShareRanges(const Study& study, std::vector<ObservedRange>& ranges) {
  for (const Operator& op : study.model_graph().operators) {
    if (!PassesValuesOn(op.code)) continue;
    for (const int32_t output : op.outputs) {
      for (const int32_t input : op.inputs) {
        if (input == graph::kNoTensor) continue;
        const int32_t from = study.match_of(input), to = study.match_of(output);
        const Quantization &a = study.model_tensor(input).quantization, &b = study.model_tensor(output).quantization;
        if (from < 0 || to < 0 || a.scale.empty() || a.scale != b.scale || a.zero_point != b.zero_point) continue;
        const ObservedRange& source = ranges[static_cast<size_t>(from)];
        ObservedRange& range = ranges[static_cast<size_t>(to)];
        if (!source.known || !range.known) continue;
        range.min = std::min(range.min, source.min), range.max = std::max(range.max, source.max);
      }
    }
  }
}

}  // namespace

std::vector<ObservedRange> ObserveReference(const Study& study) {
  std::vector<ObservedRange> ranges(study.reference_graph().tensors.size());
  ParallelFor(ranges.size(), study.threads, [&](size_t t, int) {
    const auto index = static_cast<int32_t>(t);
    std::vector<float> room;
    for (const SampleTrace& trace : study.traces) {
      if (!trace.reference.Has(index)) return;
      Widen(RealValuesOf(trace.reference.at(index), study.reference_tensor(index), room), ranges[t]);
    }
  });
  ShareRanges(study, ranges);
  return ranges;
}

std::vector<LayerResult> MeasureLayers(const Study& study, const std::vector<ObservedRange>& ranges,
                                       const FurtherSamples& further, size_t samples) {
  const graph::Subgraph& graph = study.model_graph();
  std::vector<bool> constant(graph.tensors.size(), false);
  for (size_t t = 0; t < constant.size(); ++t) constant[t] = graph.tensors[t].data.has_value();
  std::vector<LayerResult> layers;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    if (op.outputs.empty()) continue;
    const bool from_constants = !op.inputs.empty() && std::all_of(op.inputs.begin(), op.inputs.end(), [&](int32_t t) {
      return t == graph::kNoTensor || constant[static_cast<size_t>(t)];
    });
    if (from_constants) {
      for (const int32_t output : op.outputs) constant[static_cast<size_t>(output)] = true;
      continue;
    }
    if (op.code == BuiltinOp::kDequantize || op.code == BuiltinOp::kShape) continue;
    LayerResult& layer = layers.emplace_back();
    layer.op_index = static_cast<int32_t>(i);
    layer.op = op.Name();
    layer.model_tensor = op.outputs[0];
    for (const int32_t output : op.outputs) {
      if (study.IsComparable(output)) {
        layer.model_tensor = output;
        break;
      }
    }
    const Tensor& tensor = study.model_tensor(layer.model_tensor);
    layer.name = tensor.name;
    layer.short_name = ShortName(tensor.name);
    if (layer.short_name.empty()) layer.short_name = "tensor " + std::to_string(layer.model_tensor);
    layer.dtype = tensor.dtype;
    layer.shape = tensor.shape;
    if (!study.traces.empty() && study.traces[0].model.Has(layer.model_tensor)) {
      layer.shape = study.traces[0].model.at(layer.model_tensor).shape();
    }
    if (study.IsComparable(layer.model_tensor)) {
      layer.reference_tensor = study.match_of(layer.model_tensor);
      layer.match = study.matches[static_cast<size_t>(layer.model_tensor)].kind;
      layer.reference_name = study.reference_tensor(layer.reference_tensor).name;
    }
  }
  std::shared_ptr<const graph::Model> ideal;
  if (study.float_reference != nullptr) ideal = IdealReference(study);
  const LayerContext context(study, ranges, ideal.get());
  std::vector<std::unique_ptr<LayerMeter>> meters(layers.size());
  std::vector<LayerMeter::Room> rooms(static_cast<size_t>(std::max(1, study.threads)));
  std::mutex mutex;
  size_t done = 0;  // layers of samples
  const auto measure = [&](std::span<const SampleTrace> traces) {
    ParallelFor(layers.size(), study.threads, [&](size_t i, int worker) {
      study.CheckCancelled();
      if (meters[i] == nullptr) meters[i] = std::make_unique<LayerMeter>(context, layers[i]);
      meters[i]->Add(traces, rooms[static_cast<size_t>(worker)]);
      const std::scoped_lock lock(mutex);
      done += traces.size();
      if (study.progress) study.progress(done / std::max<size_t>(1, samples), layers.size());
    });
  };
  measure(study.traces);
  for (const auto& meter : meters) meter->EndKept();
  if (further) further(measure);
  std::vector<ObservedRange> all = ranges;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].reference_tensor >= 0) Widen(meters[i]->seen(), all[static_cast<size_t>(layers[i].reference_tensor)]);
  }
  ShareRanges(study, all);
  ParallelFor(layers.size(), study.threads, [&](size_t i, int) {
    meters[i]->Finish(all);
    if (layers[i].reference_tensor >= 0) layers[i].weights = CompareWeights(study, layers[i].op_index);
  });
  return layers;
}

std::vector<TensorValues> RunIdeal(const Study& study, const std::vector<ObservedRange>& ranges) {
  if (study.float_reference == nullptr || study.loss_terms.empty()) return {};
  // The reference's tensors that the model keeps as codes, each with the codes that its values need.
  auto rounded = std::make_shared<graph::Model>(*study.reference);
  bool any = false;
  const std::vector<int32_t> producers = Producers(study.model_graph());
  std::vector<bool> kept(rounded->subgraphs[0].tensors.size(), false);
  for (size_t t = 0; t < study.matches.size(); ++t) {
    const int32_t r = study.matches[t].reference;
    const Tensor& tensor = study.model_graph().tensors[t];
    if (r < 0 || !HasCodes(tensor)) continue;
    const Operator* op = producers[t] < 0 ? nullptr : &study.model_graph().operators[static_cast<size_t>(producers[t])];
    Tensor& target = rounded->subgraphs[0].tensors[static_cast<size_t>(r)];
    const Quantization needed = op != nullptr && HasPrescribedRange(op->code)
                                    ? tensor.quantization
                                    : FaultlessQuantization(ranges[static_cast<size_t>(r)], tensor);
    if (needed.scale.empty()) continue;
    target.dtype = tensor.dtype;
    target.quantization = needed;
    kept[static_cast<size_t>(r)] = any = true;
  }
  if (!any) return {};
  for (size_t t = 0; t < kept.size(); ++t) {
    if (!kept[t]) rounded->subgraphs[0].tensors[t].quantization = {};
  }
  const auto ideal = IdealReference(study);
  std::vector<std::unique_ptr<runtime::Interpreter>> workers(static_cast<size_t>(std::max(1, study.threads)));
  runtime::InterpreterOptions options = study.options;
  options.preserve_all_tensors = true;
  std::vector<TensorValues> results(study.traces.size());
  ParallelFor(study.traces.size(), study.threads, [&](size_t s, int w) {
    study.CheckCancelled();
    auto& interpreter = workers[static_cast<size_t>(w)];
    if (interpreter == nullptr) {
      interpreter = std::make_unique<runtime::Interpreter>(ideal, options);
      interpreter->SetHook(FakeQuantizeOutputs(rounded));
    }
    const auto& inputs = study.reference_graph().inputs;
    for (size_t k = 0; k < inputs.size(); ++k) {
      const Array& given = study.traces[s].reference.at(inputs[k]);
      interpreter->ResizeInput(k, given.shape());
      const Tensor& form = ideal->subgraphs[0].tensors[static_cast<size_t>(inputs[k])];
      if (form.dtype != DType::kFloat32) {
        interpreter->SetInput(k, given);
        continue;
      }
      std::vector<float> values = RealValuesOf(given, study.reference_tensor(inputs[k]));
      const Tensor& codes = rounded->subgraphs[0].tensors[static_cast<size_t>(inputs[k])];
      if (HasCodes(codes)) {
        RoundToCodes(values, codes.quantization, codes.dtype);
      }
      interpreter->SetInput(k, FloatArray(values, given.shape()));
    }
    interpreter->ResetVariables();
    interpreter->Invoke();
    results[s] = TensorValues(study.matches.size());
    for (const LossTerm& term : study.loss_terms) results[s].Set(term.model, interpreter->Tensor(term.reference));
  });
  return results;
}

}  // namespace assay::compare
