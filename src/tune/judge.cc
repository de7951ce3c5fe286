#include "tune/judge.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/input.h"
#include "eval/sample_loop.h"
#include "numerics/error_metrics.h"

namespace assay::tune {
namespace {

// Every how manyth score is kept.
int64_t StrideOf(int64_t size, int64_t kept) { return (size + kept - 1) / kept; }

}  // namespace

int64_t Answers::right_count() const { return std::count(right.begin(), right.end(), true); }

double Answers::sqnr_db() const { return numerics::SignalToNoiseDb(signal, noise); }

void Answers::Append(const Answers& next) {
  right.insert(right.end(), next.right.begin(), next.right.end());
  predicted.insert(predicted.end(), next.predicted.begin(), next.predicted.end());
  noise += next.noise;
  signal += next.signal;
}

Answers Answers::Part(size_t first, size_t count) const {
  ASSAY_CHECK(first + count <= size());
  const auto from = static_cast<std::ptrdiff_t>(first), to = static_cast<std::ptrdiff_t>(first + count);
  const double share = static_cast<double>(count) / static_cast<double>(std::max<size_t>(1, size()));
  Answers part;
  part.right.assign(right.begin() + from, right.begin() + to);
  part.predicted.assign(predicted.begin() + from, predicted.begin() + to);
  part.noise = noise * share;
  part.signal = signal * share;
  return part;
}

eval::PairedAccuracy ComparePaired(const Answers& first, const Answers& second) {
  std::vector<eval::PairedAnswer> answers(std::min(first.size(), second.size()));
  for (size_t i = 0; i < answers.size(); ++i) {
    answers[i] = {first.predicted[i] == second.predicted[i], first.right[i], second.right[i]};
  }
  return eval::ComparePaired(answers);
}

Judge::Judge(const JudgeRequest& request) : request_(request) {
  const data::Dataset& samples = *request_.samples;
  eval::CheckPipeline(request_.pipeline, samples);
  const size_t count = samples.size();
  objective_ = samples.has_labels() ? Objective::kTop1 : Objective::kAgreement;
  {
    runtime::Interpreter probe(request_.source, request_.options);
    eval::FillInputs(samples.Load(0), request_.pipeline, probe);
    probe.Invoke();
    output_ = eval::FindScores(probe, samples.label_count());
    const Array scores = probe.Output(output_);
    if (scores.size() == 0) throw InputError("{}: its output is empty", request_.source->source);
    if (objective_ == Objective::kAgreement && scores.size() < 2) objective_ = Objective::kError;
    if (request_.objective.has_value()) objective_ = *request_.objective;
    if (objective_ == Objective::kTop1 && !samples.has_labels()) {
      throw UsageError("--objective top-1: the data have no labels (an npz needs an array 'y')");
    }
    if (objective_ == Objective::kTop1) {
      label_offset_ = request_.label_offset.value_or(eval::FoundLabelOffset(scores.size(), samples.label_count()));
      for (size_t i = 0; i < count; ++i) {
        eval::ScoreIndex(
            samples.LabelOf(i), label_offset_, scores.size(), [&] { return samples.Load(i).name; },
            request_.source->source);
      }
    }
  }
  scores_.resize(count);
  source_.right.resize(count);
  source_.predicted.resize(count);
  std::vector<double> signals(count);
  const auto start = std::chrono::steady_clock::now();
  std::vector<uint8_t> right(count);
  Run(request_.source, 0, count, [&](size_t i, const Array& scores) {
    const int64_t stride = StrideOf(scores.size(), kKeptScores);
    for (int64_t k = 0; k < scores.size(); k += stride) {
      const double score = ElementAsDouble(scores, k);
      if (!std::isfinite(score)) {
        throw InputError("{}: the float model's score {} is {}", samples.Load(i).name, k,
                         std::isnan(score) ? "NaN" : "infinite");
      }
      scores_[i].push_back(static_cast<float>(score));
      signals[i] += score * score;
    }
    source_.predicted[i] = static_cast<int32_t>(eval::BestOf(scores));
    right[i] = static_cast<uint8_t>(objective_ != Objective::kTop1 || IsRight(i, source_.predicted[i]));
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  seconds_per_sample_ = seconds * std::min<double>(request_.threads, static_cast<double>(count)) /
                        static_cast<double>(std::max<size_t>(1, count));
  for (size_t i = 0; i < count; ++i) {
    source_.right[i] = right[i] != 0;
    source_.signal += signals[i];
  }
}

bool Judge::IsRight(size_t sample, int32_t predicted) const {
  if (objective_ == Objective::kTop1) return predicted == request_.samples->LabelOf(sample) + label_offset_;
  return predicted == source_.predicted[sample];
}

void Judge::Run(const std::shared_ptr<const graph::Model>& model, size_t first, size_t count,
                const std::function<void(size_t sample, const Array& scores)>& take) const {
  const int threads = WorkersFor(count, request_.threads);
  std::vector<std::unique_ptr<runtime::Interpreter>> interpreters(static_cast<size_t>(threads));
  eval::ForSamples(count, threads, request_.options.cancelled, request_.progress, [&](size_t i, int worker) {
    auto& interpreter = interpreters[static_cast<size_t>(worker)];
    if (interpreter == nullptr) interpreter = std::make_unique<runtime::Interpreter>(model, request_.options);
    const data::Sample sample = request_.samples->Load(first + i);
    eval::FillInputs(sample, request_.pipeline, *interpreter);
    interpreter->ResetVariables();  // samples do not see each other, whatever the order
    InContext([&] { return sample.name; }, [&] { interpreter->Invoke(); });
    take(first + i, interpreter->Output(output_));
  });
}

Judge::Distance Judge::Compare(size_t sample, const Array& scores) const {
  Distance distance;
  const std::vector<float>& wanted = scores_[sample];
  const int64_t stride = StrideOf(scores.size(), kKeptScores);
  if ((scores.size() + stride - 1) / stride != static_cast<int64_t>(wanted.size())) {
    throw InputError("the model gives {} scores, not as many as the float model", scores.size());
  }
  for (size_t k = 0; k < wanted.size(); ++k) {
    const auto want = static_cast<double>(wanted[k]);
    const double error = ElementAsDouble(scores, static_cast<int64_t>(k) * stride) - want;
    distance.noise += std::isfinite(error) ? error * error : HUGE_VAL;
    distance.signal += want * want;
  }
  distance.predicted = static_cast<int32_t>(eval::BestOf(scores));
  return distance;
}

Answers Judge::Ask(std::shared_ptr<const graph::Model> model, size_t first, size_t count) const {
  std::vector<Distance> distances(count);
  Run(model, first, count, [&](size_t i, const Array& scores) { distances[i - first] = Compare(i, scores); });
  Answers answers;
  for (size_t i = 0; i < count; ++i) {
    answers.predicted.push_back(distances[i].predicted);
    answers.right.push_back(IsRight(first + i, distances[i].predicted));
    answers.noise += distances[i].noise;
    answers.signal += distances[i].signal;
  }
  return answers;
}

}  // namespace assay::tune
