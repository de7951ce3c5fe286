// What the verbs that quantize take from the command line alike.
#pragma once

#include <string>
#include <string_view>

#include "cli/cli.h"
#include "cli/data_flags.h"
#include "cli/load_model.h"

namespace assay::cli {

// Open, for a `verb` that computes with assay's kernels and does without no sample.
OpenedData OpenToCalibrate(const DataFlags& flags, std::string_view verb);

// The members that quantize::QuantizeRequest and tune::TuneRequest share. `data` has to outlive the request.
template <typename Request>
void FillRequest(const std::string& source, const DataFlags& flags, const OpenedData& data, uint64_t seed,
                 Request& request) {
  request.model = LoadAndWarn(source);
  request.dataset = data.dataset.get();
  request.data_spec = flags.spec;
  request.pipeline = data.pipeline;
  request.seed = seed;
  request.options.profile = data.runtime.profile;
  request.options.cancelled = &Interrupted();
  request.threads = data.threads;
}

}  // namespace assay::cli
