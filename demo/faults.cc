#include "demo/faults.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "demo/quantized_layers.h"
#include "eval/input.h"
#include "runtime/interpreter.h"

namespace assay::demo {
namespace {

using compare::Cause;
using graph::Model;

constexpr uint64_t kProbeSeed = 77;
constexpr int64_t kProbeDigits = 120;
constexpr uint64_t kDraws = 200;

template <typename T>
const T& Choose(const std::vector<T>& from, Random& random) {
  ASSAY_CHECK(!from.empty());
  return from[random.Below(from.size())];
}

const std::string& NameOf(const Model& model, int32_t tensor) {
  return model.subgraphs[0].tensors[static_cast<size_t>(tensor)].name;
}

// A random layer with weights, blamed for the fault.
WeightedLayer Blame(const Model& model, Random& random, PlantedFault& fault) {
  const WeightedLayer layer = Choose(WeightedLayers(model), random);
  fault.layer = NameOf(model, layer.output);
  return layer;
}

// What feeds the int8 model, or both.
void Feed(Random& random, std::string_view preprocess, std::string_view what, PlantedFault& fault) {
  fault.preprocess = preprocess;
  const bool both = random.Chance(0.4);
  if (both) fault.reference_preprocess = preprocess;
  fault.truth = fmt::format("{}, for {}", what, both ? "both models" : "the int8 model");
}

void PlantInputRange(Random& random, Model& model, PlantedFault& fault) {
  static constexpr std::array<std::string_view, 6> kWrong = {
      "scale=1",      "scale=1/127.5,offset=-1", "scale=1/255,mean=0.1307,std=0.3081", "scale=1/510",
      "scale=1/1024", "scale=1/255,offset=-0.5"};
  fault.causes = {Cause::kInputRange};
  const uint64_t choice = random.Below(kWrong.size() + 1);
  if (choice < kWrong.size()) {
    Feed(random, kWrong[choice], fmt::format("the pixels are fed as {} instead of {}", kWrong[choice], kPreprocess),
         fault);
    return;
  }
  // Calibrated on raw pixels: the input's step is 1, and pictures from 0 to 1 have two values left.
  SetActivationQuantization(model, model.subgraphs[0].inputs[0], 1.0F, -128);
  fault.truth = "the input was calibrated on 0 to 255, but is fed 0 to 1";
}

void PlantInversion(Random& random, PlantedFault& fault) {
  fault.causes = {Cause::kInputInverted};
  Feed(random, "scale=-1/255,offset=1", "the pixels are inverted", fault);
}

void PlantTurn(Random& random, Model& model, PlantedFault& fault) {
  struct Turn {
    std::string_view name;
    DataFault data;
    Cause cause = Cause::kNone;
  };
  static constexpr std::array<Turn, 6> kTurns = {{
      {"flipped left to right", {.flip_horizontal = true}, Cause::kInputFlipped},
      {"flipped upside down", {.flip_vertical = true}, Cause::kInputFlipped},
      {"turned by 180 degrees", {.flip_vertical = true, .flip_horizontal = true}, Cause::kInputRotated},
      {"transposed", {.transpose = true}, Cause::kInputTransposed},
      {"turned by 90 degrees to the right", {.transpose = true, .flip_horizontal = true}, Cause::kInputRotated},
      {"turned by 90 degrees to the left", {.transpose = true, .flip_vertical = true}, Cause::kInputRotated},
  }};
  const uint64_t choice = random.Below(kTurns.size() + 3);
  if (choice < kTurns.size()) {
    const Turn& turn = kTurns[choice];
    fault.data = turn.data;
    fault.causes = {turn.cause};
    fault.truth = fmt::format("the data set's pictures are {}", turn.name);
    return;
  }
  const auto picture = static_cast<PictureOp>(choice - kTurns.size());
  PrependPictureOp(model, picture);
  fault.layer = NameOf(model, WeightedLayers(model).front().output);
  fault.causes = {Cause::kGraphDiffers};
  fault.truth = fmt::format("the int8 model begins with an op that {} what it is fed",
                            picture == PictureOp::kTranspose      ? "transposes"
                            : picture == PictureOp::kFlipVertical ? "turns upside down"
                                                                  : "flips left to right");
}

void PlantMove(Random& random, PlantedFault& fault) {
  const auto distance = [&] { return static_cast<int>(random.Below(19)) - 9; };
  fault.data.move_right = distance();
  fault.data.move_down = distance();
  fault.causes = {Cause::kInputShifted};
  fault.truth = fmt::format("the data set's pictures are moved by {} {} and {} {}", std::abs(fault.data.move_right),
                            fault.data.move_right < 0 ? "left" : "right", std::abs(fault.data.move_down),
                            fault.data.move_down < 0 ? "up" : "down");
}

void PlantLabelShift(Random& random, Model& model, PlantedFault& fault) {
  const int by = 1 + static_cast<int>(random.Below(kDigitClasses - 1));
  fault.causes = {Cause::kLabelShift};
  if (random.Chance(0.4)) {
    fault.data.label_shift = by;
    fault.truth = fmt::format("the data set's labels are shifted by {}", by);
    return;
  }
  const std::vector<WeightedLayer> layers = WeightedLayers(model);
  const auto last = std::find_if(layers.rbegin(), layers.rend(),
                                 [](const WeightedLayer& layer) { return !layer.channels_innermost; });
  ASSAY_CHECK(last != layers.rend() && last->channels == kDigitClasses);
  RotateRows(model, *last, static_cast<size_t>(by));
  fault.truth = fmt::format("the int8 model's classes are shifted by {}", by);
}

void PlantRange(Random& random, Model& model, PlantedFault& fault) {
  const int32_t tensor = Choose(RangedTensors(model), random);
  const Quantization& old = model.subgraphs[0].tensors[static_cast<size_t>(tensor)].quantization;
  const double scale = static_cast<double>(old.scale[0]);
  const int64_t zero_point = old.zero_point[0];
  fault.layer = NameOf(model, tensor);
  fault.causes = {fault.kind == FaultKind::kRangeTooNarrow ? Cause::kRangeTooNarrow : Cause::kRangeTooWide};
  if (fault.kind == FaultKind::kRangeTooNarrow) {
    const double factor = random.Uniform(4, 8);
    SetActivationQuantization(model, tensor, static_cast<float>(scale / factor), zero_point);
    fault.truth = fmt::format("the range of '{}' is {:.1f} times too narrow", fault.layer, factor);
    return;
  }
  // The outlier lies above: the upper end moves away, the lower one stays.
  const double factor = random.Uniform(8, 32);
  const double low = static_cast<double>(-128 - zero_point) * scale;
  const double high = static_cast<double>(127 - zero_point) * scale;
  const double wide = (high * factor - low) / 255;
  const double zero = std::clamp(std::nearbyint(-128 - low / wide), -128.0, 127.0);
  SetActivationQuantization(model, tensor, static_cast<float>(wide), static_cast<int64_t>(zero));
  fault.truth = fmt::format("the range of '{}' is {:.1f} times too wide, as if calibration had met an outlier",
                            fault.layer, wide / scale);
}

void PlantCoarseWeights(Random& random, Model& model, PlantedFault& fault) {
  const WeightedLayer layer = Blame(model, random, fault);
  fault.causes = {Cause::kWeightsCoarse, Cause::kWeightsPerTensor};
  const std::vector<float> scales = WeightScales(model, layer);
  const double factor = random.Uniform(6, 30);
  const auto coarse = static_cast<float>(static_cast<double>(*std::max_element(scales.begin(), scales.end())) * factor);
  std::vector<int8_t> weights = Weights(model, layer);
  for (size_t c = 0; c < layer.channels; ++c) {
    for (size_t i = 0; i < layer.per_channel; ++i) {
      int8_t& code = weights[layer.Index(c, i)];
      code = static_cast<int8_t>(
          std::nearbyint(static_cast<double>(code) * static_cast<double>(scales[c]) / static_cast<double>(coarse)));
    }
  }
  SetWeights(model, layer, weights);
  SetWeightScales(model, layer, {coarse});
  fault.truth = fmt::format("the weights of '{}' share one scale that is {:.0f} times too large", fault.layer, factor);
}

void PlantChannelScales(Random& random, Model& model, PlantedFault& fault) {
  const WeightedLayer layer = Blame(model, random, fault);
  fault.causes = {Cause::kWeightChannelScale};
  std::vector<float> scales = WeightScales(model, layer);
  if (random.Chance(0.5)) {
    const size_t first = random.Below(3);
    const double factor = random.Uniform(2.5, 5);
    for (size_t c = first; c < scales.size(); c += 3) {
      scales[c] = static_cast<float>(static_cast<double>(scales[c]) * factor);
    }
    fault.truth = fmt::format("the weight scales of a third of the channels of '{}' are {:.1f} times too large",
                              fault.layer, factor);
  } else {
    const size_t channel = random.Below(scales.size());
    const double factor = random.Uniform(6, 20);
    scales[channel] = static_cast<float>(static_cast<double>(scales[channel]) * factor);
    fault.truth =
        fmt::format("the weight scale of channel {} of '{}' is {:.1f} times too large", channel, fault.layer, factor);
  }
  SetWeightScales(model, layer, scales);
}

void PlantCorruptedWeights(Random& random, Model& model, PlantedFault& fault) {
  const WeightedLayer layer = Blame(model, random, fault);
  fault.causes = {Cause::kWeightsDiffer};
  std::vector<int8_t> weights = Weights(model, layer);
  if (random.Chance(0.5) && !layer.channels_innermost && layer.per_channel > 1) {
    // [inputs, outputs] written where [outputs, inputs] is read.
    const std::vector<int8_t> right = weights;
    for (size_t c = 0; c < layer.channels; ++c) {
      for (size_t i = 0; i < layer.per_channel; ++i) {
        weights[i * layer.channels + c] = right[c * layer.per_channel + i];
      }
    }
    fault.truth = fmt::format("the weights of '{}' are stored transposed", fault.layer);
  } else {
    const size_t begin = random.Below(weights.size() / 2 + 1);
    for (size_t i = begin; i < begin + weights.size() / 2; ++i) {
      weights[i] = static_cast<int8_t>(static_cast<int>(random.Below(255)) - 127);
    }
    fault.truth = fmt::format("half of the weights of '{}' are overwritten with random bytes", fault.layer);
  }
  SetWeights(model, layer, weights);
}

void PlantZeroBias(Random& random, Model& model, PlantedFault& fault) {
  std::vector<WeightedLayer> layers = WeightedLayers(model);
  std::erase_if(layers, [](const WeightedLayer& layer) { return layer.bias == graph::kNoTensor; });
  const WeightedLayer& layer = Choose(layers, random);
  ZeroBias(model, layer);
  fault.causes = {Cause::kBiasDiffers};
  fault.layer = NameOf(model, layer.output);
  fault.truth = fmt::format("'{}' has lost its bias", fault.layer);
}

PlantedFault Draw(Random& random, FaultKind kind, Model model) {
  PlantedFault fault;
  fault.kind = kind;
  fault.preprocess = fault.reference_preprocess = kPreprocess;
  switch (kind) {
    case FaultKind::kInputRange:
      PlantInputRange(random, model, fault);
      break;
    case FaultKind::kInversion:
      PlantInversion(random, fault);
      break;
    case FaultKind::kPicturesTurned:
      PlantTurn(random, model, fault);
      break;
    case FaultKind::kPicturesMoved:
      PlantMove(random, fault);
      break;
    case FaultKind::kLabelShift:
      PlantLabelShift(random, model, fault);
      break;
    case FaultKind::kRangeBlownUp:
    case FaultKind::kRangeTooNarrow:
      PlantRange(random, model, fault);
      break;
    case FaultKind::kWeightsCoarse:
      PlantCoarseWeights(random, model, fault);
      break;
    case FaultKind::kWeightChannels:
      PlantChannelScales(random, model, fault);
      break;
    case FaultKind::kWeightsCorrupted:
      PlantCorruptedWeights(random, model, fault);
      break;
    case FaultKind::kBiasZeroed:
    case FaultKind::kCount:
      PlantZeroBias(random, model, fault);
      break;
  }
  fault.model = std::make_shared<const Model>(std::move(model));
  return fault;
}

// The model's answers.
std::vector<int64_t> Answers(const std::shared_ptr<const Model>& model, std::string_view preprocess,
                             const DigitSet& digits) {
  runtime::Interpreter interpreter(model);
  const Pipeline pipeline = ParsePreprocess(preprocess);
  std::vector<int64_t> answers;
  for (int64_t i = 0; i < digits.count(); ++i) {
    data::Sample sample;
    sample.name = "digit";
    Array pixels(DType::kUInt8, {kDigitSide, kDigitSide});
    std::memcpy(pixels.bytes().data(), digits.images.data() + i * kDigitPixels, kDigitPixels);
    sample.arrays.emplace_back("", std::move(pixels));
    eval::FillInputs(sample, pipeline, interpreter);
    interpreter.Invoke();
    const Array scores = interpreter.Output(0);
    const auto codes = scores.values<int8_t>();
    answers.push_back(std::max_element(codes.begin(), codes.end()) - codes.begin());
  }
  return answers;
}

}  // namespace

std::string_view FaultName(FaultKind kind) {
  static constexpr std::array<std::string_view, static_cast<size_t>(FaultKind::kCount)> kNames = {
      "input range",           "inverted input",    "turned pictures",  "moved pictures",
      "shifted labels",        "range blown up",    "range too narrow", "coarse weights",
      "weight channel scales", "corrupted weights", "bias zeroed"};
  return kNames[static_cast<size_t>(kind)];
}

PlantedFault PlantFault(uint64_t seed, const std::shared_ptr<const Model>& int8_model) {
  const auto kind = static_cast<FaultKind>(seed % static_cast<uint64_t>(FaultKind::kCount));
  const DigitSet digits = GenerateDigits(kProbeSeed, kProbeDigits);
  const std::vector<int64_t> healthy = Answers(int8_model, kPreprocess, digits);
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    Random random(seed, draw);
    PlantedFault fault = Draw(random, kind, *int8_model);
    const DigitSet spoiled = Spoil(fault.data, digits);
    const std::vector<int64_t> sick = Answers(fault.model, fault.preprocess, spoiled);
    int64_t changed = 0, right_before = 0, right_after = 0;
    for (size_t i = 0; i < healthy.size(); ++i) {
      changed += healthy[i] != sick[i];
      right_before += healthy[i] == digits.labels[i];
      right_after += sick[i] == spoiled.labels[i];
    }
    const bool shared = fault.data != DataFault() || fault.reference_preprocess != kPreprocess;
    if (shared ? (right_before - right_after) * 4 >= right_before : changed * 30 >= kProbeDigits) return fault;
  }
  throw Error(ErrorCode::kInternal, fmt::format("no fault of kind '{}' does visible harm", FaultName(kind)));
}

DigitSet Spoil(const DataFault& fault, DigitSet digits) {
  for (uint8_t& label : digits.labels) label = static_cast<uint8_t>((label + fault.label_shift) % kDigitClasses);
  std::vector<uint8_t> spoiled(digits.images.size(), 0);
  for (int64_t i = 0; i < digits.count(); ++i) {
    const uint8_t* from = digits.images.data() + i * kDigitPixels;
    uint8_t* to = spoiled.data() + i * kDigitPixels;
    for (int y = 0; y < kDigitSide; ++y) {
      for (int x = 0; x < kDigitSide; ++x) {
        int from_y = y - fault.move_down, from_x = x - fault.move_right;
        if (from_y < 0 || from_y >= kDigitSide || from_x < 0 || from_x >= kDigitSide) continue;
        if (fault.flip_vertical) from_y = kDigitSide - 1 - from_y;
        if (fault.flip_horizontal) from_x = kDigitSide - 1 - from_x;
        if (fault.transpose) std::swap(from_x, from_y);
        to[y * kDigitSide + x] = from[from_y * kDigitSide + from_x];
      }
    }
  }
  digits.images = std::move(spoiled);
  return digits;
}

bool NamesLayer(const PlantedFault& fault, const compare::CompareResult& result) {
  const compare::Finding& verdict = result.verdict;
  // Of a verdict that blames nothing the layer is only the one that rounds most.
  if (verdict.cause == Cause::kNone || verdict.cause == Cause::kSpread) return false;
  return !fault.layer.empty() && verdict.layer >= 0 &&
         result.layers[static_cast<size_t>(result.verdict.layer)].name == fault.layer;
}

bool NamesKind(const PlantedFault& fault, const compare::CompareResult& result) {
  return std::find(fault.causes.begin(), fault.causes.end(), result.verdict.cause) != fault.causes.end();
}

}  // namespace assay::demo
