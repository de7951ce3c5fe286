// Which instruction set the vector kernels use: the best that the machine has, or one forced by name. "none" leaves
// everything to kernels/ref. One choice for the process; make it before models are prepared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::kernels::simd {

// The environment variable that forces one.
inline constexpr char kTargetVariable[] = "ASSAY_ISA";

// What this build has and this machine can run, best first; the last is "none".
std::vector<std::string> AvailableTargets();
// The one in use. Throws as ForceTarget when the environment variable holds a wrong name.
std::string CurrentTarget();
// Throws UsageError where this machine or build does not have it; the message lists what there is.
void ForceTarget(std::string_view name);
// False for "none".
bool UsesVectors();

}  // namespace assay::kernels::simd
