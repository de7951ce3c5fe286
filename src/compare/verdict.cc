#include "compare/verdict.h"

#include <algorithm>
#include <cmath>

#include "compare/causes.h"
#include "compare/words.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

constexpr double kLossBeyondIdeal = 2.5;    // times what faultless 8-bit quantization loses: then something is wrong
constexpr double kLossWithoutIdeal = 0.02;  // relative squared error (17 dB) where no such yardstick exists
constexpr double kNegligibleLoss = 1e-9;    // floats that differ in the last digits
constexpr double kStandsOut = 0.5;          // of the loss must come back
constexpr double kWorthListing = 0.15;
constexpr double kWorthNaming = 0.05;  // where nothing is wrong, and one layer must still be the worst

std::string Place(const LayerResult& layer) {
  return fmt::format("{} ({}, op {})", layer.short_name, layer.op, layer.op_index);
}

// The loss relative to what it needs to be; on few samples it varies a good deal.
bool LosesTooMuch(const LossSummary& loss, double value, size_t samples) {
  if (value <= kNegligibleLoss) return false;
  const double spread = 1 + 2 / std::sqrt(static_cast<double>(std::max<size_t>(1, samples)));
  return loss.has_ideal ? value > kLossBeyondIdeal * spread * loss.ideal : value > kLossWithoutIdeal;
}

std::string LossText(const LossSummary& loss) {
  const double value = loss.has_simulation ? loss.simulated : loss.model;
  if (loss.has_ideal && loss.ideal > 0) {
    return fmt::format("the scores' error is {:.1f} times what faultless 8-bit quantization needs", value / loss.ideal);
  }
  return fmt::format("the scores' error is {:.2g} of their power", value);
}

// A range that no calibration on such data gives: wrong even where the scores still stand it.
bool RangeIsEvidentlyWrong(const LayerResult& layer, bool alone) {
  if (!layer.range.has_value() || layer.excess_db() < 8 || layer.recovered.value_or(0) <= 0) return false;
  const bool costs = layer.recovered.value_or(0) >= 0.25;
  if (layer.cause == Cause::kRangeTooWide)
    return layer.range->scale > 5 * layer.range->needed_scale && (costs || alone);
  return costs && layer.cause == Cause::kRangeTooNarrow && layer.range->clipped_low + layer.range->clipped_high > 0.01;
}

// By layer: wrong whatever it costs.
std::vector<bool> EvidentlyWrong(const std::vector<LayerResult>& layers) {
  std::vector<bool> wrong(layers.size(), false);
  for (const size_t i : LayersWithWrongConstants(layers)) wrong[i] = true;
  // Networks trained with fixed ranges have many wide ones; a single one is an accident.
  const auto wide = std::count_if(layers.begin(), layers.end(), [](const LayerResult& layer) {
    return layer.range.has_value() && layer.excess_db() > 3 && layer.range->scale > 3 * layer.range->needed_scale;
  });
  for (size_t i = 0; i < layers.size(); ++i) wrong[i] = wrong[i] || RangeIsEvidentlyWrong(layers[i], wide == 1);
  return wrong;
}

void AddInputFinding(const Evidence& evidence, CompareResult& result) {
  const InputRelation& inputs = evidence.inputs;
  if (inputs.change.cause == Cause::kNone) return;
  Finding finding;
  finding.cause = inputs.change.cause;
  finding.sentence = inputs.sentence;
  if (evidence.ablation != nullptr) {
    if (const auto outcome = evidence.ablation->WithReferenceInputs()) {
      finding.recovered = evidence.ablation->Recovered(*outcome);
      finding.recovered_margin = evidence.ablation->Margin(*outcome);
      finding.check = "the model was fed with the reference's inputs";
    }
  }
  result.findings.push_back(std::move(finding));
}

void AddMappingFinding(const Evidence& evidence, CompareResult& result) {
  if (!evidence.mapping.has_value() || evidence.mapping->cause == Cause::kNone) return;
  const ClassMapping& mapping = *evidence.mapping;
  Finding finding;
  finding.cause = mapping.cause;
  if (mapping.cause == Cause::kLabelShift) {
    finding.sentence = fmt::format(
        "the model's classes are shifted by {}: {} of its answers agree with the reference's as they stand, {} after "
        "taking the shift back",
        mapping.shift, PercentText(mapping.agreement_before, 0), PercentText(mapping.agreement_after, 0));
  } else {
    finding.sentence = fmt::format(
        "the model's classes are numbered otherwise: {} of its answers agree with the reference's as they stand, {} "
        "after renumbering",
        PercentText(mapping.agreement_before, 0), PercentText(mapping.agreement_after, 0));
  }
  const Study& study = *evidence.study;
  const auto scores = [&](bool simulated) {
    return [&study, simulated](size_t s, int32_t tensor) {
      const SampleTrace& trace = study.traces[s];
      if (!simulated) return RealValuesOf(trace.model.at(tensor), study.model_tensor(tensor));
      const Array& value = trace.simulated.at(tensor);
      return StoredValues(value.dtype(), value.bytes(), value.size());
    };
  };
  const bool simulated = evidence.ablation != nullptr;
  const auto plain = scores(simulated);
  const double before = LossOf(study, plain);
  const double after = LossOf(study, [&](size_t s, int32_t tensor) {
    const std::vector<float> found = plain(s, tensor);
    if (found.size() != mapping.found_of.size()) return found;
    std::vector<float> renumbered(found.size());
    for (size_t c = 0; c < found.size(); ++c) renumbered[c] = found[static_cast<size_t>(mapping.found_of[c])];
    return renumbered;
  });
  if (before > 0) {
    finding.recovered = (before - after) / before;
    finding.check = "the model's scores were renumbered";
  }
  result.findings.push_back(std::move(finding));
}

void AddLayerFindings(const std::vector<bool>& evident, CompareResult& result) {
  for (size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    if (layer.cause == Cause::kNone) continue;
    const double share = layer.recovered.value_or(0);
    if (!evident[i] && (share < kWorthListing || share <= layer.recovered_margin.value_or(0))) continue;
    Finding finding;
    finding.cause = layer.cause;
    finding.layer = static_cast<int32_t>(i);
    finding.sentence = layer.sentence;
    finding.detail = layer.detail;
    finding.recovered = layer.recovered;
    finding.recovered_margin = layer.recovered_margin;
    if (layer.recovered.has_value()) finding.check = "this layer alone was computed in float";
    result.findings.push_back(std::move(finding));
  }
}

// Moves of inputs and renumbered classes explain in fewer words what a layer would have to be wrong in every weight
// for.
int Rank(Cause cause) {
  if (cause == Cause::kLabelShift || cause == Cause::kLabelPermutation) return 0;
  if (cause >= Cause::kInputRange && cause <= Cause::kInputDiffers) return 1;
  return 2;
}

bool IsMoreImportant(const Finding& a, const Finding& b) {
  const double x = a.recovered.value_or(0), y = b.recovered.value_or(0);
  if (std::abs(x - y) > 0.08) return x > y;
  if (Rank(a.cause) != Rank(b.cause)) return Rank(a.cause) < Rank(b.cause);
  return x > y;
}

std::string Recovery(const Finding& finding) {
  if (!finding.recovered.has_value()) return "";
  const double share = std::min(1.0, *finding.recovered);
  if (finding.layer >= 0) {
    return fmt::format("; {} of the loss comes back when this layer alone is computed in float", PercentText(share, 0));
  }
  return fmt::format("; {} of the loss comes back when that is corrected", PercentText(share, 0));
}

std::string Capitalized(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

void AddDetail(const std::string& sentence, Finding& finding) {
  finding.detail += fmt::format("{}{}.", finding.detail.empty() ? "" : " ", Capitalized(sentence));
}

std::string ShareText(double share, const std::optional<double>& margin) {
  const double percent = 100 * std::min(1.0, share);
  if (!margin.has_value()) return fmt::format("{:.0f} %", percent);
  return fmt::format("{:.0f} ± {:.0f} %", percent, 100 * *margin);
}

// The layer whose exchange most surely brings back most; null where none does by more than chance.
const LayerResult* CostliestLayer(const CompareResult& result) {
  const LayerResult* most = nullptr;
  const auto surely = [](const LayerResult& layer) { return *layer.recovered - layer.recovered_margin.value_or(0); };
  for (const LayerResult& layer : result.layers) {
    if (!layer.recovered.has_value() || *layer.recovered < kWorthNaming || surely(layer) <= 0) continue;
    if (most == nullptr || surely(layer) > surely(*most)) most = &layer;
  }
  return most;
}

// The layer that by itself keeps least of the reference's values; or null.
const LayerResult* LeastExactLayer(const CompareResult& result) {
  const LayerResult* least = nullptr;
  for (const LayerResult& layer : result.layers) {
    if (!layer.local.has_value() || !layer.range.has_value() || std::isinf(layer.local->sqnr_db)) continue;
    if (least == nullptr || layer.local->sqnr_db < least->local->sqnr_db) least = &layer;
  }
  return least;
}

// The costliest layer, its cause and the share that proves it; where no share does, the least exact one.
std::string WorstLayerText(const CompareResult& result, Finding& verdict) {
  const LayerResult* worst = CostliestLayer(result);
  std::string text;
  if (worst != nullptr) {
    verdict.recovered = worst->recovered;
    verdict.recovered_margin = worst->recovered_margin;
    verdict.check = "each suspicious layer alone was computed in float";
    text = fmt::format("the largest share, {}, comes back when {} alone is computed in float",
                       ShareText(*worst->recovered, worst->recovered_margin), Place(*worst));
  } else if (worst = LeastExactLayer(result); worst != nullptr) {
    text = fmt::format(
        "{} is the least exact by itself with {:.0f} dB, though no layer's share of the loss is "
        "beyond chance on {} samples",
        Place(*worst), worst->local->sqnr_db, result.loss.samples);
  } else {
    return "";
  }
  verdict.layer = static_cast<int32_t>(worst - result.layers.data());
  const std::string reason = ReasonOf(*worst);
  return "; " + text + (reason.empty() ? "" : ": " + reason);
}

// ", which ..." about right answers, "" where none are known.
std::string AccuracyText(const CompareResult& result) {
  if (!result.accuracy.has_value()) return "";
  const AccuracyComparison& a = *result.accuracy;
  if (a.mcnemar_p >= 0.05) {
    return fmt::format(", and {} samples show no difference in accuracy (McNemar p = {:.2g})", a.samples, a.mcnemar_p);
  }
  return fmt::format(", and top-1 {} by {:.2f} points (McNemar p = {:.2g})",
                     a.only_first > a.only_second ? "drops" : "rises", 100 * std::abs(a.difference.difference),
                     a.mcnemar_p);
}

// Something is lost, and no finding explains it alone.
Finding SpreadVerdict(const CompareResult& result) {
  const LossSummary& loss = result.loss;
  Finding verdict;
  verdict.cause = Cause::kSpread;
  const char* inputs = result.inputs_are_random ? "On random inputs " : "";
  const double together = loss.recovered_by_clipping.value_or(0);
  if (together - loss.recovered_by_clipping_margin.value_or(0) >= kStandsOut) {
    verdict.sentence = fmt::format(
        "{}{} ranges of {} of {} layers clip: {} of the loss comes back when all of these are stored in float{}",
        inputs, result.inputs_are_random ? "the" : "The", loss.clipping, loss.coded,
        ShareText(together, loss.recovered_by_clipping_margin), AccuracyText(result));
  } else {
    verdict.sentence = fmt::format("{}{} single layer explains the loss{}", inputs,
                                   result.inputs_are_random ? "no" : "No", AccuracyText(result));
  }
  verdict.sentence += WorstLayerText(result, verdict);
  AddDetail(LossText(loss), verdict);
  const double rounding = (loss.simulated - loss.unquantized) / loss.simulated;
  AddDetail(fmt::format("all outputs' ranges and rounding together make {} of it, weights and biases the rest",
                        PercentText(std::clamp(rounding, 0.0, 1.0), 0)),
            verdict);
  return verdict;
}

Finding QuietVerdict(const CompareResult& result) {
  const LossSummary& loss = result.loss;
  Finding verdict;
  if (loss.model == 0 || std::max(loss.model, loss.simulated) <= kNegligibleLoss) {
    verdict.sentence = loss.model == 0 ? "No layer stands out: both sides give the same scores to the bit"
                                       : "No layer stands out: both sides give the same scores up to the last digits";
    return verdict;
  }
  verdict.sentence = "No layer stands out: " + LossText(loss) + AccuracyText(result);
  verdict.sentence += WorstLayerText(result, verdict);
  return verdict;
}

}  // namespace

void Judge(const Evidence& evidence, CompareResult& result) {
  const LossSummary& loss = result.loss;
  const double value = loss.has_simulation ? loss.simulated : loss.model;
  const bool too_much =
      LosesTooMuch(loss, value, result.loss.samples) || LosesTooMuch(loss, loss.model, result.loss.samples);
  AddMappingFinding(evidence, result);
  AddInputFinding(evidence, result);
  const std::vector<bool> evident = EvidentlyWrong(result.layers);
  AddLayerFindings(evident, result);
  std::stable_sort(result.findings.begin(), result.findings.end(), IsMoreImportant);
  // What labels show of both sides together weighs more than what parts them.
  result.findings.insert(result.findings.begin(), evidence.from_labels.begin(), evidence.from_labels.end());
  if (!evidence.from_labels.empty()) {
    result.verdict = evidence.from_labels.front();
    return;
  }
  if (evidence.study->loss_terms.empty()) {
    result.verdict.sentence =
        "No output of the model has a counterpart in the reference: what the layers' errors cost is not known";
    return;
  }
  if (loss.model == 0) {
    result.verdict = QuietVerdict(result);
    return;
  }
  for (const Finding& finding : result.findings) {
    const bool is_evident = finding.layer >= 0 && evident[static_cast<size_t>(finding.layer)];
    const bool stands_out = too_much && (!finding.recovered.has_value() || *finding.recovered >= kStandsOut);
    if (!stands_out && !is_evident) continue;
    Finding verdict = finding;
    verdict.sentence = finding.layer >= 0
                           ? Place(result.layers[static_cast<size_t>(finding.layer)]) + ": " + finding.sentence
                           : Capitalized(finding.sentence);
    verdict.sentence += Recovery(finding);
    AddDetail((too_much ? "" : "it costs little so far: ") + LossText(loss), verdict);
    result.verdict = std::move(verdict);
    return;
  }
  if (too_much && loss.has_simulation) {
    result.verdict = SpreadVerdict(result);
    result.findings.insert(result.findings.begin(), result.verdict);
    return;
  }
  result.verdict = QuietVerdict(result);
}

}  // namespace assay::compare
