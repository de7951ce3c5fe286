#include "report/evaluate_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "report/json_values.h"

namespace assay::report {
namespace {

constexpr size_t kConfusionsInText = 10;
constexpr size_t kClassesInText = 20;
constexpr size_t kMatrixClasses = 100;  // larger confusion matrices are listed as their non-zero cells only

std::string ClassName(const data::Dataset& dataset, int64_t label) {
  if (label < 0) return "background";
  const auto& names = dataset.class_names();
  const auto at = static_cast<size_t>(label);
  return at < names.size() && !names[at].empty() ? fmt::format("{} {}", label, names[at]) : fmt::format("{}", label);
}

std::string Line(const char* name, const eval::Proportion& p) {
  return fmt::format("{:<8}{:>7} of {:<7} {:.4f}   95 % interval {:.4f} to {:.4f}\n", name, p.correct, p.total,
                     p.accuracy, p.low, p.high);
}

}  // namespace

std::string EvaluateText(const EvaluateContext& context, const eval::EvaluateResult& result) {
  std::string text =
      fmt::format("{}\n  data        {}\n  preprocess  {}\n  numerics    {}\n", context.model, context.data,
                  context.preprocess.empty() ? "none" : context.preprocess, context.profile);
  if (result.label_offset_was_found) {
    text +=
        "  labels      shifted by 1: the model has one output more than there are labels, its first is the "
        "background\n";
  } else if (result.label_offset != 0) {
    text += fmt::format("  labels      shifted by {}\n", result.label_offset);
  }
  text += "\n" + Line("top-1", result.top1);
  if (result.classes > 5) text += Line("top-5", result.top5);
  text += fmt::format("\n{} samples in {:.2f} s, {:.1f} per second", result.samples, result.seconds,
                      result.seconds > 0 ? static_cast<double>(result.samples) / result.seconds : 0);
  if (result.skipped > 0) text += fmt::format(", {} skipped", result.skipped);
  text += "\n";
  std::vector<size_t> order;
  for (size_t c = 0; c < result.per_class.size(); ++c) {
    if (result.per_class[c].total > 0) order.push_back(c);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return result.per_class[a].accuracy < result.per_class[b].accuracy; });
  if (order.size() > 1 && order.size() * 2 <= static_cast<size_t>(result.samples)) {
    text += fmt::format("\nclasses, the worst first{}\n",
                        order.size() > kClassesInText ? fmt::format(" ({} of {})", kClassesInText, order.size()) : "");
    for (size_t k = 0; k < std::min(order.size(), kClassesInText); ++k) {
      const eval::Proportion& p = result.per_class[order[k]];
      text += fmt::format("  {:<32}{:>6} of {:<6} {:.4f}   [{:.4f}, {:.4f}]\n",
                          ClassName(context.dataset, static_cast<int64_t>(order[k])), p.correct, p.total, p.accuracy,
                          p.low, p.high);
    }
  }
  if (!result.confusions.empty() && result.confusions[0].count > 1) {
    text += "\nmost frequent confusions\n";
    for (size_t k = 0; k < std::min(result.confusions.size(), kConfusionsInText); ++k) {
      const eval::Confusion& c = result.confusions[k];
      text += fmt::format("  {:<32} taken for {:<32}{:>6}\n", ClassName(context.dataset, c.label),
                          ClassName(context.dataset, c.predicted), c.count);
    }
  }
  return text;
}

std::string EvaluateJson(const EvaluateContext& context, const eval::EvaluateResult& result) {
  nlohmann::ordered_json json;
  json["model"] = context.model;
  json["data"] = context.data;
  json["samples"] = result.samples;
  json["skipped"] = result.skipped;
  json["skip_messages"] = result.skip_messages;
  json["seconds"] = result.seconds;
  json["samples_per_second"] = result.seconds > 0 ? static_cast<double>(result.samples) / result.seconds : 0;
  json["profile"] = context.profile;
  json["preprocess"] = context.preprocess;
  json["label_offset"] = result.label_offset;
  json["classes"] = result.classes;
  json["top1"] = ProportionJson(result.top1);
  json["top5"] = ProportionJson(result.top5);
  auto& per_class = json["per_class"] = nlohmann::ordered_json::array();
  for (size_t c = 0; c < result.per_class.size(); ++c) {
    if (result.per_class[c].total == 0) continue;
    nlohmann::ordered_json one = ProportionJson(result.per_class[c]);
    one["label"] = c;
    one["total"] = result.per_class[c].total;
    if (c < context.dataset.class_names().size()) one["name"] = context.dataset.class_names()[c];
    per_class.push_back(std::move(one));
  }
  auto& confusions = json["confusions"] = nlohmann::ordered_json::array();
  for (const eval::Confusion& c : result.confusions) {
    confusions.push_back({{"label", c.label}, {"predicted", c.predicted}, {"count", c.count}});
  }
  const size_t classes = result.per_class.size();
  if (classes > 0 && classes <= kMatrixClasses) {
    // Row: label, column: answer; the background and answers beyond the labels are in "confusions" only.
    std::vector<std::vector<int64_t>> matrix(classes, std::vector<int64_t>(classes));
    for (size_t c = 0; c < classes; ++c) matrix[c][c] = result.per_class[c].correct;
    for (const eval::Confusion& c : result.confusions) {
      if (c.predicted >= 0 && static_cast<size_t>(c.predicted) < classes) {
        matrix[static_cast<size_t>(c.label)][static_cast<size_t>(c.predicted)] += c.count;
      }
    }
    json["confusion_matrix"] = matrix;
  }
  return json.dump(2) + "\n";
}

}  // namespace assay::report
