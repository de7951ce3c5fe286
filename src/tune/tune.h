// Searches the schemes, calibration methods, corrections and mixed precisions for the models that are worth having:
// the Pareto front of accuracy, size and time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/evaluate.h"
#include "graph/model.h"
#include "image/preprocess.h"
#include "runtime/interpreter.h"
#include "tune/candidate.h"
#include "tune/front.h"
#include "tune/latency.h"
#include "tune/samples.h"
#include "tune/sensitivity.h"

namespace assay::tune {

struct TuneRequest {
  std::shared_ptr<const graph::Model> model;  // float
  const data::Dataset* dataset = nullptr;
  std::string data_spec;
  Pipeline pipeline;
  std::string folder;  // for the chosen files and the journal
  Budget budget;
  double minutes = 3;             // after which nothing new is tried; what is left is reported
  std::optional<size_t> samples;  // that calibrate
  size_t search_samples = 200;
  std::optional<size_t> report_samples;  // unset: 1000, fewer where the model is slow
  uint64_t seed = 0;
  uint64_t memory_bytes = uint64_t{1} << 30;  // of decoded pictures
  runtime::InterpreterOptions options;
  int threads = 1;
  std::optional<int64_t> label_offset;
  std::optional<Objective> objective;  // unset: the labels', else the float model's answers, else its outputs
  double turn_seconds = 0.006;         // of one model's turns when times are measured

  std::function<void(const std::string& line)> log;                                  // what was found, as it is found
  std::function<void(const std::string& what, size_t done, size_t total)> progress;  // never two at once
};

// A model on the front, or one that the front is compared with.
struct Point {
  std::string name, file;  // the file in the folder; "" where none was written
  bool on_front = false, is_chosen = false, is_source = false, is_baseline = false;
  uint64_t bytes = 0;
  Seen search;                  // on the samples that choose
  eval::Proportion report;      // on those that neither calibrate nor choose
  eval::PairedAccuracy paired;  // there: the float model first, this one second
  double report_sqnr_db = 0;
  Answers answers;  // there
  Latency latency;  // against the float model
};

// Whether a member of the front is at least as good as a baseline in everything.
struct Dominance {
  std::string baseline, by;  // `by`: "" where none is
  int64_t right_more = 0;    // on the report samples
  double size_ratio = 1, time_ratio = 1;
  double mcnemar_p = 1;  // of the two there
  double more_db = 0;    // of the scores' signal to noise there: what counts where there are no answers
};

struct TuneResult {
  Objective objective = Objective::kTop1;
  Split split;
  int64_t label_offset = 0;
  std::vector<LayerCost> layers;  // the most costly first
  std::string layers_missing;     // why none was ranked
  std::vector<Point> points;      // the float model, baselines, the front: from the largest to the smallest
  std::vector<Dominance> dominance;
  bool within_budget = false;
  std::string choice;  // why this one, or what came nearest
  size_t tried = 0, from_journal = 0, stopped_early = 0;
  std::vector<std::string> notes;  // what was left out, and why
  bool out_of_time = false;
  double seconds = 0;
};

// Writes the front's files into the folder. Throws InputError and UsageError for what is wrong with the request, before
// anything runs; Error(kInterrupted), with all that was measured in the journal.
TuneResult Tune(const TuneRequest& request);

}  // namespace assay::tune
