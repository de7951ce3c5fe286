// Numbers as sentences and tables write them.
#pragma once

#include <fmt/format.h>

#include <string>

namespace assay::compare {

inline std::string NumberText(double value) { return fmt::format("{:.4g}", value); }

// A share of one as per cent with `digits` decimals.
inline std::string PercentText(double share, int digits) { return fmt::format("{:.{}f} %", 100 * share, digits); }

}  // namespace assay::compare
