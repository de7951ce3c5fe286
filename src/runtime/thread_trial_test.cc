#include "runtime/thread_trial.h"

#include <gtest/gtest.h>

namespace assay::runtime {
namespace {

// Invocations until the trial is over, when those alone and those together take so long.
int Try(ThreadTrial& trial, int64_t alone_ns, int64_t together_ns) {
  int invocations = 0;
  for (; !trial.over() && invocations < 100; ++invocations) {
    const bool warm = invocations % (ThreadTrial::kWarmUps + ThreadTrial::kTrials) >= ThreadTrial::kWarmUps;
    trial.Record(warm ? (trial.alone() ? alone_ns : together_ns) + invocations % 3 * 100 : 50'000'000);
  }
  return invocations;
}

TEST(ThreadTrialTest, KeepsTheFasterWay) {
  constexpr int kAll = 2 * (ThreadTrial::kWarmUps + ThreadTrial::kTrials);
  ThreadTrial near(2), far(2), equal(2);
  EXPECT_EQ(Try(near, 80'000, 50'000), kAll);
  EXPECT_FALSE(near.alone());
  EXPECT_EQ(Try(far, 50'000, 90'000), kAll);
  EXPECT_TRUE(far.alone());
  Try(equal, 50'000, 50'000);
  EXPECT_FALSE(equal.alone());
}

TEST(ThreadTrialTest, EndsSoonForLongInvocationsAndAtOnceForOneThread) {
  ThreadTrial one(1), large(8);
  EXPECT_TRUE(one.over());
  EXPECT_FALSE(one.alone());
  EXPECT_EQ(Try(large, 9'000'000, 5'000'000), ThreadTrial::kWarmUps + 1);
  EXPECT_FALSE(large.alone());
}

}  // namespace
}  // namespace assay::runtime
