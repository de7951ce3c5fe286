// For tests: runs a check on every instruction set of this machine.
#pragma once

#include <string>

#include "kernels/simd/target.h"

namespace assay::kernels::simd {

// What is forced while it lives is undone.
class TargetScope {
 public:
  TargetScope() : before_(CurrentTarget()) {}
  ~TargetScope() { ForceTarget(before_); }
  TargetScope(const TargetScope&) = delete;
  TargetScope& operator=(const TargetScope&) = delete;

 private:
  std::string before_;
};

template <typename Check>
void OnEveryTarget(const Check& check) {
  const TargetScope scope;
  for (const std::string& target : AvailableTargets()) {
    if (target == "none") continue;
    ForceTarget(target);
    check(target);
  }
}

}  // namespace assay::kernels::simd
