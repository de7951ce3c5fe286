#include "cli/runtime_flags.h"

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/cli.h"
#include "runtime/delegates/litert.h"

namespace assay::cli {

void AddRuntimeFlags(CLI::App& verb, RuntimeFlags& flags) {
  verb.add_option("--numerics", flags.numerics, NumericsHelp())->capture_default_str();
  verb.add_option("--runtime", flags.runtime, "assay, or litert: the real one, with its default kernels")
      ->capture_default_str();
  verb.add_option("--litert", flags.litert, "The library libLiteRt.so for --runtime litert");
}

OpenedRuntime OpenRuntime(const RuntimeFlags& flags) {
  OpenedRuntime opened;
  opened.profile = &numerics::FindProfile(flags.numerics);
  opened.name = std::string(opened.profile->id);
  if (flags.runtime != "litert" && flags.runtime != "assay") {
    throw UsageError("unknown runtime '{}': assay or litert", flags.runtime);
  }
  if (flags.runtime == "assay") {
    if (!flags.litert.empty()) throw UsageError("--litert needs --runtime litert");
    return opened;
  }
  if (opened.profile != &numerics::DefaultProfile()) {
    throw UsageError("--numerics {}: the runtime litert offers its default kernels only", flags.numerics);
  }
  opened.delegate = runtime::LoadLiteRt(flags.litert);
  opened.name = opened.delegate->Name();
  return opened;
}

}  // namespace assay::cli
