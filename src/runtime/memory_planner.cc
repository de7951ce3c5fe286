#include "runtime/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace assay::runtime {
namespace {

uint64_t Aligned(uint64_t bytes) { return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; }

uint64_t PeakLive(std::span<const PlannedBlock> blocks) {
  std::vector<std::pair<int64_t, int64_t>> events;  // (step, change); ends sort before the starts of the next step
  for (const PlannedBlock& block : blocks) {
    events.emplace_back(block.first_step, static_cast<int64_t>(Aligned(block.bytes)));
    events.emplace_back(int64_t{block.last_step} + 1, -static_cast<int64_t>(Aligned(block.bytes)));
  }
  std::sort(events.begin(), events.end());
  int64_t live = 0, peak = 0;
  for (const auto& [step, change] : events) {
    live += change;
    peak = std::max(peak, live);
  }
  return static_cast<uint64_t>(peak);
}

}  // namespace

ArenaPlan PlanArena(std::span<PlannedBlock> blocks) {
  ArenaPlan plan;
  plan.peak_live_bytes = PeakLive(blocks);
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<size_t> placed;  // by offset
  for (const size_t index : order) {
    PlannedBlock& block = blocks[index];
    const uint64_t bytes = Aligned(block.bytes);
    plan.sum_bytes += bytes;
    uint64_t offset = 0;
    for (const size_t other_index : placed) {
      const PlannedBlock& other = blocks[other_index];
      if (other.last_step < block.first_step || other.first_step > block.last_step) continue;
      if (offset + bytes <= other.offset) break;
      offset = std::max(offset, other.offset + Aligned(other.bytes));
    }
    block.offset = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
    const auto at = std::upper_bound(placed.begin(), placed.end(), offset,
                                     [&](uint64_t value, size_t i) { return value < blocks[i].offset; });
    placed.insert(at, index);
  }
  return plan;
}

}  // namespace assay::runtime
