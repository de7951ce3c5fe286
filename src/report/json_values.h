// What JSON has no number for.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

namespace assay::report {

// null for infinities and NaN.
inline nlohmann::ordered_json JsonNumber(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

}  // namespace assay::report
