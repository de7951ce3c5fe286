#include "tune/search.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "quantize/op_rules.h"

namespace assay::tune {
namespace {

using quantize::Scheme;

// A candidate that a smaller and faster one beats by so little chance is not worth the rest of its samples.
constexpr double kHopelessP = 0.05;
// What is left to gain behind the ops that make so much of the error.
constexpr double kMostOfTheError = 0.98;

bool IsSignificantlyWorse(const Trial& trial, const Trial& than) {
  const eval::PairedAccuracy paired = ComparePaired(than.answers, trial.answers);
  return paired.only_first > paired.only_second && paired.mcnemar_p < kHopelessP;
}

class Searcher {
 public:
  explicit Searcher(Lab& lab) : lab_(lab) {}

  SearchResult Run() {
    Trial& source = lab_.TrialOf(SourceCandidate(), /*must_work=*/true);
    source.answers = lab_.judge().source().Part(0, lab_.search_count());
    Finish(source);
    // Refuses what no scheme takes, a model that is quantized already first of all.
    for (const Candidate& candidate : {TensorFlowDynamic(), TensorFlowInt8()}) {
      Trial& trial = lab_.TrialOf(candidate, /*must_work=*/true);
      if (!trial.refused.empty()) {
        Note(fmt::format("{}: {}", trial.candidate.Name(), trial.refused));
        continue;
      }
      lab_.Ask(trial, lab_.search_count());
      Finish(trial);
      result_.baselines.push_back(&trial);
    }
    SearchInt8();
    OtherSchemes();
    RankAll();
    NarrowSome();
    KeepSome();
    NarrowAndKeep();
    if (!result_.out_of_time) Refine();
    return std::move(result_);
  }

 private:
  void Note(std::string note) { result_.notes.push_back(std::move(note)); }

  void Finish(Trial& trial) {
    if (std::find(result_.finished.begin(), result_.finished.end(), &trial) != result_.finished.end()) return;
    if (!trial.stopped) result_.finished.push_back(&trial);
    lab_.Log(trial);
  }

  bool StopForTime() {
    result_.out_of_time = result_.out_of_time || lab_.IsOutOfTime();
    return result_.out_of_time;
  }

  size_t FirstRung() const { return std::min(lab_.search_count(), std::max<size_t>(24, lab_.search_count() / 3)); }

  // Null where it cannot be built.
  Trial* Build(const Candidate& candidate) {
    Trial& trial = lab_.TrialOf(candidate);
    if (trial.refused.empty()) return &trial;
    if (noted_.insert(candidate.Key()).second) Note(fmt::format("{}: {}", candidate.Name(), trial.refused));
    return nullptr;
  }

  bool IsBetterTrial(const Trial* a, const Trial* b) { return IsBetter(lab_.SeenOf(*a), lab_.SeenOf(*b)); }

  // True where something that is done is smaller, faster and, by the paired test, more accurate.
  bool IsHopeless(const Trial& trial) {
    const Seen seen = lab_.SeenOf(trial);
    return std::any_of(result_.finished.begin(), result_.finished.end(), [&](const Trial* other) {
      const Seen better = lab_.SeenOf(*other);
      return better.bytes <= seen.bytes && better.us <= seen.us * 1.05 && IsSignificantlyWorse(trial, *other);
    });
  }

  // Asks a third of the samples, and the others where there is hope. Null where it was not tried or given up.
  Trial* Try(const Candidate& candidate) {
    if (StopForTime()) return nullptr;
    Trial* trial = Build(candidate);
    if (trial == nullptr) return nullptr;
    lab_.Ask(*trial, FirstRung());
    if (FirstRung() < lab_.search_count() && IsHopeless(*trial)) {
      trial->stopped = true;
      Finish(*trial);
      return nullptr;
    }
    lab_.Ask(*trial, lab_.search_count());
    Finish(*trial);
    return trial;
  }

  // Candidates of one structure: all answer a third of the samples, the better half goes on (successive halving).
  Trial* Race(const std::vector<Candidate>& candidates) {
    std::vector<Trial*> runners;
    for (const Candidate& candidate : candidates) {
      if (StopForTime() && !runners.empty()) break;
      Trial* trial = Build(candidate);
      if (trial == nullptr || std::find(runners.begin(), runners.end(), trial) != runners.end()) continue;
      lab_.Ask(*trial, FirstRung());
      runners.push_back(trial);
    }
    if (runners.empty()) return nullptr;
    std::stable_sort(runners.begin(), runners.end(), [&](Trial* a, Trial* b) { return IsBetterTrial(a, b); });
    const size_t keep = std::max<size_t>(2, (runners.size() + 1) / 2);
    Trial* best = nullptr;
    for (size_t i = 0; i < runners.size(); ++i) {
      const bool is_complete = runners[i]->answers.size() >= lab_.search_count();
      if (!is_complete && (i >= keep || (i > 0 && IsSignificantlyWorse(*runners[i], *runners[0])) ||
                           (best != nullptr && StopForTime()))) {
        runners[i]->stopped = true;
        Finish(*runners[i]);
        continue;
      }
      lab_.Ask(*runners[i], lab_.search_count());
      Finish(*runners[i]);
      if (best == nullptr || IsBetterTrial(runners[i], best)) best = runners[i];
    }
    return best;
  }

  void SearchInt8() {
    std::vector<Candidate> calibrations;
    for (const char* method : {"minmax", "mse", "percentile:99.99", "percentile:99.9", "entropy", "moving-average"}) {
      Candidate candidate;
      candidate.calibration = method;
      calibrations.push_back(candidate);
    }
    Trial* best = Race(calibrations);
    if (best == nullptr) return;
    best_int8_ = best;
    std::vector<Candidate> corrections;
    for (const bool equalize : {false, true}) {
      for (const bool correct : {true, false}) {
        Candidate candidate = best->candidate;
        candidate.equalize = equalize;
        candidate.bias_correction = correct;
        corrections.push_back(candidate);
      }
    }
    Candidate absorbed = best->candidate, clipped = best->candidate;
    absorbed.equalize = absorbed.absorb_bias = true;
    clipped.clip_weights = true;
    corrections.push_back(absorbed);
    corrections.push_back(clipped);
    if (Trial* corrected = Race(corrections); corrected != nullptr && IsBetterTrial(corrected, best)) {
      best_int8_ = corrected;
    }
  }

  void OtherSchemes() {
    Candidate half;
    half.scheme = Scheme::kFloat16;
    Try(half);
    Candidate wide;
    wide.scheme = Scheme::kInt16x8;
    Try(wide);
    for (const Scheme scheme : {Scheme::kWeightOnly, Scheme::kDynamic}) {
      for (const DType weights : {DType::kInt8, DType::kInt4}) {
        Candidate candidate;
        candidate.scheme = scheme;
        candidate.weights = weights;
        Try(candidate);
        candidate.clip_weights = weights == DType::kInt4;
        if (candidate.clip_weights) Try(candidate);
      }
    }
    if (best_int8_ == nullptr) return;
    Candidate narrow = best_int8_->candidate;
    narrow.weights = DType::kInt4;
    Race(WithRounding(narrow));
  }

  // A candidate with its weights as they are, clipped, and rounded together where time allows.
  std::vector<Candidate> WithRounding(Candidate candidate) {
    candidate.clip_weights = candidate.adaround = false;
    std::vector<Candidate> all = {candidate, candidate};
    all[1].clip_weights = true;
    if (lab_.CanAffordAdaround()) {
      all.push_back(candidate);
      all[2].adaround = true;
    } else if (noted_.insert("adaround").second) {
      Note("adaround: would take more of the time than is left for it");
    }
    return all;
  }

  void RankAll() {
    if (best_int8_ == nullptr) {
      result_.layers_missing = "the model has no int8 form";
      return;
    }
    if (StopForTime()) {
      result_.layers_missing = "the time was over";
      return;
    }
    try {
      result_.layers = lab_.Layers(lab_.request().minutes * 60 / 5);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInput) throw;
      result_.layers_missing = error.what();
      Note("layers cannot be ranked: " + result_.layers_missing);
    }
    by_error_ = result_.layers;
    std::stable_sort(by_error_.begin(), by_error_.end(),
                     [](const LayerCost& a, const LayerCost& b) { return a.int8.noise > b.int8.noise; });
  }

  // int4 weights where they cost least per byte that they save: more and more ops, until it shows.
  void NarrowSome() {
    if (best_int8_ == nullptr) return;
    std::vector<const LayerCost*> layers;
    double all = 0;
    for (const LayerCost& layer : result_.layers) {
      if (!layer.int4.has_value() || layer.weights < 64) continue;
      layers.push_back(&layer);
      all += static_cast<double>(layer.weights);
    }
    std::stable_sort(layers.begin(), layers.end(), [](const LayerCost* a, const LayerCost* b) {
      const auto price = [](const LayerCost& l) {
        return std::max(0.0, l.int4->noise - l.int8.noise) / static_cast<double>(l.weights);
      };
      return price(*a) < price(*b);
    });
    Candidate candidate = best_int8_->candidate;
    double taken = 0;
    size_t next = 0;
    for (const double share : {0.1, 0.25, 0.4, 0.55, 0.7, 0.85}) {
      const size_t before = next;
      while (next + 1 < layers.size() && taken < share * all) {
        candidate.narrow.push_back(layers[next]->op);
        taken += static_cast<double>(layers[next++]->weights);
      }
      if (next == before) continue;
      std::sort(candidate.narrow.begin(), candidate.narrow.end());
      Trial* trial = Try(candidate);
      if (trial == nullptr || IsSignificantlyWorse(*trial, *best_int8_)) return;
      if (!IsSignificantlyWorse(*trial, *result_.finished.front())) narrow_.push_back(trial);
    }
  }

  bool TakesInt16(int32_t op) const {
    const auto& ops = lab_.request().model->subgraphs[0].operators;
    const quantize::OpRule* rule = quantize::FindOpRule(ops[static_cast<size_t>(op)]);
    return rule != nullptr && rule->int16;
  }

  // The ops that cost most stay out of int8: more and more of them, in each form.
  void KeepSome() {
    if (best_int8_ == nullptr || by_error_.empty()) return;
    double all = 0;
    for (const LayerCost& layer : by_error_) all += layer.int8.noise;
    for (const KeptAs form : {KeptAs::kFloat16, KeptAs::kInt16x8}) {
      Candidate candidate = best_int8_->candidate;
      candidate.kept_as = form;
      double taken = 0;
      size_t next = 0;
      for (const size_t count : {1, 2, 4, 8, 16}) {
        const size_t before = next;
        while (next < by_error_.size() && candidate.kept.size() < count && taken < kMostOfTheError * all) {
          const LayerCost& layer = by_error_[next++];
          if (form == KeptAs::kInt16x8 && !TakesInt16(layer.op)) continue;
          candidate.kept.push_back(layer.op);
          taken += layer.int8.noise;
        }
        if (next == before || candidate.kept.size() >= result_.layers.size()) break;
        std::sort(candidate.kept.begin(), candidate.kept.end());
        Trial* trial = Try(candidate);
        if (trial != nullptr && (best_kept_ == nullptr || IsBetterTrial(trial, best_kept_))) best_kept_ = trial;
      }
    }
    if (best_kept_ == nullptr || !IsBetterTrial(best_kept_, best_int8_)) best_kept_ = nullptr;
    if (best_kept_ == nullptr || best_kept_->candidate.kept_as != KeptAs::kFloat16) return;
    Candidate full = best_kept_->candidate;
    full.kept_as = KeptAs::kFloat32;
    Try(full);
  }

  void NarrowAndKeep() {
    if (best_kept_ == nullptr) return;
    for (auto trial = narrow_.rbegin(); trial != narrow_.rend(); ++trial) {
      Candidate candidate = best_kept_->candidate;
      for (const int32_t op : (*trial)->candidate.narrow) {
        if (!std::binary_search(candidate.kept.begin(), candidate.kept.end(), op)) candidate.narrow.push_back(op);
      }
      if (Try(candidate) != nullptr) return;
    }
  }

  // Other calibrations for the narrow mixes, which are the ones that lose something.
  void Refine() {
    if (narrow_.empty()) return;
    for (const Trial* trial : {narrow_.back(), narrow_[narrow_.size() / 2]}) {
      std::vector<Candidate> candidates;
      for (const char* method : {"minmax", "mse", "percentile:99.99"}) {
        candidates.push_back(trial->candidate);
        candidates.back().calibration = method;
      }
      for (const Candidate& candidate : WithRounding(trial->candidate)) candidates.push_back(candidate);
      Race(candidates);
      if (StopForTime()) return;
    }
  }

  Lab& lab_;
  SearchResult result_;
  std::set<std::string> noted_;
  Trial* best_int8_ = nullptr;
  Trial* best_kept_ = nullptr;
  std::vector<Trial*> narrow_;  // not significantly worse than the source, from the fewest ops to the most
  std::vector<LayerCost> by_error_;
};

}  // namespace

SearchResult Search(Lab& lab) { return Searcher(lab).Run(); }

}  // namespace assay::tune
