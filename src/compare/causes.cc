#include "compare/causes.h"

#include <algorithm>
#include <cmath>

#include "compare/match.h"
#include "compare/weights.h"
#include "compare/words.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

constexpr double kWorthSayingDb = 6;    // beyond what faultless 8-bit quantization loses
constexpr double kNoticeableDb = 3;     // more than half of the layer's own error
constexpr double kWideRange = 3;        // times the step that the values need
constexpr double kClips = 0.0005;       // share of the values
constexpr double kFarWeightsDb = 8;     // below what 8 bits keep: no quantization of these weights
constexpr double kWrongWeightsDb = 12;  // below what 8 bits keep, and not by coarse steps
constexpr double kFewLevels = 0.25;
constexpr double kRoundedQuanta = 0.35;    // rounding moves weights by a quarter of a step on average
constexpr double kMeaningfulShare = 0.02;  // of the loss

// Small shares keep two digits.
std::string SmallShareText(double share) {
  const double percent = 100 * share;
  if (percent >= 10) return fmt::format("{:.0f} %", percent);
  if (percent >= 0.1) return fmt::format("{:.1f} %", percent);
  return fmt::format("{:.2g} %", percent);
}

bool RangeIsWide(const LayerResult& layer) {
  return layer.range.has_value() && layer.range->needed_scale > 0 &&
         layer.range->scale > kWideRange * layer.range->needed_scale;
}

bool HasPrescribedScale(const LayerResult& layer) {
  return layer.op == "SOFTMAX" || layer.op == "LOGISTIC" || layer.op == "TANH" || layer.op == "LOG_SOFTMAX" ||
         layer.op == "L2_NORMALIZATION";
}

bool ClipsRange(const LayerResult& layer) {
  return layer.range.has_value() && layer.range->clipped_low + layer.range->clipped_high > kClips;
}

// Of what the layer multiplies with, or of its result: whichever costs more.
std::string PlainRounding(const LayerResult& layer) {
  if (layer.weights.has_value() && layer.recovered_by_weights.value_or(0) > layer.recovered_by_range.value_or(0)) {
    return fmt::format("plain rounding of its weights, which keep {:.1f} dB", std::min(layer.weights->sqnr_db, 200.0));
  }
  std::string text = fmt::format("plain 8-bit rounding, a step of {}", NumberText(layer.range->scale));
  if (layer.range->levels_used < kFewLevels && !HasPrescribedScale(layer)) {
    text += fmt::format(" that leaves its values {} of the levels", SmallShareText(layer.range->levels_used));
  }
  return text;
}

void ExplainRange(LayerResult& layer) {
  const RangeUse& use = *layer.range;
  layer.detail = fmt::format("The codes hold {} to {}, the reference computes {} to {}.", NumberText(use.low),
                             NumberText(use.high), NumberText(use.reference_min), NumberText(use.reference_max));
  if (ClipsRange(layer)) {
    const bool top = use.clipped_high >= use.clipped_low;
    layer.cause = Cause::kRangeTooNarrow;
    layer.sentence = fmt::format("output range clips: {} of the values saturate at the {}",
                                 SmallShareText(top ? use.clipped_high : use.clipped_low), top ? "top" : "bottom");
    return;
  }
  layer.cause = Cause::kRangeTooWide;
  layer.sentence = fmt::format("output range is {:.1f} times wider than the data: only {} of the levels are used",
                               use.scale / use.needed_scale, SmallShareText(use.levels_used));
}

void ExplainWeights(LayerResult& layer) {
  const WeightComparison& w = *layer.weights;
  layer.detail = fmt::format("The weights keep {:.1f} dB of the reference's, 8 bits a channel would keep {:.1f}.",
                             std::min(w.sqnr_db, 200.0), std::min(w.needed_sqnr_db, 200.0));
  if (WeightsAreWrong(w)) {
    if (w.scaled_channels > 0 && w.scaled_channels * 10 >= w.bad_channels * 9) {
      layer.cause = Cause::kWeightChannelScale;
      const std::string times = w.scaled_high - w.scaled_low > 0.05 * std::abs(w.scaled_high)
                                    ? fmt::format("{} to {}", NumberText(w.scaled_low), NumberText(w.scaled_high))
                                    : NumberText(w.scaled_low);
      layer.sentence =
          w.bad_channels == 1
              ? fmt::format("weights of channel {} are {} times the reference's: the channel's scale is wrong",
                            w.worst_channel, times)
              : fmt::format(
                    "weights of {} of {} channels are {} times the reference's (most off in channel {}): the "
                    "channels' scales are wrong",
                    w.bad_channels, w.channels, times, w.worst_channel);
      return;
    }
    layer.cause = Cause::kWeightsDiffer;
    layer.sentence =
        fmt::format("weights differ from the reference's by up to {} quanta ({} of {} channels, most in channel {})",
                    NumberText(w.max_quanta), w.bad_channels, w.channels, w.worst_channel);
    return;
  }
  if (w.mean_quanta > kRoundedQuanta) {
    layer.cause = Cause::kWeightsDiffer;
    layer.sentence =
        fmt::format("weights differ from the reference's by {:.2f} quanta on average, by up to {:.1f}{}", w.mean_quanta,
                    w.max_quanta,
                    w.reference_is_rounded ? ", for the reference's are rounded to integers too, by other scales"
                                           : ", where rounding makes 0.25 and 0.5");
    return;
  }
  if (!w.per_channel && w.channel_range_ratio > 4) {
    layer.cause = Cause::kWeightsPerTensor;
    layer.sentence =
        fmt::format("weights share one scale while their channels' ranges are {:.0f}:1 apart", w.channel_range_ratio);
    return;
  }
  layer.cause = Cause::kWeightsCoarse;
  layer.sentence = fmt::format("weights are coarsely quantized: they keep {:.1f} dB where 8 bits would keep {:.1f}",
                               w.sqnr_db, w.needed_sqnr_db);
}

void ExplainBias(LayerResult& layer) {
  const WeightComparison& w = *layer.weights;
  layer.cause = Cause::kBiasDiffers;
  layer.sentence = w.bias_is_zero
                       ? "bias is zero, the reference's is not"
                       : fmt::format("bias differs from the reference's by up to {}", NumberText(w.bias_max_error));
  layer.detail = fmt::format(
      "In the output's units the biases differ by up to {}, root mean square {}; the reference's bias itself has {}.",
      NumberText(w.bias_max_error), NumberText(w.bias_error_rms), NumberText(w.bias_rms));
}

void ExplainLayer(const Study& study, LayerResult& layer) {
  layer.cause = Cause::kNone;
  layer.sentence.clear();
  layer.detail.clear();
  if (layer.reference_tensor < 0) return;
  const double recovered = layer.recovered.value_or(0);
  const bool costs = recovered > 0.25 && recovered > layer.recovered_margin.value_or(0);
  const bool loses = layer.excess_db() > kWorthSayingDb || costs;
  const bool wrong_weights = layer.weights.has_value() && WeightsAreWrong(*layer.weights);
  const bool wrong_bias = BiasIsWrong(layer);
  if (!loses && !wrong_weights && !wrong_bias) return;
  // Which half of the layer is it: what it multiplies with, or how it stores the result?
  const bool more_than_rounding = !layer.ideal_sqnr_db.has_value() || layer.excess_db() > kNoticeableDb;
  const bool range_fault = layer.range.has_value() && more_than_rounding && !HasPrescribedScale(layer) &&
                           (ClipsRange(layer) || RangeIsWide(layer));
  double by_weights = layer.recovered_by_weights.value_or(0), by_range = layer.recovered_by_range.value_or(0);
  const bool checked = layer.recovered.has_value() && recovered > kMeaningfulShare;
  if (!checked) by_weights = wrong_weights || wrong_bias ? 1 : 0, by_range = range_fault ? 1 : 0;
  const bool constants = by_weights > by_range || (!range_fault && (wrong_weights || wrong_bias));
  if (constants && (wrong_weights || wrong_bias)) {
    const bool bias_only = wrong_bias && (!wrong_weights || (layer.recovered_by_bias.value_or(0) > 0.7 * by_weights));
    if (bias_only) {
      ExplainBias(layer);
    } else {
      ExplainWeights(layer);
      if (wrong_bias) layer.detail += " Its bias differs too.";
    }
    return;
  }
  if (!layer.extra_ops.empty()) {
    layer.cause = Cause::kGraphDiffers;
    layer.sentence = fmt::format("ops stand before it that the reference does not have: {}", layer.extra_ops);
    return;
  }
  const int32_t reference_op = MatchingOp(study, layer.op_index);
  if (constants && reference_op >= 0 && study.float_model != nullptr && study.float_reference != nullptr) {
    // The float forms say activations that only a range makes.
    const auto ours = FusedActivation(study.float_model->subgraphs[0].operators[static_cast<size_t>(layer.op_index)]);
    const auto theirs =
        FusedActivation(study.float_reference->subgraphs[0].operators[static_cast<size_t>(reference_op)]);
    if (ours != theirs) {
      layer.cause = Cause::kActivationDiffers;
      layer.sentence = fmt::format("activation differs: the reference's layer ends in {}, the model's in {}",
                                   graph::ActivationName(static_cast<graph::Activation>(theirs)),
                                   graph::ActivationName(static_cast<graph::Activation>(ours)));
      return;
    }
  }
  if (range_fault && by_range >= by_weights) {
    ExplainRange(layer);
    return;
  }
  if (layer.weights.has_value() && layer.weights->sqnr_db < layer.weights->needed_sqnr_db - 3) {
    ExplainWeights(layer);
    return;
  }
  if (range_fault) {
    ExplainRange(layer);
    return;
  }
  if (!loses) return;
  if (layer.range.has_value() && layer.excess_db() <= kWorthSayingDb) {
    layer.cause = Cause::kNone;
    layer.sentence = PlainRounding(layer);
    if (by_range >= by_weights) {
      layer.detail =
          fmt::format("The values on these samples need a step of {}.", NumberText(layer.range->needed_scale));
    }
    return;
  }
  layer.cause = Cause::kUnexplained;
  layer.sentence = fmt::format("loses {:.0f} dB more than 8 bits must{}", layer.excess_db(),
                               layer.weights.has_value() ? ", though its weights and its range look right" : "");
}

// What the values that a layer reads have already lost where they are stored is no fault of the layer's own.
void ExplainByInputs(const Study& study, std::vector<LayerResult>& layers, LayerResult& layer) {
  const graph::Operator& op = study.model_graph().operators[static_cast<size_t>(layer.op_index)];
  for (const int32_t input : op.inputs) {
    const auto source = std::find_if(layers.begin(), layers.end(),
                                     [&](const LayerResult& other) { return other.model_tensor == input; });
    if (source == layers.end() || !source->range.has_value()) continue;
    const bool through = source->cause == Cause::kRangeTooNarrow || source->cause == Cause::kRangeTooWide ||
                         ClipsRange(*source) || RangeIsWide(*source);
    if (!through) continue;
    layer.cause = Cause::kNone;
    layer.sentence = fmt::format("loses through its input: the range of {} {}", source->short_name,
                                 ClipsRange(*source) ? "clips" : "is too wide");
    return;
  }
}

}  // namespace

void ExplainLayers(const Study& study, std::vector<LayerResult>& layers) {
  for (LayerResult& layer : layers) ExplainLayer(study, layer);
  for (LayerResult& layer : layers) {
    if (layer.cause == Cause::kUnexplained) ExplainByInputs(study, layers, layer);
  }
}

std::string ReasonOf(const LayerResult& layer) {
  if (!layer.sentence.empty() || !layer.range.has_value()) return layer.sentence;
  if (layer.weights.has_value() && layer.weights->sqnr_db < layer.weights->needed_sqnr_db - 3) {
    LayerResult explained = layer;
    ExplainWeights(explained);
    return explained.sentence;
  }
  if (layer.excess_db() <= kWorthSayingDb / 2) return PlainRounding(layer);
  return fmt::format("loses {:.0f} dB more than 8 bits must", layer.excess_db());
}

bool RangeClips(const LayerResult& layer) { return ClipsRange(layer) && !HasPrescribedScale(layer); }

bool WeightsAreWrong(const WeightComparison& weights) {
  if (weights.bad_channels > 0) return true;
  return weights.max_quanta > kWrongQuanta && weights.sqnr_db < weights.needed_sqnr_db - kWrongWeightsDb;
}

// Rounding a bias to the accumulator's units costs next to nothing.
bool BiasIsWrong(const LayerResult& layer) {
  if (!layer.weights.has_value() || !layer.weights->has_bias) return false;
  const WeightComparison& w = *layer.weights;
  const double step = layer.range.has_value() ? layer.range->scale : 0;
  return w.bias_error_rms > 0.05 * w.bias_rms && w.bias_max_error > std::max(step, 1e-6);
}

std::vector<size_t> LayersWithWrongConstants(const std::vector<LayerResult>& layers) {
  std::vector<size_t> wrong;
  size_t compared = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!layers[i].weights.has_value()) continue;
    ++compared;
    if (WeightsAreWrong(*layers[i].weights) || BiasIsWrong(layers[i])) wrong.push_back(i);
  }
  if (compared < 2 || wrong.size() * 3 > compared) return {};
  return wrong;
}

WeightCensus CountWeights(const std::vector<LayerResult>& layers) {
  WeightCensus census;
  std::vector<double> decibels;
  for (const LayerResult& layer : layers) {
    if (!layer.weights.has_value()) continue;
    ++census.compared;
    census.far += layer.weights->max_quanta > kWrongQuanta &&
                  layer.weights->sqnr_db < layer.weights->needed_sqnr_db - kFarWeightsDb;
    decibels.push_back(layer.weights->sqnr_db);
  }
  std::sort(decibels.begin(), decibels.end());
  if (!decibels.empty()) census.median_sqnr_db = decibels[decibels.size() / 2];
  return census;
}

bool WereTrainedApart(const WeightCensus& census) {
  return census.compared >= 2 && census.far * 5 >= census.compared * 3;
}

}  // namespace assay::compare
