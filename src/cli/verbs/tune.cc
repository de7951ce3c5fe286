// assay tune: the search for the quantized models that are worth having.
#include "tune/tune.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/mapped_file.h"
#include "cli/calibrated_request.h"
#include "cli/progress_bar.h"
#include "report/tune_report.h"

namespace assay::cli {
namespace {

struct TuneFlags {
  std::string source, folder, html, prefer = "size", objective = "auto";
  DataFlags data;
  std::optional<uint64_t> max_size;
  std::optional<double> max_latency_us, max_drop;
  double minutes = 3;
  std::optional<size_t> samples, report_samples;
  size_t search_samples = 200;
  uint64_t seed = 0;
  bool json = false;
};

std::optional<tune::Objective> ObjectiveOf(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (name == "top-1") return tune::Objective::kTop1;
  if (name == "agreement") return tune::Objective::kAgreement;
  if (name == "error") return tune::Objective::kError;
  throw UsageError("--objective {}: auto, top-1, agreement or error", name);
}

// Whether `path` is in a folder that may be yet to be made.
bool LiesWithin(const std::filesystem::path& folder, const std::filesystem::path& path) {
  const std::filesystem::path inside = path.lexically_normal().lexically_relative(folder.lexically_normal());
  return !inside.empty() && *inside.begin() != "..";
}

int Tune(const TuneFlags& flags) {
  if (flags.prefer != "size" && flags.prefer != "latency") {
    throw UsageError("--prefer {}: size or latency", flags.prefer);
  }
  const OpenedData data = OpenToCalibrate(flags.data, "tune");
  tune::TuneRequest request;
  FillRequest(flags.source, flags.data, data, flags.seed, request);
  request.folder = flags.folder;
  request.budget = {flags.max_size, flags.max_latency_us, flags.max_drop, flags.prefer == "latency"};
  request.minutes = flags.minutes;
  request.samples = flags.samples;
  request.search_samples = flags.search_samples;
  request.report_samples = flags.report_samples;
  request.label_offset = flags.data.label_offset;
  request.objective = ObjectiveOf(flags.objective);
  if (!flags.html.empty() && !LiesWithin(flags.folder, flags.html)) CheckWritable(flags.html);
  tune::TuneResult result;
  {
    std::string phase;
    std::unique_ptr<ProgressBar> bar;
    request.progress = [&](const std::string& what, size_t done, size_t total) {
      if (phase != what || bar == nullptr) {
        phase = what;
        bar.reset();
        bar = std::make_unique<ProgressBar>(phase);
      }
      bar->Update(done, total);
    };
    request.log = [&](const std::string& line) {
      bar.reset();
      fmt::print(stderr, "{}\n", line);
    };
    result = tune::Tune(request);
  }
  const report::TuneContext context = {flags.source, flags.folder, flags.data.spec, data.pipeline.ToString(),
                                       data.runtime.name};
  if (!flags.html.empty()) WriteFileAtomically(flags.html, report::TuneHtml(context, result));
  Print(flags.json ? report::TuneJson(context, result) : report::TuneText(context, result));
  if (result.within_budget) return 0;
  fmt::print(stderr, "assay: {}\n", result.choice);
  return 1;
}

}  // namespace

void AddTune(CLI::App& app, Action& action) {
  auto flags = std::make_shared<TuneFlags>();
  CLI::App* verb = app.add_subcommand(
      "tune", "Search for the quantized models that are worth having: the front of accuracy, size and time");
  verb->add_option("source", flags->source, "The float model: .tflite, .h5, .keras, SavedModel or frozen .pb")
      ->required();
  verb->add_option("folder", flags->folder, "Where the front's files and the journal are written")->required();
  AddDataFlags(*verb, flags->data);
  verb->add_option("--max-size", flags->max_size, "Choose the most accurate model of at most so many bytes");
  verb->add_option("--max-latency-us", flags->max_latency_us,
                   "Choose the most accurate model whose invoke takes at most so long here, at one thread");
  verb->add_option("--max-drop", flags->max_drop,
                   "Choose the smallest model that loses at most this fraction of the answers (default 0.01)");
  verb->add_option("--prefer", flags->prefer, "With --max-drop: the smallest (size) or the fastest (latency)")
      ->capture_default_str();
  verb->add_option("--objective", flags->objective,
                   "What counts: top-1 (labels), agreement (the float model's answers), error (its outputs), or auto")
      ->capture_default_str();
  verb->add_option("--minutes", flags->minutes, "After so long nothing new is tried")->capture_default_str();
  verb->add_option("--samples", flags->samples, "How many samples calibrate, chosen by the seed (default 100)");
  verb->add_option("--search-samples", flags->search_samples, "At most so many others choose among the candidates")
      ->check(CLI::Range(size_t{1}, size_t{1} << 30U))
      ->capture_default_str();
  verb->add_option("--report-samples", flags->report_samples,
                   "At most so many others measure the front (default 1000, fewer where the model is slow)")
      ->check(CLI::Range(size_t{1}, size_t{1} << 30U));
  verb->add_option("--seed", flags->seed, "Which samples calibrate, choose and report")->capture_default_str();
  verb->add_option("--html", flags->html, "Also write a self-contained HTML report with a picture of the front");
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Tune(*flags); }; });
}

}  // namespace assay::cli
