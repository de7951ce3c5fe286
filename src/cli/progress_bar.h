// A progress bar on stderr: drawn only on a terminal, at most ten times a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace assay::cli {

class ProgressBar {
 public:
  explicit ProgressBar(std::string what);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  // Not thread-safe: callers are serialized by whoever reports progress.
  void Update(size_t done, size_t total);

 private:
  std::string what_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace assay::cli
