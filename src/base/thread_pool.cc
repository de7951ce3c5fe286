#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>

#include "base/error.h"

namespace assay {
namespace {

constexpr uint64_t kOpen = uint64_t{1} << 31, kLoop = uint64_t{1} << 32;
constexpr uint64_t kInside = kOpen - 1;
// Parts per thread: so many that a thread that starts late still finds some.
constexpr size_t kPartsPerThread = 3;
constexpr int kSpins = 4000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int worker = 1; worker < threads; ++worker) {
    try {
      workers_.emplace_back([this, worker] { Work(worker); });
    } catch (const std::system_error& error) {
      throw InputError("cannot start {} threads: {}", threads, error.what());
    }
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  state_.fetch_add(kLoop);
  state_.notify_all();
}

void ThreadPool::RunParts(size_t count, size_t grain, const void* context, PartFn part) {
  const size_t parts = kPartsPerThread * static_cast<size_t>(threads());
  part_ = part, context_ = context, count_ = count;
  part_size_ = std::max({(count + parts - 1) / parts, grain, size_t{1}});
  next_.store(0, std::memory_order_relaxed);
  state_.fetch_add(kLoop + kOpen);
  if (sleepers_.load() > 0) state_.notify_all();
  TakeParts(0);
  uint64_t state = state_.fetch_and(~kOpen);
  for (int spins = 0; (state & kInside) != 0; state = state_.load(std::memory_order_acquire)) {
    ++spins < kSpins ? Pause() : std::this_thread::yield();
  }
}

void ThreadPool::TakeParts(int worker) {
  while (true) {
    const size_t begin = next_.fetch_add(1, std::memory_order_relaxed) * part_size_;
    if (begin >= count_) return;
    part_(context_, begin, std::min(begin + part_size_, count_), worker);
  }
}

void ThreadPool::Work(int worker) {
  uint64_t seen = 0;  // the loop that was taken part in last
  while (true) {
    uint64_t state = state_.load(std::memory_order_acquire);
    for (int spins = 0; state / kLoop == seen && !stop_.load(std::memory_order_relaxed); ++spins) {
      if (spins < kSpins) {
        Pause();
      } else {
        sleepers_.fetch_add(1);
        state_.wait(state);
        sleepers_.fetch_sub(1);
      }
      state = state_.load(std::memory_order_acquire);
    }
    if (stop_.load()) return;
    while ((state & kOpen) != 0) {
      if (!state_.compare_exchange_weak(state, state + 1)) continue;
      TakeParts(worker);
      state_.fetch_sub(1);
      break;
    }
    seen = state / kLoop;
  }
}

}  // namespace assay
