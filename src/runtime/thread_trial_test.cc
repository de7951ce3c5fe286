#include "runtime/thread_trial.h"

#include <gtest/gtest.h>

#include <functional>

namespace assay::runtime {
namespace {

// How a model fares in `ns` of its invocations' time, those alone and those together taking what the functions say.
struct Course {
  int64_t invocations = 0, alone = 0, timed = 0;
};
Course RunFor(ThreadTrial& trial, int64_t ns, const std::function<int64_t(int64_t now, bool alone)>& takes) {
  Course course;
  for (int64_t now = 0; now < ns;) {
    const int64_t each = takes(now, trial.alone()) + course.invocations % 3 * 100;
    ++course.invocations;
    course.alone += trial.alone();
    course.timed += trial.timed();
    trial.timed() ? trial.Record(each) : trial.Pass();
    now += each;
  }
  return course;
}

constexpr int64_t kSecond = 1'000'000'000;

TEST(ThreadTrialTest, KeepsTheFasterWayAndSeldomTriesTheOther) {
  for (const int64_t us : {3, 50, 1000}) {
    ThreadTrial near(2), far(2), equal(2);
    const Course together = RunFor(near, 5 * kSecond, [&](int64_t, bool alone) { return us * (alone ? 1600 : 1000); });
    EXPECT_FALSE(near.alone()) << us;
    EXPECT_LT(together.alone, together.invocations / 50) << us;
    const Course by_one = RunFor(far, 5 * kSecond, [&](int64_t, bool alone) { return us * (alone ? 1000 : 1600); });
    EXPECT_TRUE(far.alone()) << us;
    EXPECT_GT(by_one.alone, by_one.invocations * 97 / 100) << us;
    EXPECT_LT(by_one.timed, by_one.invocations / 25) << us;
    RunFor(equal, 5 * kSecond, [&](int64_t, bool) { return us * 1000; });
    EXPECT_FALSE(equal.alone()) << us;
  }
}

TEST(ThreadTrialTest, NoticesThatCoresHaveMoved) {
  ThreadTrial trial(2);
  const auto near = [](int64_t, bool alone) { return int64_t{alone ? 80'000 : 50'000}; };
  const auto far = [](int64_t, bool alone) { return int64_t{alone ? 80'000 : 110'000}; };
  RunFor(trial, 4 * kSecond, near);
  EXPECT_LT(RunFor(trial, kSecond, near).alone, 200);
  RunFor(trial, 2 * kSecond, far);
  EXPECT_LT(RunFor(trial, kSecond, far).alone, 13'000);
  EXPECT_GT(RunFor(trial, kSecond, far).alone, 12'000);
  RunFor(trial, 2 * kSecond, near);
  EXPECT_LT(RunFor(trial, kSecond, near).alone, 200);
}

// A thread that has just been made takes its time, and so does one that wakes.
TEST(ThreadTrialTest, DoesNotJudgeByASlowStart) {
  ThreadTrial trial(4);
  int together = 0;
  const Course course = RunFor(trial, kSecond / 10, [&](int64_t now, bool alone) {
    if (alone) {
      together = 0;
      return int64_t{80'000};
    }
    return int64_t{now < 1'500'000 || together++ < 1 ? 200'000 : 50'000};
  });
  EXPECT_FALSE(trial.alone());
  EXPECT_LT(course.alone, 60);
}

TEST(ThreadTrialTest, EndsSoonForLongInvocationsAndAtOnceForOneThread) {
  ThreadTrial one(1), large(8);
  EXPECT_FALSE(one.timed());
  EXPECT_FALSE(one.alone());
  const Course course = RunFor(large, kSecond, [](int64_t, bool) { return int64_t{5'000'000}; });
  EXPECT_EQ(course.timed, ThreadTrial::kWarmUps);
  EXPECT_EQ(course.alone, 0);
}

}  // namespace
}  // namespace assay::runtime
