#include <cmath>
#include <nlohmann/json.hpp>

#include "report/compare_report.h"
#include "report/json_values.h"

namespace assay::report {
namespace {

using compare::CompareResult;
using compare::LayerResult;
using nlohmann::ordered_json;

// JSON has no infinity: an exact match's SQNR is null.
template <typename T>
ordered_json Optional(const std::optional<T>& value) {
  return value.has_value() ? JsonNumber(static_cast<double>(*value)) : ordered_json(nullptr);
}

ordered_json Json(const eval::Proportion& p) {
  return {{"correct", p.correct}, {"total", p.total}, {"accuracy", p.accuracy}, {"low", p.low}, {"high", p.high}};
}

ordered_json Json(const eval::EvaluateResult& side) {
  return {{"samples", side.samples},           {"skipped", side.skipped}, {"seconds", side.seconds},
          {"label_offset", side.label_offset}, {"top1", Json(side.top1)}, {"top5", Json(side.top5)}};
}

ordered_json Json(const std::optional<compare::TensorError>& error) {
  if (!error.has_value()) return nullptr;
  return {{"values", error->values},
          {"different", error->different},
          {"not_finite", error->not_finite},
          {"sqnr_db", JsonNumber(error->sqnr_db)},
          {"cosine", JsonNumber(error->cosine)},
          {"max_abs", JsonNumber(error->max_abs)},
          {"mean_abs", JsonNumber(error->mean_abs)},
          {"mean", JsonNumber(error->bias)},
          {"max_quanta", JsonNumber(error->max_quanta)},
          {"mean_quanta", JsonNumber(error->mean_quanta)}};
}

ordered_json Json(const std::optional<compare::RangeUse>& use) {
  if (!use.has_value()) return nullptr;
  return {{"scale", use->scale},
          {"zero_point", use->zero_point},
          {"low", use->low},
          {"high", use->high},
          {"reference_min", use->reference_min},
          {"reference_max", use->reference_max},
          {"needed_scale", use->needed_scale},
          {"clipped_low", use->clipped_low},
          {"clipped_high", use->clipped_high},
          {"saturated_low", use->saturated_low},
          {"saturated_high", use->saturated_high},
          {"levels_used", use->levels_used},
          {"range_used", use->range_used}};
}

ordered_json Json(const std::optional<compare::WeightComparison>& w) {
  if (!w.has_value()) return nullptr;
  ordered_json json = {
      {"sqnr_db", JsonNumber(w->sqnr_db)},     {"needed_sqnr_db", JsonNumber(w->needed_sqnr_db)},
      {"max_quanta", w->max_quanta},           {"mean_quanta", w->mean_quanta},
      {"per_channel", w->per_channel},         {"channels", w->channels},
      {"differing_channels", w->bad_channels}, {"channel_range_ratio", JsonNumber(w->channel_range_ratio)},
      {"worst_channel", w->worst_channel},     {"worst_channel_factor", JsonNumber(w->worst_channel_factor)}};
  if (w->has_bias) {
    json["bias"] = {{"max_error", JsonNumber(w->bias_max_error)},
                    {"rms_error", JsonNumber(w->bias_error_rms)},
                    {"rms", JsonNumber(w->bias_rms)},
                    {"is_zero", w->bias_is_zero}};
  }
  return json;
}

ordered_json Json(const compare::Finding& finding, const CompareResult& result) {
  ordered_json json = {
      {"cause", compare::CauseName(finding.cause)}, {"sentence", finding.sentence}, {"detail", finding.detail}};
  if (finding.layer >= 0) {
    const LayerResult& layer = result.layers[static_cast<size_t>(finding.layer)];
    json["layer"] = {{"op_index", layer.op_index}, {"op", layer.op}, {"tensor", layer.name}};
  } else {
    json["layer"] = nullptr;
  }
  json["recovered"] = Optional(finding.recovered);
  json["recovered_margin"] = Optional(finding.recovered_margin);
  json["check"] = finding.check;
  return json;
}

ordered_json Json(const LayerResult& layer) {
  const auto dims = layer.shape.dims();
  ordered_json json = {{"op_index", layer.op_index},
                       {"op", layer.op},
                       {"tensor", layer.name},
                       {"tensor_index", layer.model_tensor},
                       {"shape", std::vector<int32_t>(dims.begin(), dims.end())},
                       {"dtype", DTypeName(layer.dtype)},
                       {"match", compare::MatchKindName(layer.match)}};
  if (layer.reference_tensor >= 0) {
    json["reference_tensor"] = layer.reference_name;
    json["reference_tensor_index"] = layer.reference_tensor;
  }
  json["accumulated"] = Json(layer.accumulated);
  json["local"] = Json(layer.local);
  if (!layer.local.has_value()) json["local_missing"] = layer.local_missing;
  if (layer.versus_reference.has_value()) json["versus_reference"] = Json(layer.versus_reference);
  json["ideal_sqnr_db"] = Optional(layer.ideal_sqnr_db);
  json["range"] = Json(layer.range);
  json["weights"] = Json(layer.weights);
  json["recovered"] = Optional(layer.recovered);
  json["recovered_margin"] = Optional(layer.recovered_margin);
  json["recovered_by_range"] = Optional(layer.recovered_by_range);
  json["recovered_by_weights"] = Optional(layer.recovered_by_weights);
  json["recovered_by_bias"] = Optional(layer.recovered_by_bias);
  json["recovered_agreement"] = Optional(layer.recovered_agreement);
  json["cause"] = compare::CauseName(layer.cause);
  json["sentence"] = layer.sentence;
  json["detail"] = layer.detail;
  return json;
}

}  // namespace

std::string CompareJson(const CompareContext& context, const CompareResult& result) {
  ordered_json json;
  json["verdict"] = Json(result.verdict, result);
  json["reference"] = context.reference;
  json["model"] = context.model;
  json["data"] = context.data;
  json["reference_preprocess"] = context.reference_preprocess;
  json["preprocess"] = context.model_preprocess;
  json["reference_profile"] = context.reference_profile;
  json["profile"] = context.profile;
  if (result.accuracy.has_value()) {
    const compare::AccuracyComparison& a = *result.accuracy;
    json["accuracy"] = {{"reference", Json(a.reference)},
                        {"model", Json(a.model)},
                        {"samples", a.samples},
                        {"agreeing", a.agreeing},
                        {"only_reference_right", a.only_first},
                        {"only_model_right", a.only_second},
                        {"mcnemar_p", a.mcnemar_p},
                        {"difference", a.difference.difference},
                        {"difference_low", a.difference.low},
                        {"difference_high", a.difference.high}};
  } else {
    json["accuracy"] = nullptr;
    json["accuracy_missing"] = result.accuracy_missing;
  }
  const compare::LossSummary& loss = result.loss;
  json["layer_samples"] = result.layer_samples;
  json["inputs_are_random"] = result.inputs_are_random;
  json["trained_apart"] = result.self_reference;
  json["loss"] = {
      {"samples", loss.samples},
      {"model", JsonNumber(loss.model)},
      {"agreement", loss.agreement},
      {"simulated", loss.has_simulation ? JsonNumber(loss.simulated) : ordered_json(nullptr)},
      {"unquantized", loss.has_simulation ? JsonNumber(loss.unquantized) : ordered_json(nullptr)},
      {"ideal", loss.has_ideal ? JsonNumber(loss.ideal) : ordered_json(nullptr)},
      {"simulation_sqnr_db", loss.has_simulation ? JsonNumber(loss.simulation_sqnr_db) : ordered_json(nullptr)},
      {"simulation_missing", loss.simulation_missing},
      {"clipping_layers", loss.clipping},
      {"recovered_by_clipping", Optional(loss.recovered_by_clipping)},
      {"recovered_by_clipping_margin", Optional(loss.recovered_by_clipping_margin)}};
  if (result.float_form.has_value()) {
    const compare::FloatFormAccuracy& own = *result.float_form;
    json["float_form"] = {{"samples", own.samples},
                          {"correct", own.correct},
                          {"only_float_right", own.only_float},
                          {"only_model_right", own.only_model},
                          {"mcnemar_p", own.mcnemar_p}};
  }
  json["matched"] = result.matched;
  json["unmatched"] = result.unmatched;
  json["findings"] = ordered_json::array();
  for (const compare::Finding& finding : result.findings) json["findings"].push_back(Json(finding, result));
  std::vector<int32_t> worst;
  for (const size_t i : result.worst) worst.push_back(result.layers[i].op_index);
  json["worst_ops"] = worst;
  json["layers"] = ordered_json::array();
  for (const LayerResult& layer : result.layers) json["layers"].push_back(Json(layer));
  json["notes"] = result.notes;
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace assay::report
