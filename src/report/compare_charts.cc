#include "report/compare_charts.h"

#include <algorithm>
#include <cmath>

#include "compare/words.h"
#include "report/html_page.h"

namespace assay::report {
namespace {

using compare::CompareResult;
using compare::LayerResult;

constexpr double kLowestDb = -10, kHighestDb = 90;
constexpr double kBadExcessDb = 6;

std::string Decibels(double db) {
  if (std::isinf(db)) return db > 0 ? "exact" : "no signal";
  return fmt::format("{:.1f} dB", db);
}

double Clamp(double db) { return std::clamp(std::isnan(db) ? kLowestDb : db, kLowestDb, kHighestDb); }

std::string Cut(const std::string& text, size_t width) {
  if (text.size() <= width) return text;
  // Not within a character of several bytes.
  size_t from = text.size() - (width - 1);
  while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U) ++from;
  return "\u2026" + text.substr(from);
}

struct Frame {
  double left = 46, right = 1040, top = 26, bottom = 300;
  double low = 0, high = 50;
  double Y(double db) const { return bottom - (Clamp(db) - low) / (high - low) * (bottom - top); }
};

std::string LayerTitle(const LayerResult& layer) {
  std::string text = fmt::format("op {} {}: {}\n", layer.op_index, layer.op, layer.short_name);
  if (layer.accumulated.has_value()) text += "accumulated " + Decibels(layer.accumulated->sqnr_db) + "\n";
  if (layer.local.has_value()) text += "local " + Decibels(layer.local->sqnr_db) + "\n";
  if (layer.ideal_sqnr_db.has_value()) text += "8 bits could keep " + Decibels(*layer.ideal_sqnr_db) + "\n";
  if (layer.recovered.has_value()) text += fmt::format("{:.0f} % of the loss comes back\n", 100 * *layer.recovered);
  return EscapeHtml(text + layer.sentence);
}

}  // namespace

std::string ShareAndMargin(double share, const std::optional<double>& margin) {
  const double percent = std::round(100 * share) + 0.0;  // no minus before a zero
  return margin.has_value() ? fmt::format("{:.0f} &#177; {:.0f} %", percent, 100 * *margin)
                            : fmt::format("{:.0f} %", percent);
}

std::string DepthChart(const CompareResult& result) {
  std::vector<const LayerResult*> layers;
  for (const LayerResult& layer : result.layers) {
    if (layer.accumulated.has_value() || layer.local.has_value()) layers.push_back(&layer);
  }
  if (layers.empty()) return "";
  Frame frame;
  double low = kHighestDb, high = kLowestDb;
  const auto see = [&](double db) { low = std::min(low, Clamp(db)), high = std::max(high, Clamp(db)); };
  for (const LayerResult* layer : layers) {
    if (layer->accumulated.has_value()) see(layer->accumulated->sqnr_db);
    if (layer->local.has_value()) see(layer->local->sqnr_db);
    if (layer->ideal_sqnr_db.has_value()) see(*layer->ideal_sqnr_db);
  }
  frame.low = std::floor(std::min(low, 10.0) / 10) * 10;
  frame.high = std::ceil((high + 2) / 10) * 10;
  const double step = (frame.right - frame.left) / static_cast<double>(layers.size());
  const auto x = [&](size_t i) { return frame.left + step * (static_cast<double>(i) + 0.5); };
  std::string svg =
      "<svg viewBox=\"0 0 1060 340\" role=\"img\" aria-label=\"Signal to quantization noise over the layers\">";
  for (double db = frame.low; db <= frame.high + 0.1; db += frame.high - frame.low > 60 ? 20 : 10) {
    svg += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", frame.left,
                       frame.right, frame.Y(db), frame.Y(db));
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.0f}</text>", frame.left - 8,
                       frame.Y(db) + 4, db);
  }
  svg += fmt::format("<text x=\"{:.0f}\" y=\"12\">dB</text>", frame.left - 26);
  // Stems from what 8 bits could keep down to what the layer alone keeps.
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerResult& layer = *layers[i];
    if (!layer.local.has_value() || !layer.ideal_sqnr_db.has_value()) continue;
    svg += fmt::format("<line class=\"{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>",
                       layer.excess_db() > kBadExcessDb ? "stem-bad" : "stem", x(i), x(i),
                       frame.Y(*layer.ideal_sqnr_db), frame.Y(layer.local->sqnr_db));
  }
  std::string path;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!layers[i]->accumulated.has_value()) continue;
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(i), frame.Y(layers[i]->accumulated->sqnr_db));
  }
  svg += fmt::format("<path class=\"line-model\" d=\"{}\"/>", path);
  const double radius = layers.size() > 120 ? 2 : (layers.size() > 50 ? 3 : 4);
  const auto dot = [&](const char* kind, size_t i, double db) {
    svg +=
        fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"/>", kind, x(i), frame.Y(db), radius);
  };
  const size_t every = layers.size() <= 60 ? 1 : (layers.size() + 39) / 40;
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerResult& layer = *layers[i];
    if (layer.ideal_sqnr_db.has_value()) dot("dot-ideal", i, *layer.ideal_sqnr_db);
    if (layer.local.has_value()) dot("dot-local", i, layer.local->sqnr_db);
    if (layer.accumulated.has_value()) dot("dot-model", i, layer.accumulated->sqnr_db);
    if (i % every == 0) {
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", x(i), frame.bottom + 17,
                         layer.op_index);
    }
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">op, in the order of execution</text>",
                     (frame.left + frame.right) / 2, frame.bottom + 36);
  if (result.verdict.layer >= 0) {
    const LayerResult* named = &result.layers[static_cast<size_t>(result.verdict.layer)];
    const auto at = std::find(layers.begin(), layers.end(), named);
    if (at != layers.end()) {
      const double where = x(static_cast<size_t>(at - layers.begin()));
      const bool right_half = where > 0.6 * frame.right;
      svg += fmt::format("<line class=\"call\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", where,
                         frame.top - 8, frame.bottom);
      svg += fmt::format("<text class=\"strong\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>",
                         where + (right_half ? -6 : 6), frame.top - 10, right_half ? "end" : "start",
                         EscapeHtml(Cut(named->short_name, 60)));
    }
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    svg += fmt::format(
        "<a href=\"#op-{}\"><rect class=\"hit\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{}"
        "</title></rect></a>",
        layers[i]->op_index, x(i) - step / 2, frame.top, step, frame.bottom - frame.top, LayerTitle(*layers[i]));
  }
  return svg + "</svg>";
}

std::string HistogramChart(const LayerResult& layer) {
  const compare::Histogram& histogram = layer.histogram;
  if (histogram.reference.empty() || !(histogram.high > histogram.low)) return "";
  constexpr double kWidth = 300, kTop = 4, kBottom = 70;
  double low = histogram.low, high = histogram.high;
  if (layer.range.has_value()) low = std::min(low, layer.range->low), high = std::max(high, layer.range->high);
  const auto x = [&](double value) { return (value - low) / (high - low) * kWidth; };
  const auto bins = histogram.reference.size();
  const double bin_width = (histogram.high - histogram.low) / static_cast<double>(bins);
  // Square roots, so that tails are seen.
  double top = 1;
  for (size_t i = 0; i < bins; ++i) {
    top = std::max({top, std::sqrt(static_cast<double>(histogram.reference[i])),
                    std::sqrt(static_cast<double>(histogram.model[i]))});
  }
  const auto outline = [&](const std::vector<int64_t>& counts) {
    std::string path = fmt::format("M{:.1f} {:.1f}", x(histogram.low), kBottom);
    for (size_t i = 0; i < counts.size(); ++i) {
      const double y = kBottom - std::sqrt(static_cast<double>(counts[i])) / top * (kBottom - kTop);
      const double from = x(histogram.low + bin_width * static_cast<double>(i)),
                   to = x(histogram.low + bin_width * static_cast<double>(i + 1));
      path += fmt::format("L{:.1f} {:.1f}L{:.1f} {:.1f}", from, y, to, y);
    }
    return path + fmt::format("L{:.1f} {:.1f}", x(histogram.high), kBottom);
  };
  std::string svg = fmt::format(
      "<svg viewBox=\"-2 0 {:.0f} 104\" role=\"img\" aria-label=\"Distribution of the values\"><path "
      "class=\"area-reference\" "
      "d=\"{}Z\"/><path class=\"area-model\" d=\"{}\"/><line class=\"axis\" x1=\"0\" x2=\"{:.0f}\" y1=\"{}\" "
      "y2=\"{}\"/>",
      kWidth + 4, outline(histogram.reference), outline(histogram.model), kWidth, kBottom, kBottom);
  if (layer.range.has_value()) {
    const double from = x(layer.range->low), to = x(layer.range->high);
    svg += fmt::format(
        "<path class=\"bracket\" d=\"M{0:.1f} 74v7H{1:.1f}v-7\"><title>the codes hold {2} to {3}</title></path>", from,
        to, compare::NumberText(layer.range->low), compare::NumberText(layer.range->high));
  }
  svg += fmt::format("<text x=\"0\" y=\"98\">{}</text><text x=\"{:.0f}\" y=\"98\" text-anchor=\"end\">{}</text></svg>",
                     compare::NumberText(low), kWidth, compare::NumberText(high));
  return svg;
}

std::string AccuracyChart(const compare::AccuracyComparison& accuracy) {
  const eval::Proportion &r = accuracy.reference.top1, &m = accuracy.model.top1;
  constexpr double kLeft = 84, kRight = 470;
  double low = std::min(r.low, m.low), high = std::max(r.high, m.high);
  const double margin = std::max(0.01, (high - low) * 0.15);
  low = std::max(0.0, low - margin), high = std::min(1.0, high + margin);
  const auto x = [&](double value) { return kLeft + (value - low) / (high - low) * (kRight - kLeft); };
  std::string svg = "<svg viewBox=\"0 0 500 108\" role=\"img\" aria-label=\"Top-1 accuracy with 95 % intervals\">";
  const double step = high - low > 0.4 ? 0.2 : (high - low > 0.12 ? 0.05 : (high - low > 0.05 ? 0.02 : 0.01));
  for (double at = std::ceil(low / step) * step; at <= high + 1e-9; at += step) {
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"6\" y2=\"82\"/><text x=\"{0:.1f}\" y=\"100\" "
        "text-anchor=\"middle\">{1:.0f} %</text>",
        x(at), 100 * at);
  }
  const auto row = [&](const char* name, const char* kind, const eval::Proportion& p, double y) {
    svg += fmt::format(
        "<text class=\"strong\" x=\"0\" y=\"{:.1f}\">{}</text><line class=\"whisker\" x1=\"{:.1f}\" x2=\"{:.1f}\" "
        "y1=\"{:.1f}\" "
        "y2=\"{:.1f}\"/><circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\"><title>{} of {}</title></circle>",
        y + 4, name, x(p.low), x(p.high), y, y, kind, x(p.accuracy), y, p.correct, p.total);
  };
  row("reference", "dot-local", r, 26);
  row("model", "dot-model", m, 62);
  return svg + "</svg>";
}

std::string RecoveryChart(const CompareResult& result) {
  constexpr size_t kBars = 8;
  constexpr double kRow = 24, kLeft = 250, kRight = 430;
  std::vector<const LayerResult*> layers;
  for (const LayerResult& layer : result.layers) {
    if (layer.recovered.value_or(0) > 0.005) layers.push_back(&layer);
  }
  std::stable_sort(layers.begin(), layers.end(),
                   [](const LayerResult* a, const LayerResult* b) { return *a->recovered > *b->recovered; });
  if (layers.size() > kBars) layers.resize(kBars);
  if (layers.empty()) return "";
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 520 {:.0f}\" role=\"img\" aria-label=\"Share of the loss that comes back when one layer is "
      "computed in float\">",
      kRow * static_cast<double>(layers.size()) + 4);
  double y = 2;
  for (const LayerResult* layer : layers) {
    const double share = std::clamp(*layer->recovered, 0.0, 1.0);
    svg += fmt::format(
        "<a href=\"#op-{}\"><text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}<title>{}</title></text></a><rect "
        "class=\"bar-back\" x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.0f}\" height=\"14\" rx=\"4\"/><rect class=\"bar\" "
        "x=\"{:.0f}\" "
        "y=\"{:.1f}\" width=\"{:.1f}\" height=\"14\" rx=\"4\"/><text class=\"strong\" x=\"{:.0f}\" y=\"{:.1f}\">{}"
        "</text>",
        layer->op_index, kLeft - 10, y + 13, EscapeHtml(Cut(layer->short_name, 38)), EscapeHtml(layer->name), kLeft,
        y + 2, kRight - kLeft, kLeft, y + 2, share * (kRight - kLeft), kRight + 8, y + 13,
        ShareAndMargin(share, layer->recovered_margin));
    y += kRow;
  }
  return svg + "</svg>";
}

std::string LossChart(const compare::LossSummary& loss) {
  struct Row {
    const char *name, *kind;
    double value;
  };
  std::vector<Row> rows = {{"the model", "bar", loss.model}};
  if (loss.has_simulation) {
    rows.push_back({"float form, rounded", "bar", loss.simulated});
    rows.push_back({"float form, unrounded", "bar-reference", loss.unquantized});
  }
  if (loss.has_ideal) rows.push_back({"faultless 8 bits", "bar-ideal", loss.ideal});
  double low = HUGE_VAL, high = 0;
  for (const Row& row : rows) {
    if (row.value <= 0) continue;
    low = std::min(low, row.value), high = std::max(high, row.value);
  }
  if (high <= 0) return "";
  low = std::floor(std::log10(low) - 0.3), high = std::ceil(std::log10(high) + 0.05);
  constexpr double kRow = 26, kLeft = 150, kRight = 440;
  std::string svg =
      fmt::format("<svg viewBox=\"0 0 520 {:.0f}\" role=\"img\" aria-label=\"Error of the final scores\">",
                  kRow * static_cast<double>(rows.size()) + 22);
  const double bottom = kRow * static_cast<double>(rows.size()) + 2;
  for (double at = low; at <= high + 0.01; at += std::max(1.0, std::ceil((high - low) / 6))) {
    const double x = kLeft + (at - low) / (high - low) * (kRight - kLeft);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"{1:.1f}\"/><text x=\"{0:.1f}\" y=\"{2:.1f}\" "
        "text-anchor=\"middle\">{3:g}</text>",
        x, bottom, bottom + 16, std::pow(10.0, at));
  }
  double y = 2;
  for (const Row& row : rows) {
    const double share = row.value > 0 ? (std::log10(row.value) - low) / (high - low) : 0;
    svg += fmt::format(
        "<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text><rect class=\"{}\" x=\"{:.0f}\" y=\"{:.1f}\" "
        "width=\"{:.1f}\" "
        "height=\"15\" rx=\"4\"/><text class=\"strong\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
        kLeft - 10, y + 14, row.name, row.kind, kLeft, y + 2, std::max(1.0, share * (kRight - kLeft)),
        kLeft + std::max(1.0, share * (kRight - kLeft)) + 7, y + 14,
        row.value > 0 ? fmt::format("{:.2g}", row.value) : "0");
    y += kRow;
  }
  return svg + "</svg>";
}

}  // namespace assay::report
