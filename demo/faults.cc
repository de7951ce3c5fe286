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

void PlantInputRange(Random& random, Model& model, PlantedFault& fault) {
  static constexpr std::array<std::string_view, 6> kWrong = {
      "scale=1",      "scale=1/127.5,offset=-1", "scale=1/255,mean=0.1307,std=0.3081", "scale=1/510",
      "scale=1/1024", "scale=1/255,offset=-0.5"};
  const uint64_t choice = random.Below(kWrong.size() + 1);
  if (choice < kWrong.size()) {
    fault.place = FaultPlace::kPreprocessing;
    fault.preprocess = kWrong[choice];
    fault.truth = fmt::format("the pixels are fed as {} instead of {}", fault.preprocess, kPreprocess);
    return;
  }
  // Calibrated on raw pixels: the input's step is 1, and pictures from 0 to 1 have two values left.
  const int32_t input = model.subgraphs[0].inputs[0];
  SetActivationQuantization(model, input, 1.0F, -128);
  fault.layer = NameOf(model, input);
  fault.truth = "the input was calibrated on 0 to 255, but is fed 0 to 1";
}

void PlantInversion(Random& random, PlantedFault& fault) {
  if (random.Chance(0.5)) {
    fault.place = FaultPlace::kPreprocessing;
    fault.preprocess = "scale=-1/255,offset=1";
    fault.truth = "the pixels are inverted";
  } else {
    fault.place = FaultPlace::kData;
    fault.invert_pictures = true;
    fault.truth = "the data set's pictures are inverted, for both models";
  }
}

void PlantGeometry(Random& random, Model& model, PlantedFault& fault) {
  const uint64_t choice = random.Below(6);
  if (choice < 2) {
    fault.place = FaultPlace::kData;
    fault.transpose_pictures = choice == 0;
    fault.flip_pictures = choice == 1;
    fault.truth = fmt::format("the data set's pictures are {}, for both models",
                              choice == 0 ? "transposed" : "flipped left to right");
    return;
  }
  PictureOp picture;
  std::string what;
  if (choice == 2) {
    picture.kind = PictureOp::Kind::kTranspose;
    what = "transposes";
  } else if (choice == 3) {
    picture.kind = PictureOp::Kind::kFlipVertical;
    what = "turns upside down";
  } else if (choice == 4) {
    picture.kind = PictureOp::Kind::kFlipHorizontal;
    what = "flips left to right";
  } else {
    picture.kind = PictureOp::Kind::kShift;
    picture.right = 3 + static_cast<int32_t>(random.Below(4));
    picture.down = 3 + static_cast<int32_t>(random.Below(4));
    what = fmt::format("moves by {} pixels to the right and {} down", picture.right, picture.down);
  }
  PrependPictureOp(model, picture);
  fault.truth = fmt::format("the int8 model's first op {} what it is fed", what);
}

void PlantLabelShift(Random& random, Model& model, PlantedFault& fault) {
  const int by = 1 + static_cast<int>(random.Below(kDigitClasses - 1));
  if (random.Chance(0.3)) {
    fault.place = FaultPlace::kData;
    fault.label_shift = by;
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
  fault.layer = NameOf(model, layer.output);
  fault.truth = fmt::format("'{}' has lost its bias", fault.layer);
}

PlantedFault Draw(Random& random, FaultKind kind, Model model) {
  PlantedFault fault;
  fault.kind = kind;
  fault.preprocess = kPreprocess;
  switch (kind) {
    case FaultKind::kInputRange:
      PlantInputRange(random, model, fault);
      break;
    case FaultKind::kInversion:
      PlantInversion(random, fault);
      break;
    case FaultKind::kGeometry:
      PlantGeometry(random, model, fault);
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

// The model's answers, counted from the labels: a digit that is read rightly gives 0.
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
    const int64_t answer = std::max_element(codes.begin(), codes.end()) - codes.begin();
    answers.push_back((answer - digits.labels[static_cast<size_t>(i)] + kDigitClasses) % kDigitClasses);
  }
  return answers;
}

}  // namespace

std::string_view FaultName(FaultKind kind) {
  static constexpr std::array<std::string_view, static_cast<size_t>(FaultKind::kCount)> kNames = {
      "input range",      "inverted input", "picture geometry",      "shifted labels",    "range blown up",
      "range too narrow", "coarse weights", "weight channel scales", "corrupted weights", "bias zeroed"};
  return kNames[static_cast<size_t>(kind)];
}

PlantedFault PlantFault(uint64_t seed, const std::shared_ptr<const Model>& int8_model) {
  const auto kind = static_cast<FaultKind>(seed % static_cast<uint64_t>(FaultKind::kCount));
  const DigitSet digits = GenerateDigits(kProbeSeed, kProbeDigits);
  const std::vector<int64_t> healthy = Answers(int8_model, kPreprocess, digits);
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    Random random(seed, draw);
    PlantedFault fault = Draw(random, kind, *int8_model);
    const std::vector<int64_t> sick = Answers(fault.model, fault.preprocess, fault.Apply(digits));
    int64_t changed = 0;
    for (size_t i = 0; i < healthy.size(); ++i) changed += healthy[i] != sick[i];
    if (changed * 30 >= kProbeDigits) return fault;
  }
  throw Error(ErrorCode::kInternal, fmt::format("no fault of kind '{}' does visible harm", FaultName(kind)));
}

DigitSet PlantedFault::Apply(DigitSet digits) const {
  for (uint8_t& label : digits.labels) label = static_cast<uint8_t>((label + label_shift) % kDigitClasses);
  if (invert_pictures) {
    for (uint8_t& pixel : digits.images) pixel = static_cast<uint8_t>(255 - pixel);
  }
  for (int64_t i = 0; i < digits.count(); ++i) {
    uint8_t* picture = digits.images.data() + i * kDigitPixels;
    for (int y = 0; y < kDigitSide && transpose_pictures; ++y) {
      for (int x = 0; x < y; ++x) std::swap(picture[y * kDigitSide + x], picture[x * kDigitSide + y]);
    }
    for (int y = 0; y < kDigitSide && flip_pictures; ++y) {
      std::reverse(picture + y * kDigitSide, picture + (y + 1) * kDigitSide);
    }
  }
  return digits;
}

bool IsNamed(const PlantedFault& fault, const compare::CompareResult& result) {
  const compare::Finding& verdict = result.verdict;
  if (!fault.layer.empty() && verdict.layer >= 0 &&
      result.layers[static_cast<size_t>(verdict.layer)].name == fault.layer) {
    return true;
  }
  const auto is = [&verdict](std::initializer_list<Cause> causes) {
    return std::find(causes.begin(), causes.end(), verdict.cause) != causes.end();
  };
  switch (fault.kind) {
    case FaultKind::kInputRange:
      return is({Cause::kInputRange});
    case FaultKind::kInversion:
      return is({Cause::kInputInverted});
    case FaultKind::kGeometry:
      // Of ops that only one side has it is enough to say that they are there.
      return is({Cause::kInputTransposed, Cause::kInputFlipped, Cause::kInputRotated, Cause::kInputShifted}) ||
             (fault.place == FaultPlace::kModel && is({Cause::kGraphDiffers}));
    case FaultKind::kLabelShift:
      return is({Cause::kLabelShift, Cause::kLabelPermutation});
    case FaultKind::kRangeBlownUp:
      return is({Cause::kRangeTooWide});
    case FaultKind::kRangeTooNarrow:
      return is({Cause::kRangeTooNarrow});
    case FaultKind::kWeightsCoarse:
      return is({Cause::kWeightsCoarse, Cause::kWeightsPerTensor});
    case FaultKind::kWeightChannels:
      return is({Cause::kWeightChannelScale});
    case FaultKind::kWeightsCorrupted:
      return is({Cause::kWeightsDiffer});
    case FaultKind::kBiasZeroed:
    case FaultKind::kCount:
      return is({Cause::kBiasDiffers});
  }
  return false;
}

}  // namespace assay::demo
