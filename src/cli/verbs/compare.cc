// assay compare: two models, or a model and a dump of its tensors, on the same inputs.
#include "compare/compare.h"

#include <CLI/CLI.hpp>

#include "base/mapped_file.h"
#include "cli/cli.h"
#include "cli/data_flags.h"
#include "cli/heap.h"
#include "cli/load_model.h"
#include "cli/progress_bar.h"
#include "convert/load_model.h"
#include "report/compare_report.h"

namespace assay::cli {
namespace {

struct CompareFlags {
  std::string reference, model, html;
  std::string reference_runtime;  // empty: the model's
  std::string reference_preprocess;
  bool has_reference_preprocess = false;  // an empty one counts
  DataFlags data;
  std::optional<size_t> layer_samples;
  size_t exchanged_layers = compare::CompareRequest().exchanged_layers;
  uint64_t seed = 0;
  double max_drop = -1;
  bool json = false;
};

// A dump is a ZIP file, and so are the models that Keras 3 saves.
bool IsDump(const std::string& path) {
  if (convert::KindOf(path) != convert::FileKind::kTflite) return false;
  const auto file = MappedFile::Open(path);
  const auto bytes = file->bytes();
  return bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == 3 && bytes[3] == 4;
}

compare::Side OpenSide(const std::string& path, const Pipeline& pipeline) {
  compare::Side side;
  side.path = path;
  side.pipeline = pipeline;
  if (IsDump(path)) {
    side.dump = ReadNpz(path);
  } else {
    side.model = LoadAndWarn(path);
  }
  return side;
}

// What computes each side. One model alone stands on both: computed by the real LiteRT, then by our kernels.
struct Runtimes {
  RuntimeFlags reference, model;
};
Runtimes RuntimesOf(const CompareFlags& flags) {
  Runtimes runtimes = {flags.data.runtime, flags.data.runtime};
  if (!flags.reference_runtime.empty()) {
    runtimes.reference.runtime = flags.reference_runtime;
  } else if (flags.model.empty() && flags.data.runtime.runtime == "litert") {
    runtimes.model.runtime = "assay";
  }
  if (runtimes.reference.runtime == runtimes.model.runtime) return runtimes;
  // The library and the profile are meant for the side that has a use for them.
  for (RuntimeFlags* side : {&runtimes.reference, &runtimes.model}) {
    if (side->runtime == "assay") {
      side->litert.clear();
    } else {
      side->numerics = RuntimeFlags().numerics;
    }
  }
  return runtimes;
}

int Compare(const CompareFlags& flags) {
  const std::string& model = flags.model.empty() ? flags.reference : flags.model;
  const Runtimes runtimes = RuntimesOf(flags);
  CheckRuntimeName(runtimes.reference.runtime);
  CheckRuntimeName(runtimes.model.runtime);
  if (flags.model.empty() && runtimes.reference.runtime == runtimes.model.runtime) {
    throw UsageError("compare needs two models, or --runtime litert: one model in LiteRT and with assay's kernels");
  }
  if (!flags.data.spec.empty() && (IsDump(flags.reference) || IsDump(model))) {
    throw UsageError("a dump brings its own inputs: leave --data away");
  }
  if (flags.model.empty() && IsDump(model)) throw UsageError("{}: is a dump; compare it with a model", model);
  if (flags.max_drop >= 0 && flags.data.spec.empty()) throw UsageError("--max-drop needs --data with labels");
  DataFlags data_flags = flags.data;
  data_flags.runtime = runtimes.model;
  const OpenedData data = Open(data_flags);
  const bool alike = runtimes.reference.runtime == runtimes.model.runtime;
  const OpenedRuntime reference_runtime = alike ? data.runtime : OpenRuntime(runtimes.reference);
  const Pipeline reference_pipeline =
      flags.has_reference_preprocess ? ParsePreprocess(flags.reference_preprocess) : data.pipeline;
  compare::CompareRequest request;
  request.reference = OpenSide(flags.reference, reference_pipeline);
  request.reference.delegate = reference_runtime.delegate;
  if (model == flags.reference && !alike) {
    request.model = request.reference;
    request.model.pipeline = data.pipeline;
  } else {
    request.model = OpenSide(model, data.pipeline);
  }
  request.model.delegate = data.runtime.delegate;
  request.dataset = data.dataset.get();
  request.options.profile = data.runtime.delegate == nullptr ? data.runtime.profile : reference_runtime.profile;
  request.options.cancelled = &Interrupted();
  request.threads = data.threads;
  request.label_offset = flags.data.label_offset;
  request.skip_bad = flags.data.skip_bad;
  request.layer_samples = flags.layer_samples;
  request.exchanged_layers = flags.exchanged_layers;
  request.seed = flags.seed;
  if (!flags.html.empty()) CheckWritable(flags.html);
  KeepFreedMemory();
  compare::CompareResult result;
  {
    std::string phase;
    std::unique_ptr<ProgressBar> bar;
    request.progress = [&](const char* what, size_t done, size_t total) {
      if (phase != what) {
        phase = what;
        bar.reset();
        bar = std::make_unique<ProgressBar>(phase);
      }
      bar->Update(done, total);
    };
    result = compare::Compare(request);
  }
  if (result.accuracy.has_value()) {
    for (const std::string& message : result.accuracy->reference.skip_messages) {
      fmt::print(stderr, "assay: skipped {}\n", message);
    }
  }
  const report::CompareContext context = {flags.reference,
                                          model,
                                          flags.data.spec,
                                          reference_pipeline.ToString(),
                                          data.pipeline.ToString(),
                                          request.reference.is_dump() ? data.runtime.name : reference_runtime.name,
                                          request.model.is_dump() ? reference_runtime.name : data.runtime.name};
  if (!flags.html.empty()) WriteFileAtomically(flags.html, report::CompareHtml(context, result));
  Print(flags.json ? report::CompareJson(context, result) : report::CompareText(context, result));
  if (flags.max_drop < 0) return 0;
  if (!result.accuracy.has_value())
    throw UsageError("--max-drop needs --data with labels: {}", result.accuracy_missing);
  const double drop = -result.accuracy->difference.difference;
  if (drop <= flags.max_drop) return 0;
  fmt::print(stderr, "assay: top-1 drops by {:.4f}, more than --max-drop {}\n", drop, flags.max_drop);
  return 1;
}

}  // namespace

void AddCompare(CLI::App& app, Action& action) {
  auto flags = std::make_shared<CompareFlags>();
  CLI::App* verb = app.add_subcommand(
      "compare", "Compare two models on the same data, layer by layer, and name what loses the accuracy");
  verb->add_option("reference", flags->reference, "The .tflite file that is right, or an .npz of run --all-tensors")
      ->required();
  verb->add_option(
      "model", flags->model,
      "The .tflite file in question, or an .npz of run --all-tensors; none with --runtime litert: the same, "
      "with assay's kernels");
  AddDataFlags(*verb, flags->data, /*data_is_required=*/false);
  const CLI::Option* reference_preprocess =
      verb->add_option("--reference-preprocess", flags->reference_preprocess,
                       "Steps for the reference, where they differ from --preprocess");
  verb->add_option("--reference-runtime", flags->reference_runtime,
                   "What computes the reference, where it differs from --runtime: assay or litert");
  verb->add_option(
          "--exchange", flags->exchanged_layers,
          "How many layers, the most suspicious first, are computed in float to see what comes back; 0 is fastest")
      ->capture_default_str();
  verb->add_option("--layer-samples", flags->layer_samples,
                   "Samples for the comparison layer by layer (default 128; down to 16 where tensors are large)")
      ->check(CLI::Range(1, 100000));
  verb->add_option("--seed", flags->seed, "Seed of random inputs, where there are no data")->capture_default_str();
  verb->add_option("--max-drop", flags->max_drop, "Exit code 1 when top-1 drops by more than this fraction")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_option("--html", flags->html, "Also write a self-contained HTML report");
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, reference_preprocess, &action] {
    flags->has_reference_preprocess = reference_preprocess->count() > 0;
    action = [flags] { return Compare(*flags); };
  });
}

}  // namespace assay::cli
