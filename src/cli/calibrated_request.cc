#include "cli/calibrated_request.h"

#include "base/error.h"

namespace assay::cli {

OpenedData OpenToCalibrate(const DataFlags& flags, std::string_view verb) {
  if (flags.skip_bad) {
    throw UsageError("--skip-bad: {} needs every sample that it chooses; name the bad ones with evaluate", verb);
  }
  OpenedData data = Open(flags);
  if (data.runtime.delegate != nullptr) {
    throw UsageError("{} computes with assay's kernels: leave --runtime away", verb);
  }
  return data;
}

}  // namespace assay::cli
