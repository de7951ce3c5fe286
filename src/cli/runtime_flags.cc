#include "cli/runtime_flags.h"

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/cli.h"
#include "ops/packed_cache.h"
#include "runtime/delegates/litert.h"

namespace assay::cli {

void AddRuntimeFlags(CLI::App& verb, RuntimeFlags& flags) {
  verb.add_option("--numerics", flags.numerics, NumericsHelp())->capture_default_str();
  verb.add_option("--runtime", flags.runtime, "assay, or litert: the real one, with its default kernels")
      ->capture_default_str();
  verb.add_option("--litert", flags.litert, "The library libLiteRt.so for --runtime litert");
  verb.add_option("--packed-cache", flags.packed_cache,
                  "A file to keep packed weights in from run to run, for all models; made where it is missing");
}

void CheckRuntimeName(std::string_view name) {
  if (name != "litert" && name != "assay") throw UsageError("unknown runtime '{}': assay or litert", name);
}

OpenedRuntime OpenRuntime(const RuntimeFlags& flags) {
  CheckRuntimeName(flags.runtime);
  OpenedRuntime opened;
  opened.profile = &numerics::FindProfile(flags.numerics);
  opened.name = std::string(opened.profile->id);
  ops::PackedCache& cache = ops::PackedCache::Global();
  if (!flags.packed_cache.empty() && cache.file() == nullptr) {
    cache.UseFile(std::make_shared<ops::PackedFile>(flags.packed_cache));
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

void SavePackedCache() {
  const std::shared_ptr<ops::PackedFile> file = ops::PackedCache::Global().file();
  if (file == nullptr) return;
  if (!file->warning().empty()) fmt::print(stderr, "assay: {}\n", file->warning());
  try {
    file->Save();
  } catch (const Error& error) {
    fmt::print(stderr, "assay: packed weights are not kept: {}\n", error.what());
  }
}

}  // namespace assay::cli
