#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace assay {
namespace {

TEST(ThreadPool, EveryItemIsTakenOnceWhateverTheThreads) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (size_t loop = 0; loop < 3000; ++loop) {
      const size_t count = loop % 97;
      std::vector<int> taken(count, 0);
      std::vector<int> inside(static_cast<size_t>(threads), 0);
      pool.Run(count, 1 + loop % 5, [&](size_t begin, size_t end, int worker) {
        ++inside[static_cast<size_t>(worker)];
        for (size_t i = begin; i < end; ++i) ++taken[i];
      });
      ASSERT_TRUE(std::ranges::all_of(taken, [](int n) { return n == 1; })) << threads << " threads, loop " << loop;
    }
  }
}

TEST(ThreadPool, AWorkerThatSleepsIsWokenAndHelps) {
  using std::chrono::milliseconds;
  ThreadPool pool(2);
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(milliseconds(30));
    std::atomic<int> workers_seen{0};
    pool.Run(4, 1, [&](size_t, size_t, int worker) {
      std::this_thread::sleep_for(milliseconds(20));
      workers_seen |= 1 << worker;
    });
    EXPECT_EQ(workers_seen.load(), 3);
  }
}

TEST(ThreadPool, SmallLoopsStayWithTheCaller) {
  ThreadPool pool(3);
  const auto caller = std::this_thread::get_id();
  pool.Run(10, 10, [&](size_t begin, size_t end, int worker) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(begin, 0U);
    EXPECT_EQ(end, 10U);
    EXPECT_EQ(worker, 0);
  });
}

}  // namespace
}  // namespace assay
