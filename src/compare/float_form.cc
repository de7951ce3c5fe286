#include "compare/float_form.h"

#include <mutex>

#include "base/parallel.h"
#include "compare/study.h"
#include "eval/input.h"
#include "tensor/real_values.h"

namespace assay::compare {

FloatFormAccuracy EvaluateFloatForm(const CompareRequest& request,
                                    const std::shared_ptr<const graph::Model>& float_model,
                                    const AccuracyComparison& accuracy) {
  std::vector<size_t> samples;
  for (size_t i = 0; i < accuracy.model.rank.size(); ++i) {
    if (accuracy.reference.rank[i] >= 0 && accuracy.model.rank[i] >= 0) samples.push_back(i);
  }
  struct Worker {
    std::unique_ptr<runtime::Interpreter> model, float_form;
  };
  std::vector<Worker> workers(static_cast<size_t>(std::max(1, request.threads)));
  std::vector<uint8_t> right(samples.size(), 0);
  std::mutex mutex;
  size_t done = 0;
  ParallelFor(samples.size(), request.threads, [&](size_t k, int w) {
    if (request.options.cancelled != nullptr && *request.options.cancelled) {
      throw Error(ErrorCode::kInterrupted, "interrupted");
    }
    Worker& worker = workers[static_cast<size_t>(w)];
    if (worker.model == nullptr) {
      worker.model = std::make_unique<runtime::Interpreter>(request.model.model, request.options);
      worker.float_form = std::make_unique<runtime::Interpreter>(float_model, request.options);
    }
    const data::Sample sample = request.dataset->Load(samples[k]);
    eval::FillInputs(sample, request.model.pipeline, *worker.model);
    for (size_t j = 0; j < worker.model->input_count(); ++j) {
      const runtime::TensorDetails input = worker.model->InputDetails(j);
      const graph::Tensor& tensor = request.model.model->subgraphs[0].tensors[static_cast<size_t>(input.index)];
      const std::vector<float> values =
          RealValues(input.dtype, worker.model->MutableInput(j), input.shape, tensor.quantization);
      worker.float_form->ResizeInput(j, input.shape);
      const DType wanted = worker.float_form->InputDetails(j).dtype;
      if (wanted == DType::kFloat32) {
        worker.float_form->SetInput(j, FloatArray(values, input.shape));
      } else {
        worker.float_form->SetInput(j, StoreAs(values, tensor, input.shape));
      }
    }
    worker.float_form->ResetVariables();
    worker.float_form->Invoke();
    const Array scores =
        worker.float_form->Output(eval::FindScores(*worker.float_form, request.dataset->label_count()));
    const int64_t label = sample.label + accuracy.model.label_offset;
    right[k] = label >= 0 && label < scores.size() && eval::RankOf(scores, label) == 0 ? 1 : 0;
    const std::scoped_lock lock(mutex);
    if (request.progress) request.progress("float form", ++done, samples.size());
  });
  FloatFormAccuracy result;
  result.samples = static_cast<int64_t>(samples.size());
  for (size_t k = 0; k < samples.size(); ++k) {
    const bool model = accuracy.model.rank[samples[k]] == 0, reference = accuracy.reference.rank[samples[k]] == 0;
    result.correct += right[k];
    result.only_float += right[k] != 0 && !model, result.only_model += right[k] == 0 && model;
    result.reference_correct += reference, result.model_correct += model;
  }
  result.mcnemar_p = eval::McNemarExact(result.only_float, result.only_model);
  return result;
}

}  // namespace assay::compare
