#include "quantize/measurement.h"

#include <algorithm>

#include "base/random.h"
#include "quantize/quantize.h"

namespace assay::quantize {

Measurement Measure(const MeasurementRequest& request) {
  Measurement result;
  if (request.dataset == nullptr) {
    result.missing = "no --data was given";
    return result;
  }
  if (!request.dataset->has_labels()) {
    result.missing = "the data have no labels";
    return result;
  }
  std::vector<size_t> others;
  for (size_t i = 0; i < request.dataset->size(); ++i) {
    if (!std::binary_search(request.calibrated_with.begin(), request.calibrated_with.end(), i)) others.push_back(i);
  }
  for (const size_t i : ChooseSamples(others.size(), request.count, request.seed)) result.samples.push_back(others[i]);
  if (result.samples.empty()) {
    result.missing = "no sample is left that did not calibrate";
    return result;
  }
  const PickedSamples picked(*request.dataset, result.samples);
  eval::EvaluateRequest evaluate;
  evaluate.dataset = &picked;
  evaluate.pipeline = request.pipeline;
  evaluate.options = request.options;
  evaluate.threads = request.threads;
  evaluate.label_offset = request.label_offset;
  evaluate.progress = request.progress;
  evaluate.model = request.before;
  const eval::EvaluateResult before = eval::Evaluate(evaluate);
  evaluate.model = request.after;
  const eval::EvaluateResult after = eval::Evaluate(evaluate);
  result.before = before.top1;
  result.after = after.top1;
  for (size_t i = 0; i < picked.size(); ++i) {
    result.only_before += before.rank[i] == 0 && after.rank[i] != 0;
    result.only_after += before.rank[i] != 0 && after.rank[i] == 0;
  }
  result.difference =
      eval::PairedDifference(result.only_before, result.only_after, static_cast<int64_t>(picked.size()));
  result.mcnemar_p = eval::McNemarExact(result.only_before, result.only_after);
  return result;
}

}  // namespace assay::quantize
