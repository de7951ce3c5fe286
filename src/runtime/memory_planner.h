// Places blocks with known lifetimes into one arena, the largest first, each at the lowest offset that is free for as
// long as it lives.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay::runtime {

struct PlannedBlock {
  uint64_t bytes = 0;
  int32_t first_step = 0, last_step = 0;  // inclusive
  uint64_t offset = 0;                    // set by PlanArena; a multiple of kArenaAlignment
};

inline constexpr uint64_t kArenaAlignment = 64;
constexpr uint64_t AlignedSize(uint64_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

struct ArenaPlan {
  uint64_t arena_bytes = 0;      // what the plan needs
  uint64_t sum_bytes = 0;        // without any sharing
  uint64_t peak_live_bytes = 0;  // the largest set alive at one step: no plan can need less
};

ArenaPlan PlanArena(std::span<PlannedBlock> blocks);

}  // namespace assay::runtime
