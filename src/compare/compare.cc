#include "compare/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <set>

#include "base/parallel.h"
#include "compare/ablation.h"
#include "compare/causes.h"
#include "compare/dump.h"
#include "compare/float_form.h"
#include "compare/hypotheses.h"
#include "compare/inputs.h"
#include "compare/labels.h"
#include "compare/layer_errors.h"
#include "compare/same_model.h"
#include "compare/samples.h"
#include "compare/study.h"
#include "compare/verdict.h"
#include "eval/input.h"
#include "numerics/error_metrics.h"
#include "runtime/run_model.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

constexpr uint64_t kBlockMemory = uint64_t{256} << 20;  // of further samples, which only pass
constexpr uint64_t kCheapTraces = uint64_t{512} << 20;  // bytes of all samples together
constexpr size_t kLayerSamples = 128, kLeastLayerSamples = 16;
constexpr double kSameFunctionDb = 20;    // weights may be folded or equalized otherwise and yet compute the same
constexpr double kUnrelatedDb = 10;       // weights of another training
constexpr double kWorthSplitting = 0.02;  // recovered share from which on a layer's halves are looked at apart

// For samples that are kept whole: more where single layers will be exchanged.
uint64_t TraceMemory(const CompareRequest& request) {
  return uint64_t{request.exchanged_layers > 0 ? 1536U : 512U} << 20;
}

AccuracyComparison CompareAccuracy(const CompareRequest& request) {
  AccuracyComparison accuracy;
  const auto evaluate = [&](const Side& side, const char* phase) {
    eval::EvaluateRequest one;
    one.model = side.model;
    one.dataset = request.dataset;
    one.pipeline = side.pipeline;
    one.options = request.options;
    one.options.delegate = side.delegate;
    one.threads = request.threads;
    one.label_offset = request.label_offset;
    one.skip_bad = request.skip_bad;
    if (request.progress)
      one.progress = [&, phase](size_t done, size_t total) { request.progress(phase, done, total); };
    return InContext([&] { return side.path; }, [&] { return eval::Evaluate(one); });
  };
  accuracy.reference = evaluate(request.reference, "reference");
  accuracy.model = evaluate(request.model, "model");
  static_cast<eval::PairedAccuracy&>(accuracy) = eval::ComparePaired(accuracy.reference, accuracy.model);
  return accuracy;
}

// Elements of the model's largest output.
int64_t MostScores(const graph::Model& model) {
  int64_t most = 0;
  for (const int32_t output : model.subgraphs[0].outputs) {
    most = std::max(most, model.subgraphs[0].tensors[static_cast<size_t>(output)].shape.NumElements());
  }
  return most;
}

// Many where a sample's tensors are small: shares of a loss vary a good deal from sample to sample.
size_t CountSamples(const CompareRequest& request, const Study& study) {
  if (request.layer_samples.has_value()) return *request.layer_samples;
  uint64_t bytes = 0;
  const auto add = [&bytes](const graph::Subgraph& graph, uint64_t bytes_each) {
    for (const graph::Tensor& tensor : graph.tensors) {
      if (tensor.data.has_value()) continue;
      uint64_t elements = 1;
      for (int d = 0; d < tensor.shape.rank() && elements < kCheapTraces; ++d) {
        elements *= static_cast<uint64_t>(std::max<int64_t>(1, tensor.shape[d]));
      }
      bytes += std::min(elements, kCheapTraces) * bytes_each;
    }
  };
  add(study.reference_graph(), sizeof(float));
  add(study.model_graph(), 1 + sizeof(float));
  return static_cast<size_t>(
      std::clamp<uint64_t>(kCheapTraces / std::max<uint64_t>(1, bytes), kLeastLayerSamples, kLayerSamples));
}

// Which samples the layers are compared on: spread evenly, bad ones left out.
std::vector<size_t> ChooseSamples(const CompareRequest& request, const std::optional<AccuracyComparison>& accuracy,
                                  size_t count) {
  std::vector<size_t> good;
  for (size_t i = 0; i < request.dataset->size(); ++i) {
    if (accuracy.has_value() && (accuracy->reference.rank[i] < 0 || accuracy->model.rank[i] < 0)) continue;
    good.push_back(i);
  }
  const size_t wanted = std::min(count, good.size());
  std::vector<size_t> chosen;
  for (size_t k = 0; k < wanted; ++k) chosen.push_back(good[(2 * k + 1) * good.size() / (2 * wanted)]);
  return chosen;
}

// Random inputs: normal, or over the range that a quantized input of the model can hold.
void FillRandom(const CompareRequest& request, const Study& study, size_t sample, runtime::Interpreter& reference,
                runtime::Interpreter& model) {
  std::vector<bool> filled(reference.input_count(), false);
  for (size_t k = 0; k < model.input_count(); ++k) {
    const runtime::TensorDetails input = model.InputDetails(k);
    const graph::Tensor& tensor = study.model_tensor(input.index);
    Array values = runtime::RandomArray(DType::kFloat32, input.shape, request.seed, sample * 64 + k);
    if (IsQuantizedInteger(input.dtype) && input.quantization.scale.size() == 1) {
      const RealRange range = RangeOf(input.dtype, input.quantization);
      const double middle = (range.low + range.high) / 2, reach = (range.high - range.low) / 6;
      for (float& x : values.values<float>()) {
        x = static_cast<float>(std::clamp(middle + reach * static_cast<double>(x), range.low, range.high));
      }
    } else if (input.dtype != DType::kFloat32) {
      values = runtime::RandomArray(input.dtype, input.shape, request.seed, sample * 64 + k);
    }
    const std::vector<float> reals = StoredValues(values.dtype(), values.bytes(), values.size());
    model.ResizeInput(k, input.shape);
    const Array stored = values.dtype() == input.dtype ? values : StoreAs(reals, tensor, input.shape);
    model.SetInput(k, stored);
    const int32_t match = study.match_of(input.index);
    for (size_t j = 0; j < reference.input_count(); ++j) {
      const runtime::TensorDetails other = reference.InputDetails(j);
      if (other.index != match) continue;
      reference.ResizeInput(j, other.shape);
      const graph::Tensor& counterpart = study.reference_tensor(match);
      const bool stored_alike = counterpart.dtype == stored.dtype() &&
                                counterpart.quantization.scale == tensor.quantization.scale &&
                                counterpart.quantization.zero_point == tensor.quantization.zero_point;
      reference.SetInput(j, stored_alike ? stored : StoreAs(reals, counterpart, other.shape));
      filled[j] = true;
    }
  }
  for (size_t j = 0; j < filled.size(); ++j) {
    if (!filled[j]) {
      throw InputError("{}: input '{}' has no counterpart in {}, so random inputs cannot feed both (give --data)",
                       request.reference.path, reference.InputDetails(j).name, request.model.path);
    }
  }
}

void ExchangeLayers(const Study& study, const Ablation& ablation, CompareResult& result,
                    const CompareRequest& request) {
  // The most suspicious first; the rest is not worth the time.
  std::vector<size_t> order;
  for (size_t i = 0; i < result.layers.size(); ++i) {
    if (result.layers[i].reference_tensor >= 0) order.push_back(i);
  }
  const std::vector<size_t> proven = LayersWithWrongConstants(result.layers);
  const auto suspicion = [&](size_t i) {
    const LayerResult& layer = result.layers[i];
    const bool is_proven = std::find(proven.begin(), proven.end(), i) != proven.end();
    const double sqnr = layer.local.has_value() ? std::min(layer.local->sqnr_db, 200.0) : 200.0;
    return (is_proven ? 1000 : 0) + (layer.ideal_sqnr_db.has_value() ? layer.excess_db() : 0) - 0.1 * sqnr;
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return suspicion(a) > suspicion(b); });
  if (order.size() > request.exchanged_layers) order.resize(request.exchanged_layers);
  std::mutex mutex;
  size_t done = 0;
  ParallelFor(order.size(), study.threads, [&](size_t k, int) {
    LayerResult& layer = result.layers[order[k]];
    const auto outcome = ablation.WithLayer(layer, Exchange::kFloatLayer);
    if (outcome.has_value()) {
      layer.recovered = ablation.Recovered(*outcome);
      layer.recovered_margin = ablation.Margin(*outcome);
      layer.recovered_agreement = outcome->agreement;
      if (*layer.recovered > kWorthSplitting) {
        const auto share = [&](Exchange how) -> std::optional<double> {
          const auto other = ablation.WithLayer(layer, how);
          return other.has_value() ? std::optional(ablation.Recovered(*other)) : std::nullopt;
        };
        layer.recovered_by_range = share(Exchange::kFloatOutput);
        layer.recovered_by_weights = share(Exchange::kFloatWeights);
        if (layer.weights.has_value() && layer.weights->has_bias) {
          layer.recovered_by_bias = share(Exchange::kReferenceBias);
        }
      }
    }
    const std::scoped_lock lock(mutex);
    if (request.progress) request.progress("exchange", ++done, order.size());
  });
}

// What comes back when no range clips any more.
void ExchangeClippingLayers(const Study& study, const Ablation& ablation, CompareResult& result) {
  std::set<int32_t> clipping;
  for (const LayerResult& layer : result.layers) {
    result.loss.coded += layer.range.has_value();
    if (RangeClips(layer)) clipping.insert(layer.model_tensor);
  }
  result.loss.clipping = static_cast<int32_t>(clipping.size());
  if (clipping.size() < 2 || study.float_model == nullptr) return;
  const Outcome outcome = ablation.WithUnrounded(clipping);
  result.loss.recovered_by_clipping = ablation.Recovered(outcome);
  result.loss.recovered_by_clipping_margin = ablation.Margin(outcome);
}

void SummarizeLosses(const Study& study, const std::optional<Ablation>& ablation,
                     const std::vector<TensorValues>& ideal, LossSummary& loss) {
  if (study.loss_terms.empty()) {
    loss.simulation_missing = "no output of the model has a counterpart";
    return;
  }
  const auto own = [&](size_t s, int32_t t) {
    return RealValuesOf(study.traces[s].model.at(t), study.model_tensor(t));
  };
  loss.model = LossOf(study, own);
  loss.agreement = AgreementOf(study, own);
  loss.simulation_missing = study.simulation_missing;
  if (ablation.has_value()) {
    loss.has_simulation = true;
    loss.simulated = ablation->simulated().loss;
    loss.simulated_agreement = ablation->simulated().agreement;
    const Outcome unquantized = ablation->Unquantized();
    loss.unquantized = unquantized.loss;
    loss.unquantized_agreement = unquantized.agreement;
    double error = 0, power = 0;
    for (const SampleTrace& trace : study.traces) {
      for (const LossTerm& term : study.loss_terms) {
        const std::vector<float> a = RealValuesOf(trace.model.at(term.model), study.model_tensor(term.model));
        const Array& value = trace.simulated.at(term.model);
        const std::vector<float> b = StoredValues(value.dtype(), value.bytes(), value.size());
        for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
          const double difference = static_cast<double>(b[i]) - static_cast<double>(a[i]);
          if (!std::isfinite(difference)) continue;
          error += difference * difference, power += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        }
      }
    }
    loss.simulation_sqnr_db = numerics::SignalToNoiseDb(power, error);
  }
  if (!ideal.empty()) {
    const auto scores = [&](size_t s, int32_t t) {
      const Array& value = ideal[s].at(t);
      return StoredValues(value.dtype(), value.bytes(), value.size());
    };
    loss.has_ideal = true;
    loss.ideal = LossOf(study, scores);
    loss.ideal_agreement = AgreementOf(study, scores);
  }
}

// The answers of both sides on the layer samples, for data without labels.
std::vector<int32_t> Answers(const Study& study, bool reference) {
  std::vector<int32_t> answers;
  const LossTerm& term = study.loss_terms.back();
  for (const SampleTrace& trace : study.traces) {
    const std::vector<float> scores =
        reference ? RealValuesOf(trace.reference.at(term.reference), study.reference_tensor(term.reference))
                  : RealValuesOf(trace.model.at(term.model), study.model_tensor(term.model));
    answers.push_back(static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
  }
  return answers;
}

void OrderWorst(CompareResult& result) {
  for (size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    if (!layer.sentence.empty() || layer.recovered.value_or(0) > 0.05) result.worst.push_back(i);
  }
  const auto badness = [&](size_t i) {
    const LayerResult& layer = result.layers[i];
    return layer.recovered.value_or(0) + 0.01 * std::min(layer.excess_db(), 60.0);
  };
  std::stable_sort(result.worst.begin(), result.worst.end(),
                   [&](size_t a, size_t b) { return badness(a) > badness(b); });
}

bool FunctionsDiffer(const std::vector<LayerResult>& layers) {
  std::vector<double> decibels;
  for (const LayerResult& layer : layers) {
    if (layer.weights.has_value() && layer.accumulated.has_value()) decibels.push_back(layer.accumulated->sqnr_db);
  }
  if (decibels.empty()) return false;
  std::sort(decibels.begin(), decibels.end());
  return decibels[decibels.size() / 2] < kSameFunctionDb;
}

// Everything that is done with a study once its samples have run.
void Analyse(const CompareRequest& request, Study& study, const FurtherSamples& further, CompareResult& result,
             Evidence& evidence, std::optional<Ablation>& ablation) {
  const std::vector<ObservedRange> ranges = ObserveReference(study);
  result.layers = MeasureLayers(study, ranges, further, result.layer_samples);
  result.loss.samples = study.traces.size();
  const bool scored = !study.loss_terms.empty();
  std::vector<TensorValues> ideal;
  if (scored && study.float_model != nullptr) {
    ablation.emplace(study);
    ideal = RunIdeal(study, ranges);
  }
  SummarizeLosses(study, ablation, ideal, result.loss);
  if (ablation.has_value() && ablation->simulated().loss > 0) {
    ExchangeLayers(study, *ablation, result, request);
    ExchangeClippingLayers(study, *ablation, result);
  }
  ExplainLayers(study, result.layers);
  evidence.study = &study;
  evidence.ablation = ablation.has_value() ? &*ablation : nullptr;
}

void CompareTrainedApart(const CompareRequest& request, const Study& study, const WeightCensus& census,
                         CompareResult& result) {
  // The model's own float form takes the reference's place: what remains is quantization.
  Study own;
  own.reference = study.float_model;
  own.model = study.model;
  own.matches = MatchByIndex(*study.model);
  own.options = study.options;
  own.model_delegate = study.model_delegate;
  own.threads = study.threads;
  own.weights_need_rounding = false;
  own.progress = study.progress;
  PrepareStudy(own, 0);
  if (study.has_answers && !own.has_answers && !study.loss_terms.empty()) {
    own.has_answers = true;
    own.loss_terms.clear();
    for (const LossTerm& term : study.loss_terms) own.loss_terms.push_back({term.model, term.model});
  }
  RunSamples(own, study.traces.size(), TraceMemory(request),
             [&](size_t i, runtime::Interpreter& reference, runtime::Interpreter& model) {
               for (size_t k = 0; k < model.input_count(); ++k) {
                 const int32_t tensor = study.model_graph().inputs[k];
                 const Array& given = study.traces[i].model.at(tensor);
                 model.ResizeInput(k, given.shape());
                 model.SetInput(k, given);
                 reference.ResizeInput(k, given.shape());
                 const DType wanted = reference.InputDetails(k).dtype;
                 reference.SetInput(k,
                                    wanted == given.dtype()
                                        ? given
                                        : FloatArray(RealValuesOf(given, study.model_tensor(tensor)), given.shape()));
               }
             });
  const std::vector<LayerResult> versus_reference = result.layers;
  const LossSummary outer = result.loss;
  CompareResult inner;
  inner.layer_samples = own.traces.size();
  Evidence evidence;
  std::optional<Ablation> ablation;
  Analyse(request, own, {}, inner, evidence, ablation);
  Judge(evidence, inner);
  result.self_reference = true;
  result.layers = inner.layers;
  for (size_t i = 0; i < result.layers.size() && i < versus_reference.size(); ++i) {
    LayerResult& layer = result.layers[i];
    const LayerResult& other = versus_reference[i];
    layer.versus_reference = other.accumulated;
    layer.weights = other.weights;
    layer.reference_tensor = other.reference_tensor;
    layer.reference_name = other.reference_name;
    layer.match = other.match;
  }
  result.loss = inner.loss;
  result.versus_reference_agreement = outer.agreement;
  Finding& verdict = result.verdict;
  verdict = inner.verdict;
  verdict.cause = Cause::kTrainedApart;
  std::string inside = inner.verdict.sentence;
  const bool blames = inner.verdict.cause != Cause::kNone && inner.verdict.cause != Cause::kSpread;
  if ((!blames || inner.verdict.layer < 0) && !inside.empty()) {
    inside[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(inside[0])));
  }
  const bool unrelated = census.median_sqnr_db < kUnrelatedDb;
  verdict.sentence =
      fmt::format("{} (the weights of {} of {} layers {})",
                  unrelated ? "The two were trained apart" : "The model was trained on after the reference", census.far,
                  census.compared, unrelated ? "are others" : "lie farther off than rounding moves them");
  if (result.accuracy.has_value()) {
    result.float_form = EvaluateFloatForm(request, study.float_model, *result.accuracy);
    const FloatFormAccuracy& own_form = *result.float_form;
    const auto points = [&](int64_t from, int64_t to) {
      return 100 * static_cast<double>(to - from) / static_cast<double>(std::max<int64_t>(1, own_form.samples));
    };
    verdict.sentence += fmt::format(
        ": top-1 changes by {:+.2f} points through training and by {:+.2f} through quantization (McNemar p = {:.2g})",
        points(own_form.reference_correct, own_form.correct), points(own_form.correct, own_form.model_correct),
        own_form.mcnemar_p);
  }
  verdict.sentence += fmt::format("; of the model's own quantization{} {}", blames ? ":" : ",", inside);
  verdict.detail = fmt::format(
      "The weights agree to {:.0f} dB in the median layer, so what parts the two is their training, and the layers are "
      "compared with the model's own float form.{}{}",
      census.median_sqnr_db, verdict.detail.empty() ? "" : " ", verdict.detail);
  result.findings = inner.findings;
  result.notes.emplace_back(
      "the two models differ by training: the layer errors compare the model with its own float form; the "
      "distance "
      "to the reference's tensors is not a quantization error");
}

// Runs the samples that the layers are compared on, of the data, else random ones. Returns those whose values would not
// fit into memory with the others'.
FurtherSamples RunLayerSamples(const CompareRequest& request, Study& study, CompareResult& result) {
  const size_t layer_samples = CountSamples(request, study);
  std::vector<size_t> samples;
  FillBoth fill;
  if (request.dataset == nullptr) {
    result.inputs_are_random = true;
    result.notes.push_back(
        fmt::format("no data were given: inputs are random (seed {}), which real inputs are not", request.seed));
    samples.resize(layer_samples);
    fill = [&request, &study](size_t i, runtime::Interpreter& reference, runtime::Interpreter& model) {
      FillRandom(request, study, i, reference, model);
    };
  } else {
    samples = ChooseSamples(request, result.accuracy, layer_samples);
    fill = [&request, samples](size_t i, runtime::Interpreter& reference, runtime::Interpreter& model) {
      const data::Sample sample = request.dataset->Load(samples[i]);
      eval::FillInputs(sample, request.reference.pipeline, reference);
      eval::FillInputs(sample, request.model.pipeline, model);
    };
  }
  if (samples.empty()) throw InputError("the data hold no sample to compare the layers on");
  RunSamples(study, samples.size(), TraceMemory(request), fill);
  result.layer_samples = samples.size();
  if (study.traces.size() == samples.size()) return {};
  return SamplesBeyond(study, samples.size(), kBlockMemory, fill);
}

// A runtime may compute otherwise when it is asked for the tensors between.
void NoteWhatReadingChanges(const Study& study, CompareResult& result) {
  const auto check = [&](const std::shared_ptr<const graph::Model>& model,
                         const std::shared_ptr<const runtime::Delegate>& delegate, const TensorValues& values) {
    if (delegate == nullptr) return;
    runtime::InterpreterOptions options = study.options;
    options.delegate = delegate;
    if (!ReadingChangesOutputs(model, options, values)) return;
    result.notes.push_back(fmt::format(
        "{} gives other outputs when its intermediate tensors are read, as they are here, than when they are not",
        delegate->Name()));
  };
  check(study.reference, study.reference_delegate, study.traces[0].reference);
  check(study.model, study.model_delegate, study.traces[0].model);
}

// What computes the model is in question, not the model.
CompareResult CompareRuntimes(const CompareRequest& request, CompareResult result) {
  const std::string source = request.reference.delegate == nullptr ? "assay" : request.reference.delegate->Name();
  Study study = SameModelStudy(request, request.model);
  study.reference_delegate = request.reference.delegate;
  RunLayerSamples(request, study, result);
  if (study.traces.size() < result.layer_samples) {
    result.notes.push_back(fmt::format("layers were compared on {} samples: more would not fit into {} MiB",
                                       study.traces.size(), TraceMemory(request) >> 20));
  }
  CompareResult judged = JudgeSameModel(study, fmt::format("{}'s values", source));
  judged.accuracy = std::move(result.accuracy);
  judged.accuracy_missing = std::move(result.accuracy_missing);
  judged.inputs_are_random = result.inputs_are_random;
  judged.notes = std::move(result.notes);
  NoteWhatReadingChanges(study, judged);
  judged.notes.push_back(fmt::format(
      "one model on both sides: the reference is computed by {}; local: each op alone on {}'s values", source, source));
  return judged;
}

}  // namespace

double LayerResult::excess_db() const {
  if (!local.has_value() || !ideal_sqnr_db.has_value()) return 0;
  const double own = local_beside_ideal_db.value_or(local->sqnr_db);
  return std::max(0.0, std::min(*ideal_sqnr_db, 120.0) - std::min(own, 120.0));
}

std::string_view CauseName(Cause cause) {
  constexpr std::array<std::string_view, 24> kNames = {
      "none",           "input range",    "input inverted",       "input transposed",
      "input flipped",  "input rotated",  "input shifted",        "input channel order",
      "input differs",  "label shift",    "label permutation",    "range too narrow",
      "range too wide", "weights differ", "weight channel scale", "weights per tensor",
      "weights coarse", "bias differs",   "activation differs",   "graph differs",
      "kernel differs", "trained apart",  "spread over layers",   "unexplained"};
  return kNames[static_cast<size_t>(cause)];
}

CompareResult Compare(const CompareRequest& request) {
  if (request.reference.is_dump() || request.model.is_dump()) return CompareWithDump(request);
  CompareResult result;
  if (request.dataset != nullptr) {
    eval::CheckPipeline(request.reference.pipeline, *request.dataset);
    eval::CheckPipeline(request.model.pipeline, *request.dataset);
  }
  if (request.dataset == nullptr) {
    result.accuracy_missing = "there are no data";
  } else if (!request.dataset->has_labels()) {
    result.accuracy_missing = "the data have no labels";
  } else if (const int64_t scores = MostScores(*request.model.model); scores < request.dataset->label_count()) {
    result.accuracy_missing =
        fmt::format("the data have {} classes, the model gives {} scores", request.dataset->label_count(), scores);
  } else {
    result.accuracy = CompareAccuracy(request);
  }
  if (request.reference.model == request.model.model && request.reference.delegate != request.model.delegate) {
    return CompareRuntimes(request, std::move(result));
  }

  Study study;
  study.reference = request.reference.model;
  study.model = request.model.model;
  study.matches = MatchTensors(*study.reference, *study.model);
  study.options = request.options;
  study.reference_delegate = request.reference.delegate;
  study.model_delegate = request.model.delegate;
  study.threads = request.threads;
  if (request.progress) {
    study.progress = [&](size_t done, size_t total) { request.progress("layers", done, total); };
  }
  const int64_t labels =
      request.dataset != nullptr && request.dataset->has_labels() ? request.dataset->label_count() : 0;
  PrepareStudy(study, labels);
  const FurtherSamples further = RunLayerSamples(request, study, result);
  NoteWhatReadingChanges(study, result);
  if (!study.simulation_missing.empty()) {
    result.notes.push_back("the check of the causes is missing: " + study.simulation_missing);
  }

  if (further) {
    result.notes.push_back(fmt::format(
        "the scores' error, its causes and what 8 bits could keep are of {} samples: the values of more would not fit "
        "into {} MiB",
        study.traces.size(), TraceMemory(request) >> 20));
  }
  Evidence evidence;
  std::optional<Ablation> ablation;
  Analyse(request, study, further, result, evidence, ablation);
  for (const LayerResult& layer : result.layers) {
    (layer.reference_tensor >= 0 ? result.matched : result.unmatched) += 1;
  }
  const WeightCensus census = CountWeights(result.layers);
  if (study.float_model != nullptr && WereTrainedApart(census) && FunctionsDiffer(result.layers)) {
    CompareTrainedApart(request, study, census, result);
    OrderWorst(result);
    return result;
  }
  evidence.inputs = RelateInputs(study);
  if (study.has_answers) {
    const int64_t classes = study.model_tensor(study.loss_terms.back().model).shape.NumElements();
    if (result.accuracy.has_value()) {
      // Answers as the models give them: the offset of the labels is not the matter here.
      std::vector<int32_t> wanted = result.accuracy->reference.predicted, found = result.accuracy->model.predicted;
      for (int32_t& answer : wanted)
        answer += answer >= 0 ? static_cast<int32_t>(result.accuracy->reference.label_offset) : 0;
      for (int32_t& answer : found)
        answer += answer >= 0 ? static_cast<int32_t>(result.accuracy->model.label_offset) : 0;
      evidence.mapping = FindClassMapping(wanted, found, classes);
    } else {
      evidence.mapping = FindClassMapping(Answers(study, true), Answers(study, false), classes);
    }
  }
  if (result.accuracy.has_value()) evidence.from_labels = FindSharedFaults(request, *result.accuracy);
  Judge(evidence, result);
  OrderWorst(result);
  return result;
}

}  // namespace assay::compare
