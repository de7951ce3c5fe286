#include "compare/same_model.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "compare/layer_errors.h"

namespace assay::compare {
namespace {

constexpr double kLastDigitsDb = 90;  // floats that only another order of summing parts

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

void JudgeLayers(CompareResult& result, const std::string& source, bool exact, const std::string& exact_profile) {
  size_t off_by_one = 0;
  const LayerResult *first = nullptr, *worst = nullptr;
  for (LayerResult& layer : result.layers) {
    if (!DiffersAlone(layer)) continue;
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
  } else if (exact) {
    verdict.sentence = fmt::format("No layer stands out: every tensor{} is equal to the bit",
                                   result.unmatched > 0 ? " that both hold" : "");
  } else {
    verdict.sentence = "No layer stands out: floats differ in their last digits only";
  }
  if (!exact_profile.empty())
    verdict.sentence += fmt::format("; the profile {} gives {} to the bit", exact_profile, source);
}

bool SameBytes(const Array& a, const Array& b) { return std::ranges::equal(a.bytes(), b.bytes()); }

bool IsExact(const Study& study) {
  return std::all_of(study.traces.begin(), study.traces.end(), [&](const SampleTrace& trace) {
    for (size_t t = 0; t < study.matches.size(); ++t) {
      const auto index = static_cast<int32_t>(t);
      if (!study.IsComparable(index)) continue;
      if (!SameBytes(trace.reference.at(index), trace.model.at(index))) return false;
    }
    return true;
  });
}

// The name of a profile under which our kernels give the reference's values on every sample; empty: none.
std::string FindExactProfile(Study& study, const std::string& source) {
  constexpr size_t kBlock = 16;
  std::vector<SampleTrace> traces = std::move(study.traces);
  Study one = study;
  std::string found;
  for (const numerics::Profile& profile : numerics::AllProfiles()) {
    if (&profile == study.options.profile || !found.empty()) continue;
    one.options.profile = &profile;
    try {
      // The first sample alone, since most profiles differ on it; the others in blocks, so that few values are kept.
      bool exact = true;
      for (size_t first = 0, size = 1; exact && first < traces.size(); first += size, size = kBlock) {
        one.traces.clear();
        for (size_t s = first; s < std::min(first + size, traces.size()); ++s) {
          one.traces.push_back({traces[s].reference, {}, {}});
        }
        RunOnReferenceInputs(one, source);
        exact = IsExact(one);
      }
      if (exact) found = profile.id;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInput) throw;  // a profile that cannot run this model is no answer
    }
  }
  study.traces = std::move(traces);
  return found;
}

}  // namespace

Study SameModelStudy(const CompareRequest& request, const Side& model) {
  Study study;
  study.reference = study.model = model.model;
  study.model_delegate = model.delegate;
  study.matches = MatchByIndex(*model.model);
  study.options = request.options;
  study.threads = request.threads;
  if (request.progress) {
    study.progress = [&request](size_t done, size_t total) { request.progress("layers", done, total); };
  }
  return study;
}

void RunOnReferenceInputs(Study& study, const std::string& source) {
  runtime::InterpreterOptions options = study.ModelOptions();
  options.preserve_all_tensors = true;
  std::vector<std::unique_ptr<runtime::Interpreter>> interpreters(static_cast<size_t>(std::max(1, study.threads)));
  ParallelFor(study.traces.size(), study.threads, [&](size_t i, int worker) {
    auto& interpreter = interpreters[static_cast<size_t>(worker)];
    if (interpreter == nullptr) interpreter = std::make_unique<runtime::Interpreter>(study.model, options);
    const TensorValues& given = study.traces[i].reference;
    for (size_t k = 0; k < interpreter->input_count(); ++k) {
      const runtime::TensorDetails input = interpreter->InputDetails(k);
      if (!given.Has(input.index)) throw InputError("{}: holds nothing for input '{}'", source, input.name);
      interpreter->ResizeInput(k, given.at(input.index).shape());
      interpreter->SetInput(k, given.at(input.index));
    }
    interpreter->ResetVariables();
    interpreter->Invoke();
    study.traces[i].model = ReadTensors(*interpreter, study.model_graph());
  });
}

CompareResult JudgeSameModel(Study& study, const std::string& source) {
  study.loss_terms.clear();
  for (const int32_t output : study.model_graph().outputs) {
    if (study.IsComparable(output)) study.loss_terms.push_back({output, output});
  }
  CompareResult result;
  result.layer_samples = study.traces.size();
  result.loss.samples = study.traces.size();
  result.layers = MeasureLayers(study, ObserveReference(study), {}, study.traces.size());
  for (LayerResult& layer : result.layers) {
    // The same constants stand on both sides.
    layer.weights.reset();
    layer.ideal_sqnr_db.reset();
    (layer.reference_tensor >= 0 ? result.matched : result.unmatched) += 1;
    if (layer.reference_tensor < 0) layer.local_missing = fmt::format("{} does not hold this tensor", source);
  }
  result.loss.model = LossOf(
      study, [&](size_t s, int32_t t) { return RealValuesOf(study.traces[s].model.at(t), study.model_tensor(t)); });
  result.loss.simulation_missing = "the two sides are the same model";
  std::string exact_profile;
  const bool exact = IsExact(study);
  if (study.model_delegate == nullptr && !exact) exact_profile = FindExactProfile(study, source);
  JudgeLayers(result, source, exact, exact_profile);
  return result;
}

}  // namespace assay::compare
