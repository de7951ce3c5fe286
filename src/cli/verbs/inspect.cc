// assay inspect: what a model holds, costs and needs, without running it.
#include <CLI/CLI.hpp>

#include "base/mapped_file.h"
#include "cli/cli.h"
#include "cli/load_model.h"
#include "numerics/profile.h"
#include "report/inspect_report.h"
#include "runtime/inspect_model.h"

namespace assay::cli {
namespace {

struct InspectFlags {
  std::string model, graph, numerics = "xnnpack";
  bool json = false;
};

int Inspect(const InspectFlags& flags) {
  runtime::InterpreterOptions options;
  options.profile = &numerics::FindProfile(flags.numerics);
  options.cancelled = &Interrupted();
  const auto model = LoadAndWarn(flags.model);
  const runtime::ModelFacts facts = runtime::InspectModel(model, options);
  if (!flags.graph.empty()) WriteFileAtomically(flags.graph, report::InspectSvg(flags.model, facts));
  Print(flags.json ? report::InspectJson(flags.model, facts) : report::InspectText(flags.model, facts));
  return 0;
}

}  // namespace

void AddInspect(CLI::App& app, Action& action) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* verb =
      app.add_subcommand("inspect", "Say what a model holds: inputs, quantization, every op, its cost and memory");
  verb->add_option("model", flags->model, "The .tflite file")->required();
  verb->add_option("--numerics", flags->numerics, NumericsHelp())->capture_default_str();
  verb->add_option("--graph", flags->graph, "Also draw the graph into this .svg file");
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Inspect(*flags); }; });
}

}  // namespace assay::cli
