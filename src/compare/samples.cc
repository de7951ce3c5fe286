#include "compare/samples.h"

#include <algorithm>
#include <memory>

#include "base/parallel.h"

namespace assay::compare {
namespace {

// Runs samples one by one, every worker on interpreters of its own.
class SampleRunner {
 public:
  SampleRunner(const Study& study, FillBoth fill)
      : study_(study), fill_(std::move(fill)), workers_(static_cast<size_t>(std::max(1, study.threads))) {}

  void Run(size_t i, int w, bool simulate, SampleTrace& trace) {
    Worker& worker = workers_[static_cast<size_t>(w)];
    if (worker.reference == nullptr) Start(worker);
    study_.CheckCancelled();
    fill_(i, *worker.reference, *worker.model);
    Invoke(*worker.reference, study_.reference_graph(), trace.reference);
    Invoke(*worker.model, study_.model_graph(), trace.model);
    if (simulate) Simulate(worker, trace);
  }

 private:
  struct Worker {
    std::unique_ptr<runtime::Interpreter> reference, model, simulated;
  };

  void Start(Worker& worker) const {
    runtime::InterpreterOptions side = study_.options;
    side.preserve_all_tensors = true;
    side.delegate = study_.reference_delegate;
    worker.reference = std::make_unique<runtime::Interpreter>(study_.reference, side);
    side.delegate = study_.model_delegate;
    worker.model = std::make_unique<runtime::Interpreter>(study_.model, side);
  }

  static void Invoke(runtime::Interpreter& interpreter, const graph::Subgraph& graph, TensorValues& values) {
    interpreter.ResetVariables();
    interpreter.Invoke();
    ReadTensors(interpreter, graph, values);
  }

  void Simulate(Worker& worker, SampleTrace& trace) const {
    if (worker.simulated == nullptr) {
      runtime::InterpreterOptions options = study_.options;
      options.preserve_all_tensors = true;
      worker.simulated = std::make_unique<runtime::Interpreter>(study_.float_model, options);
      worker.simulated->SetHook(FakeQuantizeOutputs(study_.model));
    }
    runtime::Interpreter& simulated = *worker.simulated;
    for (size_t k = 0; k < simulated.input_count(); ++k) {
      const int32_t tensor = study_.model_graph().inputs[k];
      const Array& given = trace.model.at(tensor);
      simulated.ResizeInput(k, given.shape());
      const graph::Tensor& form = study_.float_model->subgraphs[0].tensors[static_cast<size_t>(tensor)];
      simulated.SetInput(k, form.dtype == given.dtype()
                                ? given
                                : FloatArray(RealValuesOf(given, study_.model_tensor(tensor)), given.shape()));
    }
    Invoke(simulated, study_.float_model->subgraphs[0], trace.simulated);
  }

  const Study& study_;
  FillBoth fill_;
  std::vector<Worker> workers_;
};

}  // namespace

void RunSamples(Study& study, size_t samples, uint64_t memory_bytes, const FillBoth& fill) {
  study.traces.clear();
  study.traces.resize(samples);
  if (samples == 0) return;
  auto runner = std::make_unique<SampleRunner>(study, fill);
  // The first sample shows whether the model's float form runs, and how much memory a sample takes.
  try {
    runner->Run(0, 0, study.float_model != nullptr, study.traces[0]);
  } catch (const Error& error) {
    if (study.float_model == nullptr || error.code() != ErrorCode::kInput) throw;
    study.float_model = nullptr;
    runner = std::make_unique<SampleRunner>(study, fill);
    study.traces[0] = {};
    runner->Run(0, 0, false, study.traces[0]);  // throws again where the models themselves are at fault
    study.simulation_missing = error.what();
  }
  const SampleTrace& first = study.traces[0];
  const uint64_t bytes = first.reference.bytes() + first.model.bytes() + first.simulated.bytes();
  samples = std::min<size_t>(samples, std::max<uint64_t>(1, memory_bytes / std::max<uint64_t>(1, bytes)));
  study.traces.resize(samples);
  ParallelFor(samples - 1, study.threads, [&](size_t i, int worker) {
    runner->Run(i + 1, worker, study.float_model != nullptr, study.traces[i + 1]);
  });
}

FurtherSamples SamplesBeyond(const Study& study, size_t samples, uint64_t memory_bytes, const FillBoth& fill) {
  return [&study, samples, memory_bytes, fill](const auto& block) {
    SampleRunner runner(study, fill);
    const SampleTrace& kept = study.traces[0];
    const uint64_t bytes = std::max<uint64_t>(1, kept.reference.bytes() + kept.model.bytes());
    const size_t together = std::max<size_t>(static_cast<size_t>(std::max(1, study.threads)), memory_bytes / bytes);
    std::vector<SampleTrace> traces;
    for (size_t first = study.traces.size(); first < samples; first += traces.size()) {
      traces.resize(std::min(together, samples - first));
      ParallelFor(traces.size(), study.threads,
                  [&](size_t i, int worker) { runner.Run(first + i, worker, false, traces[i]); });
      block(traces);
    }
  };
}

}  // namespace assay::compare
