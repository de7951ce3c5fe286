// assay bench: the median time of one invoke on random input.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "convert/load_model.h"
#include "runtime/run_model.h"

namespace assay::cli {
namespace {

constexpr double kWarmUpSeconds = 0.2, kTimedSeconds = 0.8;
constexpr size_t kLeastRuns = 5;

struct BenchFlags {
  std::vector<std::string> models;
  std::string numerics = "xnnpack";
  int threads = 1;
  bool json = false;
};

struct Timing {
  std::string model;
  double median_us = 0, min_us = 0, max_us = 0;
  size_t runs = 0;
  uint64_t arena_bytes = 0;
};

Timing Time(const std::string& path, const numerics::Profile& profile) {
  using Clock = std::chrono::steady_clock;
  runtime::InterpreterOptions options;
  options.profile = &profile;
  options.cancelled = &Interrupted();
  runtime::Interpreter interpreter(convert::LoadModel(path), options);
  interpreter.AllocateTensors();
  for (size_t i = 0; i < interpreter.input_count(); ++i) {
    const runtime::TensorDetails input = interpreter.InputDetails(i);
    interpreter.SetInput(i, runtime::RandomArray(input.dtype, input.shape, 0, i));
  }
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  for (const auto start = Clock::now(); seconds_since(start) < kWarmUpSeconds;) interpreter.Invoke();
  std::vector<double> us;
  for (const auto start = Clock::now(); seconds_since(start) < kTimedSeconds || us.size() < kLeastRuns;) {
    const auto before = Clock::now();
    interpreter.Invoke();
    us.push_back(seconds_since(before) * 1e6);
  }
  std::sort(us.begin(), us.end());
  const size_t middle = us.size() / 2;
  const double median = us.size() % 2 == 1 ? us[middle] : (us[middle - 1] + us[middle]) / 2;
  return {path, median, us.front(), us.back(), us.size(), interpreter.memory().arena_bytes};
}

int Bench(const BenchFlags& flags) {
  const numerics::Profile& profile = numerics::FindProfile(flags.numerics);
  if (flags.threads != 1)
    fmt::print(stderr, "assay: bench: the kernels run on one thread; --threads {} changes nothing\n", flags.threads);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const std::string& path : flags.models) {
    const Timing t = Time(path, profile);
    list.push_back({{"model", t.model},
                    {"profile", profile.id},
                    {"threads", 1},
                    {"median_us", t.median_us},
                    {"min_us", t.min_us},
                    {"max_us", t.max_us},
                    {"runs", t.runs},
                    {"arena_bytes", t.arena_bytes}});
    if (!flags.json) {
      Print(fmt::format("{}: median {:.1f} us of {} runs (min {:.1f}, max {:.1f})\n", t.model, t.median_us, t.runs,
                        t.min_us, t.max_us));
    }
  }
  if (!flags.json) return 0;
  if (list.size() == 1) {
    Print(list[0].dump(2) + "\n");
  } else {
    Print(nlohmann::ordered_json{{"models", list}}.dump(2) + "\n");
  }
  return 0;
}

}  // namespace

void AddBench(CLI::App& app, Action& action) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* verb = app.add_subcommand("bench", "Time one invoke on random input: the median over a second of runs");
  verb->add_option("models", flags->models, "The .tflite files")->required();
  verb->add_option("--numerics", flags->numerics, NumericsHelp())->capture_default_str();
  verb->add_option("--threads", flags->threads, "Threads; this version's kernels run on one")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Bench(*flags); }; });
}

}  // namespace assay::cli
