// A classifier's accuracy over a data set: top-1, top-5, per class, confusions, with confidence intervals.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/sample_loop.h"
#include "eval/statistics.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "numerics/profile.h"
#include "runtime/interpreter.h"

namespace assay::eval {

struct EvaluateRequest {
  std::shared_ptr<const graph::Model> model;
  const data::Dataset* dataset = nullptr;
  Pipeline pipeline;
  runtime::InterpreterOptions options;  // profile, limits, cancellation
  int threads = 1;
  std::optional<int64_t> label_offset;  // unset: 1 where the model has one output more than there are labels, else 0
  bool skip_bad = false;                // samples that cannot be read are counted instead of ending the run
  Progress progress;
};

struct Confusion {
  int64_t label = 0, predicted = 0, count = 0;
};

struct EvaluateResult {
  int64_t samples = 0, skipped = 0;
  std::vector<std::string> skip_messages;  // the first few
  double seconds = 0;
  int64_t label_offset = 0;
  bool label_offset_was_found = false;  // by the background rule, not given
  int64_t classes = 0;                  // the model's scores
  Proportion top1, top5;
  std::vector<Proportion> per_class;  // by label; classes without samples have total 0
  std::vector<Confusion> confusions;  // wrong answers, the most frequent first
  std::vector<int32_t> predicted;     // per sample, as labels (offset taken off); -1 where skipped
  std::vector<int32_t> rank;          // of the label; -1 where skipped
};

// The rank of `label`: the number of strictly greater scores plus equal scores at a lower index. NaN ranks below
// everything.
int64_t RankOf(const Array& scores, int64_t label);

// The first of the largest scores.
int64_t BestOf(const Array& scores);

// 1 where the scores have a background class before the labels, that is one more than there are labels, else 0.
int64_t FoundLabelOffset(int64_t scores, int64_t label_count);

[[noreturn]] void ThrowNoScore(int64_t label, int64_t label_offset, int64_t scores, const std::string& sample,
                               const std::string& model);

// The index of a sample's label among the scores. Throws InputError where there is none, naming the sample
// (`sample_name()`) and the model.
template <typename SampleName>
int64_t ScoreIndex(int64_t label, int64_t label_offset, int64_t scores, const SampleName& sample_name,
                   const std::string& model) {
  const int64_t index = label + label_offset;
  if (index < 0 || index >= scores) ThrowNoScore(label, label_offset, scores, sample_name(), model);
  return index;
}

// The output that holds the class scores: the only one, or the first with as many values as there are labels (or one
// more).
size_t FindScores(const runtime::Interpreter& interpreter, int64_t label_count);

// Throws InputError naming the sample and the reason; Error(kInterrupted) when cancelled.
EvaluateResult Evaluate(const EvaluateRequest& request);

// Two models on the same samples, those that both answered.
struct PairedAccuracy {
  int64_t samples = 0, agreeing = 0;        // agreeing: equal top-1 answers
  int64_t only_first = 0, only_second = 0;  // right on one side alone
  double mcnemar_p = 1;                     // of a split this uneven if both were equally good
  DifferenceInterval difference;            // second - first
};
PairedAccuracy ComparePaired(const EvaluateResult& first, const EvaluateResult& second);

struct PairedAnswer {
  bool agrees = false, first_is_right = false, second_is_right = false;
};
PairedAccuracy ComparePaired(std::span<const PairedAnswer> answers);

}  // namespace assay::eval
