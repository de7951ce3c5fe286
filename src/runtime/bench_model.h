// Times a model on random input: the median of one invoke, and on request where it goes, op by op.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/interpreter.h"

namespace assay::runtime {

struct BenchRequest {
  InterpreterOptions options;
  double warm_up_seconds = 0.2;
  double seconds = 0.8;  // of timed runs, and of profiled ones
  size_t least_runs = 5;
  std::optional<size_t> runs;  // this many instead
  bool profile = false;
  bool trace = false;                       // keep the profiled ops' starts; with profile
  std::shared_ptr<const Delegate> against;  // raced in turns with the options' kernels
};

struct OpTime {
  int32_t subgraph = 0, op_index = 0;
  std::string name;    // as in the schema
  std::string output;  // name of its first output
  numerics::Engine engine = numerics::Engine::kReference;
  double us = 0;     // of all its turns in one invoke, the median over the profiled ones
  double share = 0;  // of all ops
  int64_t macs = 0;  // of one invoke; 0 for ops without any
  double gmacs_per_second = 0;
  double peak_share = 0;  // of the products per second that this machine can do in the op's type; 0 where unknown
};

// One op's turn, or one invoke, on a clock that starts with the first.
struct TraceSpan {
  std::optional<size_t> op;  // of BenchResult::ops; none: an invoke
  double start_us = 0, us = 0;
};

// Another runtime on the same model and input, in turns in one process.
struct Race {
  double median_us = 0;                   // the other's
  double ratio = 0, least = 0, most = 0;  // the other's time over ours: the median of the rounds, and their range
  size_t rounds = 0;
};

struct BenchResult {
  double median_us = 0, p90_us = 0, p99_us = 0, min_us = 0, max_us = 0;
  double load_ms = 0, first_us = 0;  // preparing, and the first invoke
  size_t runs = 0;
  std::optional<Race> race;
  // The largest over the smallest median of five parts of the runs, one after the other; 1 where there are too few.
  double drift = 1;
  bool is_noisy = false;  // drift says more about the machine than the median about the model
  Interpreter::MemoryUse memory;
  uint64_t peak_bytes = 0;  // of the process, resident, so far
  std::vector<TraceSpan> trace;
  std::vector<OpTime> ops;                             // as they first ran; empty without request.profile
  double peak_bytes_gmacs = 0, peak_floats_gmacs = 0;  // measured on one thread; 0 without request.profile
};

BenchResult BenchModel(std::shared_ptr<const graph::Model> model, const BenchRequest& request);

}  // namespace assay::runtime
