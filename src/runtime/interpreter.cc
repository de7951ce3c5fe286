#include "runtime/interpreter.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "ops/resources.h"
#include "runtime/executor.h"
#include "runtime/thread_trial.h"

namespace assay::runtime {

class Interpreter::Impl {
 public:
  Impl(std::shared_ptr<const graph::Model> model, InterpreterOptions options)
      : session(std::move(model), options), trial(options.threads) {
    if (session.model().subgraphs.empty()) throw InputError("{}: has no subgraph", session.model().source);
    Select(0);
  }

  void Select(int32_t subgraph) {
    kernel.reset();
    unread.clear();
    executor = &session.executor(subgraph);
    inputs = executor->subgraph().inputs;
    outputs = executor->subgraph().outputs;
    input_names.clear();
    for (const int32_t i : inputs) input_names.push_back(executor->tensor(i).name());
  }

  int32_t InputTensor(size_t position) const {
    if (position >= inputs.size()) {
      throw InputError("{}: input {} does not exist, there are {}", session.model().source, position, inputs.size());
    }
    return inputs[position];
  }
  int32_t OutputTensor(size_t position) const {
    if (position >= outputs.size()) {
      throw InputError("{}: output {} does not exist, there are {}", session.model().source, position, outputs.size());
    }
    return outputs[position];
  }
  const ops::TensorRef& WritableInput(size_t position) {
    const int32_t index = InputTensor(position);
    if (!executor->prepared()) executor->Prepare();
    const ops::TensorRef& tensor = executor->tensor(index);
    if (tensor.is_constant) {
      throw InputError("{}: input '{}' is a constant", session.model().source, tensor.name());
    }
    return tensor;
  }

  // Integers that follow from shapes alone, as constants: LiteRT gives tensors whose shape it computes no buffer that
  // could be read twice.
  void WriteShapesInto(graph::Subgraph& to) const {
    std::vector<graph::Operator> kept;
    for (size_t op = 0; op < to.operators.size(); ++op) {
      const std::vector<int32_t>& results = to.operators[op].outputs;
      const bool writable =
          executor->is_folded(static_cast<int32_t>(op)) && std::all_of(results.begin(), results.end(), [&](int32_t i) {
            return i != graph::kNoTensor &&
                   (executor->tensor(i).dtype == DType::kInt32 || executor->tensor(i).dtype == DType::kInt64) &&
                   std::find(to.outputs.begin(), to.outputs.end(), i) == to.outputs.end();
          });
      if (!writable) {
        kept.push_back(std::move(to.operators[op]));
        continue;
      }
      for (const int32_t i : results) {
        const ops::TensorRef& value = executor->tensor(i);
        graph::Tensor& tensor = to.tensors[static_cast<size_t>(i)];
        tensor.shape = value.shape;
        tensor.shape_signature.reset();
        tensor.data = graph::Constant::Own({value.data, value.data + value.bytes});
      }
    }
    to.operators = std::move(kept);
  }

  // The delegate's kernel for the current shapes.
  void PrepareDelegate() {
    if (!executor->prepared()) executor->Prepare();
    const graph::Subgraph& graph = executor->subgraph();
    DelegateTask task;
    task.source = session.model().source;
    task.threads = session.options().threads;
    task.model = session.model();
    task.model.signatures.clear();
    if (&graph != &session.model().subgraphs[0]) {
      throw InputError("{}: the runtime {} runs the first subgraph only", task.source,
                       session.options().delegate->Name());
    }
    graph::Subgraph& to = task.model.subgraphs[0];
    for (const int32_t i : to.inputs) {
      graph::Tensor& tensor = to.tensors[static_cast<size_t>(i)];
      tensor.shape = executor->tensor(i).shape;
      tensor.shape_signature.reset();
    }
    to.outputs.clear();
    std::vector<bool> wanted(graph.tensors.size(), false);
    for (const int32_t i : graph.outputs) wanted[static_cast<size_t>(i)] = true;
    unread.assign(graph.tensors.size(), false);
    std::vector<bool> known(graph.tensors.size());  // follows from constants alone
    for (size_t i = 0; i < known.size(); ++i) known[i] = graph.tensors[i].data.has_value();
    for (size_t op = 0; op < graph.operators.size(); ++op) {
      const std::vector<int32_t>& operands = graph.operators[op].inputs;
      const bool is_folded = executor->is_folded(static_cast<int32_t>(op));
      const bool is_known =
          is_folded || (!operands.empty() && std::all_of(operands.begin(), operands.end(), [&](int32_t i) {
            return i == graph::kNoTensor || known[static_cast<size_t>(i)];
          }));
      for (const int32_t i : graph.operators[op].outputs) {
        if (i == graph::kNoTensor) continue;
        known[static_cast<size_t>(i)] = is_known;
        // What follows from shapes and constants alone is no value of a run: LiteRT holds it elsewhere than in buffers.
        if (is_known && !wanted[static_cast<size_t>(i)]) {
          unread[static_cast<size_t>(i)] = !is_folded;
          continue;
        }
        const ops::TensorRef& tensor = executor->tensor(i);
        if (tensor.is_constant) continue;
        const bool has_value = tensor.data != nullptr && executor->IsReadable(i) && DTypeBits(tensor.dtype) >= 8;
        unread[static_cast<size_t>(i)] = !has_value;
        if (wanted[static_cast<size_t>(i)] && !has_value) {
          throw InputError(
              "{}: the shape of tensor '{}' shows only when the model runs, which the runtime {} is not "
              "used for",
              task.source, tensor.name(), session.options().delegate->Name());
        }
        if (!has_value || (!wanted[static_cast<size_t>(i)] && !session.options().preserve_all_tensors)) continue;
        wanted[static_cast<size_t>(i)] = false;
        to.tensors[static_cast<size_t>(i)].shape = tensor.shape;
        to.tensors[static_cast<size_t>(i)].shape_signature.reset();
        to.outputs.push_back(i);
      }
    }
    if (session.options().preserve_all_tensors) WriteShapesInto(to);
    kernel_inputs.clear();
    for (const int32_t i : to.inputs) kernel_inputs.emplace_back(executor->tensor(i).data, executor->tensor(i).bytes);
    kernel_outputs.clear();
    for (const int32_t i : to.outputs) kernel_outputs.emplace_back(executor->tensor(i).data, executor->tensor(i).bytes);
    kernel = session.options().delegate->Compile(task);
    kernel_has_state = HasState();
  }

  void InvokeDelegate() {
    if (kernel == nullptr) PrepareDelegate();
    kernel->Invoke(kernel_inputs, kernel_outputs);
  }

  // Whether an invoke may leave something behind for the next.
  bool HasState() const {
    for (const graph::Subgraph& graph : session.model().subgraphs) {
      for (const graph::Tensor& tensor : graph.tensors) {
        if (tensor.is_variable) return true;
      }
      for (const graph::Operator& op : graph.operators) {
        if (op.code == graph::BuiltinOp::kVarHandle) return true;
      }
    }
    return false;
  }

  Session session;
  ThreadTrial trial;
  Executor* executor = nullptr;
  std::unique_ptr<DelegateKernel> kernel;  // null: to be made at the next invoke
  std::vector<bool> unread;                // by tensor: the kernel leaves it alone
  bool kernel_has_state = false;
  std::vector<std::span<const uint8_t>> kernel_inputs;
  std::vector<std::span<uint8_t>> kernel_outputs;
  std::vector<int32_t> inputs, outputs;  // tensors, in the order of the graph or the signature
  std::vector<std::string> input_names;
};

Interpreter::Interpreter(std::shared_ptr<const graph::Model> model, InterpreterOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Interpreter::~Interpreter() = default;
Interpreter::Interpreter(Interpreter&&) noexcept = default;

const graph::Model& Interpreter::model() const { return impl_->session.model(); }
const InterpreterOptions& Interpreter::options() const { return impl_->session.options(); }
size_t Interpreter::input_count() const { return impl_->inputs.size(); }
size_t Interpreter::output_count() const { return impl_->outputs.size(); }

TensorDetails Interpreter::Details(int32_t index) const {
  const size_t count = impl_->executor->subgraph().tensors.size();
  if (index < 0 || static_cast<size_t>(index) >= count) {
    throw InputError("{}: tensor {} does not exist, there are {}", model().source, index, count);
  }
  const ops::TensorRef& tensor = impl_->executor->tensor(index);
  TensorDetails details;
  details.name = tensor.name();
  details.index = index;
  details.shape = tensor.shape;
  const auto dims = tensor.shape.dims();
  details.shape_signature = tensor.info->shape_signature.value_or(std::vector<int32_t>(dims.begin(), dims.end()));
  details.dtype = tensor.dtype;
  details.quantization = tensor.quantization();
  return details;
}

TensorDetails Interpreter::InputDetails(size_t position) const {
  TensorDetails details = Details(impl_->InputTensor(position));
  details.name = impl_->input_names[position];
  return details;
}
TensorDetails Interpreter::OutputDetails(size_t position) const { return Details(impl_->OutputTensor(position)); }

size_t Interpreter::FindInput(std::string_view name) const {
  std::vector<std::string_view> known;
  for (size_t i = 0; i < impl_->input_names.size(); ++i) {
    if (impl_->input_names[i] == name) return i;
    known.push_back(impl_->input_names[i]);
  }
  std::string list;
  for (const std::string_view one : known) list += fmt::format("{}'{}'", list.empty() ? "" : ", ", one);
  throw InputError("{}: has no input '{}'{}; its inputs are {}", model().source, name,
                   NearestHint(name, known.data(), known.size()), list);
}

void Interpreter::SelectSignature(std::string_view key) {
  std::string known;
  for (const graph::Signature& signature : model().signatures) {
    if (signature.key != key) {
      known += fmt::format("{}'{}'", known.empty() ? "" : ", ", signature.key);
      continue;
    }
    impl_->Select(signature.subgraph);
    const std::vector<int32_t> graph_inputs = std::move(impl_->inputs), graph_outputs = std::move(impl_->outputs);
    impl_->inputs.clear();
    impl_->outputs.clear();
    impl_->input_names.clear();
    // A file may name tensors that are no longer inputs or outputs of the subgraph; nothing would write or keep them.
    const auto find = [&](const graph::SignatureTensor& named, const std::vector<int32_t>& list, const char* what) {
      if (std::find(list.begin(), list.end(), named.tensor) == list.end()) {
        throw InputError("{}: signature '{}': '{}' is tensor {}, which is no {} of subgraph {}", model().source, key,
                         named.name, named.tensor, what, signature.subgraph);
      }
      return named.tensor;
    };
    for (const graph::SignatureTensor& input : signature.inputs) {
      impl_->inputs.push_back(find(input, graph_inputs, "input"));
      impl_->input_names.push_back(input.name);
    }
    for (const graph::SignatureTensor& output : signature.outputs) {
      impl_->outputs.push_back(find(output, graph_outputs, "output"));
    }
    return;
  }
  throw InputError("{}: has no signature '{}'; it has {}", model().source, key, known.empty() ? "none" : known);
}

void Interpreter::ResizeInput(size_t position, const Shape& shape, bool strict) {
  const int32_t index = impl_->InputTensor(position);
  if (strict) {
    const TensorDetails details = InputDetails(position);
    const std::vector<int32_t>& open = details.shape_signature;
    bool allowed = static_cast<int>(open.size()) == shape.rank();
    for (int d = 0; allowed && d < shape.rank(); ++d) {
      const int32_t dim = open[static_cast<size_t>(d)];
      allowed = dim == -1 || dim == shape[d];
    }
    if (!allowed) {
      throw InputError("{}: input '{}' may change only where its shape [{}] has -1, given {}", model().source,
                       details.name, fmt::join(open, ","), shape.ToString());
    }
  }
  const auto& graph_inputs = impl_->executor->subgraph().inputs;
  for (size_t p = 0; p < graph_inputs.size(); ++p) {
    if (graph_inputs[p] == index) {
      impl_->executor->ResizeInput(p, shape);
      if (!impl_->executor->prepared()) {
        impl_->kernel.reset();
        impl_->trial = ThreadTrial(options().threads);
      }
      return;
    }
  }
  throw InputError("{}: tensor '{}' is not an input of its subgraph", model().source, impl_->input_names[position]);
}

void Interpreter::AllocateTensors() {
  if (!impl_->executor->prepared()) impl_->executor->Prepare();
  if (options().delegate != nullptr && impl_->kernel == nullptr) impl_->PrepareDelegate();
}

void Interpreter::SetInput(size_t position, const Array& value) {
  const TensorDetails details = InputDetails(position);
  if (value.dtype() != details.dtype) {
    throw InputError("{}: input '{}' is {}, given {}", model().source, details.name, DTypeName(details.dtype),
                     DTypeName(value.dtype()));
  }
  const ops::TensorRef& tensor = impl_->WritableInput(position);
  if (value.shape() != tensor.shape) {
    throw InputError("{}: input '{}' has the shape {}, given {}", model().source, details.name, tensor.shape.ToString(),
                     value.shape().ToString());
  }
  if (tensor.bytes > 0) std::memcpy(tensor.data, value.bytes().data(), tensor.bytes);
}

std::span<uint8_t> Interpreter::MutableInput(size_t position) {
  const ops::TensorRef& tensor = impl_->WritableInput(position);
  return {tensor.data, tensor.bytes};
}

void Interpreter::Invoke() {
  if (options().delegate != nullptr) return impl_->InvokeDelegate();
  ThreadTrial& trial = impl_->trial;
  impl_->session.RunAlone(trial.alone());
  if (!trial.timed()) {
    impl_->executor->Invoke();
    return trial.Pass();
  }
  const auto start = std::chrono::steady_clock::now();
  impl_->executor->Invoke();
  trial.Record(std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count());
}

std::span<const uint8_t> Interpreter::OutputBytes(size_t position) const {
  const ops::TensorRef& tensor = impl_->executor->tensor(impl_->OutputTensor(position));
  return {tensor.data, tensor.data == nullptr ? 0 : tensor.bytes};
}

const Shape& Interpreter::OutputShape(size_t position) const {
  return impl_->executor->tensor(impl_->OutputTensor(position)).shape;
}

Array Interpreter::Output(size_t position) const { return Tensor(impl_->OutputTensor(position)); }

bool Interpreter::IsReadable(int32_t index) const {
  Details(index);
  if (!impl_->unread.empty() && impl_->unread[static_cast<size_t>(index)]) return false;
  return impl_->executor->IsReadable(index);
}

Array Interpreter::Tensor(int32_t index) const {
  Array value;
  ReadTensor(index, value);
  return value;
}

void Interpreter::ReadTensor(int32_t index, Array& value) const {
  const TensorDetails details = Details(index);
  if (!IsReadable(index)) {
    throw InputError("{}: tensor {} '{}' is not kept after its last use; set preserve_all_tensors to read it",
                     model().source, index, details.name);
  }
  const ops::TensorRef& tensor = impl_->executor->tensor(index);
  value.Reset(tensor.dtype, tensor.shape);
  const std::span<uint8_t> bytes = value.bytes();
  ASSAY_CHECK(bytes.size() == tensor.bytes || tensor.info->sparsity.has_value());
  const size_t known = std::min(bytes.size(), tensor.bytes);
  if (known > 0) std::memcpy(bytes.data(), tensor.data, known);
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(known), bytes.end(), 0);
}

void Interpreter::ResetVariables() {
  for (size_t s = 0; s < model().subgraphs.size(); ++s)
    impl_->session.executor(static_cast<int32_t>(s)).ResetVariables();
  impl_->session.resources().Reset();
  if (impl_->kernel_has_state) impl_->kernel.reset();
}

void Interpreter::SetHook(OpHook hook) { impl_->session.hook() = std::move(hook); }

Interpreter::MemoryUse Interpreter::memory() const {
  const ArenaPlan& plan = impl_->executor->arena();
  return {plan.arena_bytes, plan.sum_bytes, plan.peak_live_bytes};
}

std::optional<Interpreter::SubgraphPlan> Interpreter::Plan(int32_t subgraph) const {
  ASSAY_CHECK(subgraph >= 0 && static_cast<size_t>(subgraph) < model().subgraphs.size());
  const Executor& executor = impl_->session.executor(subgraph);
  if (!executor.prepared()) return std::nullopt;
  SubgraphPlan plan;
  const auto ops = static_cast<int32_t>(executor.subgraph().operators.size());
  for (int32_t i = 0; i < ops; ++i) {
    plan.ops.push_back({executor.engine(i), executor.is_folded(i), executor.is_deferred(i)});
  }
  const auto tensors = static_cast<int32_t>(executor.subgraph().tensors.size());
  for (int32_t i = 0; i < tensors; ++i) {
    plan.shapes.push_back(executor.tensor(i).shape);
    plan.shape_known.push_back(executor.IsShapeKnown(i));
  }
  const ArenaPlan& arena = executor.arena();
  plan.memory = {arena.arena_bytes, arena.sum_bytes, arena.peak_live_bytes};
  return plan;
}

}  // namespace assay::runtime
