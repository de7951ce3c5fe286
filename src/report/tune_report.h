// What `assay tune` prints and draws.
#pragma once

#include <string>

#include "tune/tune.h"

namespace assay::report {

struct TuneContext {
  std::string source, folder, data, preprocess, profile;
};

std::string TuneText(const TuneContext& context, const tune::TuneResult& result);
std::string TuneJson(const TuneContext& context, const tune::TuneResult& result);
std::string TuneHtml(const TuneContext& context, const tune::TuneResult& result);

// "dynamic (TensorFlow's default) is dominated by ..."
std::string DominanceText(const tune::TuneResult& result, const tune::Dominance& dominance);

// "top-1", "agreement with float" or "SQNR".
const char* ObjectiveName(tune::Objective objective);

}  // namespace assay::report
