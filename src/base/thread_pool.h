// A few threads that share one caller's loops, made for work of some microseconds: between loops they spin for a
// moment before they sleep, and the caller never waits for one that has not begun.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace assay {

class ThreadPool {
 public:
  // `threads` includes the caller: 1 means that everything runs there. Throws InputError where the system has no more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end, worker) for parts that together are [0, count), each of at least `grain` items but for the
  // last; workers count from 0, the caller, to threads() - 1, and one never runs two parts at once. Which worker takes
  // which part is up to chance. `body` must not throw and not call Run.
  template <typename Body>
  void Run(size_t count, size_t grain, const Body& body) {
    static_assert(std::is_invocable_v<const Body&, size_t, size_t, int>);
    if (workers_.empty() || count <= grain) {
      if (count > 0) body(size_t{0}, count, 0);
      return;
    }
    RunParts(count, grain, &body, [](const void* context, size_t begin, size_t end, int worker) {
      (*static_cast<const Body*>(context))(begin, end, worker);
    });
  }

 private:
  using PartFn = void (*)(const void* context, size_t begin, size_t end, int worker);

  void RunParts(size_t count, size_t grain, const void* context, PartFn part);
  void TakeParts(int worker);
  void Work(int worker);

  // The loop at hand; written while it is closed and nobody is inside.
  PartFn part_ = nullptr;
  const void* context_ = nullptr;
  size_t count_ = 0, part_size_ = 0;
  alignas(64) std::atomic<size_t> next_{0};
  // The count of loops begun, then one bit "open", then how many workers are inside of it.
  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::jthread> workers_;
};

}  // namespace assay
