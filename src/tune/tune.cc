#include "tune/tune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/checksum.h"
#include "base/error.h"
#include "base/version.h"
#include "eval/input.h"
#include "eval/prepared_samples.h"
#include "format/tflite/writer.h"
#include "tune/journal.h"
#include "tune/lab.h"
#include "tune/samples.h"
#include "tune/search.h"

namespace assay::tune {
namespace {

// Of two times measured in turns: equal.
constexpr double kEqualTime = 1.03;
// Of the float model's right answers: with fewer a model is left out.
constexpr double kUsable = 0.75;

void CheckRequest(const TuneRequest& request) {
  const Budget& budget = request.budget;
  if (!(request.minutes > 0)) throw UsageError("--minutes {}: has to be more than 0", request.minutes);
  if (budget.max_bytes == uint64_t{0}) throw UsageError("--max-size 0: no file is that small");
  if (budget.max_us.has_value() && !(*budget.max_us > 0)) {
    throw UsageError("--max-latency-us {}: has to be more than 0", *budget.max_us);
  }
  if (budget.max_drop.has_value() && !(*budget.max_drop >= 0 && *budget.max_drop <= 1)) {
    throw UsageError("--max-drop {}: expected a fraction from 0 to 1", *budget.max_drop);
  }
  if (budget.max_drop.has_value() && (budget.max_bytes.has_value() || budget.max_us.has_value())) {
    throw UsageError(
        "--max-drop asks for the smallest or fastest model, --max-size and --max-latency-us for the most accurate one: "
        "give one kind");
  }
  if (budget.prefer_latency && (budget.max_bytes.has_value() || budget.max_us.has_value())) {
    throw UsageError("--prefer latency goes with --max-drop: within a size or time the most accurate model is chosen");
  }
  if (request.model->has_unknown_fields) {
    throw InputError("{}: holds what only a newer version of the format knows; rewriting would lose that",
                     request.model->source);
  }
}

std::string Hex(uint64_t value) { return fmt::format("{:016x}", value); }

// What measurements depend on. Budgets, minutes and threads do not change them.
nlohmann::ordered_json IdentityOf(const TuneRequest& request, const std::vector<size_t>& calibration,
                                  const std::vector<size_t>& judged) {
  const std::vector<uint8_t> bytes = tflite::SerializeModel(*request.model);
  nlohmann::ordered_json identity;
  identity["version"] = kVersion;
  identity["checksums"] = "XXH64";
  identity["model"] = Hex(Checksum(bytes));
  identity["--preprocess"] = request.pipeline.ToString();
  identity["--numerics"] = request.options.profile->id;
  identity["--seed"] = request.seed;
  identity["--samples"] = calibration.size();
  identity["--search-samples"] = request.search_samples;
  identity["--report-samples"] = request.report_samples.has_value() ? nlohmann::ordered_json(*request.report_samples)
                                                                    : nlohmann::ordered_json("found");
  identity["--objective"] = request.objective.has_value() ? static_cast<int>(*request.objective) : -1;
  identity["--label-offset"] = request.label_offset.has_value() ? nlohmann::ordered_json(*request.label_offset)
                                                                : nlohmann::ordered_json("found");
  identity["data"] = Hex(Fingerprint(*request.dataset, calibration, request.threads) ^
                         (Fingerprint(*request.dataset, judged, request.threads) << 1U));
  return identity;
}

// Of the samples that may report, those that the front of a slow model can be measured on in a good part of the time.
std::vector<size_t> Affordable(const TuneRequest& request, Journal& journal, std::vector<size_t> report,
                               double invoke_seconds) {
  constexpr const char* kName = "report samples";
  constexpr double kShareOfTime = 0.4, kModels = 12, kLeast = 100;
  const double affordable =
      kShareOfTime * 60 * request.minutes * std::max(1, request.threads) / (kModels * std::max(1e-9, invoke_seconds));
  auto count = static_cast<size_t>(std::clamp(affordable, kLeast, 1e9));
  // A run that goes on reports on the samples of the one before.
  if (const nlohmann::json* known = journal.Find(kName); known != nullptr && known->is_number_unsigned()) {
    count = std::max<size_t>(1, known->get<size_t>());
  } else {
    journal.Note(kName, count);
  }
  if (count >= report.size()) return report;
  std::vector<size_t> chosen;
  for (const size_t i : quantize::ChooseSamples(report.size(), count, request.seed + 3)) chosen.push_back(report[i]);
  return chosen;
}

Point PointOf(Lab& lab, Trial& trial, const Answers& source_report) {
  Point point;
  point.name = trial.candidate.Name();
  point.is_source = trial.candidate.is_source;
  point.bytes = trial.bytes;
  point.search = lab.SeenOf(trial);
  const Answers answers = point.is_source ? source_report : lab.AskReport(trial);
  point.report = eval::WilsonInterval(answers.right_count(), static_cast<int64_t>(answers.size()));
  point.paired = ComparePaired(source_report, answers);
  point.report_sqnr_db = answers.sqnr_db();
  point.answers = answers;
  return point;
}

// Removes the models that a run before wrote into the folder, as its journal says, and that this one did not.
void RemoveStaleFiles(const TuneRequest& request, Journal& journal, const std::vector<Point>& points) {
  constexpr const char* kFiles = "files";
  std::vector<std::string> now;
  for (const Point& point : points) {
    if (!point.file.empty()) now.push_back(point.file);
  }
  if (const nlohmann::json* then = journal.Find(kFiles); then != nullptr && then->is_array()) {
    for (const nlohmann::json& entry : *then) {
      if (!entry.is_string()) continue;
      const auto name = entry.get<std::string>();
      const bool is_plain = name.find('/') == std::string::npos && name.ends_with(".tflite");
      if (!is_plain || std::find(now.begin(), now.end(), name) != now.end()) continue;
      std::error_code ignored;
      std::filesystem::remove(std::filesystem::path(request.folder) / name, ignored);
    }
  }
  journal.Note(kFiles, now);
}

Dominance DominanceOver(const Point& baseline, const std::vector<Point>& points, Objective objective) {
  Dominance best;
  best.baseline = baseline.name;
  for (const Point& point : points) {
    if (!point.on_front || point.is_source || &point == &baseline) continue;
    const double time = baseline.latency.us > 0 ? point.latency.ratio / baseline.latency.ratio : 1;
    const double size = static_cast<double>(point.bytes) / static_cast<double>(baseline.bytes);
    const int64_t more = point.report.correct - baseline.report.correct;
    const double more_db = point.report_sqnr_db - baseline.report_sqnr_db;
    if (objective == Objective::kError && !(more_db >= 0)) continue;
    if (more < 0 || size > 1 || time > kEqualTime) continue;
    const bool is_exacter = objective == Objective::kError && more_db > 0;
    if (more == 0 && !is_exacter && size == 1 && time > 2 - kEqualTime) continue;  // no better in anything
    const bool better =
        best.by.empty() || more > best.right_more || (more == best.right_more && size < best.size_ratio);
    if (better) {
      best = {baseline.name, point.name, more, size, time, ComparePaired(baseline.answers, point.answers).mcnemar_p,
              more_db};
    }
  }
  return best;
}

class Finale {
 public:
  Finale(const TuneRequest& request, Lab& lab, Journal& journal, SearchResult found)
      : request_(request), lab_(lab), journal_(journal), found_(std::move(found)) {}

  void Run(TuneResult& result) {
    std::vector<Seen> seen;
    seen.reserve(found_.finished.size());
    for (const Trial* trial : found_.finished) seen.push_back(lab_.SeenOf(*trial));
    // What answers at random is small, but nobody's choice, unless nothing else is small enough.
    const bool has_ceiling = request_.budget.max_bytes.has_value() || request_.budget.max_us.has_value();
    for (size_t i = 0; !has_ceiling && i < seen.size();) {
      const bool is_broken = static_cast<double>(seen[i].right) < kUsable * static_cast<double>(seen[0].right);
      if (is_broken) {
        seen.erase(seen.begin() + static_cast<std::ptrdiff_t>(i));
        found_.finished.erase(found_.finished.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
    std::vector<Trial*> members;
    std::vector<bool> on_front;
    for (const size_t i : ParetoFront(seen)) members.push_back(found_.finished[i]);
    on_front.assign(members.size(), true);
    const auto also = [&](Trial* trial) {
      if (std::find(members.begin(), members.end(), trial) != members.end()) return;
      members.push_back(trial);
      on_front.push_back(false);
    };
    also(found_.finished.front());
    for (Trial* trial : found_.baselines) also(trial);
    Measure(members, on_front, result);
    ChooseOne(result);
    Write(members, result);
    for (const Point& point : result.points) {
      if (point.is_baseline) result.dominance.push_back(DominanceOver(point, result.points, lab_.judge().objective()));
    }
    std::stable_sort(result.points.begin(), result.points.end(),
                     [](const Point& a, const Point& b) { return a.bytes > b.bytes; });
  }

 private:
  void Measure(const std::vector<Trial*>& members, const std::vector<bool>& on_front, TuneResult& result) {
    const Answers& all = lab_.judge().source();
    const Answers source = all.Part(lab_.search_count(), all.size() - lab_.search_count());
    LatencyRequest latency;
    latency.options = request_.options;
    latency.models = {request_.model};
    for (size_t i = 0; i < members.size(); ++i) {
      Point point = PointOf(lab_, *members[i], source);
      point.on_front = on_front[i];
      point.is_baseline =
          std::find(found_.baselines.begin(), found_.baselines.end(), members[i]) != found_.baselines.end();
      result.points.push_back(std::move(point));
      if (!members[i]->candidate.is_source) latency.models.push_back(lab_.ModelOf(members[i]->candidate));
      if (request_.progress) request_.progress("report", i + 1, members.size());
    }
    latency.rounds = 25;
    latency.turn_seconds = request_.turn_seconds;
    const std::vector<Latency> measured = MeasureLatency(latency);
    size_t next = 1;
    for (Point& point : result.points) point.latency = measured[point.is_source ? 0 : next++];
  }

  void ChooseOne(TuneResult& result) {
    std::vector<Seen> front;
    std::vector<std::string> names;
    std::vector<size_t> which;
    for (size_t i = 0; i < result.points.size(); ++i) {
      const Point& point = result.points[i];
      if (!point.on_front) continue;
      front.push_back(point.search);
      front.back().us = point.latency.us;
      names.push_back(point.name);
      which.push_back(i);
    }
    int64_t source_right = 0;
    for (size_t i = 0; i < lab_.search_count(); ++i) source_right += lab_.judge().source().right[i];
    const Choice choice = Choose(front, names, source_right, lab_.judge().objective(), request_.budget);
    result.choice = choice.reason;
    result.within_budget = choice.index.has_value();
    if (choice.index.has_value()) result.points[which[*choice.index]].is_chosen = true;
  }

  void Write(const std::vector<Trial*>& members, TuneResult& result) {
    if (request_.options.cancelled != nullptr && *request_.options.cancelled) {
      throw Error(ErrorCode::kInterrupted, "interrupted");
    }
    std::set<std::string> taken;
    for (size_t i = 0; i < members.size(); ++i) {
      Point& point = result.points[i];
      if (!point.on_front) continue;
      const std::string stem = members[i]->candidate.FileStem();
      std::string name = stem;
      for (int k = 2; !taken.insert(name).second; ++k) name = fmt::format("{}-{}", stem, k);
      point.file = name + ".tflite";
      tflite::WriteModel(*lab_.ModelOf(members[i]->candidate),
                         (std::filesystem::path(request_.folder) / point.file).string());
    }
    RemoveStaleFiles(request_, journal_, result.points);
  }

  const TuneRequest& request_;
  Lab& lab_;
  Journal& journal_;
  SearchResult found_;
};

}  // namespace

TuneResult Tune(const TuneRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  CheckRequest(request);
  TuneResult result;
  SplitRequest split;
  split.size = request.dataset->size();
  split.calibration = request.samples;
  split.search = request.search_samples;
  split.report = request.report_samples.value_or(split.report);
  split.seed = request.seed;
  result.split = SplitSamples(split);
  const auto judged_of = [](const Split& parts) {
    std::vector<size_t> judged = parts.search;
    judged.insert(judged.end(), parts.report.begin(), parts.report.end());
    return judged;
  };
  const std::vector<size_t> all_judged = judged_of(result.split);
  const double total = static_cast<double>(all_judged.size() + result.split.calibration.size());
  const auto share =
      static_cast<uint64_t>(static_cast<double>(request.memory_bytes) * static_cast<double>(all_judged.size()) / total);
  const eval::PreparedSamples calibration_samples(*request.dataset, result.split.calibration, request.pipeline,
                                                  request.memory_bytes - share);
  double invoke_seconds = HUGE_VAL;
  {
    // A model that no scheme takes, and samples that do not fit it, are found out before anything is written.
    quantize::QuantizeRequest probe;
    probe.model = request.model;
    probe.scheme = quantize::Scheme::kFloat16;
    quantize::Quantize(probe);
    runtime::Interpreter interpreter(request.model, request.options);
    eval::FillInputs(request.dataset->Load(result.split.calibration.front()), request.pipeline, interpreter);
    for (int i = 0; i < 3; ++i) {
      const auto before = std::chrono::steady_clock::now();
      interpreter.Invoke();
      invoke_seconds =
          std::min(invoke_seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count());
    }
  }
  Journal journal(request.folder, IdentityOf(request, result.split.calibration, all_judged));
  if (!request.report_samples.has_value()) {
    result.split.report = Affordable(request, journal, std::move(result.split.report), invoke_seconds);
  }
  const eval::PreparedSamples judged_samples(*request.dataset, judged_of(result.split), request.pipeline, share);
  try {
    Lab lab(request, result.split, journal, calibration_samples, judged_samples);
    result.objective = lab.judge().objective();
    result.label_offset = lab.judge().label_offset();
    SearchResult found = Search(lab);
    result.layers = found.layers;
    result.layers_missing = found.layers_missing;
    result.notes = found.notes;
    result.out_of_time = found.out_of_time;
    std::stable_sort(result.layers.begin(), result.layers.end(),
                     [](const LayerCost& a, const LayerCost& b) { return a.int8.noise > b.int8.noise; });
    Finale(request, lab, journal, std::move(found)).Run(result);
    result.tried = lab.trials().size();
    result.from_journal = lab.from_journal();
    for (const auto& [key, trial] : lab.trials()) result.stopped_early += trial->stopped;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInterrupted) throw;
    throw Error(
        ErrorCode::kInterrupted,
        fmt::format("interrupted; what was measured is in {}: the same command goes on from there", journal.path()));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace assay::tune
