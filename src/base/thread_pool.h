// A few threads that share one caller's loops, made for work of some microseconds: between loops they spin for a
// moment before they sleep, and the caller never waits for one that has not begun. Every worker begins with the same
// part of a loop, so that over the parts of an image it finds in its cache what it wrote a loop before; who has none
// left takes from the others.
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

  // [begin, end) of the parts that a loop is cut into.
  struct Parts {
    size_t begin, end;
    uint64_t Packed() const { return uint64_t{begin} << 32 | end; }
    static Parts Of(uint64_t packed) { return {packed >> 32, packed & 0xFFFFFFFF}; }
  };
  struct alignas(64) Share {
    std::atomic<uint64_t> parts{0};
  };

  void RunParts(size_t count, size_t grain, const void* context, PartFn part);
  static bool TakeFrom(Share& share, bool own, Parts& taken);
  // A body that throws ends the program: others may be at work on what it would unwind.
  void TakeParts(int worker) noexcept;
  void Work(int worker);
  void Stop();

  // The loop at hand; written while it is closed and nobody is inside.
  PartFn part_ = nullptr;
  const void* context_ = nullptr;
  size_t count_ = 0, part_size_ = 0;
  std::vector<Share> shares_;  // by worker: what is left of it
  // The count of loops begun, then one bit "open", then how many workers are inside of it.
  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::jthread> workers_;
};

}  // namespace assay
