#include "runtime/memory_planner.h"

#include <gtest/gtest.h>

#include <random>

namespace assay::runtime {
namespace {

TEST(MemoryPlanner, AChainNeedsTwoNeighboursAtATime) {
  std::vector<PlannedBlock> blocks;
  for (int i = 0; i < 10; ++i) blocks.push_back({.bytes = 640, .first_step = i, .last_step = i + 1});
  const ArenaPlan plan = PlanArena(blocks);
  EXPECT_EQ(plan.sum_bytes, 6400U);
  EXPECT_EQ(plan.peak_live_bytes, 1280U);
  EXPECT_EQ(plan.arena_bytes, 1280U);
}

TEST(MemoryPlanner, BlocksThatLiveTogetherNeverOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<PlannedBlock> blocks;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(random() % 40);
      blocks.push_back(
          {.bytes = random() % 5000, .first_step = first, .last_step = first + static_cast<int>(random() % 10)});
    }
    const ArenaPlan plan = PlanArena(blocks);
    EXPECT_GE(plan.arena_bytes, plan.peak_live_bytes);
    EXPECT_LE(plan.arena_bytes, plan.sum_bytes);
    for (size_t a = 0; a < blocks.size(); ++a) {
      EXPECT_EQ(blocks[a].offset % kArenaAlignment, 0U);
      EXPECT_LE(blocks[a].offset + blocks[a].bytes, plan.arena_bytes);
      for (size_t b = 0; b < a; ++b) {
        const bool together =
            blocks[a].first_step <= blocks[b].last_step && blocks[b].first_step <= blocks[a].last_step;
        const bool apart = blocks[a].offset + blocks[a].bytes <= blocks[b].offset ||
                           blocks[b].offset + blocks[b].bytes <= blocks[a].offset;
        EXPECT_TRUE(!together || apart || blocks[a].bytes == 0 || blocks[b].bytes == 0);
      }
    }
  }
}

}  // namespace
}  // namespace assay::runtime
