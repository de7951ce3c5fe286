#include <cmath>

#include "report/json_values.h"
#include "report/tune_report.h"

namespace assay::report {
namespace {

nlohmann::ordered_json AloneJson(const tune::AloneCost& cost) {
  return {{"sqnr_db", JsonNumber(cost.sqnr_db())}, {"changed_answers", cost.changed}};
}

nlohmann::ordered_json PointJson(const tune::TuneResult& result, const tune::Point& p) {
  nlohmann::ordered_json json;
  json["name"] = p.name;
  json["file"] = p.file.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(p.file);
  json["on_front"] = p.on_front;
  json["chosen"] = p.is_chosen;
  json["float"] = p.is_source;
  json["tensorflow_default"] = p.is_baseline;
  json["bytes"] = p.bytes;
  json["median_us"] = p.latency.us;
  json["time_ratio"] = {{"value", p.latency.ratio}, {"low", p.latency.low}, {"high", p.latency.high}};
  if (result.objective != tune::Objective::kError) {
    json["accuracy"] = ProportionJson(p.report);
    json["only_float"] = p.paired.only_first;
    json["only_this"] = p.paired.only_second;
    json["difference"] = {{"value", p.paired.difference.difference},
                          {"low", p.paired.difference.low},
                          {"high", p.paired.difference.high}};
    json["mcnemar_p"] = p.paired.mcnemar_p;
  }
  json["sqnr_db"] = JsonNumber(p.report_sqnr_db);
  json["search"] = {
      {"right", p.search.right}, {"samples", p.search.samples}, {"sqnr_db", JsonNumber(p.search.sqnr_db)}};
  return json;
}

}  // namespace

std::string TuneJson(const TuneContext& context, const tune::TuneResult& result) {
  nlohmann::ordered_json json;
  json["source"] = context.source;
  json["folder"] = context.folder;
  json["data"] = context.data;
  json["preprocess"] = context.preprocess;
  json["profile"] = context.profile;
  json["objective"] = ObjectiveName(result.objective);
  json["label_offset"] = result.label_offset;
  json["samples"] = {
      {"calibration", result.split.calibration}, {"search", result.split.search}, {"report", result.split.report}};
  json["seconds"] = result.seconds;
  json["tried"] = result.tried;
  json["given_up_early"] = result.stopped_early;
  json["from_journal"] = result.from_journal;
  json["out_of_time"] = result.out_of_time;
  auto& layers = json["layers"] = nlohmann::ordered_json::array();
  for (const tune::LayerCost& layer : result.layers) {
    nlohmann::ordered_json one = {{"op", layer.op},           {"kind", layer.name},
                                  {"tensor", layer.tensor},   {"weights", layer.weights},
                                  {"samples", layer.samples}, {"int8", AloneJson(layer.int8)}};
    if (layer.int4.has_value()) one["int4_weights"] = AloneJson(*layer.int4);
    layers.push_back(std::move(one));
  }
  if (!result.layers_missing.empty()) json["layers_missing"] = result.layers_missing;
  auto& points = json["points"] = nlohmann::ordered_json::array();
  for (const tune::Point& point : result.points) points.push_back(PointJson(result, point));
  auto& dominance = json["dominance"] = nlohmann::ordered_json::array();
  for (const tune::Dominance& d : result.dominance) {
    nlohmann::ordered_json one = {{"tensorflow", d.baseline}, {"dominated", !d.by.empty()}};
    if (!d.by.empty()) {
      one["by"] = d.by;
      one["more_right"] = d.right_more;
      one["mcnemar_p"] = d.mcnemar_p;
      one["more_db"] = JsonNumber(d.more_db);
      one["size_ratio"] = d.size_ratio;
      one["time_ratio"] = d.time_ratio;
    }
    dominance.push_back(std::move(one));
  }
  json["within_budget"] = result.within_budget;
  json["choice"] = result.choice;
  json["chosen"] = nullptr;
  for (const tune::Point& point : result.points) {
    if (point.is_chosen) json["chosen"] = point.file;
  }
  json["notes"] = result.notes;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace assay::report
