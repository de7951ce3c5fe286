// Any bytes: a model that can be read is prepared and invoked once, under a profile that its size picks, and ends in a
// result or an error that is not ours.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "format/tflite/reader.h"
#include "numerics/profile.h"
#include "runtime/run_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Small enough that the slowest operator over the largest tensors takes well under a second.
  constexpr assay::tflite::Limits kLimits = {
      .max_subgraphs = 16, .max_tensors = 200, .max_operators = 100, .max_elements = 1 << 12, .max_calls = 100};
  const assay::numerics::Profile* profiles[] = {&assay::numerics::FindProfile("reference"),
                                                &assay::numerics::FindProfile("builtin"),
                                                &assay::numerics::FindProfile("xnnpack")};
  assay::runtime::RunRequest request;
  request.options.profile = profiles[size % 3];
  request.options.limits = {.max_tensor_bytes = 1 << 18, .max_total_bytes = 1 << 24, .max_loop_trips = 4};
  request.all_tensors = size % 2 == 1;
  try {
    assay::runtime::RunModel(assay::tflite::ReadModel({data, size}, nullptr, "fuzzed", kLimits), request);
  } catch (const assay::Error& error) {
    if (error.code() == assay::ErrorCode::kInternal) {
      std::fprintf(stderr, "%s\n", error.what());
      std::abort();
    }
  }
  return 0;
}
