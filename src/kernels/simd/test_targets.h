// For tests: runs a check on every instruction set of this machine.
#pragma once

#include <string>

#include "kernels/simd/target.h"

namespace assay::kernels::simd {

template <typename Check>
void OnEveryTarget(const Check& check) {
  const std::string before = CurrentTarget();
  for (const std::string& target : AvailableTargets()) {
    if (target == "none") continue;
    ForceTarget(target);
    check(target);
  }
  ForceTarget(before);
}

}  // namespace assay::kernels::simd
