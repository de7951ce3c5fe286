#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>

#include "base/error.h"

namespace assay {
namespace {

constexpr uint64_t kOpen = uint64_t{1} << 31, kLoop = uint64_t{1} << 32;
constexpr uint64_t kInside = kOpen - 1;
// Parts per thread: so many that a thread that comes late still finds some.
constexpr size_t kPartsPerThread = 8;
// Between the ops of a model a worker pauses, then yields for about a millisecond, then sleeps: waking it costs more
// than most ops.
constexpr int kPauses = 4000, kYields = 2000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) : shares_(static_cast<size_t>(std::max(threads, 1))) {
  // Those that have begun wait for loops: who throws here must end them, for no destructor does.
  try {
    for (int worker = 1; worker < threads; ++worker) {
      workers_.emplace_back([this, worker] { Work(worker); });
    }
  } catch (const std::system_error& error) {
    Stop();
    throw InputError("cannot start {} threads: {}", threads, error.what());
  } catch (...) {
    Stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::Stop() {
  stop_ = true;
  state_.fetch_add(kLoop);
  state_.notify_all();
}

void ThreadPool::RunParts(size_t count, size_t grain, const void* context, PartFn part) {
  ASSAY_CHECK((state_.load(std::memory_order_relaxed) & kOpen) == 0);  // a loop within a loop, or a second caller
  const size_t workers = static_cast<size_t>(threads()), most = kPartsPerThread * workers;
  part_ = part, context_ = context, count_ = count;
  part_size_ = std::max({(count + most - 1) / most, grain, size_t{1}});
  const size_t parts = (count + part_size_ - 1) / part_size_;
  for (size_t w = 0; w < workers; ++w) {
    shares_[w].parts.store(Parts{parts * w / workers, parts * (w + 1) / workers}.Packed(), std::memory_order_relaxed);
  }
  state_.fetch_add(kLoop + kOpen);
  if (sleepers_.load() > 0) state_.notify_all();
  TakeParts(0);
  uint64_t state = state_.fetch_and(~kOpen);
  for (int spins = 0; (state & kInside) != 0; state = state_.load(std::memory_order_acquire)) {
    ++spins < kPauses ? Pause() : std::this_thread::yield();
  }
}

// Half of what is left of a worker's own share, from its beginning; of another's, from its end.
bool ThreadPool::TakeFrom(Share& share, bool own, Parts& taken) {
  uint64_t packed = share.parts.load(std::memory_order_relaxed);
  while (true) {
    const Parts left = Parts::Of(packed);
    if (left.begin >= left.end) return false;
    const size_t half = (left.end - left.begin + 1) / 2;
    const Parts rest = own ? Parts{left.begin + half, left.end} : Parts{left.begin, left.end - half};
    taken = own ? Parts{left.begin, rest.begin} : Parts{rest.end, left.end};
    if (share.parts.compare_exchange_weak(packed, rest.Packed(), std::memory_order_relaxed)) return true;
  }
}

void ThreadPool::TakeParts(int worker) noexcept {
  const size_t workers = static_cast<size_t>(threads()), own = static_cast<size_t>(worker);
  for (size_t i = 0; i < workers; ++i) {
    const size_t from = (own + i) % workers;
    for (Parts taken; TakeFrom(shares_[from], i == 0, taken);) {
      part_(context_, taken.begin * part_size_, std::min(taken.end * part_size_, count_), worker);
    }
  }
}

void ThreadPool::Work(int worker) {
  uint64_t seen = 0;  // the loop that was taken part in last
  while (true) {
    uint64_t state = state_.load(std::memory_order_acquire);
    for (int spins = 0; state / kLoop == seen && !stop_.load(std::memory_order_relaxed); ++spins) {
      if (spins < kPauses) {
        Pause();
      } else if (spins < kPauses + kYields) {
        std::this_thread::yield();
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
