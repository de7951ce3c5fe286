#include "kernels/simd/target.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "hwy/highway.h"

namespace assay::kernels::simd {
namespace {

struct Target {
  const char* name;
  int64_t bit;  // Highway's
};
constexpr Target kTargets[] = {
    {"avx512-vnni", HWY_AVX3_DL}, {"avx2", HWY_AVX2}, {"sse4", HWY_SSE4}, {"neon", HWY_NEON}, {"none", 0}};

bool IsAvailable(const Target& target) {
#if HWY_ARCH_X86
  if (target.bit == HWY_NEON) return false;
#else
  if (target.bit != HWY_NEON && target.bit != 0) return false;
#endif
  return target.bit == 0 || (hwy::SupportedTargets() & target.bit) != 0;
}

std::atomic<const Target*> current{nullptr};

void Use(const Target& target) {
  // Highway takes the best of those that it is told are there.
  if (target.bit != 0) hwy::GetChosenTarget().Update(target.bit);
  current = &target;
}

void Force(std::string_view name, std::string_view where) {
  for (const Target& target : kTargets) {
    if (name == target.name && IsAvailable(target)) return Use(target);
  }
  throw UsageError("{}: this machine has no instruction set '{}'; it has {}", where, name,
                   fmt::join(AvailableTargets(), ", "));
}

const Target& Current() {
  if (current.load() == nullptr) {
    if (const char* forced = std::getenv(kTargetVariable); forced != nullptr && *forced != '\0') {
      Force(forced, kTargetVariable);
    } else {
      for (const Target& target : kTargets) {
        if (!IsAvailable(target)) continue;
        Use(target);
        break;
      }
    }
  }
  return *current.load();
}

}  // namespace

std::vector<std::string> AvailableTargets() {
  std::vector<std::string> names;
  for (const Target& target : kTargets) {
    if (IsAvailable(target)) names.emplace_back(target.name);
  }
  return names;
}

std::string CurrentTarget() { return Current().name; }
void ForceTarget(std::string_view name) { Force(name, "--isa"); }
bool UsesVectors() { return Current().bit != 0; }

}  // namespace assay::kernels::simd
