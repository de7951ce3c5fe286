#include "runtime/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace assay::runtime {
namespace {

uint64_t PeakLive(std::span<const PlannedBlock> blocks) {
  std::vector<std::pair<int64_t, int64_t>> events;  // (step, change); ends sort before the starts of the next step
  for (const PlannedBlock& block : blocks) {
    events.emplace_back(block.first_step, static_cast<int64_t>(AlignedSize(block.bytes)));
    events.emplace_back(int64_t{block.last_step} + 1, -static_cast<int64_t>(AlignedSize(block.bytes)));
  }
  std::sort(events.begin(), events.end());
  int64_t live = 0, peak = 0;
  for (const auto& [step, change] : events) {
    live += change;
    peak = std::max(peak, live);
  }
  return static_cast<uint64_t>(peak);
}

// The offset of every block, each put in the lowest gap that is free while it lives, in this order; and the arena's
// size.
struct Placement {
  std::vector<uint64_t> offsets;
  uint64_t bytes = 0;
};
Placement PlaceInOrder(std::span<const PlannedBlock> blocks, const std::vector<size_t>& order) {
  Placement placement;
  placement.offsets.resize(blocks.size());
  std::vector<size_t> placed;  // by offset
  for (const size_t index : order) {
    const PlannedBlock& block = blocks[index];
    const uint64_t bytes = AlignedSize(block.bytes);
    uint64_t offset = 0;
    for (const size_t other_index : placed) {
      const PlannedBlock& other = blocks[other_index];
      if (other.last_step < block.first_step || other.first_step > block.last_step) continue;
      if (offset + bytes <= placement.offsets[other_index]) break;
      offset = std::max(offset, placement.offsets[other_index] + AlignedSize(other.bytes));
    }
    placement.offsets[index] = offset;
    placement.bytes = std::max(placement.bytes, offset + bytes);
    const auto at = std::upper_bound(placed.begin(), placed.end(), offset,
                                     [&](uint64_t value, size_t i) { return value < placement.offsets[i]; });
    placed.insert(at, index);
  }
  return placement;
}

// The blocks of the fullest step first, then those of the next fullest, and so on; of each the largest first.
std::vector<size_t> FullestStepsFirst(std::span<const PlannedBlock> blocks, const std::vector<size_t>& by_size) {
  int32_t steps = 0;
  for (const PlannedBlock& block : blocks) steps = std::max(steps, block.last_step + 1);
  std::vector<int64_t> change(static_cast<size_t>(steps) + 1), load(static_cast<size_t>(steps));
  for (const PlannedBlock& block : blocks) {
    change[static_cast<size_t>(block.first_step)] += static_cast<int64_t>(AlignedSize(block.bytes));
    change[static_cast<size_t>(block.last_step) + 1] -= static_cast<int64_t>(AlignedSize(block.bytes));
  }
  std::partial_sum(change.begin(), change.end() - 1, load.begin());
  // A block goes with the fullest step of its life.
  std::vector<int64_t> fullest(blocks.size());
  for (size_t i = 0; i < blocks.size(); ++i) {
    fullest[i] = *std::max_element(load.begin() + blocks[i].first_step, load.begin() + blocks[i].last_step + 1);
  }
  std::vector<size_t> order = by_size;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return fullest[a] > fullest[b]; });
  return order;
}

}  // namespace

ArenaPlan PlanArena(std::span<PlannedBlock> blocks) {
  ArenaPlan plan;
  plan.peak_live_bytes = PeakLive(blocks);
  for (const PlannedBlock& block : blocks) plan.sum_bytes += AlignedSize(block.bytes);
  std::vector<size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::vector<size_t> by_start = by_size;
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<size_t> by_life = by_size;
  const auto life = [&](size_t i) { return blocks[i].last_step - blocks[i].first_step; };
  std::stable_sort(by_life.begin(), by_life.end(), [&](size_t a, size_t b) { return life(a) > life(b); });
  std::stable_sort(by_start.begin(), by_start.end(),
                   [&](size_t a, size_t b) { return blocks[a].first_step < blocks[b].first_step; });
  // No order is the best for every graph; of each, what ended up highest goes first the next time.
  constexpr size_t kMostTries = 64, kSteps = 1'000'000;  // of all tries, which costs a few milliseconds
  const size_t tries = std::min(kMostTries, 1 + kSteps / (blocks.size() * blocks.size() + 1));
  Placement best = PlaceInOrder(blocks, by_size);
  for (std::vector<size_t> order : {by_size, FullestStepsFirst(blocks, by_size), by_life, by_start}) {
    for (size_t i = 0; i < tries && best.bytes > plan.peak_live_bytes; ++i) {
      const Placement next = PlaceInOrder(blocks, order);
      if (next.bytes < best.bytes) best = next;
      const auto highest = std::find_if(order.begin(), order.end(), [&](size_t block) {
        return next.offsets[block] + AlignedSize(blocks[block].bytes) == next.bytes;
      });
      std::rotate(order.begin(), highest, highest + 1);
    }
  }
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].offset = best.offsets[i];
  plan.arena_bytes = best.bytes;
  return plan;
}

}  // namespace assay::runtime
