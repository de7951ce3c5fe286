#include "eval/sample_loop.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace assay::eval {
namespace {

TEST(SampleLoopTest, TellsOfEverySample) {
  std::vector<int> seen(50);
  std::vector<size_t> told;
  ForSamples(
      seen.size(), 4, nullptr,
      [&](size_t done, size_t total) {
        EXPECT_EQ(total, seen.size());
        told.push_back(done);
      },
      [&](size_t sample, int) { ++seen[sample]; });
  EXPECT_EQ(seen, std::vector<int>(50, 1));
  ASSERT_EQ(told.size(), seen.size());
  for (size_t i = 0; i < told.size(); ++i) EXPECT_EQ(told[i], i + 1);
}

TEST(SampleLoopTest, EndsWhenCancelled) {
  std::atomic<bool> cancelled{false};
  size_t begun = 0;
  try {
    ForSamples(10, 1, &cancelled, {}, [&](size_t sample, int) { ++begun, cancelled = sample == 3; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_EQ(begun, 4U);
  ForSamples(0, 1, &cancelled, {}, [&](size_t, int) { FAIL(); });
}

}  // namespace
}  // namespace assay::eval
