// assay bench: the median time of one invoke on random input, and with --profile where it goes.
#include "runtime/bench_model.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "cli/cli.h"
#include "cli/runtime_flags.h"
#include "convert/load_model.h"
#include "runtime/delegates/litert.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;
using runtime::BenchRequest;
using runtime::BenchResult;
using runtime::OpTime;

struct BenchFlags {
  std::vector<std::string> models;
  RuntimeFlags runtime;
  std::string against;
  int threads = 1;
  BenchRequest request;
  bool json = false;
  std::string trace;
};

// Chrome's trace event format, which Perfetto reads.
std::string TraceText(const std::string& model, const BenchResult& r) {
  ordered_json events = ordered_json::array();
  for (const runtime::TraceSpan& span : r.trace) {
    ordered_json event = {{"name", "invoke"}, {"cat", "model"}, {"ph", "X"}, {"ts", span.start_us},
                          {"dur", span.us},   {"pid", 1},       {"tid", 1}};
    if (span.op.has_value()) {
      const OpTime& op = r.ops[*span.op];
      event["name"] = op.name, event["cat"] = "op";
      event["args"] = {{"subgraph", op.subgraph},
                       {"op", op.op_index},
                       {"output", op.output},
                       {"engine", numerics::EngineName(op.engine)},
                       {"macs", op.macs}};
    }
    events.push_back(std::move(event));
  }
  return ordered_json{{"traceEvents", events}, {"displayTimeUnit", "ns"}, {"otherData", {{"model", model}}}}.dump(1) +
         "\n";
}

ordered_json ToJson(const OpTime& op) {
  return {{"subgraph", op.subgraph},
          {"op", op.op_index},
          {"name", op.name},
          {"output", op.output},
          {"engine", numerics::EngineName(op.engine)},
          {"us", op.us},
          {"share", op.share},
          {"macs", op.macs},
          {"gmacs_per_second", op.gmacs_per_second},
          {"peak_share", op.peak_share}};
}

ordered_json ToJson(const std::string& model, std::string_view profile, int threads, const BenchResult& r) {
  ordered_json json = {{"model", model},
                       {"profile", profile},
                       {"threads", threads},
                       {"median_us", r.median_us},
                       {"p90_us", r.p90_us},
                       {"p99_us", r.p99_us},
                       {"min_us", r.min_us},
                       {"max_us", r.max_us},
                       {"first_us", r.first_us},
                       {"load_ms", r.load_ms},
                       {"runs", r.runs},
                       {"arena_bytes", r.memory.arena_bytes},
                       {"peak_bytes", r.peak_bytes},
                       {"drift", r.drift},
                       {"noisy", r.is_noisy}};
  if (r.race.has_value()) {
    json["litert"] = {{"median_us", r.race->median_us},
                      {"ratio", r.race->ratio},
                      {"ratio_least", r.race->least},
                      {"ratio_most", r.race->most},
                      {"rounds", r.race->rounds}};
  }
  if (r.ops.empty()) return json;
  json["peak_gmacs_per_second"] = {{"int8", r.peak_bytes_gmacs}, {"float32", r.peak_floats_gmacs}};
  json["ops"] = ordered_json::array();
  for (const OpTime& op : r.ops) json["ops"].push_back(ToJson(op));
  return json;
}

std::string Row(const std::string& what, double us, double share, int64_t macs, double peak_share) {
  std::string row = fmt::format("  {:<44} {:>10.1f} us {:>6.1f} %", what, us, share * 100);
  if (macs > 0) row += fmt::format(" {:>8.1f} GMAC/s", static_cast<double>(macs) / (us * 1e3));
  if (macs > 0 && peak_share > 0) row += fmt::format(" {:>5.1f} % of peak", peak_share * 100);
  return row + "\n";
}

// Every op, then the kinds of ops by what they cost.
std::string ProfileText(const BenchResult& r) {
  struct Kind {
    std::string name;
    double us = 0, share = 0;
    size_t count = 0;
  };
  std::vector<Kind> kinds;
  std::string text;
  for (const OpTime& op : r.ops) {
    const std::string place = op.subgraph == 0 ? fmt::format("op {} {}", op.op_index, op.name)
                                               : fmt::format("subgraph {} op {} {}", op.subgraph, op.op_index, op.name);
    text += Row(place, op.us, op.share, op.macs, op.peak_share);
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.name == op.name; });
    if (kind == kinds.end()) kind = kinds.insert(kinds.end(), Kind{op.name});
    kind->us += op.us, kind->share += op.share;
    ++kind->count;
  }
  std::stable_sort(kinds.begin(), kinds.end(), [](const Kind& a, const Kind& b) { return a.us > b.us; });
  text += fmt::format("by kind (peak of one core: int8 {:.0f} GMAC/s, float32 {:.0f} GMAC/s):\n", r.peak_bytes_gmacs,
                      r.peak_floats_gmacs);
  for (const Kind& k : kinds) text += Row(fmt::format("{} x {}", k.count, k.name), k.us, k.share, 0, 0);
  return text;
}

int Bench(const BenchFlags& flags) {
  const bool races = !flags.against.empty();
  if (races && flags.against != "litert") throw UsageError("--against {}: litert is what there is", flags.against);
  if (races && flags.runtime.runtime == "litert") throw UsageError("--against litert needs --runtime assay");
  if (flags.request.profile && (races || flags.runtime.runtime == "litert")) {
    throw UsageError("--profile shows assay's own kernels: leave --runtime and --against away");
  }
  if (!flags.trace.empty() && (races || flags.runtime.runtime == "litert" || flags.models.size() > 1)) {
    throw UsageError("--trace shows assay's own kernels on one model");
  }
  RuntimeFlags ours = flags.runtime;
  if (races) ours.litert.clear();
  const OpenedRuntime opened = OpenRuntime(ours);
  BenchRequest request = flags.request;
  request.trace = !flags.trace.empty();
  request.profile = request.profile || request.trace;
  request.options.profile = opened.profile;
  request.options.delegate = opened.delegate;
  if (races) request.against = runtime::LoadLiteRt(flags.runtime.litert);
  request.options.threads = flags.threads;
  request.options.cancelled = &Interrupted();
  if (!flags.trace.empty()) CheckWritable(flags.trace);
  ordered_json list = ordered_json::array();
  for (const std::string& path : flags.models) {
    const BenchResult r = runtime::BenchModel(convert::LoadModel(path), request);
    list.push_back(ToJson(path, opened.name, flags.threads, r));
    if (!flags.trace.empty()) WriteFileAtomically(flags.trace, TraceText(path, r));
    if (flags.json) continue;
    Print(
        fmt::format("{}: median {:.1f} us of {} runs (min {:.1f}, p90 {:.1f}, p99 {:.1f}, max {:.1f}; load {:.1f} ms, "
                    "peak memory {:.1f} MB)\n",
                    path, r.median_us, r.runs, r.min_us, r.p90_us, r.p99_us, r.max_us, r.load_ms,
                    static_cast<double>(r.peak_bytes) / 1e6));
    if (r.is_noisy) {
      Print(
          fmt::format("  noisy machine: the medians of five parts of the runs lie apart by a factor of {:.2f}; nothing "
                      "finer can be "
                      "said\n",
                      r.drift));
    }
    if (r.race.has_value()) {
      Print(fmt::format("  litert: median {:.1f} us; its time over ours {:.2f} ({:.2f} to {:.2f} in {} rounds)\n",
                        r.race->median_us, r.race->ratio, r.race->least, r.race->most, r.race->rounds));
    }
    if (flags.request.profile) Print(ProfileText(r));
  }
  if (!flags.json) return 0;
  if (list.size() == 1) {
    Print(list[0].dump(2) + "\n");
  } else {
    Print(ordered_json{{"models", list}}.dump(2) + "\n");
  }
  return 0;
}

}  // namespace

void AddBench(CLI::App& app, Action& action) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* verb = app.add_subcommand("bench", "Time one invoke on random input: the median over a second of runs");
  verb->add_option("models", flags->models, "The .tflite files")->required();
  AddRuntimeFlags(*verb, flags->runtime);
  verb->add_option("--against", flags->against, "litert: race the real LiteRT, in turns in one process");
  verb->add_option("--threads", flags->threads, "Threads of one invoke; results do not depend on them")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--warmup", flags->request.warm_up_seconds, "Seconds before the timed runs")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  CLI::Option* seconds = verb->add_option("--seconds", flags->request.seconds, "Seconds of timed runs, at least 5 runs")
                             ->check(CLI::Range(0.0, 3600.0))
                             ->capture_default_str();
  verb->add_option("--runs", flags->request.runs, "This many timed runs instead")
      ->check(CLI::Range(1, 1000000000))
      ->excludes(seconds);
  verb->add_flag("--profile", flags->request.profile, "Also the time, share and speed of every op");
  verb->add_option("--trace", flags->trace, "Write a trace of every op's turn, for Perfetto or Chrome, to this file");
  verb->add_flag("--json", flags->json, "Print one JSON object");
  verb->callback([flags, &action] { action = [flags] { return Bench(*flags); }; });
}

}  // namespace assay::cli
