#include "quantize/quantize.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "base/shuffle.h"
#include "base/version.h"
#include "eval/input.h"
#include "graph/verifier.h"
#include "passes/dequantize_graph.h"
#include "passes/half_weights.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "quantize/adaptive_rounding.h"
#include "quantize/assignment.h"
#include "quantize/blockwise.h"
#include "quantize/calibration.h"
#include "quantize/corrections.h"
#include "quantize/input_check.h"
#include "quantize/integer_model.h"
#include "quantize/interface_types.h"
#include "quantize/op_rules.h"
#include "quantize/output_splitting.h"
#include "quantize/weight_schemes.h"
#include "quantize/weighted_layer.h"
#include "quantize/wide_ops.h"

namespace assay::quantize {
namespace {

struct SchemeRow {
  Scheme scheme;
  std::string_view name;
};
constexpr SchemeRow kSchemes[] = {
    {Scheme::kDynamic, "dynamic"}, {Scheme::kFloat16, "float16"},        {Scheme::kInt8, "int8"},
    {Scheme::kInt16x8, "int16x8"}, {Scheme::kWeightOnly, "weight-only"}, {Scheme::kInterface, "interface"},
};

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

std::string Place(const graph::Subgraph& graph, size_t op) {
  return fmt::format("op {} {}", op, graph.operators[op].Name());
}

// A model that holds integers in place of reals was quantized before.
void CheckIsFloat(const graph::Model& model) {
  for (const graph::Subgraph& graph : model.subgraphs) {
    for (const graph::Tensor& tensor : graph.tensors) {
      if (tensor.blockwise.has_value()) {
        throw InputError("{}: is quantized already: tensor '{}' has a scale for every block of {}", model.source,
                         graph::Printable(tensor.name), tensor.blockwise->block_size);
      }
      if (!IsQuantizedInteger(tensor.dtype) || !tensor.quantization.is_quantized()) continue;
      throw InputError("{}: is quantized already: tensor '{}' is {} with a scale of {}", model.source,
                       graph::Printable(tensor.name), DTypeName(tensor.dtype), tensor.quantization.scale[0]);
    }
    for (const graph::Operator& op : graph.operators) {
      if (op.code == graph::BuiltinOp::kFakeQuant) {
        throw InputError("{}: holds FAKE_QUANT ops, which say ranges of their own; they are not read yet",
                         model.source);
      }
    }
  }
}

// Weights that are no numbers have no scale.
void CheckConstants(const graph::Model& model) {
  const graph::Subgraph& graph = model.subgraphs[0];
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    const OpRule* rule = FindOpRule(op);
    if (rule == nullptr) continue;
    for (const int32_t t : op.inputs) {
      if (t == graph::kNoTensor) continue;
      const graph::Tensor& tensor = passes::TensorAt(graph, t);
      if (tensor.dtype != DType::kFloat32 || !tensor.data.has_value()) continue;
      if (tensor.sparsity.has_value()) {
        throw InputError("{}: {}: '{}' is stored sparsely, which cannot be quantized", model.source, Place(graph, i),
                         graph::Printable(tensor.name));
      }
      const bool may_be_infinite = rule->output == OutputScale::kSame;  // a padding of the lowest value
      InContext([&] { return fmt::format("{}: {}", model.source, Place(graph, i)); },
                [&] { CheckNumbers(*passes::FloatValues(graph, t), tensor.name, may_be_infinite); });
    }
  }
}

OpForm FormOf(const QuantizeRequest& request, size_t op) {
  return op < request.forms.size() ? request.forms[op] : OpForm::kScheme;
}

std::vector<bool> AskedToStayFloat(const QuantizeRequest& request) {
  const graph::Subgraph& graph = request.model->subgraphs[0];
  std::vector<bool> keep(graph.operators.size());
  for (size_t i = 0; i < keep.size(); ++i) {
    const OpForm form = FormOf(request, i);
    keep[i] = form == OpForm::kFloat || form == OpForm::kInt16x8;  // the latter is float until WidenOps
  }
  const auto mark = [&](const std::string& wanted, const char* flag, const auto& matches) {
    bool found = false;
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      if (!matches(graph.operators[i])) continue;
      keep[i] = true;
      found = true;
    }
    if (!found) throw UsageError("{} {}: the model has none", flag, wanted);
  };
  for (const std::string& name : request.float_ops) {
    mark(name, "--float-op", [&](const graph::Operator& op) { return op.Name() == name; });
  }
  for (const std::string& name : request.float_tensors) {
    mark(name, "--float-tensor", [&](const graph::Operator& op) {
      return std::any_of(op.outputs.begin(), op.outputs.end(),
                         [&](int32_t t) { return t != graph::kNoTensor && passes::TensorAt(graph, t).name == name; });
    });
  }
  return keep;
}

void CheckTypes(const QuantizeRequest& request) {
  if (request.adaround && !NeedsSamples(request.scheme)) {
    throw UsageError("--adaround: scheme {} looks at no samples; int8 and int16x8 do", SchemeName(request.scheme));
  }
  if (request.split_outputs) {
    if (!NeedsSamples(request.scheme)) {
      throw UsageError("--split-outputs: scheme {} gives outputs no scale", SchemeName(request.scheme));
    }
    if (request.output_type != DType::kFloat32) {
      throw UsageError("--split-outputs joins outputs as float32: --output-type {} would give them one scale again",
                       DTypeName(request.output_type));
    }
  }
  if (request.until_settled && !NeedsSamples(request.scheme)) {
    throw UsageError("--until-settled: scheme {} looks at no samples; int8 and int16x8 do", SchemeName(request.scheme));
  }
  if (request.clip_weights && (request.scheme == Scheme::kFloat16 || request.scheme == Scheme::kInterface)) {
    throw UsageError("--clip-weights: scheme {} gives weights no scale", SchemeName(request.scheme));
  }
  const auto asks = [&](OpForm form) {
    return std::find(request.forms.begin(), request.forms.end(), form) != request.forms.end();
  };
  if (request.scheme != Scheme::kInt8 && (asks(OpForm::kInt16x8) || asks(OpForm::kInt4))) {
    throw UsageError("ops in int16x8 or with int4 weights stand among int8 ones: scheme {} has none",
                     SchemeName(request.scheme));
  }
  if (request.weights == DType::kInt4 && (request.scheme == Scheme::kFloat16 || request.scheme == Scheme::kInt16x8)) {
    throw UsageError("--weights int4: scheme {} stores weights in {}", SchemeName(request.scheme),
                     request.scheme == Scheme::kFloat16 ? "float16" : "int8");
  }
  if (request.block_size != 0) {
    if (request.scheme != Scheme::kDynamic || request.weights != DType::kInt4) {
      throw UsageError("--block-size {}: TFLite's runtimes take blocks with --scheme dynamic --weights int4 alone",
                       request.block_size);
    }
    if (request.block_size < kLeastBlock || request.block_size % kLeastBlock != 0) {
      throw UsageError("--block-size {}: a multiple of {}, which XNNPACK asks for", request.block_size, kLeastBlock);
    }
  }
  for (const auto& [flag, type] :
       {std::pair("--input-type", request.input_type), std::pair("--output-type", request.output_type)}) {
    if (type == DType::kFloat32) continue;
    if (request.scheme == Scheme::kInterface) continue;
    if (!NeedsSamples(request.scheme)) {
      throw UsageError("{} {}: scheme {} computes in float32 between float32 inputs and outputs", flag, DTypeName(type),
                       SchemeName(request.scheme));
    }
    const bool is_wide = request.scheme == Scheme::kInt16x8;
    if (is_wide != (type == DType::kInt16)) {
      throw UsageError("{} {}: scheme {} takes float32{}", flag, DTypeName(type), SchemeName(request.scheme),
                       is_wide ? " and int16" : ", int8 and uint8");
    }
  }
}

void AddMetadata(const QuantizeRequest& request, QuantizeResult& result) {
  if (request.scheme == Scheme::kInterface) return;  // what quantized it stays said
  nlohmann::ordered_json json;
  json["program"] = fmt::format("assay {}", kVersion);
  json["source"] = request.model->source;
  json["scheme"] = SchemeName(request.scheme);
  json["weights"] = DTypeName(request.weights);
  json["per_channel"] = request.per_channel;
  json["per_channel_dense"] = request.per_channel_dense;
  json["clip_weights"] = request.clip_weights;
  if (request.block_size > 0) json["block_size"] = request.block_size;
  if (NeedsSamples(request.scheme)) {
    nlohmann::ordered_json method_for = nlohmann::ordered_json::object();
    for (const auto& [name, method] : request.method_for) method_for[name] = method.ToString();
    json["calibration"] = {
        {"method", request.method.ToString()},
        {"method_for", std::move(method_for)},
        {"data", request.data_spec},
        {"preprocess", request.preprocess.empty() ? request.pipeline.ToString() : request.preprocess},
        {"samples", result.calibrated_with.size()},
        {"samples_asked_for", request.samples},
        {"until_settled", request.until_settled},
        {"seed", request.seed},
        {"like_tensorflow", request.like_tensorflow},
        {"equalize", request.equalize},
        {"bias_correction", request.bias_correction},
        {"empirical_bias", request.empirical_bias},
        {"absorb_bias", request.absorb_bias},
        {"adaround", request.adaround},
        {"split_outputs", request.split_outputs},
        {"numerics", request.options.profile->id}};
    json["input_type"] = DTypeName(request.input_type);
    json["output_type"] = DTypeName(request.output_type);
  }
  json["float_ops"] = result.float_ops.size();
  const std::string text = json.dump();
  graph::Metadata metadata;
  metadata.name = "ASSAY_QUANTIZATION";
  metadata.data = graph::Constant::Own({text.begin(), text.end()});
  std::erase_if(result.model.metadata, [&](const graph::Metadata& m) { return m.name == metadata.name; });
  result.model.metadata.push_back(std::move(metadata));
}

[[noreturn]] void ThrowStaysFloat(const QuantizeRequest& request, size_t op, std::string_view reason) {
  throw InputError("{}: {} {}; --float-fallback leaves such ops float", request.model->source,
                   Place(request.model->subgraphs[0], op), reason);
}

// Chooses the weights' codes layer by layer, or the biases alone. By op: whether its bias was corrected.
std::vector<bool> Round(const QuantizeRequest& request, const Calibration& calibration, AssignmentOptions& options,
                        QuantizeResult& result) {
  const auto start = std::chrono::steady_clock::now();
  RoundingRequest rounding;
  rounding.dataset = request.dataset;
  rounding.samples = result.calibrated_with;
  rounding.pipeline = request.pipeline;
  rounding.options = request.options;
  rounding.threads = request.threads;
  rounding.seed = request.seed;
  rounding.search_scale = request.clip_weights;
  rounding.biases_only = !request.adaround;
  rounding.progress = request.progress;
  rounding.quantize = [&](const graph::Model& model, const ChosenCodes& chosen) {
    graph::Model quantized = model;
    AssignmentOptions with = options;
    with.chosen = chosen;
    MakeIntegerModel(quantized, Assign(model.subgraphs[0], calibration.ranges, with), {});
    return quantized;
  };
  const graph::Subgraph& graph = result.model.subgraphs[0];
  const Assignment nearest = Assign(graph, calibration.ranges, options);
  std::vector<RoundingLayer> layers;
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    if (!nearest.is_integer[i] || !IsWeightedOp(op.code)) continue;
    const std::optional<Codes>& codes = nearest.tensors[static_cast<size_t>(op.inputs[1])].codes;
    if (passes::IsFloatConstant(graph, op.inputs[1]) && codes.has_value()) {
      layers.push_back({static_cast<int32_t>(i), *codes});
    }
  }
  const RoundingStats stats = RoundAdaptively(result.model, layers, rounding, options.chosen);
  result.rounded_layers = stats.layers;
  result.rounded_weights = stats.weights;
  result.moved_weights = stats.moved;
  result.narrowed_scales = stats.narrowed;
  result.rounding_seconds = Seconds(start);
  result.corrected_biases = static_cast<int>(std::count(stats.corrected.begin(), stats.corrected.end(), true));
  return stats.corrected;
}

DType ActivationsOf(Scheme scheme) { return scheme == Scheme::kInt16x8 ? DType::kInt16 : DType::kInt8; }

// What needs no samples to fail fails before they are run.
void CheckIntegers(const QuantizeRequest& request, const std::vector<bool>& keep_float) {
  if (request.dataset == nullptr) {
    throw UsageError("--scheme {} needs samples: give --data", SchemeName(request.scheme));
  }
  if (request.dataset->size() == 0) throw InputError("{}: has no samples to calibrate with", request.data_spec);
  if (request.samples == 0) throw UsageError("--samples 0: calibration needs samples");
  eval::CheckPipeline(request.pipeline, *request.dataset);
  CheckConstants(*request.model);
  const graph::Subgraph& source = request.model->subgraphs[0];
  for (size_t i = 0; i < source.operators.size() && !request.float_fallback; ++i) {
    const std::string_view reason = WhyNotInteger(source, source.operators[i], ActivationsOf(request.scheme));
    if (!reason.empty() && !keep_float[i]) ThrowStaysFloat(request, i, reason);
  }
}

CalibrationRequest CalibrationOf(const QuantizeRequest& request) {
  CalibrationRequest calibrate;
  calibrate.model = request.model;
  calibrate.dataset = request.dataset;
  calibrate.samples = ChooseSamples(request.dataset->size(), request.samples, request.seed);
  calibrate.pipeline = request.pipeline;
  calibrate.options = request.options;
  calibrate.threads = request.threads;
  calibrate.progress = request.progress;
  calibrate.method = request.method;
  calibrate.method_for = request.method_for;
  calibrate.until_settled = request.until_settled;
  // A folder's samples lie class by class.
  if (request.until_settled) {
    Random random(request.seed, 1);
    ShuffleFirst(calibrate.samples, calibrate.samples.size(), random);
  }
  calibrate.levels = request.scheme == Scheme::kInt16x8 ? 65536 : 256;
  calibrate.channels = request.equalize || request.bias_correction || request.absorb_bias || request.split_outputs;
  return calibrate;
}

// The ranges of the float model in `result`, which corrections that change them may rewrite.
Calibration CalibrateCorrected(const QuantizeRequest& request, QuantizeResult& result) {
  const auto start = std::chrono::steady_clock::now();
  const graph::Subgraph& source = request.model->subgraphs[0];
  CalibrationRequest calibrate = CalibrationOf(request);
  const auto run = [&] { return request.calibrate ? request.calibrate(calibrate) : Calibrate(calibrate); };
  Calibration calibration = run();
  if (request.until_settled) {
    result.settled = calibration.settled && calibration.samples < calibrate.samples.size();
    // What runs again runs with the same.
    calibrate.samples.resize(calibration.samples);
    calibrate.until_settled = false;
  }
  std::vector<std::string> dull = WarnOfDullInputs(source, calibration);
  if (request.equalize) {
    const EqualizeStats stats = Equalize(
        result.model.subgraphs[0], calibration,
        {.per_channel = request.per_channel, .per_channel_dense = request.per_channel && request.per_channel_dense});
    result.equalized_pairs = stats.pairs;
    result.equalized_channels = stats.channels;
    CheckConstants(result.model);
    calibrate.model = std::make_shared<const graph::Model>(result.model);
    calibration = run();
  }
  if (request.absorb_bias) {
    const AbsorbStats stats = AbsorbBiases(result.model.subgraphs[0], calibration);
    result.absorbed_layers = stats.layers;
    result.absorbed_channels = stats.channels;
    calibrate.model = std::make_shared<const graph::Model>(result.model);
    if (stats.layers > 0) calibration = run();
  }
  if (request.like_tensorflow) WidenLikeTensorFlow(source, calibration.ranges);
  result.calibrated_with = std::move(calibrate.samples);
  std::sort(result.calibrated_with.begin(), result.calibrated_with.end());
  result.calibration_seconds = Seconds(start);
  result.warnings = calibration.warnings;
  std::move(dull.begin(), dull.end(), std::back_inserter(result.warnings));
  return calibration;
}

void QuantizeToIntegers(const QuantizeRequest& request, std::vector<bool> keep_float, QuantizeResult& result) {
  CheckIntegers(request, keep_float);
  Calibration calibration = CalibrateCorrected(request, result);
  std::vector<int32_t> origin(request.model->subgraphs[0].operators.size());
  std::iota(origin.begin(), origin.end(), 0);
  const std::vector<bool> asked = keep_float;
  if (request.split_outputs) {
    SplitOutputs split = SplitStarvedOutputs(result.model.subgraphs[0], calibration, keep_float);
    result.joins_left_float = split.joins;
    result.split_layers = split.layers;
    result.split_parts = split.parts;
    origin = std::move(split.origin);
    keep_float = std::move(split.stays_float);
  }
  SeparateConstants(result.model.subgraphs[0]);
  const auto form_of = [&](size_t op) { return FormOf(request, static_cast<size_t>(origin[op])); };
  AssignmentOptions options;
  options.activations = ActivationsOf(request.scheme);
  options.weights = request.weights;
  options.per_channel = request.per_channel;
  options.per_channel_dense = request.per_channel && request.per_channel_dense;
  options.keep_float = keep_float;
  options.clip_weights = request.clip_weights && !request.adaround;  // which searches scales itself
  for (size_t i = 0; i < origin.size(); ++i) options.int4_ops.push_back(form_of(i) == OpForm::kInt4);
  std::vector<bool> corrected;
  const bool empirical = request.bias_correction && request.empirical_bias;
  if (request.adaround || empirical) corrected = Round(request, calibration, options, result);
  const Assignment assignment = Assign(result.model.subgraphs[0], calibration.ranges, options);
  if (request.bias_correction) {
    result.corrected_biases += CorrectBiases(result.model.subgraphs[0], assignment, calibration, corrected);
  }
  result.widened_for_bias = assignment.widened_for_bias;
  result.narrowed_scales += assignment.narrowed;
  std::vector<int32_t> wide;
  const graph::Subgraph& ready = result.model.subgraphs[0];
  for (size_t i = 0; i < origin.size(); ++i) {
    const graph::Operator& op = ready.operators[i];
    if (form_of(i) == OpForm::kInt16x8) wide.push_back(op.outputs.at(0));
    const std::string& reason = assignment.float_reason[i];
    if (reason.empty() || form_of(i) == OpForm::kInt16x8) continue;
    const auto index = static_cast<size_t>(origin[i]);
    if (!request.float_fallback && !keep_float[i]) ThrowStaysFloat(request, index, reason);
    const bool has_result = !op.outputs.empty() && op.outputs[0] != graph::kNoTensor;
    result.float_ops.push_back(
        {origin[i], std::string(op.Name()), has_result ? passes::TensorAt(ready, op.outputs[0]).name : "",
         keep_float[i] && !asked[index] ? "holds parts of an output with scales of their own" : reason});
  }
  const IntegerModelStats stats = MakeIntegerModel(result.model, assignment, {request.input_type, request.output_type});
  result.integer_ops = stats.integer_ops;
  result.quantize_ops = stats.quantize_ops;
  result.dequantize_ops = stats.dequantize_ops;
  if (!wide.empty()) {
    const IntegerModelStats more = WidenOps(result.model, wide, calibration, options, request.bias_correction);
    result.integer_ops += more.integer_ops;
    result.quantize_ops += more.quantize_ops;
    result.dequantize_ops += more.dequantize_ops;
  }
}

// A file that no runtime would take must not be written: the plain kernels' conditions are checked here.
void CheckRuns(const graph::Model& model) {
  runtime::InterpreterOptions options;
  options.profile = &numerics::FindProfile("reference");
  options.plan_only = true;
  InContext([] { return "the quantized model"; },
            [&] { runtime::Interpreter(std::make_shared<const graph::Model>(model), options).AllocateTensors(); });
}

}  // namespace

NamedScheme SchemeFromName(std::string_view name) {
  constexpr std::string_view kInt4 = "int4";
  if (name == kInt4) return {Scheme::kDynamic, DType::kInt4};
  std::vector<std::string_view> known;
  for (const SchemeRow& row : kSchemes) {
    if (row.name == name) return {row.scheme, DType::kInt8};
    known.push_back(row.name);
  }
  known.push_back(kInt4);  // last: of names that are as near the first is proposed
  throw UsageError("unknown scheme '{}'{}: one of {}", name, NearestHint(name, known.data(), known.size()),
                   fmt::join(known, ", "));
}

std::string_view SchemeName(Scheme scheme) {
  for (const SchemeRow& row : kSchemes) {
    if (row.scheme == scheme) return row.name;
  }
  ASSAY_CHECK(false);
}

bool NeedsSamples(Scheme scheme) { return scheme == Scheme::kInt8 || scheme == Scheme::kInt16x8; }

std::vector<size_t> ChooseSamples(size_t size, size_t count, uint64_t seed) {
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t{0});
  if (count >= size) return order;
  Random random(seed);
  ShuffleFirst(order, count, random);
  order.resize(count);
  std::sort(order.begin(), order.end());
  return order;
}

QuantizeResult Quantize(const QuantizeRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  CheckTypes(request);
  if (request.scheme != Scheme::kInterface) CheckIsFloat(*request.model);
  if (request.model->has_unknown_fields) {
    throw InputError("{}: holds what only a newer version of the format knows; rewriting would lose that",
                     request.model->source);
  }
  const std::vector<bool> keep_float = AskedToStayFloat(request);
  QuantizeResult result;
  result.model = *request.model;
  switch (request.scheme) {
    case Scheme::kWeightOnly:
    case Scheme::kDynamic: {
      WeightOptions options;
      options.weights = request.weights;
      options.dequantize = request.scheme == Scheme::kWeightOnly;
      options.per_channel = request.per_channel;
      options.clip_weights = request.clip_weights;
      options.keep_float = keep_float;
      options.block_size = request.block_size;
      WeightStats stats;
      InContext([&] { return request.model->source; }, [&] { stats = QuantizeWeights(result.model, options); });
      result.weights = stats.quantized;
      result.weights_too_small = stats.too_small;
      result.narrowed_scales = stats.narrowed;
      result.weights_in_blocks = stats.blockwise;
      if (request.block_size > 0 && stats.blockwise == 0) {
        throw InputError(
            "{}: --block-size {}: no FULLY_CONNECTED has {} constant weights or more in rows of a multiple of {}, and "
            "no "
            "other op takes blocks",
            request.model->source, request.block_size, options.min_elements, request.block_size);
      }
      break;
    }
    case Scheme::kFloat16: {
      const passes::HalfWeights half = passes::StoreWeightsAsHalf(result.model);
      result.weights = half.constants;
      result.weights_beyond_half = half.kept;
      break;
    }
    case Scheme::kInterface:
      ChangeInterfaceTypes(result.model, {request.input_type, request.output_type});
      break;
    case Scheme::kInt8:
    case Scheme::kInt16x8:
      QuantizeToIntegers(request, keep_float, result);
      break;
  }
  for (graph::Subgraph& graph : result.model.subgraphs) {
    passes::PassContext context{result.model, graph};
    passes::RemoveDead(context);
  }
  if (request.half_constants && NeedsSamples(request.scheme)) passes::StoreWeightsAsHalf(result.model);
  AddMetadata(request, result);
  graph::Verify(result.model);
  CheckRuns(result.model);
  result.seconds = Seconds(start);
  return result;
}

}  // namespace assay::quantize
