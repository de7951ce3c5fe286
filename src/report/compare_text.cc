#include <algorithm>
#include <cmath>

#include "report/compare_report.h"

namespace assay::report {
namespace {

using compare::CompareResult;
using compare::LayerResult;

constexpr size_t kLayersInText = 12;

std::string DecibelColumn(double db) {
  if (std::isinf(db)) return db > 0 ? "exact" : "-";
  return fmt::format("{:.1f}", db);
}

std::string Share(const std::optional<double>& share) {
  if (!share.has_value()) return "-";
  return fmt::format("{:.0f} %", std::round(100 * std::min(1.0, *share)) + 0.0);
}

std::string ShareAndMargin(const std::optional<double>& share, const std::optional<double>& margin) {
  if (!share.has_value() || !margin.has_value()) return Share(share);
  return fmt::format("{:.0f} ±{:.0f} %", std::round(100 * std::min(1.0, *share)) + 0.0, 100 * *margin);
}

std::string CutFront(const std::string& text, size_t width) {
  return text.size() <= width ? text : "..." + text.substr(text.size() - (width - 3));
}

std::string Head(const std::string& text, size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 3) + "...";
}

std::string AccuracyText(const CompareResult& result) {
  if (!result.accuracy.has_value()) return fmt::format("\nno accuracy: {}\n", result.accuracy_missing);
  const compare::AccuracyComparison& a = *result.accuracy;
  const auto line = [](const char* name, const eval::Proportion& p) {
    return fmt::format("{:<12}{:>7} of {:<7} {:.4f}   [{:.4f}, {:.4f}]\n", name, p.correct, p.total, p.accuracy, p.low,
                       p.high);
  };
  std::string text =
      "\ntop-1 with 95 % interval\n" + line("  reference", a.reference.top1) + line("  model", a.model.top1);
  text += fmt::format("  difference  {:+.4f}                   [{:+.4f}, {:+.4f}]\n", a.difference.difference,
                      a.difference.low, a.difference.high);
  text += fmt::format(
      "  same answer on {} of {} ({:.4f}); right on one side alone: {} reference, {} model; McNemar p = {:.3g}\n",
      a.agreeing, a.samples, a.samples > 0 ? static_cast<double>(a.agreeing) / static_cast<double>(a.samples) : 0,
      a.only_first, a.only_second, a.mcnemar_p);
  if (a.reference.skipped + a.model.skipped > 0) {
    text += fmt::format("  skipped     {} (reference), {} (model)\n", a.reference.skipped, a.model.skipped);
  }
  return text;
}

std::string LossText(const CompareResult& result) {
  const compare::LossSummary& loss = result.loss;
  std::string text = fmt::format("\nerror of the final scores relative to their power, on {} samples\n", loss.samples);
  const auto line = [&](const char* name, double value, double agreement) {
    text += fmt::format("  {:<48}{:<12.3g}same answer {:.3f}\n", name, value, agreement);
  };
  line("model", loss.model, loss.agreement);
  if (loss.has_simulation) {
    line("its float form, every tensor rounded", loss.simulated, loss.simulated_agreement);
    line("its float form, nothing rounded", loss.unquantized, loss.unquantized_agreement);
  }
  if (loss.has_ideal) line("faultless 8-bit quantization of the reference", loss.ideal, loss.ideal_agreement);
  if (loss.has_simulation) {
    text += std::isinf(loss.simulation_sqnr_db) && loss.simulation_sqnr_db > 0
                ? "  the float form reproduces the model's scores exactly\n"
                : fmt::format("  the float form reproduces the model's scores at {} dB\n",
                              DecibelColumn(loss.simulation_sqnr_db));
  }
  return text;
}

}  // namespace

std::string CompareText(const CompareContext& context, const CompareResult& result) {
  std::string text = result.verdict.sentence + ".\n";
  if (!result.verdict.detail.empty()) text += result.verdict.detail + "\n";
  text += "\n";
  text += fmt::format("  reference   {}\n  model       {}\n", context.reference, context.model);
  if (!context.data.empty()) text += fmt::format("  data        {}\n", context.data);
  if (context.reference_preprocess == context.model_preprocess) {
    if (!context.data.empty()) {
      text += fmt::format("  preprocess  {}\n", context.model_preprocess.empty() ? "none" : context.model_preprocess);
    }
  } else {
    text += fmt::format("  preprocess  reference: {}\n              model: {}\n",
                        context.reference_preprocess.empty() ? "none" : context.reference_preprocess,
                        context.model_preprocess.empty() ? "none" : context.model_preprocess);
  }
  text += context.reference_profile == context.profile
              ? fmt::format("  numerics    {}\n", context.profile)
              : fmt::format("  numerics    reference: {}\n              model: {}\n", context.reference_profile,
                            context.profile);
  text += AccuracyText(result);
  if (result.float_form.has_value()) {
    const compare::FloatFormAccuracy& own = *result.float_form;
    text += fmt::format(
        "  the model's own float form is right on {} of {}; right on one side alone: {} float form, {} model; McNemar "
        "p "
        "= {:.3g}\n",
        own.correct, own.samples, own.only_float, own.only_model, own.mcnemar_p);
  }
  if (result.loss.model > 0 || result.loss.has_simulation) text += LossText(result);

  size_t by_name = 0, by_structure = 0;
  for (const LayerResult& layer : result.layers) {
    by_name += layer.match == compare::MatchKind::kName || layer.match == compare::MatchKind::kNamePart;
    by_structure += layer.match == compare::MatchKind::kStructure || layer.match == compare::MatchKind::kPosition;
  }
  text += fmt::format("\n{} layers, {} matched ({} by name, {} by structure), {} samples; ", result.layers.size(),
                      result.matched, by_name, by_structure, result.layer_samples);
  std::vector<size_t> shown = result.worst;
  if (shown.empty()) {
    for (size_t i = 0; i < result.layers.size(); ++i) {
      if (result.layers[i].local.has_value() || result.layers[i].accumulated.has_value()) shown.push_back(i);
    }
    std::stable_sort(shown.begin(), shown.end(), [&](size_t a, size_t b) {
      const auto db = [&](size_t i) {
        const LayerResult& layer = result.layers[i];
        return layer.local.has_value() ? layer.local->sqnr_db : layer.accumulated->sqnr_db;
      };
      return db(a) < db(b);
    });
  }
  const size_t count = std::min(shown.size(), kLayersInText);
  text += fmt::format("the worst {}:\n", count);
  text += fmt::format("  {:>4}  {:<36} {:<20} {:>9} {:>9} {:>9} {:>8} {:>8} {:>10}\n", "op", "tensor", "kind",
                      "SQNR all", "local", "8-bit", "clipped", "levels", "recovers");
  for (size_t k = 0; k < count; ++k) {
    const LayerResult& layer = result.layers[shown[k]];
    text += fmt::format(
        "  {:>4}  {:<36} {:<20} {:>9} {:>9} {:>9} {:>8} {:>8} {:>10}\n", layer.op_index, CutFront(layer.short_name, 36),
        Head(layer.op, 20), layer.accumulated.has_value() ? DecibelColumn(layer.accumulated->sqnr_db) : "-",
        layer.local.has_value() ? DecibelColumn(layer.local->sqnr_db) : "-",
        layer.ideal_sqnr_db.has_value() ? DecibelColumn(*layer.ideal_sqnr_db) : "-",
        layer.range.has_value() ? fmt::format("{:.2f} %", 100 * (layer.range->clipped_low + layer.range->clipped_high))
                                : "-",
        layer.range.has_value() ? Share(layer.range->levels_used) : "-",
        ShareAndMargin(layer.recovered, layer.recovered_margin));
    if (!layer.sentence.empty()) {
      text += fmt::format("        {}{}\n", layer.sentence, layer.detail.empty() ? "" : ". " + layer.detail);
    }
  }
  if (result.findings.size() > 1) {
    text += "\nalso found\n";
    for (size_t k = 1; k < result.findings.size(); ++k) {
      const compare::Finding& finding = result.findings[k];
      const std::string where =
          finding.layer >= 0 ? result.layers[static_cast<size_t>(finding.layer)].short_name + ": " : "";
      text += fmt::format("  {}{}", where, finding.sentence);
      if (finding.recovered.has_value()) {
        text +=
            fmt::format(" ({} of the loss comes back)", ShareAndMargin(finding.recovered, finding.recovered_margin));
      }
      text += "\n";
    }
  }
  for (const std::string& note : result.notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace assay::report
