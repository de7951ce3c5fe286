#include "eval/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>

#include "base/parallel.h"
#include "eval/input.h"
#include "runtime/interpreter.h"

namespace assay::eval {
namespace {

constexpr size_t kMaxSkipMessages = 20;

struct Answer {
  int32_t predicted = -1, rank = -1;
  bool skipped = true;
  std::string message;
};

double ScoreAt(const Array& scores, int64_t i) {
  const double score = ElementAsDouble(scores, i);
  return std::isnan(score) ? -HUGE_VAL : score;
}

void Summarize(const data::Dataset& dataset, const std::vector<int64_t>& labels, EvaluateResult& result) {
  int64_t correct1 = 0, correct5 = 0;
  const int64_t classes = std::max(dataset.label_count(), result.classes - result.label_offset);
  std::vector<int64_t> right(static_cast<size_t>(classes)), total(static_cast<size_t>(classes));
  std::map<std::pair<int64_t, int64_t>, int64_t> wrong;
  for (size_t i = 0; i < result.rank.size(); ++i) {
    if (result.rank[i] < 0) continue;
    ++result.samples;
    correct1 += result.rank[i] == 0;
    correct5 += result.rank[i] < 5;
    const auto label = static_cast<size_t>(labels[i]);
    ++total[label];
    right[label] += result.rank[i] == 0;
    if (result.rank[i] != 0) ++wrong[{labels[i], result.predicted[i]}];
  }
  result.top1 = WilsonInterval(correct1, result.samples);
  result.top5 = WilsonInterval(correct5, result.samples);
  for (size_t c = 0; c < right.size(); ++c) result.per_class.push_back(WilsonInterval(right[c], total[c]));
  for (const auto& [pair, count] : wrong) result.confusions.push_back({pair.first, pair.second, count});
  std::stable_sort(result.confusions.begin(), result.confusions.end(),
                   [](const Confusion& a, const Confusion& b) { return a.count > b.count; });
}

}  // namespace

int64_t RankOf(const Array& scores, int64_t label) {
  const double own = ScoreAt(scores, label);
  int64_t rank = 0;
  for (int64_t i = 0; i < scores.size(); ++i) {
    const double other = ScoreAt(scores, i);
    rank += other > own || (other == own && i < label);
  }
  return rank;
}

int64_t BestOf(const Array& scores) {
  int64_t best = 0;
  for (int64_t i = 1; i < scores.size(); ++i) {
    if (ScoreAt(scores, i) > ScoreAt(scores, best)) best = i;
  }
  return best;
}

int64_t FoundLabelOffset(int64_t scores, int64_t label_count) { return scores == label_count + 1 ? 1 : 0; }

void ThrowNoScore(int64_t label, int64_t label_offset, int64_t scores, const std::string& sample,
                  const std::string& model) {
  throw InputError("{} has the label {}{}, but {} gives {} scores (--label-offset shifts labels)", sample, label,
                   label_offset != 0 ? fmt::format(" (shifted by {})", label_offset) : "", model, scores);
}

size_t FindScores(const runtime::Interpreter& interpreter, int64_t label_count) {
  if (interpreter.output_count() == 0) throw InputError("{}: has no output", interpreter.model().source);
  for (size_t k = 0; k < interpreter.output_count() && interpreter.output_count() > 1; ++k) {
    const int64_t size = interpreter.OutputShape(k).NumElements();
    if (size == label_count || size == label_count + 1) return k;
  }
  return 0;
}

EvaluateResult Evaluate(const EvaluateRequest& request) {
  const data::Dataset& dataset = *request.dataset;
  if (!dataset.has_labels()) throw InputError("the data have no labels (an npz needs an array 'y')");
  CheckPipeline(request.pipeline, dataset);
  const size_t count = dataset.size();
  const int threads = WorkersFor(count, request.threads);
  std::vector<std::unique_ptr<runtime::Interpreter>> interpreters;
  for (int t = 0; t < threads; ++t) {
    interpreters.push_back(std::make_unique<runtime::Interpreter>(request.model, request.options));
    if (t == 0) interpreters[0]->AllocateTensors();
  }
  std::vector<Answer> answers(count);
  std::vector<int64_t> labels(count, -1);
  EvaluateResult result;
  std::mutex mutex;
  std::optional<int64_t> offset = request.label_offset;
  const auto start = std::chrono::steady_clock::now();
  ForSamples(count, threads, request.options.cancelled, request.progress, [&](size_t i, int worker) {
    runtime::Interpreter& interpreter = *interpreters[static_cast<size_t>(worker)];
    Answer& answer = answers[i];
    std::string name;
    try {
      const data::Sample sample = dataset.Load(i);
      labels[i] = sample.label;
      name = sample.name;
      FillInputs(sample, request.pipeline, interpreter);
    } catch (const Error& error) {
      if (!request.skip_bad || error.code() != ErrorCode::kInput) throw;
      answer.message = error.what();
      return;
    }
    interpreter.ResetVariables();  // samples do not see each other, whatever the order
    interpreter.Invoke();
    const Array scores = interpreter.Output(FindScores(interpreter, dataset.label_count()));
    int64_t shift = 0;
    {
      const std::scoped_lock lock(mutex);
      if (!offset.has_value()) {
        offset = FoundLabelOffset(scores.size(), dataset.label_count());
        result.label_offset_was_found = *offset == 1;
      }
      result.classes = scores.size();
      shift = *offset;
    }
    const int64_t index = ScoreIndex(
        labels[i], shift, scores.size(), [&] { return name; }, interpreter.model().source);
    answer.rank = static_cast<int32_t>(RankOf(scores, index));
    answer.predicted = static_cast<int32_t>(BestOf(scores) - shift);
    answer.skipped = false;
  });
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.label_offset = offset.value_or(0);
  for (const Answer& answer : answers) {
    result.predicted.push_back(answer.predicted);
    result.rank.push_back(answer.rank);
    if (!answer.skipped) continue;
    ++result.skipped;
    if (result.skip_messages.size() < kMaxSkipMessages) result.skip_messages.push_back(answer.message);
  }
  Summarize(dataset, labels, result);
  return result;
}

PairedAccuracy ComparePaired(std::span<const PairedAnswer> answers) {
  PairedAccuracy paired;
  for (const PairedAnswer& answer : answers) {
    ++paired.samples;
    paired.agreeing += answer.agrees;
    paired.only_first += answer.first_is_right && !answer.second_is_right;
    paired.only_second += !answer.first_is_right && answer.second_is_right;
  }
  paired.mcnemar_p = McNemarExact(paired.only_first, paired.only_second);
  paired.difference = PairedDifference(paired.only_first, paired.only_second, paired.samples);
  return paired;
}

PairedAccuracy ComparePaired(const EvaluateResult& first, const EvaluateResult& second) {
  ASSAY_CHECK(first.rank.size() == second.rank.size());
  std::vector<PairedAnswer> answers;
  for (size_t i = 0; i < first.rank.size(); ++i) {
    if (first.rank[i] < 0 || second.rank[i] < 0) continue;
    answers.push_back({first.predicted[i] == second.predicted[i], first.rank[i] == 0, second.rank[i] == 0});
  }
  return ComparePaired(answers);
}

}  // namespace assay::eval
