#include "eval/sample_loop.h"

#include <mutex>

#include "base/error.h"
#include "base/parallel.h"

namespace assay::eval {

void ForSamples(size_t count, int threads, const std::atomic<bool>* cancelled, const Progress& progress,
                const std::function<void(size_t sample, int worker)>& body) {
  std::mutex mutex;
  size_t done = 0;
  ParallelFor(count, threads, [&](size_t sample, int worker) {
    if (cancelled != nullptr && *cancelled) throw Error(ErrorCode::kInterrupted, "interrupted");
    body(sample, worker);
    if (!progress) return;
    const std::scoped_lock lock(mutex);
    progress(++done, count);
  });
}

}  // namespace assay::eval
