#include <algorithm>
#include <cmath>
#include <functional>

#include "base/version.h"
#include "report/html_page.h"
#include "report/tune_report.h"

namespace assay::report {
namespace {

using tune::Objective;
using tune::Point;
using tune::TuneResult;

constexpr size_t kLayersInHtml = 25;

std::string SqnrText(double db) { return std::isinf(db) ? (db > 0 ? "exact" : "none") : fmt::format("{:.1f} dB", db); }

std::string BytesText(double bytes) {
  if (bytes >= 1e6) return fmt::format("{:.2f} MB", bytes / 1e6);
  return bytes >= 1e3 ? fmt::format("{:.0f} kB", bytes / 1e3) : fmt::format("{:.0f} B", bytes);
}

std::string TimeText(double us) {
  return us >= 1e4 ? fmt::format("{:.1f} ms", us / 1e3) : fmt::format("{:.0f} &#181;s", us);
}

std::string ShareText(double share) { return fmt::format("{:.1f} %", 100 * share); }

// The picture's vertical axis: accuracy, or the error where there are no answers.
struct Height {
  double value = 0, low = 0, high = 0;
};
Height HeightOf(const TuneResult& result, const Point& point) {
  if (result.objective != Objective::kError) return {point.report.accuracy, point.report.low, point.report.high};
  const double db = std::clamp(point.report_sqnr_db, -20.0, 100.0);  // the float model's is infinite
  return {db, db, db};
}

// Steps of 1, 2 or 5 times a power of ten, so that about `count` fit.
double NiceStep(double span, double count) {
  const double raw = span / count, power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

struct LabelBox {
  double x = 0, y = 0, width = 0, height = 0;
  bool Meets(const LabelBox& other) const {
    return x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height;
  }
};

// Accuracy over something that costs, on a logarithmic scale.
class Panel {
 public:
  Panel(const TuneResult& result, double left, std::string title, std::function<double(const Point&)> cost,
        std::function<std::string(double)> cost_text)
      : result_(result), left_(left), title_(std::move(title)), cost_(std::move(cost)), text_(std::move(cost_text)) {
    low_cost_ = HUGE_VAL, low_ = HUGE_VAL, high_ = -HUGE_VAL;
    for (const Point& point : result.points) {
      low_cost_ = std::min(low_cost_, cost_(point)), high_cost_ = std::max(high_cost_, cost_(point));
      const Height h = HeightOf(result, point);
      low_ = std::min(low_, h.low), high_ = std::max(high_, h.high);
    }
    low_cost_ /= 1.12, high_cost_ *= 1.12;
    const double margin = std::max(1e-3, 0.04 * (high_ - low_));
    low_ -= margin, high_ += margin;
    if (result.objective != Objective::kError) low_ = std::max(0.0, low_), high_ = std::min(1.0, high_);
  }

  std::string Svg() {
    std::string svg = Axes() + FrontLine();
    for (size_t i = 0; i < result_.points.size(); ++i) svg += Whisker(result_.points[i]);
    for (size_t i = 0; i < result_.points.size(); ++i) {
      const LabelBox dot = {X(result_.points[i]) - 6, Y(result_.points[i]) - 6, 12, 12};
      taken_.push_back(dot);
    }
    for (size_t i = 0; i < result_.points.size(); ++i) svg += Dot(i);
    return svg;
  }

 private:
  static constexpr double kWidth = 440, kTop = 34, kBottom = 330;

  double AtCost(double cost) const {
    return left_ + std::log(cost / low_cost_) / std::log(high_cost_ / low_cost_) * kWidth;
  }
  double AtHeight(double value) const { return kBottom - (value - low_) / (high_ - low_) * (kBottom - kTop); }
  double X(const Point& point) const { return AtCost(cost_(point)); }
  double Y(const Point& point) const { return AtHeight(HeightOf(result_, point).value); }

  std::string Axes() const {
    std::string svg = fmt::format("<text class=\"strong\" x=\"{:.1f}\" y=\"16\">{}</text>", left_, title_);
    const double step = NiceStep(high_ - low_, 6);
    for (double at = std::ceil(low_ / step) * step; at <= high_ + 1e-9; at += step) {
      svg += fmt::format(
          "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{:.1f}\" "
          "y=\"{:.1f}\" "
          "text-anchor=\"end\">{}</text>",
          left_, left_ + kWidth, AtHeight(at), AtHeight(at), left_ - 8, AtHeight(at) + 4,
          result_.objective == Objective::kError ? fmt::format("{:.0f} dB", at)
                                                 : fmt::format("{:.{}f} %", 100 * at, step < 0.01 ? 1 : 0));
    }
    const double power = std::pow(10.0, std::floor(std::log10(low_cost_)));
    double last = -HUGE_VAL;
    for (double decade = power; decade <= high_cost_; decade *= 10) {
      for (const double factor : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0}) {
        const double cost = factor * decade;
        if (cost < low_cost_ || cost > high_cost_ || AtCost(cost) - last < 58) continue;
        last = AtCost(cost);
        svg += fmt::format(
            "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/><text x=\"{0:.1f}\" "
            "y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>",
            last, kTop, kBottom, kBottom + 17, text_(cost));
      }
    }
    return svg + fmt::format("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", left_,
                             left_ + kWidth, kBottom, kBottom);
  }

  // Steps: the best that can be had for so much.
  std::string FrontLine() const {
    std::vector<const Point*> members;
    for (const Point& point : result_.points) {
      if (point.on_front) members.push_back(&point);
    }
    std::stable_sort(members.begin(), members.end(),
                     [&](const Point* a, const Point* b) { return cost_(*a) < cost_(*b); });
    std::string path;
    double best = -HUGE_VAL;
    for (const Point* point : members) {
      const double value = HeightOf(result_, *point).value;
      if (value <= best) continue;
      path += path.empty() ? fmt::format("M{:.1f} {:.1f}", X(*point), AtHeight(value))
                           : fmt::format("H{:.1f}V{:.1f}", X(*point), AtHeight(value));
      best = value;
    }
    if (path.empty()) return "";
    return fmt::format("<path class=\"line-model\" style=\"opacity:.45\" d=\"{}H{:.1f}\"/>", path, left_ + kWidth);
  }

  std::string Whisker(const Point& point) const {
    const Height h = HeightOf(result_, point);
    if (h.low == h.high) return "";
    return fmt::format(
        "<line class=\"whisker\" style=\"opacity:{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>",
        point.on_front ? ".4" : ".22", X(point), X(point), AtHeight(h.low), AtHeight(h.high));
  }

  std::string Dot(size_t index) {
    const Point& point = result_.points[index];
    const double x = X(point), y = Y(point);
    const char* kind = point.is_source ? "dot-local" : (point.on_front ? "dot-model" : "dot-ideal");
    std::string svg;
    if (point.is_chosen) {
      svg += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"10\" fill=\"none\" stroke=\"var(--good)\" "
          "stroke-width=\"2.5\"/>",
          x, y);
    }
    svg += fmt::format(
        "<a href=\"#p{}\"><circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\"><title>{}\n{} of {}, {} bytes, "
        "{:.2f} of float&#39;s time</title></circle></a>",
        index + 1, kind, x, y, EscapeHtml(point.name), point.report.correct, point.report.total, point.bytes,
        point.latency.ratio);
    // The number stands where there is room.
    const std::string number = std::to_string(index + 1);
    const double width = 7.0 * static_cast<double>(number.size()) + 2;
    LabelBox box;
    for (const auto& [dx, dy] :
         {std::pair(0.0, -15.0), std::pair(0.0, 15.0), std::pair(15.0, 0.0), std::pair(-15.0, 0.0),
          std::pair(13.0, -13.0), std::pair(-13.0, -13.0), std::pair(13.0, 13.0), std::pair(-13.0, 13.0),
          std::pair(0.0, -28.0), std::pair(0.0, 28.0), std::pair(26.0, -20.0), std::pair(-26.0, -20.0),
          std::pair(26.0, 20.0), std::pair(-26.0, 20.0)}) {
      box = {x + dx - width / 2, y + dy - 6, width, 12};
      if (std::none_of(taken_.begin(), taken_.end(), [&](const LabelBox& other) { return box.Meets(other); })) break;
    }
    taken_.push_back(box);
    return svg + fmt::format("<text class=\"strong\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                             box.x + width / 2, box.y + 10, number);
  }

  const TuneResult& result_;
  double left_;
  std::string title_;
  std::function<double(const Point&)> cost_;
  std::function<std::string(double)> text_;
  double low_cost_ = 0, high_cost_ = 0, low_ = 0, high_ = 0;
  std::vector<LabelBox> taken_;
};

std::string FrontPicture(const TuneResult& result) {
  std::string svg =
      "<svg viewBox=\"0 0 1040 356\" role=\"img\" aria-label=\"Accuracy over size, and accuracy over time of one "
      "invoke\">";
  svg += Panel(
             result, 56, "over the file&#39;s size", [](const Point& p) { return static_cast<double>(p.bytes); },
             [](double bytes) { return BytesText(bytes); })
             .Svg();
  svg += Panel(
             result, 584, "over the time of one invoke at one thread",
             [](const Point& p) { return std::max(1e-3, p.latency.us); }, [](double us) { return TimeText(us); })
             .Svg();
  const bool has_answers = result.objective != Objective::kError;
  return fmt::format(
      "<section class=\"card\"><h2>The front: {} on {} samples that neither calibrated nor chose</h2><div "
      "class=\"legend\"><span><i class=\"key\" style=\"background:var(--reference)\"></i>the float "
      "model</span><span><i "
      "class=\"key\" style=\"background:var(--model)\"></i>on the front</span><span><i class=\"key\" "
      "style=\"border:2px solid var(--ideal)\"></i>TensorFlow&#39;s defaults, to compare with</span><span><i "
      "class=\"key\" style=\"border:2px solid var(--good)\"></i>chosen</span>{}</div>{}</svg></section>",
      ObjectiveName(result.objective), result.split.report.size(),
      has_answers ? "<span>bars: 95 % intervals of each by itself; the models answer the same samples, so differences "
                    "are surer than the bars look</span>"
                  : "",
      svg);
}

std::string ModelTable(const TuneResult& result) {
  const bool has_answers = result.objective != Objective::kError;
  std::string html = fmt::format(
      "<section class=\"card\"><h2>The models</h2><div class=\"scroll\"><table><thead><tr><th "
      "class=\"n\">#</th><th>model</th>{}<th class=\"n\">scores&#39; SQNR</th><th class=\"n\">size</th><th "
      "class=\"n\">time</th><th class=\"n\">of float&#39;s</th></tr></thead><tbody>",
      has_answers ? fmt::format("<th class=\"n\">{}</th><th class=\"n\">against float</th><th class=\"n\">McNemar "
                                "p</th>",
                                ObjectiveName(result.objective))
                  : "");
  for (size_t i = 0; i < result.points.size(); ++i) {
    const Point& p = result.points[i];
    html += fmt::format("<tr id=\"p{}\"><td class=\"n soft\">{}</td><td><span class=\"mono\">{}</span>{}{}{}</td>",
                        i + 1, i + 1, EscapeHtml(p.file.empty() ? p.name : p.file),
                        p.is_chosen ? " <span class=\"pill tone-good\">chosen</span>" : "",
                        p.is_baseline ? " <span class=\"chip\">TensorFlow&#39;s default</span>" : "",
                        p.on_front || p.is_source ? "" : " <span class=\"chip\">not on the front</span>");
    if (has_answers) {
      html += fmt::format("<td class=\"n\">{}<br><span class=\"soft small\">{} of {}, {} to {}</span></td>",
                          ShareText(p.report.accuracy), p.report.correct, p.report.total, ShareText(p.report.low),
                          ShareText(p.report.high));
      html += p.is_source ? "<td class=\"n\">&ndash;</td><td class=\"n\">&ndash;</td>"
                          : fmt::format(
                                "<td class=\"n\">{:+.1f} points<br><span class=\"soft small\">{:+.1f} to "
                                "{:+.1f}</span></td><td class=\"n\">{:.2g}</td>",
                                100 * p.paired.difference.difference, 100 * p.paired.difference.low,
                                100 * p.paired.difference.high, p.paired.mcnemar_p);
    }
    html += fmt::format(
        "<td class=\"n\">{}</td><td class=\"n\">{}<br><span class=\"soft small\">{} bytes</span></td><td "
        "class=\"n\">{}</td><td class=\"n\">{:.2f}<br><span class=\"soft small\">{:.2f} to {:.2f}</span></td></tr>",
        SqnrText(p.report_sqnr_db), BytesText(static_cast<double>(p.bytes)), p.bytes, TimeText(p.latency.us),
        p.latency.ratio, p.latency.low, p.latency.high);
  }
  return html + "</tbody></table></div></section>";
}

std::string LayerTable(const TuneResult& result) {
  if (result.layers.empty()) {
    return result.layers_missing.empty()
               ? ""
               : fmt::format("<section class=\"card\"><h2>Layers</h2><p>Not ranked: {}.</p></section>",
                             EscapeHtml(result.layers_missing));
  }
  double all = 0;
  for (const tune::LayerCost& layer : result.layers) all += std::isfinite(layer.int8.noise) ? layer.int8.noise : 0;
  std::string html = fmt::format(
      "<section class=\"card\"><h2>What quantizing one op alone costs</h2><p class=\"soft small\">The error of the "
      "scores "
      "on {} samples when this op alone computes in int8, all others in float; the bar is its share of the sum over "
      "all "
      "ops. In the last column its weights have 4 bits.</p><div class=\"scroll\"><table><thead><tr><th "
      "class=\"n\">op</th><th>result</th><th></th><th class=\"n\">weights</th><th class=\"n\">SQNR in "
      "int8</th><th>share</th><th class=\"n\">answers<br>changed</th><th class=\"n\">SQNR with<br>int4 "
      "weights</th></tr></thead><tbody>",
      result.layers.front().samples);
  for (size_t i = 0; i < std::min(kLayersInHtml, result.layers.size()); ++i) {
    const tune::LayerCost& layer = result.layers[i];
    const double share = all > 0 && std::isfinite(layer.int8.noise) ? layer.int8.noise / all : 0;
    html += fmt::format(
        "<tr><td class=\"n soft\">{}</td><td class=\"mono\">{}</td><td><span class=\"chip\">{}</span></td><td "
        "class=\"n\">{}</td><td class=\"n\">{}</td><td style=\"white-space:nowrap\">{:.1f} %<span class=\"meter\"><i "
        "style=\"width:{:.0f}%\"></i></span></td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        layer.op, EscapeHtml(layer.tensor.substr(0, layer.tensor.find(';'))), EscapeHtml(layer.name),
        layer.weights > 0 ? std::to_string(layer.weights) : "&ndash;", SqnrText(layer.int8.sqnr_db()), 100 * share,
        100 * share, layer.int8.changed, layer.int4.has_value() ? SqnrText(layer.int4->sqnr_db()) : "&ndash;");
  }
  html += "</tbody></table></div>";
  if (result.layers.size() > kLayersInHtml) {
    html += fmt::format("<p class=\"soft small\">and {} that cost less</p>", result.layers.size() - kLayersInHtml);
  }
  return html + "</section>";
}

std::string TuneHead(const TuneContext& context, const TuneResult& result) {
  const Point* chosen = nullptr;
  const Point* source = nullptr;
  for (const Point& point : result.points) {
    if (point.is_chosen) chosen = &point;
    if (point.is_source) source = &point;
  }
  std::string html = fmt::format(
      "<p class=\"kicker\">assay tune &middot; {} &middot; version {}</p><section class=\"card verdict {}\"><span "
      "class=\"pill\">{}</span>",
      EscapeHtml(context.profile), kVersion, chosen != nullptr ? "tone-good" : "tone-bad",
      chosen != nullptr ? "chosen" : "no model within the budget");
  if (chosen != nullptr && source != nullptr) {
    html += fmt::format("<h1>{}: {:.0f} % of the float model&#39;s size, {:.0f} % of its time.</h1><p>{}.</p>",
                        EscapeHtml(chosen->name),
                        100 * static_cast<double>(chosen->bytes) / static_cast<double>(source->bytes),
                        100 * chosen->latency.ratio, EscapeHtml(result.choice));
  } else {
    html += fmt::format("<h1>{}.</h1>", EscapeHtml(result.choice));
  }
  for (const tune::Dominance& d : result.dominance) {
    html += fmt::format("<p class=\"soft\">{}</p>", EscapeHtml(DominanceText(result, d)));
  }
  html += fmt::format(
      "<dl style=\"margin-top:12px\"><dt>model</dt><dd class=\"mono\">{}</dd><dt>data</dt><dd "
      "class=\"mono\">{}</dd>",
      EscapeHtml(context.source), EscapeHtml(context.data));
  if (!context.preprocess.empty()) {
    html += fmt::format("<dt>preprocess</dt><dd class=\"mono\">{}</dd>", EscapeHtml(context.preprocess));
  }
  html += fmt::format(
      "<dt>samples</dt><dd>{} calibrate, {} choose, {} report</dd><dt>search</dt><dd>{} candidates in {:.0f} s, {} "
      "given "
      "up early{}</dd></dl></section>",
      result.split.calibration.size(), result.split.search.size(), result.split.report.size(), result.tried,
      result.seconds, result.stopped_early, result.out_of_time ? "; the time was over before all were tried" : "");
  return html;
}

}  // namespace

std::string TuneHtml(const TuneContext& context, const TuneResult& result) {
  std::string html = TuneHead(context, result) + FrontPicture(result) + ModelTable(result) + LayerTable(result);
  if (!result.notes.empty()) {
    html += "<section class=\"card\"><h2>Not tried</h2><ul>";
    for (const std::string& note : result.notes) html += "<li>" + EscapeHtml(note) + "</li>";
    html += "</ul></section>";
  }
  return HtmlPage("assay tune: " + context.source, html);
}

}  // namespace assay::report
