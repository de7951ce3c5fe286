// The samples of a search: three disjoint parts, and pictures that are decoded once.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "image/preprocess.h"

namespace assay::tune {

// Indices of the data set, each part ascending.
struct Split {
  std::vector<size_t> calibration, search, report;
};

struct SplitRequest {
  size_t size = 0;                         // of the data set
  std::optional<size_t> calibration = {};  // unset: 100, or a quarter where there are fewer than 400
  size_t search = 200, report = 1000;
  uint64_t seed = 0;
};

// The calibration part is the one that `assay quantize --seed --samples` takes. Of the others at most half choose.
// Throws UsageError or InputError where a part would be empty.
Split SplitSamples(const SplitRequest& request);

// Some samples of a data set, pictures as the pipeline leaves them: decoded when they are first asked for and kept as
// long as all that are kept fit into `memory_bytes`. Arrays are handed through.
class PreparedSamples final : public data::Dataset {
 public:
  PreparedSamples(const data::Dataset& all, std::vector<size_t> chosen, const Pipeline& pipeline,
                  uint64_t memory_bytes);

  // What is left to be done to a loaded sample.
  const Pipeline& remaining_pipeline() const { return remaining_; }
  // Of the names, labels and bytes of the samples as they are stored.
  uint64_t Fingerprint(int threads) const;

  size_t size() const override { return chosen_.size(); }
  data::Sample Load(size_t index) const override;
  int64_t LabelOf(size_t index) const override { return all_.LabelOf(chosen_[index]); }
  bool holds_pictures() const override { return false; }
  bool has_labels() const override { return all_.has_labels(); }

 private:
  struct Kept {
    std::string name;
    Array value;
  };
  const data::Dataset& all_;
  std::vector<size_t> chosen_;
  Pipeline pipeline_, remaining_;
  uint64_t memory_bytes_;
  mutable std::mutex mutex_;
  mutable uint64_t used_ = 0;
  mutable std::vector<std::optional<Kept>> kept_;
};

// FNV-1a, 64 bits.
uint64_t HashBytes(const void* bytes, size_t size, uint64_t hash = 0xcbf29ce484222325U);

}  // namespace assay::tune
