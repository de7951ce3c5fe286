// assay run: one invocation, its inputs and outputs (and every tensor) into an .npz.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "cli/cli.h"
#include "cli/load_model.h"
#include "cli/runtime_flags.h"
#include "runtime/run_model.h"

namespace assay::cli {
namespace {

struct RunFlags {
  std::string model, inputs_npz, out;
  RuntimeFlags runtime;
  std::vector<std::string> inputs;
  int threads = 1;
  uint64_t seed = 0;
  bool all_tensors = false, json = false;
};

int Run(const RunFlags& flags) {
  const OpenedRuntime opened = OpenRuntime(flags.runtime);
  runtime::RunRequest request;
  request.options.profile = opened.profile;
  request.options.delegate = opened.delegate;
  request.options.cancelled = &Interrupted();
  request.options.threads = flags.threads;
  request.seed = flags.seed;
  request.all_tensors = flags.all_tensors;
  const auto model = LoadAndWarn(flags.model);
  if (!flags.inputs_npz.empty()) {
    request.inputs = ReadNpz(flags.inputs_npz);
    request.ignore_other_arrays = true;
  }
  for (const std::string& pair : flags.inputs) {
    const size_t at = pair.rfind('=');
    if (at == std::string::npos || at == 0) throw UsageError("--input {}: expected NAME=FILE.npy", pair);
    if (!flags.inputs_npz.empty()) throw UsageError("give --input or --inputs, not both");
    request.inputs.emplace_back(pair.substr(0, at), ReadNpy(pair.substr(at + 1)));
  }
  CheckWritable(flags.out);
  const runtime::RunResult result = runtime::RunModel(model, request);
  WriteNpz(flags.out, result.arrays);
  if (flags.json) {
    nlohmann::ordered_json json = {{"model", flags.model},
                                   {"profile", opened.name},
                                   {"seed", flags.seed},
                                   {"out", flags.out},
                                   {"arena_bytes", result.memory.arena_bytes},
                                   {"tensor_bytes", result.memory.sum_bytes},
                                   {"peak_live_bytes", result.memory.peak_live_bytes}};
    for (const auto& [name, array] : result.arrays) {
      const auto dims = array.shape().dims();
      json["arrays"][name] = {{"dtype", DTypeName(array.dtype())},
                              {"shape", std::vector<int32_t>(dims.begin(), dims.end())}};
    }
    Print(json.dump(2) + "\n");
    return 0;
  }
  for (const auto& [name, array] : result.arrays) {
    if (name.rfind("tensor/", 0) == 0) continue;
    Print(fmt::format("{:<40} {} {}\n", name, DTypeName(array.dtype()), array.shape().ToString()));
  }
  Print(fmt::format("{}: {} arrays under {}; arena {} bytes (all tensors side by side {}, largest set alive {})\n",
                    flags.out, result.arrays.size(), opened.name, result.memory.arena_bytes, result.memory.sum_bytes,
                    result.memory.peak_live_bytes));
  return 0;
}

}  // namespace

void AddRun(CLI::App& app, Action& action) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* verb =
      app.add_subcommand("run", "Run a model once and write its inputs, outputs and tensors to an .npz file");
  verb->add_option("model", flags->model, "The .tflite file")->required();
  verb->add_option("--input", flags->inputs, "NAME=FILE.npy: the value of one input (repeatable)");
  verb->add_option("--inputs", flags->inputs_npz, "FILE.npz with one array per input, keyed NAME or in/NAME");
  AddRuntimeFlags(*verb, flags->runtime);
  verb->add_option("--threads", flags->threads, "Threads; the results are those of one")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--seed", flags->seed, "Seed of inputs that are not given")->capture_default_str();
  verb->add_flag("--all-tensors", flags->all_tensors, "Also write every intermediate tensor");
  verb->add_option("--out", flags->out, "The .npz file to write")->required();
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Run(*flags); }; });
}

}  // namespace assay::cli
