// Models timed in turns, in one process at one thread, so that what slows the machine down slows all of them.
#pragma once

#include <memory>
#include <vector>

#include "graph/model.h"
#include "runtime/interpreter.h"

namespace assay::tune {

struct Latency {
  double us = 0;             // the first model's median over rounds, times `ratio`
  double least_us = 0;       // the quickest invoke
  double ratio = 1;          // to the first model: the median over rounds
  double low = 1, high = 1;  // of the rounds' ratios, a quarter left out at each end
};

struct LatencyRequest {
  std::vector<std::shared_ptr<const graph::Model>> models;  // the first one is what the others are compared with
  runtime::InterpreterOptions options;
  int rounds = 9;
  double turn_seconds = 0.006;  // of one model in one round, at least one invoke
};

// On random input. Throws Error(kInterrupted).
std::vector<Latency> MeasureLatency(const LatencyRequest& request);

}  // namespace assay::tune
