#include <algorithm>
#include <cmath>

#include "base/version.h"
#include "compare/words.h"
#include "report/compare_charts.h"
#include "report/compare_report.h"
#include "report/html_page.h"

namespace assay::report {
namespace {

using compare::Cause;
using compare::CompareResult;
using compare::LayerResult;

constexpr size_t kWorstLayers = 12;

std::string DecibelCell(double db) {
  if (std::isinf(db)) return db > 0 ? "exact" : "&ndash;";
  return fmt::format("{:.1f}", db);
}

template <typename T, typename Get>
std::string DecibelCellOf(const std::optional<T>& value, const Get& get) {
  return value.has_value() ? DecibelCell(get(*value)) : "&ndash;";
}

std::string Accumulated(const LayerResult& layer) {
  return DecibelCellOf(layer.accumulated, [](const auto& e) { return e.sqnr_db; });
}
std::string Local(const LayerResult& layer) {
  return DecibelCellOf(layer.local, [](const auto& e) { return e.sqnr_db; });
}
std::string Ideal(const LayerResult& layer) {
  return DecibelCellOf(layer.ideal_sqnr_db, [](double db) { return db; });
}

std::string Recovered(const LayerResult& layer) {
  if (!layer.recovered.has_value()) return "&ndash;";
  const double share = std::min(1.0, *layer.recovered);
  return fmt::format("{}<span class=\"meter\"><i style=\"width:{:.0f}%\"></i></span>",
                     ShareAndMargin(share, layer.recovered_margin), 100 * std::clamp(share, 0.0, 1.0));
}

const char* Tone(const CompareResult& result) {
  switch (result.verdict.cause) {
    case Cause::kNone:
      return "tone-good";
    case Cause::kTrainedApart:
    case Cause::kSpread:
      return "tone-warn";
    default:
      return "tone-bad";
  }
}

std::string Verdict(const CompareContext& context, const CompareResult& result) {
  std::string html = fmt::format(
      "<p class=\"kicker\">assay compare &middot; {} &middot; version {}</p><section class=\"card verdict {}\"><span "
      "class=\"pill\">{}</span><h1>{}.</h1>",
      EscapeHtml(context.profile), kVersion, Tone(result),
      result.verdict.cause == Cause::kNone ? "no layer stands out"
                                           : EscapeHtml(compare::CauseName(result.verdict.cause)),
      EscapeHtml(result.verdict.sentence));
  if (!result.verdict.detail.empty()) html += fmt::format("<p>{}</p>", EscapeHtml(result.verdict.detail));
  if (!result.verdict.check.empty()) {
    html += fmt::format("<p class=\"soft small\">How that was checked: {}.</p>", EscapeHtml(result.verdict.check));
  }
  html += "<dl style=\"margin-top:12px\">";
  const auto row = [&](const char* name, const std::string& value) {
    if (!value.empty()) html += fmt::format("<dt>{}</dt><dd class=\"mono\">{}</dd>", name, EscapeHtml(value));
  };
  row("reference", context.reference);
  row("model", context.model);
  row("data", context.data);
  if (context.reference_preprocess == context.model_preprocess) {
    row("preprocess", context.model_preprocess);
  } else {
    row("preprocess, reference", context.reference_preprocess.empty() ? "none" : context.reference_preprocess);
    row("preprocess, model", context.model_preprocess.empty() ? "none" : context.model_preprocess);
  }
  return html + "</dl></section>";
}

std::string Tile(const std::string& what, const std::string& value, const std::string& below) {
  return fmt::format("<div class=\"tile\"><span class=\"what\">{}</span><b>{}</b><span class=\"what\">{}</span></div>",
                     what, value, below);
}

std::string Tiles(const CompareResult& result) {
  std::string html = "<div class=\"tiles\">";
  if (result.accuracy.has_value()) {
    const compare::AccuracyComparison& a = *result.accuracy;
    html += Tile("reference, top-1", compare::PercentText(a.reference.top1.accuracy, 1),
                 fmt::format("{} of {}", a.reference.top1.correct, a.reference.top1.total));
    html += Tile("model, top-1", compare::PercentText(a.model.top1.accuracy, 1),
                 fmt::format("{} of {}", a.model.top1.correct, a.model.top1.total));
    html += Tile("difference", fmt::format("{:+.2f} points", 100 * a.difference.difference),
                 fmt::format("95 % interval {:+.2f} to {:+.2f}, McNemar p = {:.2g}", 100 * a.difference.low,
                             100 * a.difference.high, a.mcnemar_p));
    html += Tile(
        "same answer",
        compare::PercentText(a.samples > 0 ? static_cast<double>(a.agreeing) / static_cast<double>(a.samples) : 0, 1),
        fmt::format("of {} samples; right on one side alone: {} reference, {} model", a.samples, a.only_first,
                    a.only_second));
    if (result.float_form.has_value()) {
      const compare::FloatFormAccuracy& own = *result.float_form;
      const auto n = static_cast<double>(std::max<int64_t>(1, own.samples));
      html +=
          Tile("model&#39;s float form, top-1", compare::PercentText(static_cast<double>(own.correct) / n, 1),
               fmt::format("{} of {}; against the model McNemar p = {:.2g}", own.correct, own.samples, own.mcnemar_p));
    }
  } else {
    html += Tile("layers matched", fmt::format("{} of {}", result.matched, result.layers.size()),
                 fmt::format("on {} samples", result.layer_samples));
    html += Tile("accuracy", "&ndash;", EscapeHtml(result.accuracy_missing));
  }
  return html + "</div>";
}

std::string Charts(const CompareResult& result) {
  std::string html;
  const std::string depth = DepthChart(result);
  if (!depth.empty()) {
    html += fmt::format(
        "<section class=\"card\"><h2>Error over depth</h2><p class=\"soft small\">Signal to noise at the output of "
        "every op "
        "on {} samples, in dB: higher is better, 6 dB are one bit. {}</p><div class=\"legend\"><span><i class=\"key\" "
        "style=\"background:var(--model)\"></i>accumulated: both sides run on the sample</span><span><i class=\"key\" "
        "style=\"background:var(--reference)\"></i>local: this op alone, fed with the reference&#39;s "
        "values</span><span><i "
        "class=\"key\" style=\"border:2px solid var(--ideal)\"></i>what faultless 8-bit quantization keeps "
        "here</span><span><i class=\"key\" style=\"background:var(--bad);height:4px;vertical-align:3px\"></i>lost "
        "without "
        "need</span></div>{}</section>",
        result.layer_samples,
        result.self_reference ? "The two were trained apart: the reference here is the model&#39;s own float form."
                              : "",
        depth);
  }
  const std::string recovery = RecoveryChart(result), loss = LossChart(result.loss);
  const std::string accuracy = result.accuracy.has_value() ? AccuracyChart(*result.accuracy) : "";
  std::string cards;
  if (!recovery.empty()) {
    cards += fmt::format(
        "<section class=\"card\"><h2>What comes back</h2><p class=\"soft small\">Share of the loss that is gone when "
        "this one "
        "layer is computed in float, all others as they are, and how far other samples may put it.{}</p>{}</section>",
        result.loss.recovered_by_clipping.has_value()
            ? fmt::format(" All {} layers whose ranges clip together: {}.", result.loss.clipping,
                          ShareAndMargin(std::min(1.0, *result.loss.recovered_by_clipping),
                                         result.loss.recovered_by_clipping_margin))
            : "",
        recovery);
  }
  if (!loss.empty()) {
    cards += fmt::format(
        "<section class=\"card\"><h2>Error of the final scores</h2><p class=\"soft small\">Squared error relative to "
        "the "
        "scores&#39; power; logarithmic.{}</p>{}</section>",
        result.loss.has_simulation
            ? (std::isinf(result.loss.simulation_sqnr_db)
                   ? " The float form with rounded tensors gives the model&#39;s own scores exactly."
                   : fmt::format(" The float form with rounded tensors gives the model&#39;s own scores at {} dB.",
                                 DecibelCell(result.loss.simulation_sqnr_db)))
            : "",
        loss);
  }
  if (!accuracy.empty()) {
    cards += fmt::format(
        "<section class=\"card\"><h2>Accuracy</h2><p class=\"soft small\">Top-1 with 95 % Wilson "
        "intervals.</p>{}</section>",
        accuracy);
  }
  if (!result.findings.empty()) {
    cards += "<section class=\"card\"><h2>Findings</h2><ul>";
    for (const compare::Finding& finding : result.findings) {
      cards += "<li>";
      if (finding.layer >= 0 && finding.cause != Cause::kTrainedApart && finding.cause != Cause::kSpread) {
        const LayerResult& layer = result.layers[static_cast<size_t>(finding.layer)];
        cards +=
            fmt::format("<a href=\"#op-{}\" class=\"mono\">{}</a>: ", layer.op_index, EscapeHtml(layer.short_name));
      }
      cards += EscapeHtml(finding.sentence);
      if (finding.recovered.has_value()) {
        cards += fmt::format(" <span class=\"soft\">({} of the loss comes back)</span>",
                             ShareAndMargin(std::min(1.0, *finding.recovered), finding.recovered_margin));
      }
      cards += "</li>";
    }
    cards += "</ul></section>";
  }
  return html + "<div class=\"split\">" + cards + "</div>";
}

std::string WorstLayers(const CompareResult& result) {
  if (result.worst.empty()) return "";
  std::string html =
      "<section class=\"card\"><h2>Worst layers</h2><p class=\"soft small\">Values of the reference (filled) and of "
      "the model "
      "(line), square roots of the counts; the bracket is what the model&#39;s codes can hold.</p><div "
      "class=\"scroll\"><table><thead><tr><th>layer</th><th>values</th><th class=\"n\">accumulated<br>dB</th><th "
      "class=\"n\">local<br>dB</th><th class=\"n\">8 bits<br>keep</th><th class=\"n\">clipped</th><th "
      "class=\"n\">levels<br>used</th><th>comes back</th></tr></thead><tbody>";
  for (size_t k = 0; k < std::min(kWorstLayers, result.worst.size()); ++k) {
    const LayerResult& layer = result.layers[result.worst[k]];
    html += fmt::format(
        "<tr><td style=\"min-width:260px\"><a href=\"#op-{}\" class=\"mono\">{}</a><br><span class=\"chip\">{}</span> "
        "<span "
        "class=\"chip\">op {}</span> <span class=\"chip\">{} {}</span><p class=\"small\">{}{}</p></td><td "
        "style=\"min-width:210px\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td class=\"n\">{}</td><td style=\"white-space:nowrap\">{}</td></tr>",
        layer.op_index, EscapeHtml(layer.short_name), EscapeHtml(layer.op), layer.op_index, DTypeName(layer.dtype),
        EscapeHtml(layer.shape.ToString()), EscapeHtml(layer.sentence),
        layer.detail.empty() ? "" : fmt::format("<br><span class=\"soft\">{}</span>", EscapeHtml(layer.detail)),
        HistogramChart(layer), Accumulated(layer), Local(layer), Ideal(layer),
        layer.range.has_value() ? compare::PercentText(layer.range->clipped_low + layer.range->clipped_high, 2)
                                : "&ndash;",
        layer.range.has_value() ? compare::PercentText(layer.range->levels_used, 0) : "&ndash;", Recovered(layer));
  }
  return html + "</tbody></table></div></section>";
}

class Facts {
 public:
  void Add(const char* name, const std::string& value) { html_ += fmt::format("<dt>{}</dt><dd>{}</dd>", name, value); }
  void Error(const char* name, const std::optional<compare::TensorError>& error) {
    if (!error.has_value()) return;
    std::string text =
        fmt::format("{} dB, cosine {:.5f}; largest error {}, mean {}", DecibelCell(error->sqnr_db), error->cosine,
                    compare::NumberText(error->max_abs), compare::NumberText(error->mean_abs));
    if (error->max_quanta > 0) {
      text += fmt::format(" ({} and {} steps)", compare::NumberText(error->max_quanta),
                          compare::NumberText(error->mean_quanta));
    }
    if (error->not_finite > 0) text += fmt::format("; {} values are NaN or infinite on one side", error->not_finite);
    Add(name, text);
  }
  std::string Html() const { return "<dl>" + html_ + "</dl>"; }

 private:
  std::string html_;
};

std::string LayerFacts(const LayerResult& layer) {
  Facts facts;
  facts.Add("tensor",
            fmt::format("<span class=\"mono\">{}</span> (index {})", EscapeHtml(layer.name), layer.model_tensor));
  if (layer.reference_tensor >= 0) {
    facts.Add("matched with",
              fmt::format("<span class=\"mono\">{}</span> (index {}), by {}", EscapeHtml(layer.reference_name),
                          layer.reference_tensor, compare::MatchKindName(layer.match)));
  } else {
    facts.Add("matched with", "nothing");
  }
  facts.Add("shape", fmt::format("{} {}", DTypeName(layer.dtype), EscapeHtml(layer.shape.ToString())));
  facts.Error("accumulated", layer.accumulated);
  facts.Error("local", layer.local);
  if (!layer.local.has_value()) facts.Add("local", "none: " + EscapeHtml(layer.local_missing));
  facts.Error("against the reference", layer.versus_reference);
  if (layer.ideal_sqnr_db.has_value()) facts.Add("8 bits could keep", Ideal(layer) + " dB");
  if (layer.range.has_value()) {
    const compare::RangeUse& use = *layer.range;
    facts.Add("codes", fmt::format("step {} (the values need {}), zero point {}, hold {} to {}",
                                   compare::NumberText(use.scale), compare::NumberText(use.needed_scale),
                                   use.zero_point, compare::NumberText(use.low), compare::NumberText(use.high)));
    facts.Add("reference computes",
              fmt::format("{} to {}", compare::NumberText(use.reference_min), compare::NumberText(use.reference_max)));
    facts.Add("clipped",
              fmt::format("{} below, {} above; at the outermost codes {} and {}",
                          compare::PercentText(use.clipped_low, 2), compare::PercentText(use.clipped_high, 2),
                          compare::PercentText(use.saturated_low, 1), compare::PercentText(use.saturated_high, 1)));
    facts.Add("used", fmt::format("{} of the levels, {} of the range", compare::PercentText(use.levels_used, 0),
                                  compare::PercentText(use.range_used, 0)));
  }
  if (layer.weights.has_value()) {
    const compare::WeightComparison& w = *layer.weights;
    facts.Add("weights",
              fmt::format("{} dB (8 bits a channel keep {}), off by up to {} steps, {} on average; {}, channel "
                          "ranges {:.1f}:1",
                          DecibelCell(w.sqnr_db), DecibelCell(w.needed_sqnr_db), compare::NumberText(w.max_quanta),
                          compare::NumberText(w.mean_quanta), w.per_channel ? "a scale per channel" : "one scale",
                          w.channel_range_ratio));
    if (w.has_bias) {
      facts.Add("bias",
                fmt::format("off by up to {} (root mean square {} of {})", compare::NumberText(w.bias_max_error),
                            compare::NumberText(w.bias_error_rms), compare::NumberText(w.bias_rms)));
    }
  }
  if (layer.recovered.has_value()) {
    std::string text = fmt::format("{} when this layer is computed in float",
                                   ShareAndMargin(*layer.recovered, layer.recovered_margin));
    if (layer.recovered_by_range.has_value()) {
      text += fmt::format(", {} with its output unrounded only", compare::PercentText(*layer.recovered_by_range, 0));
    }
    if (layer.recovered_by_weights.has_value()) {
      text += fmt::format(", {} with the reference&#39;s weights only",
                          compare::PercentText(*layer.recovered_by_weights, 0));
    }
    if (layer.recovered_by_bias.has_value()) {
      text += fmt::format(", {} with its bias only", compare::PercentText(*layer.recovered_by_bias, 0));
    }
    facts.Add("comes back", text);
  }
  return facts.Html();
}

std::string AllLayers(const CompareResult& result) {
  std::string html = fmt::format(
      "<section class=\"card\"><h2>All {} layers</h2><p class=\"soft small\">In the order of execution; {} matched. "
      "Accumulated, local and attainable signal to noise in dB.</p>",
      result.layers.size(), result.matched);
  for (const LayerResult& layer : result.layers) {
    html += fmt::format(
        "<details id=\"op-{}\"><summary><span class=\"soft\">{}</span><span class=\"mono\">{}</span><span class=\"soft "
        "small "
        "wide\">{}</span><span class=\"n\">{}</span><span class=\"n wide\">{}</span><span class=\"n soft "
        "wide\">{}</span></summary><div class=\"facts\"><div>{}</div><div>{}{}</div></div></details>",
        layer.op_index, layer.op_index, EscapeHtml(layer.short_name), EscapeHtml(layer.op), Accumulated(layer),
        Local(layer), Ideal(layer), HistogramChart(layer),
        layer.sentence.empty() ? "" : fmt::format("<p><b>{}</b></p>", EscapeHtml(layer.sentence)), LayerFacts(layer));
  }
  return html + "</section>";
}

std::string Notes(const CompareResult& result) {
  if (result.notes.empty()) return "";
  std::string html = "<section class=\"card\"><h2>Notes</h2><ul>";
  for (const std::string& note : result.notes) html += "<li>" + EscapeHtml(note) + "</li>";
  return html + "</ul></section>";
}

}  // namespace

std::string CompareHtml(const CompareContext& context, const CompareResult& result) {
  return HtmlPage("assay compare: " + context.model, Verdict(context, result) + Tiles(result) + Charts(result) +
                                                         WorstLayers(result) + AllLayers(result) + Notes(result));
}

}  // namespace assay::report
