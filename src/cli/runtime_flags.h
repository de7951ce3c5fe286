// What computes: our kernels under a numerics profile, or another runtime.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "numerics/profile.h"
#include "runtime/delegate.h"

namespace CLI {
class App;
}

namespace assay::cli {

struct RuntimeFlags {
  std::string numerics = "xnnpack", runtime = "assay", litert;
  std::string packed_cache;  // a file; empty: none
};

void AddRuntimeFlags(CLI::App& verb, RuntimeFlags& flags);

// Throws UsageError where it is neither assay nor litert.
void CheckRuntimeName(std::string_view name);

struct OpenedRuntime {
  const numerics::Profile* profile = nullptr;         // of our kernels, and of the shapes in any case
  std::shared_ptr<const runtime::Delegate> delegate;  // null: our kernels
  std::string name;                                   // what results are recorded under
};

// Throws UsageError where a name is unknown or two flags contradict each other, InputError where the library is
// missing.
OpenedRuntime OpenRuntime(const RuntimeFlags& flags);

// Writes what was packed to the file of --packed-cache, where there is one. That it cannot be written, or was damaged,
// is said on stderr and changes no result.
void SavePackedCache();

}  // namespace assay::cli
