// What `assay convert` prints.
#pragma once

#include <optional>
#include <string>

#include "convert/convert.h"
#include "convert/verify.h"
#include "passes/half_weights.h"

namespace assay::report {

struct ConvertContext {
  std::string source, destination;
  uint64_t source_bytes = 0, destination_bytes = 0;
  double seconds = 0;
  bool list_layers = false;
  std::optional<passes::HalfWeights> half;
  std::optional<convert::Verification> verification;
  std::string verification_missing;  // why there is none
  std::optional<convert::Expectation> expectation;
  double max_difference = 0;  // that --expect allows
};

std::string ConvertText(const ConvertContext& context, const convert::Conversion& conversion);
std::string ConvertJson(const ConvertContext& context, const convert::Conversion& conversion);

}  // namespace assay::report
