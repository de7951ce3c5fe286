// The models that the program carries: the demo's pair and twenty small pairs, float and int8.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace assay::demo {

struct EmbeddedPair {
  std::string_view name;  // "digits", "variant07"
  std::span<const uint8_t> float_model, int8_model;
};

// The demo's own pair first.
std::span<const EmbeddedPair> EmbeddedPairs();

}  // namespace assay::demo
