// What quantization cost: the accuracy of the float and of the quantized model on samples that did not calibrate it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/evaluate.h"
#include "eval/statistics.h"

namespace assay::quantize {

// Some samples of another data set, which must outlive it.
class PickedSamples : public data::Dataset {
 public:
  PickedSamples(const data::Dataset& all, std::vector<size_t> picked) : all_(all), picked_(std::move(picked)) {
    label_count_ = all.label_count();
    class_names_ = all.class_names();
  }
  size_t size() const override { return picked_.size(); }
  data::Sample Load(size_t index) const override { return all_.Load(picked_[index]); }
  int64_t LabelOf(size_t index) const override { return all_.LabelOf(picked_[index]); }
  bool holds_pictures() const override { return all_.holds_pictures(); }
  bool has_labels() const override { return all_.has_labels(); }

 private:
  const data::Dataset& all_;
  std::vector<size_t> picked_;
};

struct Measurement {
  std::vector<size_t> samples;
  eval::Proportion before, after;           // top-1 of the float model, of the quantized one
  int64_t only_before = 0, only_after = 0;  // samples that one of the two alone gets right
  eval::DifferenceInterval difference;      // after - before
  double mcnemar_p = 1;
  std::string missing;  // why nothing was measured; "" where it was
};

struct MeasurementRequest {
  std::shared_ptr<const graph::Model> before, after;
  const data::Dataset* dataset = nullptr;
  std::vector<size_t> calibrated_with;  // left out; ascending
  size_t count = 500;                   // at most so many of the others, chosen by the seed
  uint64_t seed = 0;
  Pipeline pipeline;
  runtime::InterpreterOptions options;
  int threads = 1;
  std::optional<int64_t> label_offset;
  eval::Progress progress;
};

Measurement Measure(const MeasurementRequest& request);

}  // namespace assay::quantize
