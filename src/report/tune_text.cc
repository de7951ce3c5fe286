#include <cmath>

#include "graph/verifier.h"
#include "report/tune_report.h"

namespace assay::report {
namespace {

constexpr size_t kLayersInText = 10;

std::string DecibelColumn(double db) {
  return std::isinf(db) ? (db > 0 ? "exact" : "none") : fmt::format("{:.1f}", db);
}

std::string PointLine(const tune::TuneResult& result, const tune::Point& p) {
  std::string line =
      fmt::format("  {} {:<44} ", p.is_chosen ? "*" : (p.on_front ? " " : "-"), p.file.empty() ? p.name : p.file);
  if (result.objective != tune::Objective::kError) {
    line += fmt::format("{:>4} of {}  {:.4f} [{:.4f}, {:.4f}]  ", p.report.correct, p.report.total, p.report.accuracy,
                        p.report.low, p.report.high);
    line += p.is_source ? fmt::format("{:>15}  ", "")
                        : fmt::format("{:+.4f} p={:<5.2g}  ", p.paired.difference.difference, p.paired.mcnemar_p);
  }
  return line + fmt::format("{:>6}  {:>9}  {:>8.0f}  {:.2f}\n", DecibelColumn(p.report_sqnr_db), p.bytes, p.latency.us,
                            p.latency.ratio);
}

std::string LayerLines(const tune::TuneResult& result) {
  if (result.layers.empty()) {
    return result.layers_missing.empty() ? "" : fmt::format("\nlayers not ranked: {}\n", result.layers_missing);
  }
  std::string text = fmt::format(
      "\nwhat quantizing one op alone costs, on {} samples (dB: the scores' signal to noise, less is worse; changed "
      "answers)\n    op  kind                  int8 dB  changed  int4 weights dB    weights  tensor\n",
      result.layers.front().samples);
  for (size_t i = 0; i < std::min(kLayersInText, result.layers.size()); ++i) {
    const tune::LayerCost& layer = result.layers[i];
    text += fmt::format("  {:>4}  {:<20}  {:>7}  {:>7}  {:>15}  {:>9}  {}\n", layer.op, layer.name,
                        DecibelColumn(layer.int8.sqnr_db()), layer.int8.changed,
                        layer.int4.has_value() ? DecibelColumn(layer.int4->sqnr_db()) : "", layer.weights,
                        graph::Printable(layer.tensor));
  }
  if (result.layers.size() > kLayersInText) {
    text += fmt::format("  and {} that cost less; --json has all\n", result.layers.size() - kLayersInText);
  }
  return text;
}

}  // namespace

const char* ObjectiveName(tune::Objective objective) {
  switch (objective) {
    case tune::Objective::kTop1:
      return "top-1";
    case tune::Objective::kAgreement:
      return "agreement with float";
    default:
      return "SQNR";
  }
}

std::string DominanceText(const tune::TuneResult& result, const tune::Dominance& d) {
  if (d.by.empty()) return fmt::format("{} (TensorFlow's default) is not dominated.", d.baseline);
  const std::string better =
      result.objective == tune::Objective::kError
          ? fmt::format("{:+.1f} dB", d.more_db)
          : fmt::format("{} (McNemar p = {:.2g})",
                        d.right_more > 0 ? fmt::format("{} more right", d.right_more) : "as many right", d.mcnemar_p);
  return fmt::format("{} (TensorFlow's default) is dominated by {}: {}, {:.1f} % of its size, {:.2f} of its time.",
                     d.baseline, d.by, better, 100 * d.size_ratio, d.time_ratio);
}

std::string TuneText(const TuneContext& context, const tune::TuneResult& result) {
  std::string text = fmt::format("{} -> {}\n  data        {}: {} samples calibrate, {} choose, {} report\n",
                                 context.source, context.folder, context.data, result.split.calibration.size(),
                                 result.split.search.size(), result.split.report.size());
  if (!context.preprocess.empty()) text += fmt::format("  preprocess  {}\n", context.preprocess);
  text += fmt::format("  numerics    {}\n", context.profile);
  switch (result.objective) {
    case tune::Objective::kTop1:
      text += "  objective   right top-1 answers, by the labels\n";
      break;
    case tune::Objective::kAgreement:
      text += "  objective   the data have no labels: the same top-1 answer as the float model\n";
      break;
    case tune::Objective::kError:
      text += "  objective   neither labels nor classes: the outputs' error against the float model's (SQNR)\n";
      break;
  }
  text += fmt::format("  search      {} candidates in {:.1f} s, {} given up early{}{}\n", result.tried, result.seconds,
                      result.stopped_early,
                      result.from_journal > 0 ? fmt::format(", {} results from the journal", result.from_journal) : "",
                      result.out_of_time ? "; the time was over before all were tried: --minutes gives more" : "");
  text += LayerLines(result);
  const bool has_answers = result.objective != tune::Objective::kError;
  text += fmt::format(
      "\nfront on the {} samples that report ({}; times of one invoke at one thread, in turns)\n    {:<44} {}",
      result.split.report.size(), has_answers ? "95 % intervals, McNemar's p against float" : "SQNR", "file", "");
  if (has_answers) text += fmt::format("{:<33}  {:<15}  ", ObjectiveName(result.objective), "against float");
  text += fmt::format("{:>6}  {:>9}  {:>8}  {}\n", "dB", "bytes", "us", "time");
  for (const tune::Point& point : result.points) text += PointLine(result, point);
  text += "  * chosen   - not on the front, for comparison\n";
  for (const tune::Dominance& d : result.dominance) text += DominanceText(result, d) + "\n";
  for (const std::string& note : result.notes) text += fmt::format("not tried: {}\n", note);
  for (const tune::Point& point : result.points) {
    if (point.is_chosen) text += fmt::format("chosen: {}/{} ({})\n", context.folder, point.file, result.choice);
  }
  if (!result.within_budget) text += result.choice + "\n";
  return text;
}

}  // namespace assay::report
