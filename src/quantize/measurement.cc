#include "quantize/measurement.h"

#include <algorithm>

#include "quantize/quantize.h"

namespace assay::quantize {

Measurement Measure(const MeasurementRequest& request) {
  const data::Dataset* dataset = request.evaluate.dataset;
  Measurement result;
  if (dataset == nullptr) {
    result.missing = "no --data was given";
    return result;
  }
  if (!dataset->has_labels()) {
    result.missing = "the data have no labels";
    return result;
  }
  std::vector<size_t> others;
  for (size_t i = 0; i < dataset->size(); ++i) {
    if (!std::binary_search(request.calibrated_with.begin(), request.calibrated_with.end(), i)) others.push_back(i);
  }
  for (const size_t i : ChooseSamples(others.size(), request.count, request.seed)) result.samples.push_back(others[i]);
  if (result.samples.empty()) {
    result.missing = "no sample is left that did not calibrate";
    return result;
  }
  const auto picked = data::SelectSamples(*dataset, result.samples);
  eval::EvaluateRequest evaluate = request.evaluate;
  evaluate.dataset = picked.get();
  evaluate.model = request.before;
  const eval::EvaluateResult before = eval::Evaluate(evaluate);
  evaluate.model = request.after;
  const eval::EvaluateResult after = eval::Evaluate(evaluate);
  result.before = before.top1;
  result.after = after.top1;
  result.paired = eval::ComparePaired(before, after);
  return result;
}

}  // namespace assay::quantize
