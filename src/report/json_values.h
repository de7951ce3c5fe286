// Values that several reports write in the same way.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

#include "eval/statistics.h"

namespace assay::report {

// null for infinities and NaN.
inline nlohmann::ordered_json JsonNumber(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

inline nlohmann::ordered_json ProportionJson(const eval::Proportion& p) {
  return {{"correct", p.correct}, {"accuracy", p.accuracy}, {"low", p.low}, {"high", p.high}};
}

}  // namespace assay::report
