// NON_MAX_SUPPRESSION_V4 (boxes, scores, max_output_size, iou_threshold, score_threshold) and V5 (the same and a sigma
// for Soft-NMS), float32. The outputs have max_output_size elements, zeros behind those that were selected.
#include <algorithm>
#include <cmath>

#include "kernels/ref/box_suppression.h"
#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::Box;
using kernels::ref::SoftCandidate;

constexpr int kBoxes = 0, kScores = 1, kMaxOutputSize = 2, kIouThreshold = 3, kScoreThreshold = 4, kSigma = 5;

void CheckScalar(const TensorRef& tensor, const char* what, DType dtype) {
  CheckType(tensor, what, {dtype});
  CheckRank(tensor, what, 0, 0);
}

RunFn PrepareSuppression(PrepareContext& context, bool soft) {
  CheckArity(context, soft ? 6 : 5, soft ? 6 : 5, soft ? 3 : 2);
  const TensorRef &boxes = context.Input(kBoxes), &scores = context.Input(kScores);
  CheckType(boxes, "boxes", {DType::kFloat32});
  CheckType(scores, "scores", {DType::kFloat32});
  CheckRank(boxes, "boxes", 2, 2);
  CheckRank(scores, "scores", 1, 1);
  if (boxes.shape[1] != 4) throw InputError("boxes have {} coordinates, expected 4", boxes.shape[1]);
  if (boxes.shape[0] != scores.shape[0]) {
    throw InputError("{} boxes but {} scores", boxes.shape[0], scores.shape[0]);
  }
  CheckScalar(context.Input(kMaxOutputSize), "max_output_size", DType::kInt32);
  CheckScalar(context.Input(kIouThreshold), "iou_threshold", DType::kFloat32);
  CheckScalar(context.Input(kScoreThreshold), "score_threshold", DType::kFloat32);
  if (soft) CheckScalar(context.Input(kSigma), "sigma", DType::kFloat32);
  const int count_output = soft ? 2 : 1;
  CheckType(context.Output(0), "selected_indices", {DType::kInt32});
  if (soft) CheckType(context.Output(1), "selected_scores", {DType::kFloat32});
  CheckType(context.Output(count_output), "num_selected_indices", {DType::kInt32});
  const int32_t most = context.Values<int32_t>(kMaxOutputSize)[0];
  if (most < 0) throw InputError("max_output_size is {}", most);
  context.SetOutputShape(0, {most});
  if (soft) context.SetOutputShape(1, {most});
  context.SetOutputShape(count_output, {});
  const int32_t count = boxes.shape[0];
  const int heap = context.AddScratch(static_cast<uint64_t>(count) * sizeof(SoftCandidate));
  const int chosen = context.AddScratch(static_cast<uint64_t>(count) * sizeof(int32_t));
  const int chosen_scores = context.AddScratch(static_cast<uint64_t>(count) * sizeof(float));
  return [=](const RunContext& run) {
    const float sigma = soft ? run.In<float>(kSigma)[0] : 0.0F;
    if (!(sigma >= 0)) throw InputError("sigma is {}, expected at least 0", sigma);
    auto* indices = reinterpret_cast<int32_t*>(run.Scratch(chosen).data());
    auto* values = reinterpret_cast<float*>(run.Scratch(chosen_scores).data());
    const int32_t found = kernels::ref::SuppressSoftly(
        count, reinterpret_cast<const Box*>(run.In<float>(kBoxes).data()), run.In<float>(kScores).data(), most,
        run.In<float>(kIouThreshold)[0], run.In<float>(kScoreThreshold)[0], sigma,
        reinterpret_cast<SoftCandidate*>(run.Scratch(heap).data()), indices, values);
    const auto put = [found](const auto* from, auto to) {
      std::copy_n(from, found, to.begin());
      std::fill(to.begin() + found, to.end(), 0);
    };
    put(indices, run.Out<int32_t>(0));
    if (soft) put(values, run.Out<float>(1));
    run.Out<int32_t>(count_output)[0] = found;
  };
}

}  // namespace

RunFn PrepareNonMaxSuppressionV4(PrepareContext& context) { return PrepareSuppression(context, false); }
RunFn PrepareNonMaxSuppressionV5(PrepareContext& context) { return PrepareSuppression(context, true); }

}  // namespace assay::ops
