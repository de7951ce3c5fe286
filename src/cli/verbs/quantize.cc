// assay quantize: a float model into a quantized .tflite file.
#include "quantize/quantize.h"

#include <CLI/CLI.hpp>

#include "base/mapped_file.h"
#include "cli/calibrated_request.h"
#include "cli/progress_bar.h"
#include "format/tflite/writer.h"
#include "quantize/measurement.h"
#include "report/quantize_report.h"

namespace assay::cli {
namespace {

struct QuantizeFlags {
  std::string source, destination, scheme, weights = "int8", input_type = "float32", output_type = "float32",
                                           calibration = "minmax", bias_correction = "analytic";
  DataFlags data;
  size_t samples = 100, report_samples = 500;
  uint64_t seed = 0;
  int32_t block_size = 0;
  bool until_settled = false, per_tensor = false, per_tensor_dense = false, float_fallback = false, equalize = false,
       no_bias_correction = false, absorb_bias = false, adaround = false, clip_weights = false, split_outputs = false,
       like_tensorflow = false, json = false;
  std::vector<std::string> float_ops, float_tensors, calibration_for;
};

DType InterfaceType(const std::string& flag, const std::string& name) {
  for (const DType type : {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16}) {
    if (DTypeName(type) == name) return type;
  }
  if (name == "float16") {
    throw UsageError("{} float16: TFLite's runtimes take no float16 inputs or outputs beside integer ops", flag);
  }
  throw UsageError("{} {}: one of float32, int8, uint8, int16", flag, name);
}

uint64_t FloatBytes(const graph::Model& model) {
  uint64_t bytes = 0;
  for (const graph::Subgraph& graph : model.subgraphs) {
    for (const graph::Tensor& tensor : graph.tensors) {
      if (tensor.dtype == DType::kFloat32 && tensor.data.has_value()) bytes += tensor.data->bytes().size();
    }
  }
  return bytes;
}

int Quantize(const QuantizeFlags& flags) {
  quantize::QuantizeRequest request;
  const quantize::NamedScheme named = quantize::SchemeFromName(flags.scheme);
  request.scheme = named.scheme;
  if (flags.weights != "int8" && flags.weights != "int4") throw UsageError("--weights {}: int8 or int4", flags.weights);
  request.weights = flags.weights == "int4" ? DType::kInt4 : named.weights;
  request.block_size = flags.block_size;
  request.input_type = InterfaceType("--input-type", flags.input_type);
  request.output_type = InterfaceType("--output-type", flags.output_type);
  request.method = quantize::ParseCalibrationMethod(flags.calibration);
  for (const std::string& one : flags.calibration_for) {
    const size_t equals = one.rfind('=');  // names may hold it, methods do not
    if (equals == std::string::npos || equals == 0) throw UsageError("--calibration-for {}: expected NAME=METHOD", one);
    request.method_for.emplace_back(one.substr(0, equals), quantize::ParseCalibrationMethod(one.substr(equals + 1)));
  }
  request.until_settled = flags.until_settled;
  const OpenedData data = OpenToCalibrate(flags.data, "quantize");
  FillRequest(flags.source, flags.data, data, flags.seed, request);
  request.per_channel = !flags.per_tensor;
  request.per_channel_dense = !flags.per_tensor_dense;
  request.like_tensorflow = flags.like_tensorflow;
  request.equalize = flags.equalize;
  request.bias_correction = !flags.no_bias_correction && !flags.like_tensorflow && flags.bias_correction != "none";
  request.empirical_bias = flags.bias_correction == "empirical";
  request.absorb_bias = flags.absorb_bias;
  request.adaround = flags.adaround;
  request.clip_weights = flags.clip_weights;
  request.split_outputs = flags.split_outputs;
  request.float_fallback = flags.float_fallback;
  request.float_ops = flags.float_ops;
  request.float_tensors = flags.float_tensors;
  request.samples = flags.samples;
  CheckWritable(flags.destination);
  quantize::QuantizeResult result;
  {
    ProgressBar bar("calibrate");
    request.progress = [&bar](size_t done, size_t total) { bar.Update(done, total); };
    result = quantize::Quantize(request);
  }
  for (const std::string& warning : result.warnings) fmt::print(stderr, "assay: {}\n", warning);
  quantize::MeasurementRequest measure;
  measure.before = request.model;
  measure.after = std::make_shared<const graph::Model>(result.model);
  measure.evaluate.dataset = request.scheme == quantize::Scheme::kInterface ? nullptr : request.dataset;
  measure.calibrated_with = result.calibrated_with;
  measure.count = flags.report_samples;
  measure.seed = flags.seed;
  measure.evaluate.pipeline = request.pipeline;
  measure.evaluate.options = request.options;
  measure.evaluate.threads = request.threads;
  measure.evaluate.label_offset = flags.data.label_offset;
  quantize::Measurement measurement;
  if (flags.report_samples > 0) {
    ProgressBar bar("measure");
    measure.evaluate.progress = [&bar](size_t done, size_t total) { bar.Update(done, total); };
    measurement = quantize::Measure(measure);
  } else {
    measurement.missing = "--report-samples 0";
  }
  if (Interrupted()) throw Error(ErrorCode::kInterrupted, "interrupted");
  report::QuantizeContext context;
  context.destination_bytes = tflite::WriteModel(result.model, flags.destination);
  context.source = flags.source;
  context.destination = flags.destination;
  context.scheme = flags.scheme;
  context.method = request.method.ToString();
  context.data = flags.data.spec;
  context.preprocess = data.pipeline.ToString();
  context.profile = data.runtime.name;
  context.source_bytes = FloatBytes(*request.model);
  Print(flags.json ? report::QuantizeJson(context, result, measurement)
                   : report::QuantizeText(context, result, measurement));
  return 0;
}

}  // namespace

void AddQuantize(CLI::App& app, Action& action) {
  auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* verb = app.add_subcommand("quantize", "Quantize a float model as TFLite's specification says");
  verb->add_option("source", flags->source, "The float model: .tflite, .h5, .keras, SavedModel or frozen .pb")
      ->required();
  verb->add_option("destination", flags->destination, "The .tflite file to write")->required();
  verb->add_option("--scheme", flags->scheme,
                   "dynamic, weight-only, float16, int8, int16x8, int4 (dynamic with --weights int4), or interface: "
                   "only the types of inputs and outputs "
                   "of a quantized model")
      ->required();
  verb->add_option("--weights", flags->weights, "int8, or int4 (dynamic, weight-only and int8)")->capture_default_str();
  verb->add_option(
      "--block-size", flags->block_size,
      "With dynamic and int4: FULLY_CONNECTED has a scale for every so many weights of a row (32, 64, ...)");
  AddDataFlags(*verb, flags->data, false);
  verb->add_option("--samples", flags->samples, "How many samples calibrate, chosen by the seed")
      ->capture_default_str();
  verb->add_option("--report-samples", flags->report_samples,
                   "Labelled samples, apart from those, to measure accuracy on before and after; 0: none")
      ->capture_default_str();
  verb->add_option("--seed", flags->seed, "Which samples calibrate")->capture_default_str();
  verb->add_option("--calibration", flags->calibration,
                   "How ranges follow from samples: minmax, moving-average[:0.9], percentile[:99.99], mse, entropy")
      ->capture_default_str();
  verb->add_option("--calibration-for", flags->calibration_for,
                   "NAME=METHOD: the same for the tensor of this name (repeatable)");
  verb->add_flag("--until-settled", flags->until_settled,
                 "Stop calibrating where the last 64 samples widened no range by more than 1 %");
  verb->add_option("--input-type", flags->input_type, "float32, int8, uint8 or int16")->capture_default_str();
  verb->add_option("--output-type", flags->output_type, "float32, int8, uint8 or int16")->capture_default_str();
  verb->add_flag("--per-tensor", flags->per_tensor, "One scale for all of an op's weights instead of one per channel");
  verb->add_flag("--per-tensor-dense", flags->per_tensor_dense, "The same for FULLY_CONNECTED alone");
  verb->add_flag("--equalize", flags->equalize, "Move channels' scales between neighbouring layers first");
  verb->add_flag("--absorb-bias", flags->absorb_bias,
                 "Hand what a channel always exceeds to the next layer's bias, so that its tensor needs less range");
  verb->add_option("--bias-correction", flags->bias_correction,
                   "analytic: from the calibrated means; empirical: layer by layer on what the quantized layers before "
                   "hand on; none")
      ->check(CLI::IsMember({"analytic", "empirical", "none"}))
      ->capture_default_str();
  verb->add_flag("--no-bias-correction", flags->no_bias_correction,
                 "Leave biases as they are, whatever rounded weights do to the mean of a layer's result");
  verb->add_flag("--adaround", flags->adaround,
                 "Round the weights of a layer together, on the samples, so that their errors cancel");
  verb->add_flag("--clip-weights", flags->clip_weights,
                 "Search narrower scales for weights: clip the largest where the error is less");
  verb->add_flag("--split-outputs", flags->split_outputs,
                 "Give parts of an output with very different ranges scales of their own, and join them as floats");
  verb->add_flag("--like-tensorflow", flags->like_tensorflow,
                 "Take ranges as TensorFlow's calibrator does, too wide ones included");
  verb->add_flag("--float-fallback", flags->float_fallback, "Leave ops float that cannot take the scheme");
  verb->add_option("--float-op", flags->float_ops, "Leave ops of this name float, e.g. SOFTMAX (repeatable)");
  verb->add_option("--float-tensor", flags->float_tensors,
                   "Leave the op float whose result has this name (repeatable)");
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Quantize(*flags); }; });
}

}  // namespace assay::cli
