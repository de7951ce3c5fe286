#include "tune/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "runtime/run_model.h"

namespace assay::tune {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// `share` 0.5: the median.
double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

}  // namespace

std::vector<Latency> MeasureLatency(const LatencyRequest& request) {
  const size_t count = request.models.size();
  runtime::InterpreterOptions options = request.options;
  options.threads = 1;
  std::vector<std::unique_ptr<runtime::Interpreter>> interpreters;
  for (const auto& model : request.models) {
    auto& interpreter = interpreters.emplace_back(std::make_unique<runtime::Interpreter>(model, options));
    interpreter->AllocateTensors();
    for (size_t i = 0; i < interpreter->input_count(); ++i) {
      const runtime::TensorDetails input = interpreter->InputDetails(i);
      interpreter->SetInput(i, runtime::RandomArray(input.dtype, input.shape, 0, i));
    }
    interpreter->Invoke();  // warms up
  }
  std::vector<std::vector<double>> medians(count), ratios(count);
  std::vector<double> least(count, HUGE_VAL);
  for (int round = 0; round < std::max(1, request.rounds); ++round) {
    std::vector<double> here(count);
    for (size_t turn = 0; turn < count; ++turn) {
      const size_t i = (turn + static_cast<size_t>(round)) % count;  // who begins changes
      std::vector<double> us;
      const auto start = Clock::now();
      do {
        const auto before = Clock::now();
        interpreters[i]->Invoke();
        us.push_back(SecondsSince(before) * 1e6);
      } while (SecondsSince(start) < request.turn_seconds);
      least[i] = std::min(least[i], *std::min_element(us.begin(), us.end()));
      here[i] = Quantile(std::move(us), 0.5);
    }
    for (size_t i = 0; i < count; ++i) {
      medians[i].push_back(here[i]);
      ratios[i].push_back(here[i] / here[0]);
    }
  }
  std::vector<Latency> result;
  for (size_t i = 0; i < count; ++i) {
    const double ratio = Quantile(ratios[i], 0.5);
    result.push_back(
        {Quantile(medians[0], 0.5) * ratio, least[i], ratio, Quantile(ratios[i], 0.25), Quantile(ratios[i], 0.75)});
  }
  return result;
}

}  // namespace assay::tune
