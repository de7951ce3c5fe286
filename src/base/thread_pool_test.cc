#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"

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

TEST(ThreadPool, LoopsOfOneAndOfNoneAndPoolsThatNeverRan) {
  for (const int threads : {1, 2, 4}) {
    { const ThreadPool idle(threads); }
    ThreadPool pool(threads);
    int calls = 0;
    pool.Run(0, 1, [&](size_t, size_t, int) { ++calls; });
    EXPECT_EQ(calls, 0);
    pool.Run(1, 0, [&](size_t begin, size_t end, int) { calls += static_cast<int>(end - begin); });
    EXPECT_EQ(calls, 1);
  }
}

// What one loop writes the next one reads, on whichever worker: under ThreadSanitizer this shows that it may. Some
// workers sleep between loops, and pools end while their workers wake.
TEST(ThreadPool, LoopsSeeWhatThoseBeforeThemWrote) {
  constexpr size_t kCount = 512;
  for (int round = 0; round < 20; ++round) {
    ThreadPool pool(3);
    std::vector<size_t> from(kCount, 1), to(kCount);
    size_t expected = 1;
    for (size_t loop = 0; loop < 50; ++loop) {
      pool.Run(kCount, 1, [&](size_t begin, size_t end, int) {
        for (size_t i = begin; i < end; ++i) to[i] = from[i] + 2 * from[(i + loop) % kCount] + loop;
      });
      expected = 3 * expected + loop;
      std::swap(from, to);
      if (loop == 25) std::this_thread::sleep_for(std::chrono::milliseconds(round % 4 * 2));
    }
    EXPECT_TRUE(std::ranges::all_of(from, [&](size_t n) { return n == expected; })) << "round " << round;
  }
}

TEST(ThreadPool, TwoPoolsOfOneProcessDoNotMeet) {
  std::atomic<size_t> sum{0};
  {
    std::vector<std::jthread> callers;
    callers.reserve(2);
    for (int c = 0; c < 2; ++c) {
      callers.emplace_back([&] {
        ThreadPool pool(2);
        for (int loop = 0; loop < 500; ++loop) {
          pool.Run(64, 1, [&](size_t begin, size_t end, int) { sum += end - begin; });
        }
      });
    }
  }
  EXPECT_EQ(sum.load(), size_t{2} * 500 * 64);
}

// Whether `body`, in a process of its own, gives true and comes to an end.
template <typename Body>
bool HoldsInChild(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// A process that forked has none of the pool's threads: the one that is left does everything.
TEST(ThreadPool, TheChildOfAForkDoesWithoutWorkers) {
  auto pool = std::make_unique<ThreadPool>(3);
  const auto sum = [&] {
    std::atomic<size_t> count{0};
    pool->Run(100, 1, [&](size_t begin, size_t end, int) { count += end - begin; });
    return count.load();
  };
  EXPECT_EQ(sum(), 100U);
#if defined(__SANITIZE_THREAD__)  // it would wait for ever for threads that the fork did not take along
  const auto end = [] {};
#else
  const auto end = [&] { pool.reset(); };
#endif
  EXPECT_TRUE(HoldsInChild([&] {
    const bool right = sum() == 100;
    end();
    return right;
  }));
  EXPECT_EQ(sum(), 100U);
}

TEST(ThreadPool, WhereTheSystemHasNoMoreThreadsThoseThatBeganEnd) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need more address space than this test leaves";
#endif
  EXPECT_TRUE(HoldsInChild([] {
    // Room for the stacks of some threads.
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) + (size_t{64} << 20);
    const rlimit limit = {most, most};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return false;
    bool refused = false;
    try {
      const ThreadPool pool(1000);
    } catch (const Error&) {
      refused = true;
    }
    std::atomic<size_t> sum{0};
    ParallelFor(1000, 1000, [&](size_t item, int) { sum += item; });
    return refused && sum.load() == 499500;
  }));
}

}  // namespace
}  // namespace assay
