// What `assay evaluate` prints.
#pragma once

#include <string>

#include "data/dataset.h"
#include "eval/evaluate.h"

namespace assay::report {

struct EvaluateContext {
  std::string model, data, preprocess, profile;
  const data::Dataset& dataset;
};

std::string EvaluateText(const EvaluateContext& context, const eval::EvaluateResult& result);
std::string EvaluateJson(const EvaluateContext& context, const eval::EvaluateResult& result);

}  // namespace assay::report
