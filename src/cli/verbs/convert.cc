// assay convert: a trained model of another framework into a .tflite file.
#include "convert/convert.h"

#include <malloc.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "base/mapped_file.h"
#include "cli/cli.h"
#include "convert/load_model.h"
#include "convert/verify.h"
#include "format/keras/lower.h"
#include "format/tflite/reader.h"
#include "format/tflite/writer.h"
#include "numerics/profile.h"
#include "report/convert_report.h"

namespace assay::cli {
namespace {

struct ConvertFlags {
  std::string source, destination, batch = "dynamic", expect, signature;
  std::vector<std::string> input_shapes, input_arrays, output_arrays, no_passes;
  bool float16 = false, list_passes = false, list_layers = false, layers = false, json = false;
  int verify = 1;
  double max_difference = 1e-5;
};

// NAME=1,224,224,3, or the numbers alone where there is one input. A first number below 1, or ?, leaves the batch open.
std::pair<std::string, std::vector<int32_t>> ParseShape(const std::string& text) {
  const size_t equals = text.rfind('=');
  const std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
  std::string rest = equals == std::string::npos ? text : text.substr(equals + 1);
  std::vector<int32_t> dims;
  while (true) {
    const size_t comma = rest.find(',');
    const std::string part = rest.substr(0, comma);
    char* end = nullptr;
    const long value = std::strtol(part.c_str(), &end, 10);
    const bool is_open = dims.empty() && (part == "?" || part == "-1");
    if (!is_open && (part.empty() || *end != 0 || value < 1 || value > (1 << 24))) {
      throw UsageError("--input-shape {}: expected NAME=1,224,224,3", text);
    }
    dims.push_back(is_open ? -1 : static_cast<int32_t>(value));
    if (comma == std::string::npos) break;
    rest = rest.substr(comma + 1);
  }
  return {name, dims};
}

std::string PassList() {
  std::string text;
  for (const passes::PassInfo& pass : passes::AllPasses()) {
    text += fmt::format("{:<22} {}\n{:<22} changes in the numbers: {}\n", pass.name, pass.what, "", pass.effect);
  }
  return text;
}

int Convert(const ConvertFlags& flags) {
  if (flags.list_passes) {
    Print(PassList());
    return 0;
  }
  if (flags.list_layers) {
    for (const auto& [name, ops] : keras::KnownLayers()) Print(fmt::format("{}\t{}\n", name, ops));
    return 0;
  }
  if (flags.source.empty() || flags.destination.empty()) throw UsageError("convert needs SOURCE and DESTINATION");
  convert::ConvertRequest request;
  request.source = flags.source;
  request.signature = flags.signature;
  request.input_arrays = flags.input_arrays;
  request.output_arrays = flags.output_arrays;
  request.keep_unsimplified = flags.verify > 0;
  for (const std::string& name : flags.no_passes) request.without_passes.insert(name);
  for (const std::string& text : flags.input_shapes) {
    auto [name, dims] = ParseShape(text);
    if (!request.input_shapes.emplace(name, dims).second) throw UsageError("--input-shape names '{}' twice", name);
  }
  if (flags.batch != "dynamic") {
    char* end = nullptr;
    const long batch = std::strtol(flags.batch.c_str(), &end, 10);
    if (flags.batch.empty() || *end != 0 || batch < 1 || batch > 65536) {
      throw UsageError("--batch {}: expected dynamic or a number", flags.batch);
    }
    request.batch = static_cast<int32_t>(batch);
  }
#ifdef __GLIBC__
  // What is freed goes back at once: whole models come and go here.
  ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
  report::ConvertContext context;
  context.source = flags.source;
  context.destination = flags.destination;
  context.list_layers = flags.layers;
  context.max_difference = flags.max_difference;
  const NamedArrays expected = flags.expect.empty() ? NamedArrays() : ReadNpz(flags.expect);
  CheckWritable(flags.destination);
  const auto start = std::chrono::steady_clock::now();
  convert::Conversion conversion = convert::Convert(request);
  if (flags.float16) context.half = passes::StoreWeightsAsHalf(conversion.model);
  context.destination_bytes = tflite::WriteModel(conversion.model, flags.destination);
  context.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  int code = 0;
  if (flags.verify > 0 || !flags.expect.empty()) {
    const auto written = tflite::ReadModel(flags.destination);
    const numerics::Profile& profile = numerics::DefaultProfile();
    if (flags.verify > 0) {
      try {
        context.verification =
            convert::VerifyPasses(conversion.unsimplified, written, flags.verify, profile, &Interrupted());
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kInput) throw;
        context.verification_missing = error.what();
      }
    }
    if (!flags.expect.empty()) {
      context.expectation =
          InContext([&] { return flags.expect; },
                    [&] { return convert::CheckExpectation(written, expected, profile, &Interrupted()); });
    }
  }
  Print(flags.json ? report::ConvertJson(context, conversion) : report::ConvertText(context, conversion));
  // Weights rounded to half move every value; that is what was asked for.
  constexpr double kLost = 1e-3;
  if (context.verification.has_value() && !flags.float16 && !(context.verification->worst.relative <= kLost)) {
    fmt::print(stderr, "assay: the written file deviates by {:.2e} of the range from the source at {}\n",
               context.verification->worst.relative, context.verification->worst.tensor);
    code = 1;
  }
  if (context.expectation.has_value() && !(context.expectation->relative <= flags.max_difference)) {
    fmt::print(stderr, "assay: the outputs differ from the expected ones by {:.2e} of their range, more than {}\n",
               context.expectation->relative, flags.max_difference);
    code = 1;
  }
  return code;
}

}  // namespace

void AddConvert(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ConvertFlags>();
  CLI::App* verb = app.add_subcommand("convert",
                                      "Convert a trained model (.h5, .keras, SavedModel, frozen .pb, float .tflite) to "
                                      "a simplified float .tflite file");
  verb->add_option("source", flags->source,
                   "The .h5 or .keras file, the folder of a SavedModel, a frozen .pb or a float .tflite");
  verb->add_option("destination", flags->destination, "The .tflite file to write");
  verb->add_option("--input-shape", flags->input_shapes,
                   "NAME=1,224,224,3: an input's shape with the batch (repeatable)");
  verb->add_option(
          "--input-arrays", flags->input_arrays,
          "NODE,NODE:1,...: nodes of a TensorFlow graph to take for the inputs; what computes them is left out")
      ->delimiter(',');
  verb->add_option("--output-arrays", flags->output_arrays,
                   "NODE,...: nodes of a TensorFlow graph to take for the outputs")
      ->delimiter(',');
  verb->add_option("--signature", flags->signature, "Which signature of a SavedModel, where it has several");
  verb->add_option("--batch", flags->batch, "dynamic, or the batch's size")->capture_default_str();
  verb->add_flag("--float16", flags->float16, "Store weights as float16");
  verb->add_option("--verify", flags->verify, "Random inputs to verify with, in double precision; 0: none")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  verb->add_option("--expect", flags->expect, "FILE.npz with inputs x and the source framework's predictions y");
  verb->add_option("--max-difference", flags->max_difference,
                   "Exit code 1 when outputs differ from --expect by more than this fraction of their range")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  verb->add_option("--no-pass", flags->no_passes, "Leave out this simplification (repeatable)");
  verb->add_flag("--list-passes", flags->list_passes, "List the simplifications and what each may change");
  verb->add_flag("--list-layers", flags->list_layers, "List the layers of Keras that are known and what they become");
  verb->add_flag("--layers", flags->layers, "List every layer with the ops that it became");
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Convert(*flags); }; });
}

}  // namespace assay::cli
