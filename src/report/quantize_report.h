// What `assay quantize` prints.
#pragma once

#include <cstdint>
#include <string>

#include "quantize/measurement.h"
#include "quantize/quantize.h"

namespace assay::report {

struct QuantizeContext {
  std::string source, destination, scheme, method, data, preprocess, profile;
  uint64_t source_bytes = 0, destination_bytes = 0;  // of the weights in float32, of the file
};

std::string QuantizeText(const QuantizeContext& context, const quantize::QuantizeResult& result,
                         const quantize::Measurement& measurement);
std::string QuantizeJson(const QuantizeContext& context, const quantize::QuantizeResult& result,
                         const quantize::Measurement& measurement);

}  // namespace assay::report
