// The activations inside of recurrent ops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace assay::kernels::ref {

enum class RecurrentActivation : uint8_t { kNone, kRelu, kRelu6, kTanh, kLogistic };

inline float Activate(RecurrentActivation activation, float x) noexcept {
  switch (activation) {
    case RecurrentActivation::kNone:
      return x;
    case RecurrentActivation::kRelu:
      return std::max(x, 0.0F);
    case RecurrentActivation::kRelu6:
      return std::min(std::max(x, 0.0F), 6.0F);
    case RecurrentActivation::kTanh:
      return std::tanh(x);
    case RecurrentActivation::kLogistic:
      return 1.0F / (1.0F + std::exp(-x));
  }
  return x;
}

}  // namespace assay::kernels::ref
