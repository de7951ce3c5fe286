// Loops over samples that can be interrupted and watched.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace assay::eval {

// From any thread, never two calls at once.
using Progress = std::function<void(size_t done, size_t total)>;

// ParallelFor, which begins no sample any more once *cancelled (null: never) and then throws Error(kInterrupted), and
// tells `progress` (or nobody) of each sample that is done.
void ForSamples(size_t count, int threads, const std::atomic<bool>* cancelled, const Progress& progress,
                const std::function<void(size_t sample, int worker)>& body);

}  // namespace assay::eval
