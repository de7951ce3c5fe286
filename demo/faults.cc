#include "demo/faults.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/random.h"
#include "demo/digits.h"
#include "eval/input.h"
#include "runtime/interpreter.h"

namespace assay::demo {
namespace {

using compare::Cause;
using graph::BuiltinOp;

constexpr std::string_view kPlain = "scale=1/255";
constexpr uint64_t kProbeSeed = 77;
constexpr int64_t kProbeDigits = 120;
constexpr int kDraws = 200;

// A copy of the model that is being broken, with the ways to do it.
class Patient {
 public:
  explicit Patient(const graph::Model& model) : model_(model), graph_(model_.subgraphs[0]) {}

  std::shared_ptr<const graph::Model> Done() const { return std::make_shared<const graph::Model>(model_); }

  // Ops with weights and a bias, in the graph's order.
  std::vector<size_t> Layers() const {
    std::vector<size_t> layers;
    for (size_t i = 0; i < graph_.operators.size(); ++i) {
      if (IsLayer(graph_.operators[i])) layers.push_back(i);
    }
    return layers;
  }
  const std::string& OutputName(size_t op) const { return tensor(graph_.operators[op].outputs[0]).name; }

  // The step of an activation becomes `factor` times as long, the end at zero staying where it is. What reads it is
  // made consistent, as a converter that saw this range would have.
  void ScaleActivation(size_t op, double factor) { ScaleTensor(graph_.operators[op].outputs[0], factor); }

  void ZeroBias(size_t op) {
    graph::Tensor& bias = tensor(graph_.operators[op].inputs[2]);
    bias.data = graph::Constant::Own(std::vector<uint8_t>(bias.data->bytes().size(), 0));
  }

  // Every third channel's scale, with a bias that keeps its value.
  void ScaleChannels(size_t op, double factor, size_t first) {
    const graph::Operator& layer = graph_.operators[op];
    graph::Tensor& weights = tensor(layer.inputs[1]);
    std::vector<double> change(weights.quantization.scale.size(), 1.0);
    for (size_t c = first % 3; c < change.size(); c += 3) {
      weights.quantization.scale[c] = static_cast<float>(weights.quantization.scale[c] * factor);
      change[c] = factor;
    }
    RescaleBias(layer, change);
  }

  // All weights on one grid, `factor` times the coarsest channel's step.
  void CoarsenWeights(size_t op, double factor) {
    const graph::Operator& layer = graph_.operators[op];
    graph::Tensor& weights = tensor(layer.inputs[1]);
    auto& scale = weights.quantization.scale;
    const auto step = static_cast<float>(*std::max_element(scale.begin(), scale.end()) * factor);
    const size_t channels = scale.size();
    const auto axis = static_cast<size_t>(weights.quantization.quantized_dimension);
    const auto old = weights.data->bytes();
    std::vector<uint8_t> bytes(old.begin(), old.end());
    // Channels are outermost (dimension 0) or innermost (depthwise).
    const size_t per_channel = channels > 1 && axis == 0 ? bytes.size() / channels : 1;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const size_t c = i / per_channel % channels;
      const double real = static_cast<double>(static_cast<int8_t>(bytes[i])) * static_cast<double>(scale[c]);
      bytes[i] = static_cast<uint8_t>(
          static_cast<int8_t>(std::clamp(std::nearbyint(real / static_cast<double>(step)), -127.0, 127.0)));
    }
    std::vector<double> change(channels);
    for (size_t c = 0; c < channels; ++c) change[c] = static_cast<double>(step) / static_cast<double>(scale[c]);
    std::fill(scale.begin(), scale.end(), step);
    weights.data = graph::Constant::Own(std::move(bytes));
    RescaleBias(layer, change);
  }

  // Rotates the classes of the last layer with weights.
  void ShiftClasses(size_t by) {
    const graph::Operator& layer = graph_.operators[Layers().back()];
    for (const size_t operand : {size_t{1}, size_t{2}}) {
      graph::Tensor& constant = tensor(layer.inputs[operand]);
      const auto old = constant.data->bytes();
      const size_t classes = static_cast<size_t>(constant.shape[0]), row = old.size() / classes;
      std::vector<uint8_t> bytes(old.size());
      for (size_t c = 0; c < classes; ++c)
        std::memcpy(bytes.data() + (c + by) % classes * row, old.data() + c * row, row);
      constant.data = graph::Constant::Own(std::move(bytes));
      for (std::vector<float>* scale : {&constant.quantization.scale}) {
        if (scale->size() == classes)
          std::rotate(scale->rbegin(), scale->rbegin() + static_cast<int64_t>(by), scale->rend());
      }
    }
  }

 private:
  static bool IsLayer(const graph::Operator& op) {
    return (op.code == BuiltinOp::kConv2D || op.code == BuiltinOp::kDepthwiseConv2D ||
            op.code == BuiltinOp::kFullyConnected) &&
           op.inputs.size() == 3 && op.inputs[2] != graph::kNoTensor;
  }
  graph::Tensor& tensor(int32_t index) { return graph_.tensors[static_cast<size_t>(index)]; }
  const graph::Tensor& tensor(int32_t index) const { return graph_.tensors[static_cast<size_t>(index)]; }

  // bias codes / change, so that code * scale stays when the scale of channel c is multiplied by change[c] (one for
  // all, or each).
  void RescaleBias(const graph::Operator& layer, const std::vector<double>& change) {
    graph::Tensor& bias = tensor(layer.inputs[2]);
    std::vector<int32_t> codes(bias.data->bytes().size() / 4);
    std::memcpy(codes.data(), bias.data->bytes().data(), codes.size() * 4);
    for (size_t c = 0; c < codes.size(); ++c) {
      codes[c] = static_cast<int32_t>(std::nearbyint(codes[c] / change[change.size() == 1 ? 0 : c]));
    }
    auto& scale = bias.quantization.scale;
    for (size_t c = 0; c < scale.size(); ++c) {
      scale[c] = static_cast<float>(static_cast<double>(scale[c]) * change[change.size() == 1 ? 0 : c]);
    }
    std::vector<uint8_t> bytes(codes.size() * 4);
    std::memcpy(bytes.data(), codes.data(), bytes.size());
    bias.data = graph::Constant::Own(std::move(bytes));
  }

  void ScaleTensor(int32_t index, double factor) {
    graph::Tensor& changed = tensor(index);
    auto& q = changed.quantization;
    const double step = static_cast<double>(q.scale[0]), low = step * static_cast<double>(-128 - q.zero_point[0]);
    q.scale[0] = static_cast<float>(step * factor);
    q.zero_point[0] =
        std::clamp<int64_t>(static_cast<int64_t>(std::nearbyint(-128 - low / (step * factor))), -128, 127);
    for (const graph::Operator& op : graph_.operators) {
      for (size_t i = 0; i < op.inputs.size(); ++i) {
        if (op.inputs[i] != index) continue;
        if (IsLayer(op)) {
          RescaleBias(op, {factor});
        } else if (op.code == BuiltinOp::kMaxPool2D || op.code == BuiltinOp::kAveragePool2D ||
                   op.code == BuiltinOp::kReshape || op.code == BuiltinOp::kPad) {
          ScaleTensor(op.outputs[0], factor);  // these keep their input's parameters
        }
      }
    }
  }

  graph::Model model_;
  graph::Subgraph& graph_;
};

PlantedFault Draw(Random& random, FaultKind kind, const graph::Model& int8_model) {
  Patient patient(int8_model);
  PlantedFault fault;
  fault.kind = kind;
  fault.preprocess = kPlain;
  const std::vector<size_t> layers = patient.Layers();
  // The last layer's output feeds the scores; its range is left alone.
  const size_t inner = layers[random.Below(layers.size() - 1)];
  const size_t any = layers[random.Below(layers.size())];
  switch (kind) {
    case FaultKind::kInputRange: {
      static constexpr std::string_view kFeeds[] = {"scale=1/127.5,offset=-1", "scale=1", "scale=1/510"};
      fault.preprocess = kFeeds[random.Below(3)];
      fault.truth = fmt::format("the pixels are fed as {} instead of scale=1/255", fault.preprocess);
      break;
    }
    case FaultKind::kInversion:
      fault.preprocess = "scale=-1/255,offset=1";
      fault.truth = "the pixels are inverted";
      break;
    case FaultKind::kLabelShift: {
      const size_t by = 1 + random.Below(9);
      patient.ShiftClasses(by);
      fault.truth = fmt::format("the classes are shifted by {}", by);
      break;
    }
    case FaultKind::kRangeBlownUp: {
      const double factor = random.Uniform(8, 32);
      patient.ScaleActivation(inner, factor);
      fault.layer = patient.OutputName(inner);
      fault.truth = fmt::format("the range of '{}' is {:.1f} times too wide, as if calibration had met an outlier",
                                fault.layer, factor);
      break;
    }
    case FaultKind::kRangeTooNarrow: {
      const double factor = random.Uniform(4, 8);
      patient.ScaleActivation(inner, 1 / factor);
      fault.layer = patient.OutputName(inner);
      fault.truth = fmt::format("the range of '{}' is {:.1f} times too narrow", fault.layer, factor);
      break;
    }
    case FaultKind::kWeightChannels: {
      const double factor = random.Uniform(2.5, 5);
      patient.ScaleChannels(any, factor, random.Below(3));
      fault.layer = patient.OutputName(any);
      fault.truth = fmt::format("the weight scales of a third of the channels of '{}' are {:.1f} times too large",
                                fault.layer, factor);
      break;
    }
    case FaultKind::kWeightsCoarse: {
      const double factor = random.Uniform(12, 40);
      patient.CoarsenWeights(any, factor);
      fault.layer = patient.OutputName(any);
      fault.truth =
          fmt::format("the weights of '{}' share one scale that is {:.0f} times too large", fault.layer, factor);
      break;
    }
    default:
      patient.ZeroBias(any);
      fault.layer = patient.OutputName(any);
      fault.truth = fmt::format("'{}' has lost its bias", fault.layer);
  }
  fault.model = patient.Done();
  return fault;
}

std::vector<int64_t> Answers(const std::shared_ptr<const graph::Model>& model, std::string_view preprocess,
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
  constexpr std::string_view kNames[] = {"input range",    "inverted input",   "shifted labels",
                                         "range blown up", "range too narrow", "weight channel scales",
                                         "coarse weights", "bias zeroed"};
  return kNames[static_cast<size_t>(kind)];
}

PlantedFault PlantFault(uint64_t seed, const std::shared_ptr<const graph::Model>& int8_model) {
  const auto kind = static_cast<FaultKind>(seed % static_cast<uint64_t>(FaultKind::kCount));
  const DigitSet digits = GenerateDigits(kProbeSeed, kProbeDigits);
  const std::vector<int64_t> healthy = Answers(int8_model, kPlain, digits);
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    Random random(seed, draw);
    PlantedFault fault = Draw(random, kind, *int8_model);
    const std::vector<int64_t> sick = Answers(fault.model, fault.preprocess, digits);
    int64_t changed = 0;
    for (size_t i = 0; i < healthy.size(); ++i) changed += healthy[i] != sick[i];
    if (changed * 30 >= kProbeDigits) return fault;
  }
  throw Error(ErrorCode::kInternal, fmt::format("no fault of kind '{}' does visible harm", FaultName(kind)));
}

bool IsNamed(const PlantedFault& fault, const compare::CompareResult& result) {
  const compare::Finding& verdict = result.verdict;
  if (!fault.layer.empty() && verdict.layer >= 0 &&
      result.layers[static_cast<size_t>(verdict.layer)].name == fault.layer)
    return true;
  switch (fault.kind) {
    case FaultKind::kInputRange:
      return verdict.cause == Cause::kInputRange;
    case FaultKind::kInversion:
      return verdict.cause == Cause::kInputInverted;
    case FaultKind::kLabelShift:
      return verdict.cause == Cause::kLabelShift || verdict.cause == Cause::kLabelPermutation;
    case FaultKind::kRangeBlownUp:
      return verdict.cause == Cause::kRangeTooWide;
    case FaultKind::kRangeTooNarrow:
      return verdict.cause == Cause::kRangeTooNarrow;
    case FaultKind::kWeightChannels:
      return verdict.cause == Cause::kWeightChannelScale;
    case FaultKind::kWeightsCoarse:
      return verdict.cause == Cause::kWeightsCoarse || verdict.cause == Cause::kWeightsPerTensor;
    default:
      return verdict.cause == Cause::kBiasDiffers;
  }
}

}  // namespace assay::demo
