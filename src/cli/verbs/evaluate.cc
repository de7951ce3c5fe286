// assay evaluate: accuracy of one model over a data set, with confidence intervals.
#include <CLI/CLI.hpp>

#include "cli/cli.h"
#include "cli/data_flags.h"
#include "cli/load_model.h"
#include "cli/progress_bar.h"
#include "report/evaluate_report.h"

namespace assay::cli {
namespace {

struct EvaluateFlags {
  std::string model;
  DataFlags data;
  double min_top1 = -1;
  bool json = false;
};

int Evaluate(const EvaluateFlags& flags) {
  const OpenedData data = Open(flags.data);
  eval::EvaluateRequest request;
  request.model = LoadAndWarn(flags.model);
  request.dataset = data.dataset.get();
  request.pipeline = data.pipeline;
  request.options.profile = data.runtime.profile;
  request.options.delegate = data.runtime.delegate;
  request.options.cancelled = &Interrupted();
  request.threads = data.threads;
  request.label_offset = flags.data.label_offset;
  request.skip_bad = flags.data.skip_bad;
  eval::EvaluateResult result;
  {
    ProgressBar bar("evaluate");
    request.progress = [&bar](size_t done, size_t total) { bar.Update(done, total); };
    result = eval::Evaluate(request);
  }
  for (const std::string& message : result.skip_messages) fmt::print(stderr, "assay: skipped {}\n", message);
  const report::EvaluateContext context = {flags.model, flags.data.spec, data.pipeline.ToString(), data.runtime.name,
                                           *data.dataset};
  Print(flags.json ? report::EvaluateJson(context, result) : report::EvaluateText(context, result));
  if (flags.min_top1 >= 0 && result.top1.accuracy < flags.min_top1) {
    fmt::print(stderr, "assay: top-1 {:.4f} is below --min-top1 {}\n", result.top1.accuracy, flags.min_top1);
    return 1;
  }
  return 0;
}

}  // namespace

void AddEvaluate(CLI::App& app, Action& action) {
  auto flags = std::make_shared<EvaluateFlags>();
  CLI::App* verb =
      app.add_subcommand("evaluate", "Measure a model's accuracy on labelled data, with confidence intervals");
  verb->add_option("model", flags->model, "The .tflite file")->required();
  AddDataFlags(*verb, flags->data);
  verb->add_option("--min-top1", flags->min_top1, "Exit code 1 when top-1 is below this fraction")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Evaluate(*flags); }; });
}

}  // namespace assay::cli
