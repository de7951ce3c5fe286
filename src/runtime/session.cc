#include "runtime/session.h"

#include <algorithm>
#include <cstring>

#include "ops/resources.h"
#include "runtime/executor.h"

namespace assay::runtime {

Session::Session(std::shared_ptr<const graph::Model> model, InterpreterOptions options)
    : model_(std::move(model)),
      options_(options),
      pool_(std::make_unique<ThreadPool>(options.plan_only ? 1 : options.threads)),
      resources_(std::make_unique<ops::Resources>()),
      executors_(model_->subgraphs.size()) {}

Session::~Session() = default;

Executor& Session::executor(int32_t subgraph) {
  auto& slot = executors_[static_cast<size_t>(subgraph)];
  if (slot == nullptr) slot = std::make_unique<Executor>(*this, subgraph);
  return *slot;
}

void Session::CheckCancelled() const {
  if (options_.cancelled != nullptr && options_.cancelled->load(std::memory_order_relaxed)) {
    throw Error(ErrorCode::kInterrupted, "interrupted");
  }
}

void Session::Account(int64_t bytes_change) {
  total_bytes_ += static_cast<uint64_t>(bytes_change);
  if (bytes_change > 0 && total_bytes_ > options_.limits.max_total_bytes) {
    throw InputError("the model needs {} bytes of memory; the limit is {}", total_bytes_,
                     options_.limits.max_total_bytes);
  }
}

class Session::Call {
 public:
  explicit Call(Session& session) : session_(session) { ++session_.call_depth_; }
  ~Call() { --session_.call_depth_; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  Session& session_;
};

Executor& Session::PrepareCallee(int32_t subgraph, std::span<const ops::TensorRef* const> inputs) {
  if (subgraph < 0 || static_cast<size_t>(subgraph) >= model_->subgraphs.size()) {
    throw InputError("subgraph {} does not exist", subgraph);
  }
  CheckCancelled();
  Executor& callee = executor(subgraph);
  const graph::Subgraph& graph = callee.subgraph();
  if (graph.inputs.size() != inputs.size()) {
    throw InputError("subgraph {} takes {} inputs, given {}", subgraph, graph.inputs.size(), inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const graph::Tensor& parameter = graph.tensors[static_cast<size_t>(graph.inputs[i])];
    if (parameter.dtype != inputs[i]->dtype) {
      throw InputError("subgraph {} input {} is {}, given {}", subgraph, i, DTypeName(parameter.dtype),
                       DTypeName(inputs[i]->dtype));
    }
    callee.ResizeInput(i, inputs[i]->shape);
  }
  if (!callee.prepared()) callee.Prepare();
  return callee;
}

std::vector<const ops::TensorRef*> Session::Run(int32_t subgraph, std::span<const ops::TensorRef* const> inputs) {
  const Call call(*this);
  Executor& callee = PrepareCallee(subgraph, inputs);
  const graph::Subgraph& graph = callee.subgraph();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ops::TensorRef& to = callee.tensor(graph.inputs[i]);
    ASSAY_CHECK(to.bytes == inputs[i]->bytes);
    if (to.bytes > 0) std::memmove(to.data, inputs[i]->data, to.bytes);
  }
  callee.Invoke();
  std::vector<const ops::TensorRef*> outputs;
  for (const int32_t output : graph.outputs) outputs.push_back(&callee.tensor(output));
  return outputs;
}

std::optional<std::vector<Shape>> Session::OutputShapes(int32_t subgraph,
                                                        std::span<const ops::TensorRef* const> inputs) {
  const Call call(*this);
  const Executor& callee = PrepareCallee(subgraph, inputs);
  std::vector<Shape> shapes;
  for (const int32_t output : callee.subgraph().outputs) {
    if (!callee.IsShapeKnown(output)) return std::nullopt;
    shapes.push_back(callee.tensor(output).shape);
  }
  return shapes;
}

}  // namespace assay::runtime
