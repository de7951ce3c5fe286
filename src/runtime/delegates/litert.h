// The real LiteRT, loaded at run time: its compiled-model C interface of release 2.3, on the CPU with its default
// kernels (XNNPACK's, and its built-in ones where XNNPACK does not take an op).
#pragma once

#include <memory>
#include <string>

#include "runtime/delegate.h"

namespace assay::runtime {

// Loads libLiteRt.so: `path` where it is not empty, else what the environment variable ASSAY_LITERT names, else
// ai_edge_litert's of the active Python environment (VIRTUAL_ENV, CONDA_PREFIX, python3 on the PATH). Throws InputError
// where there is none, or it has another interface.
std::shared_ptr<const Delegate> LoadLiteRt(const std::string& path);

}  // namespace assay::runtime
