#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace assay {

void ParallelFor(size_t count, int threads, const std::function<void(size_t item, int worker)>& body) {
  const int workers = std::max(1, static_cast<int>(std::min<size_t>(static_cast<size_t>(std::max(threads, 1)), count)));
  std::atomic<size_t> next{0};
  std::atomic<size_t> failed_from{count};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&](int worker) {
    while (true) {
      const size_t item = next.fetch_add(1);
      // Items before a failed one still run, so that the lowest failure is always found.
      if (item >= failed_from.load()) return;
      try {
        body(item, worker);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (item < failed_from.load()) {
          failed_from = item;
          failure = std::current_exception();
        }
      }
    }
  };
  {
    std::vector<std::jthread> pool;
    try {
      for (int worker = 1; worker < workers; ++worker) pool.emplace_back(work, worker);
    } catch (const std::system_error&) {
      // The system has no more threads: those that began take all items.
    }
    work(0);
  }
  if (failure) std::rethrow_exception(failure);
}

int WorkersFor(size_t count, int threads) {
  return static_cast<int>(std::max<size_t>(1, std::min(count, static_cast<size_t>(std::max(1, threads)))));
}

int AvailableThreads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace assay
