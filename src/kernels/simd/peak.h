// How fast the chosen instruction set multiplies and adds when nothing waits for memory: what profiles are held
// against.
#pragma once

#include <cstdint>

namespace assay::kernels::simd {

enum class Product : uint8_t { kBytes, kFloats };

// Runs a loop of independent products on registers and returns how many were added up; at least `count`. The sums go to
// `sink`, so that nothing is left out. 0 where there are no vector kernels.
int64_t MultiplyRegisters(Product product, int64_t count, float* sink) noexcept;

}  // namespace assay::kernels::simd
