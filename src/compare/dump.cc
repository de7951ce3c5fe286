#include "compare/dump.h"

#include <algorithm>
#include <cmath>

#include "compare/layer_errors.h"
#include "compare/study.h"
#include "eval/input.h"
#include "numerics/error_metrics.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

constexpr double kLastDigitsDb = 90;  // floats that only another order of summing parts

// "tensor/17" -> 17, -1 for another key.
int64_t NumberAfter(const std::string& key, std::string_view prefix) {
  if (key.rfind(prefix, 0) != 0 || key.size() == prefix.size() || key.size() > prefix.size() + 9) return -1;
  int64_t number = 0;
  for (const char c : key.substr(prefix.size())) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

// The dump's values by the model's tensors; throws where it cannot be of this model.
TensorValues DumpValues(const Side& dump, const graph::Model& model) {
  const graph::Subgraph& graph = model.subgraphs[0];
  TensorValues values(graph.tensors.size());
  const auto set = [&](int64_t tensor, const std::string& key, const Array& array) {
    if (tensor >= static_cast<int64_t>(graph.tensors.size())) {
      throw InputError("{}: {} is not of this model, which has {} tensors", dump.path, key, graph.tensors.size());
    }
    const graph::Tensor& info = graph.tensors[static_cast<size_t>(tensor)];
    if (info.dtype != array.dtype()) {
      throw InputError(
          "{}: {} is {}, '{}' in {} is {}: the dump is of another model (a dump compares with the model that it was "
          "made from, or with another dump)",
          dump.path, key, DTypeName(array.dtype()), info.name, model.source, DTypeName(info.dtype));
    }
    if (HasRealValues(array.dtype())) values.Set(static_cast<int32_t>(tensor), array);
  };
  for (const auto& [key, array] : dump.dump) {
    if (const int64_t k = NumberAfter(key, "out/"); k >= 0 && k < static_cast<int64_t>(graph.outputs.size())) {
      set(graph.outputs[static_cast<size_t>(k)], key, array);
    }
    if (key.rfind("in/", 0) != 0) continue;
    for (const int32_t input : graph.inputs) {
      const bool only = graph.inputs.size() == 1;
      if (only || graph.tensors[static_cast<size_t>(input)].name == key.substr(3)) set(input, key, array);
    }
  }
  for (const auto& [key, array] : dump.dump) {
    if (const int64_t t = NumberAfter(key, "tensor/"); t >= 0) set(t, key, array);
  }
  return values;
}

Study RunAgainstDump(const CompareRequest& request, const Side& side, const Side& dump, TensorValues values,
                     const numerics::Profile* profile) {
  Study study;
  study.reference = study.model = side.model;
  study.matches = MatchByIndex(*side.model);
  study.options = request.options;
  study.options.profile = profile;
  study.threads = request.threads;
  runtime::InterpreterOptions options = study.options;
  options.preserve_all_tensors = true;
  runtime::Interpreter interpreter(side.model, options);
  for (size_t k = 0; k < interpreter.input_count(); ++k) {
    const runtime::TensorDetails input = interpreter.InputDetails(k);
    if (!values.Has(input.index)) throw InputError("{}: holds nothing for input '{}'", dump.path, input.name);
    interpreter.ResizeInput(k, values.at(input.index).shape());
    interpreter.SetInput(k, values.at(input.index));
  }
  interpreter.ResetVariables();
  interpreter.Invoke();
  SampleTrace trace;
  trace.model = TensorValues(values.tensors());
  for (size_t t = 0; t < values.tensors(); ++t) {
    const auto index = static_cast<int32_t>(t);
    if (interpreter.IsReadable(index) && HasRealValues(interpreter.Details(index).dtype) &&
        !side.model->subgraphs[0].tensors[t].data.has_value()) {
      trace.model.Set(index, interpreter.Tensor(index));
    }
  }
  trace.reference = std::move(values);
  study.traces.push_back(std::move(trace));
  for (const int32_t output : side.model->subgraphs[0].outputs) {
    if (study.IsComparable(output)) study.loss_terms.push_back({output, output});
  }
  return study;
}

// Values that the op computes otherwise from the same inputs.
bool DiffersAlone(const LayerResult& layer) {
  if (!layer.local.has_value()) return false;
  if (layer.local->not_finite > 0) return true;
  if (layer.local->different == 0) return false;
  return layer.range.has_value() || layer.local->sqnr_db < kLastDigitsDb;
}

std::string Difference(const TensorError& error, bool coded) {
  const double share = error.values > 0 ? static_cast<double>(error.different) / static_cast<double>(error.values) : 0;
  if (coded) {
    return fmt::format("{:.2g} % of the values, by up to {:.0f} step{}", 100 * share, error.max_quanta,
                       error.max_quanta > 1.5 ? "s" : "");
  }
  return fmt::format("by up to {:.3g}, {:.1f} dB", error.max_abs, error.sqnr_db);
}

void JudgeDump(CompareResult& result, const std::string& exact_profile) {
  size_t alone = 0, off_by_one = 0;
  const LayerResult *first = nullptr, *worst = nullptr;
  for (LayerResult& layer : result.layers) {
    if (!DiffersAlone(layer)) continue;
    ++alone;
    const bool small = layer.range.has_value() && layer.local->max_quanta < 1.5;
    off_by_one += small;
    if (!small) {
      layer.cause = Cause::kKernelDiffers;
      layer.sentence =
          "computes other values from the same inputs: " + Difference(*layer.local, layer.range.has_value());
      result.worst.push_back(static_cast<size_t>(&layer - result.layers.data()));
      if (first == nullptr) first = &layer;
    }
    if (worst == nullptr || layer.local->sqnr_db < worst->local->sqnr_db) worst = &layer;
  }
  std::stable_sort(result.worst.begin(), result.worst.end(), [&](size_t a, size_t b) {
    return result.layers[a].local->sqnr_db < result.layers[b].local->sqnr_db;
  });
  Finding& verdict = result.verdict;
  if (first != nullptr) {
    verdict.cause = Cause::kKernelDiffers;
    verdict.layer = static_cast<int32_t>(first - result.layers.data());
    verdict.sentence = fmt::format("{} ({}, op {}) is the first op that {}", first->short_name, first->op,
                                   first->op_index, first->sentence);
    result.findings.push_back(verdict);
  } else if (off_by_one > 0) {
    verdict.sentence = fmt::format(
        "No layer stands out: {} ops round otherwise from the same inputs, never by more than one step (most of all "
        "{}, {})",
        off_by_one, worst->short_name, Difference(*worst->local, true));
  } else if (worst != nullptr || alone > 0) {
    verdict.sentence = "No layer stands out";
  } else {
    const bool exact = std::all_of(result.layers.begin(), result.layers.end(), [](const LayerResult& layer) {
      return !layer.accumulated.has_value() ||
             (layer.accumulated->different == 0 && layer.accumulated->not_finite == 0);
    });
    verdict.sentence = exact ? "No layer stands out: every tensor is equal to the bit"
                             : "No layer stands out: floats differ in their last digits only";
  }
  if (!exact_profile.empty())
    verdict.sentence += fmt::format("; the profile {} gives the dump to the bit", exact_profile);
}

bool IsExact(const Study& study) {
  const SampleTrace& trace = study.traces[0];
  for (const LossTerm& term : study.loss_terms) {
    const auto a = trace.reference.at(term.reference).bytes(), b = trace.model.at(term.model).bytes();
    if (!std::equal(a.begin(), a.end(), b.begin(), b.end())) return false;
  }
  for (size_t t = 0; t < study.matches.size(); ++t) {
    const auto index = static_cast<int32_t>(t);
    if (!study.IsComparable(index)) continue;
    const auto a = trace.reference.at(index).bytes(), b = trace.model.at(index).bytes();
    if (!std::equal(a.begin(), a.end(), b.begin(), b.end())) return false;
  }
  return true;
}

CompareResult ModelWithDump(const CompareRequest& request) {
  const bool reference_is_dump = request.reference.is_dump();
  const Side &side = reference_is_dump ? request.model : request.reference,
             &dump = reference_is_dump ? request.reference : request.model;
  const TensorValues values = DumpValues(dump, *side.model);
  Study study = RunAgainstDump(request, side, dump, values, request.options.profile);
  if (request.progress) {
    study.progress = [&](size_t done, size_t total) { request.progress("layers", done, total); };
  }
  CompareResult result;
  result.accuracy_missing = "a dump holds one sample";
  result.layer_samples = 1;
  result.layers = MeasureLayers(study, ObserveReference(study));
  for (LayerResult& layer : result.layers) {
    // The same constants stand on both sides.
    layer.weights.reset();
    layer.ideal_sqnr_db.reset();
    (layer.reference_tensor >= 0 ? result.matched : result.unmatched) += 1;
    if (layer.reference_tensor < 0) layer.local_missing = "the dump does not hold this tensor";
  }
  result.loss.model = LossOf(
      study, [&](size_t s, int32_t t) { return RealValuesOf(study.traces[s].model.at(t), study.model_tensor(t)); });
  result.loss.simulation_missing = "the two sides are the same model";
  result.notes.push_back(
      fmt::format("{} is compared with the model's own tensors by their indices; local: each op of "
                  "the model alone on the dump's values",
                  dump.path));
  std::string exact_profile;
  if (!IsExact(study)) {
    for (const numerics::Profile& profile : numerics::AllProfiles()) {
      if (&profile == request.options.profile || !exact_profile.empty()) continue;
      try {
        if (IsExact(RunAgainstDump(request, side, dump, values, &profile))) exact_profile = profile.id;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kInput) throw;  // a profile that cannot run this model is no answer
      }
    }
  }
  JudgeDump(result, exact_profile);
  return result;
}

CompareResult TwoDumps(const CompareRequest& request) {
  CompareResult result;
  result.accuracy_missing = "dumps hold one sample";
  result.layer_samples = 1;
  result.loss.simulation_missing = "both sides are dumps";
  result.notes.emplace_back("tensors of the same key are compared, in the units that they are stored in");
  int64_t differing = 0;
  for (const auto& [key, array] : request.model.dump) {
    if (key.rfind("in/", 0) != 0 && NumberAfter(key, "tensor/") < 0 && NumberAfter(key, "out/") < 0) continue;
    if (!HasRealValues(array.dtype())) continue;
    LayerResult& layer = result.layers.emplace_back();
    layer.op_index = static_cast<int32_t>(result.layers.size()) - 1;
    layer.op = key.rfind("in/", 0) == 0 ? "input" : (key.rfind("out/", 0) == 0 ? "output" : "tensor");
    layer.name = layer.short_name = key;
    layer.model_tensor = static_cast<int32_t>(NumberAfter(key, "tensor/"));
    layer.shape = array.shape();
    layer.dtype = array.dtype();
    layer.local_missing = "a dump has no ops to run";
    const Array* other = FindArray(request.reference.dump, key);
    if (other == nullptr || other->shape() != array.shape() || other->dtype() != array.dtype()) {
      ++result.unmatched;
      continue;
    }
    ++result.matched;
    layer.reference_tensor = layer.model_tensor;
    layer.match = MatchKind::kIndex;
    layer.reference_name = key;
    numerics::ErrorMeter meter;
    meter.Add(StoredValues(other->dtype(), other->bytes(), other->size()),
              StoredValues(array.dtype(), array.bytes(), array.size()));
    TensorError error;
    error.values = meter.count(), error.different = meter.different(), error.not_finite = meter.not_finite();
    error.sqnr_db = meter.sqnr_db(), error.cosine = meter.cosine();
    error.max_abs = meter.max_abs(), error.mean_abs = meter.mean_abs(), error.bias = meter.mean();
    if (IsQuantizedInteger(array.dtype())) error.max_quanta = error.max_abs, error.mean_quanta = error.mean_abs;
    layer.accumulated = error;
    if (!meter.is_exact()) {
      ++differing;
      layer.sentence = fmt::format("differs in {} of {} values", error.different, error.values);
      result.worst.push_back(result.layers.size() - 1);
    }
  }
  if (result.matched == 0) {
    throw InputError("{} and {} have no tensor of the same key, type and shape", request.reference.path,
                     request.model.path);
  }
  Finding& verdict = result.verdict;
  if (differing == 0) {
    verdict.sentence =
        fmt::format("No tensor stands out: all {} that both dumps hold are equal to the bit", result.matched);
    return result;
  }
  std::stable_sort(result.worst.begin(), result.worst.end(), [&](size_t a, size_t b) {
    return result.layers[a].accumulated->sqnr_db < result.layers[b].accumulated->sqnr_db;
  });
  const LayerResult& worst = result.layers[result.worst.front()];
  verdict.cause = Cause::kUnexplained;
  verdict.layer = static_cast<int32_t>(result.worst.front());
  verdict.sentence = fmt::format("{} of {} tensors differ, most of all {} ({:.1f} dB)", differing, result.matched,
                                 worst.name, worst.accumulated->sqnr_db);
  result.findings.push_back(verdict);
  return result;
}

}  // namespace

CompareResult CompareWithDump(const CompareRequest& request) {
  if (request.reference.is_dump() && request.model.is_dump()) return TwoDumps(request);
  return ModelWithDump(request);
}

}  // namespace assay::compare
