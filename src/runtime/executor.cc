#include "runtime/executor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "graph/sparsity.h"
#include "ops/resources.h"
#include "tensor/float16.h"

namespace assay::runtime {
namespace {

using ops::TensorRef;

constexpr int64_t kMaxElements = int64_t{1} << 40;

uint64_t BytesOf(const Shape& shape, DType dtype, const RunLimits& limits, const std::string& what) {
  if (!shape.IsValid(kMaxElements)) throw InputError("{} would have the shape {}", what, shape.ToString());
  // A resource is the handle of a variable, an int32.
  const DType stored = dtype == DType::kResource ? DType::kInt32 : dtype;
  const uint64_t bytes = DTypeBytes(stored, static_cast<uint64_t>(shape.NumElements()));
  if (bytes > limits.max_tensor_bytes) {
    throw InputError("{} would have the shape {} and {} bytes; the limit is {}", what, shape.ToString(), bytes,
                     limits.max_tensor_bytes);
  }
  return bytes;
}

void RoundToHalf(const TensorRef& tensor) {
  for (float& x : tensor.mutable_values<float>()) x = HalfToFloat(FloatToHalf(x));
}

}  // namespace

AlignedBytes::AlignedBytes(uint64_t size) : size_(size) {
  const uint64_t rounded = AlignedSize(size) + kArenaAlignment;
  data_.reset(static_cast<uint8_t*>(std::aligned_alloc(kArenaAlignment, rounded)));
  if (data_ == nullptr) throw InputError("out of memory: {} bytes", rounded);
  std::memset(data_.get(), 0, rounded);
}

void AlignedBytes::Free::operator()(uint8_t* p) const { std::free(p); }

class Executor::PrepareStepContext final : public ops::PrepareContext {
 public:
  PrepareStepContext(Executor& executor, size_t step)
      : e_(executor), step_(step), op_(executor.graph_.operators[step]) {}

  const graph::Operator& op() const override { return op_; }
  const graph::Model& model() const override { return e_.session_.model(); }
  const numerics::Profile& profile() const override { return *e_.session_.options().profile; }
  numerics::Engine engine() const override { return e_.steps_[step_].engine; }

  const TensorRef& Input(int i) const override {
    if (!HasInput(i)) throw InputError("input {} is missing", i);
    return e_.tensor(e_.InputOf(step_, static_cast<size_t>(i)));
  }
  ops::InputPadding input_padding() const override { return e_.steps_[step_].padding; }
  const TensorRef& Output(int i) const override {
    if (i >= num_outputs()) throw InputError("output {} is missing", i);
    return e_.tensors_[At(op_.outputs, i)];
  }
  const TensorRef& Intermediate(int i) const override {
    if (static_cast<size_t>(i) >= op_.intermediates.size()) throw InputError("intermediate tensor {} is missing", i);
    return e_.tensors_[At(op_.intermediates, i)];
  }
  bool IsKnown(int i) const override { return HasInput(i) && e_.value_known_[At(op_.inputs, i)]; }

  void SetOutputShape(int i, Shape shape) override {
    TensorRef& output = MutableOutput(i);
    output.bytes = BytesOf(shape, output.dtype, e_.session_.options().limits, fmt::format("output {}", i));
    output.shape = std::move(shape);
    e_.shape_known_[At(op_.outputs, i)] = true;
    given_.push_back(i);
  }
  void SetOutputDynamic(int i) override {
    MutableOutput(i);
    given_.push_back(i);
  }
  void SetOutputValue(int i, Shape shape, std::span<const uint8_t> bytes) override {
    SetOutputShape(i, std::move(shape));
    const size_t tensor = At(op_.outputs, i);
    ASSAY_CHECK(e_.tensors_[tensor].bytes == bytes.size());
    e_.MoveToHeap(static_cast<int32_t>(tensor), bytes.size());
    if (!bytes.empty()) std::memcpy(e_.tensors_[tensor].data, bytes.data(), bytes.size());
    e_.value_known_[tensor] = true;
  }
  void OfferForm(ops::ElementForm form) override { e_.steps_[step_].form = std::move(form); }
  std::optional<ops::ElementForm> TakeOver(int i) override { return e_.TakeOver(step_, static_cast<size_t>(i)); }
  void OfferRows(ops::RowForm form) override { e_.steps_[step_].rows = std::move(form); }
  ops::SubgraphRunner& subgraphs() const override { return e_.session_; }
  int threads() const override { return e_.session_.options().threads; }
  void MayWriteOver(int i) override {
    ASSAY_CHECK(i >= 0 && i < 2);
    e_.steps_[step_].may_write_over[static_cast<size_t>(i)] = true;
  }
  int AddScratch(uint64_t bytes) override {
    const RunLimits& limits = e_.session_.options().limits;
    if (bytes > limits.max_tensor_bytes) {
      throw InputError("needs {} bytes of working memory; the limit is {}", bytes, limits.max_tensor_bytes);
    }
    e_.steps_[step_].scratch_bytes.push_back(bytes);
    return static_cast<int>(e_.steps_[step_].scratch_bytes.size()) - 1;
  }

  bool AllOutputsGiven() const {
    for (int i = 0; i < num_outputs(); ++i) {
      if (std::find(given_.begin(), given_.end(), i) == given_.end()) return false;
    }
    return true;
  }

 private:
  static size_t At(const std::vector<int32_t>& list, int i) {
    return static_cast<size_t>(list[static_cast<size_t>(i)]);
  }
  TensorRef& MutableOutput(int i) {
    if (i >= num_outputs()) throw InputError("output {} is missing", i);
    return e_.tensors_[At(op_.outputs, i)];
  }

  Executor& e_;
  size_t step_;
  const graph::Operator& op_;
  std::vector<int> given_;
};

class Executor::RunStepContext : public ops::RunContext {
 public:
  RunStepContext(Executor& executor, size_t step) : e_(executor), step_(step), op_(executor.graph_.operators[step]) {}

  bool HasInput(int i) const override {
    return static_cast<size_t>(i) < op_.inputs.size() && op_.inputs[static_cast<size_t>(i)] != graph::kNoTensor;
  }
  const TensorRef& Input(int i) const override { return e_.tensor(e_.InputOf(step_, static_cast<size_t>(i))); }
  const TensorRef& Output(int i) const override { return e_.tensor(op_.outputs[static_cast<size_t>(i)]); }
  const TensorRef& Intermediate(int i) const override { return e_.tensor(op_.intermediates[static_cast<size_t>(i)]); }
  const TensorRef& ResizeOutput(int i, Shape shape) const override {
    const int32_t index = op_.outputs[static_cast<size_t>(i)];
    TensorRef& output = e_.tensors_[static_cast<size_t>(index)];
    const uint64_t bytes = BytesOf(shape, output.dtype, e_.session_.options().limits, fmt::format("output {}", i));
    output.shape = std::move(shape);
    e_.MoveToHeap(index, bytes);
    return output;
  }
  std::span<uint8_t> Scratch(int id) const override {
    const Step& step = e_.steps_[step_];
    return {step.scratch[static_cast<size_t>(id)], step.scratch_bytes[static_cast<size_t>(id)]};
  }
  ops::SubgraphRunner& subgraphs() const override { return e_.session_; }
  ThreadPool& pool() const override { return e_.session_.pool(); }
  void CheckCancelled() const override { e_.session_.CheckCancelled(); }

 private:
  Executor& e_;
  size_t step_;
  const graph::Operator& op_;
};

// Some rows of one op of a chain.
class Executor::RunRowsContext final : public RunStepContext {
 public:
  RunRowsContext(Executor& executor, const RowChain& chain, size_t member)
      : RunStepContext(executor, chain.members()[member].step), inputs_(chain.members()[member].inputs) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (inputs_[i] != RowChain::kOutside) operands_.push_back(RunStepContext::Input(static_cast<int>(i)));
    }
    is_last_ = member + 1 == chain.members().size();
    member_ = member;
    operands_.push_back(RunStepContext::Output(0));
  }
  void Set(const Part& part, const std::vector<uint8_t*>& data) {
    part_ = part;
    size_t next = 0;
    for (const int producer : inputs_) {
      if (producer != RowChain::kOutside) operands_[next++].data = data[static_cast<size_t>(producer)];
    }
    if (!is_last_) operands_.back().data = data[member_];
  }
  const TensorRef& Input(int i) const override {
    if (inputs_[static_cast<size_t>(i)] == RowChain::kOutside) return RunStepContext::Input(i);
    size_t at = 0;
    for (int k = 0; k < i; ++k) at += inputs_[static_cast<size_t>(k)] != RowChain::kOutside ? 1 : 0;
    return operands_[at];
  }
  const TensorRef& Output(int /*i*/) const override { return operands_.back(); }
  const Part* part() const override { return &part_; }

 private:
  const std::vector<int>& inputs_;
  std::vector<TensorRef> operands_;  // of the chain's own, and the output
  size_t member_;
  bool is_last_;
  Part part_ = {};
};

Executor::Executor(Session& session, int32_t subgraph)
    : session_(session), index_(subgraph), graph_(session.model().subgraphs[static_cast<size_t>(subgraph)]) {
  input_shapes_.resize(graph_.inputs.size());
  variables_.resize(graph_.tensors.size());
  BindTensors();
}

Executor::~Executor() = default;

std::string Executor::Place(int32_t op_index) const {
  const graph::Operator& op = graph_.operators[static_cast<size_t>(op_index)];
  return index_ == 0 ? fmt::format("op {} {}", op_index, op.Name())
                     : fmt::format("subgraph {} op {} {}", index_, op_index, op.Name());
}

Error Executor::Located(const Error& error, int32_t op_index) const {
  const Error located = error.WithContext(Place(op_index));
  return session_.in_call() ? located : located.WithContext(session_.model().source);
}

bool Executor::AreAll(const std::vector<int32_t>& tensors, const std::vector<bool>& flags) {
  return std::all_of(tensors.begin(), tensors.end(),
                     [&](int32_t i) { return i == graph::kNoTensor || flags[static_cast<size_t>(i)]; });
}

void Executor::ResizeInput(size_t position, const Shape& shape) {
  const graph::Tensor& info = graph_.tensors[static_cast<size_t>(graph_.inputs[position])];
  BytesOf(shape, info.dtype, session_.options().limits, fmt::format("input '{}'", info.name));
  const TensorRef& current = tensors_[static_cast<size_t>(graph_.inputs[position])];
  if (current.shape == shape) return;
  input_shapes_[position] = shape;
  prepared_ = false;
}

// Every tensor as the file has it: constants and variables with data, inputs with their shapes, the rest unknown.
void Executor::BindTensors() {
  const size_t count = graph_.tensors.size();
  tensors_.assign(count, {});
  places_.assign(count, Storage::kUnknown);
  shape_known_.assign(count, false);
  value_known_.assign(count, false);
  heap_.clear();
  heap_.resize(count);
  const RunLimits& limits = session_.options().limits;
  for (size_t i = 0; i < count; ++i) {
    const graph::Tensor& info = graph_.tensors[i];
    TensorRef& tensor = tensors_[i];
    tensor.info = &info;
    tensor.dtype = info.dtype;
    tensor.shape = info.shape;
    if (info.data.has_value()) {
      tensor.data =
          const_cast<uint8_t*>(info.data->bytes().data());  // never written: is_constant guards mutable_values
      tensor.bytes = info.data->bytes().size();
      tensor.is_constant = true;
      places_[i] = Storage::kConstant;
      shape_known_[i] = value_known_[i] = true;
      if (info.sparsity.has_value()) {
        tensor.bytes = BytesOf(info.shape, info.dtype, limits, fmt::format("sparse constant '{}'", info.name));
        session_.Account(static_cast<int64_t>(tensor.bytes));
        accounted_ += static_cast<int64_t>(tensor.bytes);
        heap_[i] = AlignedBytes(tensor.bytes);
        graph::ExpandSparse(info, {heap_[i].data(), tensor.bytes});
        tensor.data = heap_[i].data();
      }
      if (session_.options().profile->half_between_ops && info.dtype == DType::kFloat32) {
        AlignedBytes rounded(tensor.bytes);
        if (tensor.bytes > 0) std::memcpy(rounded.data(), tensor.data, tensor.bytes);
        heap_[i] = std::move(rounded);
        tensor.data = heap_[i].data();
        tensor.is_constant = false;
        RoundToHalf(tensor);
        tensor.is_constant = true;
      }
    } else if (info.is_variable) {
      tensor.bytes = BytesOf(info.shape, info.dtype, limits, fmt::format("variable '{}'", info.name));
      if (variables_[i].data() == nullptr) {
        variables_[i] = AlignedBytes(tensor.bytes);
        ClearVariable(i);
      }
      tensor.data = variables_[i].data();
      places_[i] = Storage::kVariable;
      shape_known_[i] = true;
    }
  }
  for (size_t p = 0; p < graph_.inputs.size(); ++p) {
    const auto i = static_cast<size_t>(graph_.inputs[p]);
    if (places_[i] != Storage::kUnknown) continue;
    if (input_shapes_[p].has_value()) tensors_[i].shape = *input_shapes_[p];
    tensors_[i].bytes =
        BytesOf(tensors_[i].shape, tensors_[i].dtype, limits, fmt::format("input '{}'", tensors_[i].name()));
    shape_known_[i] = true;
  }
}

// The value 0: its code, for int8.
void Executor::ClearVariable(size_t index) {
  const TensorRef& tensor = tensors_[index];
  const int fill = tensor.dtype == DType::kInt8 && tensor.quantization().is_quantized() ? tensor.zero_point() : 0;
  std::memset(variables_[index].data(), fill, variables_[index].size());
}

void Executor::ResetVariables() {
  for (size_t i = 0; i < variables_.size(); ++i) {
    if (variables_[i].data() != nullptr) ClearVariable(i);
  }
}

void Executor::AllocateOwnScratch(Step& step) {
  const auto stride = [](uint64_t bytes) { return (bytes / kArenaAlignment + 1) * kArenaAlignment; };
  uint64_t total = 0;
  for (const uint64_t bytes : step.scratch_bytes) total += stride(bytes);
  if (step.own_scratch.size() < total) step.own_scratch = AlignedBytes(total);
  step.scratch.clear();
  uint64_t offset = 0;
  for (const uint64_t bytes : step.scratch_bytes) {
    step.scratch.push_back(step.own_scratch.data() + offset);
    offset += stride(bytes);
  }
}

void Executor::MoveToHeap(int32_t tensor, uint64_t bytes) {
  const auto i = static_cast<size_t>(tensor);
  if (heap_[i].data() == nullptr || heap_[i].size() < bytes || heap_[i].size() / 4 > bytes) {
    const auto change = static_cast<int64_t>(bytes) - static_cast<int64_t>(heap_[i].size());
    session_.Account(change);
    accounted_ += change;
    heap_[i] = AlignedBytes(bytes);
  }
  tensors_[i].data = heap_[i].data();
  tensors_[i].bytes = bytes;
  places_[i] = Storage::kHeap;
}

bool Executor::XnnpackTakes(size_t index) {
  const ops::OpRow* row = ops::FindOpRow(graph_.operators[index]);
  return row->xnnpack_takes != nullptr && row->xnnpack_takes(PrepareStepContext(*this, index));
}

void Executor::PrepareStep(size_t index) {
  const graph::Operator& op = graph_.operators[index];
  Step& step = steps_[index];
  step.scratch_bytes.clear();
  step.may_write_over = {};
  step.rows.reset();
  step.form.reset();
  const ops::OpRow* row = ops::FindOpRow(op);
  if (row == nullptr) {
    throw InputError("there is no kernel for {} version {}; the model can be inspected and rewritten, not run",
                     op.Name(), op.version);
  }
  if (op.version > row->max_version) {
    throw InputError("version {} is newer than {}, the newest that the kernel knows", op.version, row->max_version);
  }
  PrepareStepContext context(*this, index);
  step.engine = session_.options().profile->engine;
  if (step.engine == numerics::Engine::kXnnpack && !XnnpackTakes(index)) {
    step.engine = numerics::Engine::kBuiltin;
  }
  step.run = row->prepare(context);
  ASSAY_CHECK(context.AllOutputsGiven());
}

void Executor::Prepare() {
  prepared_ = false;
  session_.Account(-accounted_);
  accounted_ = 0;
  BindTensors();
  steps_.clear();
  steps_.resize(graph_.operators.size());
  writers_.assign(graph_.tensors.size(), -1);
  reads_.assign(graph_.tensors.size(), 0);
  for (size_t s = 0; s < steps_.size(); ++s) {
    for (const int32_t input : graph_.operators[s].inputs) {
      if (input != graph::kNoTensor) ++reads_[static_cast<size_t>(input)];
    }
    for (const int32_t output : graph_.operators[s].outputs) {
      if (output != graph::kNoTensor) writers_[static_cast<size_t>(output)] = static_cast<int32_t>(s);
    }
  }
  for (const int32_t output : graph_.outputs) ++reads_[static_cast<size_t>(output)];
  for (size_t s = 0; s < steps_.size(); ++s) {
    const graph::Operator& op = graph_.operators[s];
    session_.CheckCancelled();
    try {
      if (!AreAll(op.inputs, shape_known_)) {
        steps_[s].deferred = true;
        continue;
      }
      LeaveOutPad(s);
      try {
        PrepareStep(s);
      } catch (const ops::ValueNotKnownYet&) {
        if (const auto& instead = steps_[s].instead; instead.has_value()) {
          const auto written = static_cast<size_t>(op.inputs[instead->operand]);
          steps_[static_cast<size_t>(writers_[written])].left_out = false;
          steps_[s].instead.reset();
          steps_[s].padding = {};
        }
        steps_[s].deferred = true;
        for (const int32_t output : op.outputs) shape_known_[static_cast<size_t>(output)] = false;
        continue;
      }
      if (MayFold(op)) {
        for (const int32_t output : op.outputs) {
          const auto i = static_cast<size_t>(output);
          if (!value_known_[i]) MoveToHeap(output, tensors_[i].bytes);
        }
        AllocateOwnScratch(steps_[s]);
        steps_[s].run(RunStepContext(*this, s));
        steps_[s].folded = true;
        for (const int32_t output : op.outputs) value_known_[static_cast<size_t>(output)] = true;
      } else if (!op.outputs.empty() && AreAll(op.outputs, value_known_)) {
        steps_[s].folded = true;
      }
    } catch (const Error& error) {
      throw Located(error, static_cast<int32_t>(s));
    }
  }
  FindChains();
  PlanMemory();
  prepared_ = true;
}

void Executor::RunChain(const RowChain& chain, uint8_t* buffers) {
  for (const RowChain::Member& member : chain.members()) {
    const ops::RowForm& form = *steps_[member.step].rows;
    if (form.before != nullptr) form.before(RunStepContext(*this, member.step));
  }
  const TensorRef& output = tensor(graph_.operators[chain.last_step()].outputs[0]);
  const auto rows = static_cast<size_t>(output.shape[0] * int64_t{output.shape[1]});
  const auto workers = static_cast<size_t>(session_.pool().threads());
  session_.pool().Run(rows, (rows + workers - 1) / workers, [&](size_t begin, size_t end, int worker) {
    std::vector<RunRowsContext> contexts;
    for (size_t m = 0; m < chain.members().size(); ++m) contexts.emplace_back(*this, chain, m);
    chain.Run(static_cast<int64_t>(begin), static_cast<int64_t>(end), worker,
              buffers + static_cast<size_t>(worker) * chain.buffer_bytes(),
              [&](size_t m, const ops::RunContext::Part& part, const std::vector<uint8_t*>& data) {
                contexts[m].Set(part, data);
                const Step& step = steps_[chain.members()[m].step];
                (step.rows->rows != nullptr ? step.rows->rows : step.run)(contexts[m]);
              });
  });
}

void Executor::RunDeferred(size_t index) {
  const graph::Operator& op = graph_.operators[index];
  Step& step = steps_[index];
  std::vector<bool> known_before;
  for (const int32_t input : op.inputs) {
    if (input == graph::kNoTensor) continue;
    known_before.push_back(value_known_[static_cast<size_t>(input)]);
    value_known_[static_cast<size_t>(input)] = true;
  }
  const auto restore = [&] {
    size_t k = known_before.size();
    for (size_t i = op.inputs.size(); i-- > 0;) {
      if (op.inputs[i] != graph::kNoTensor) value_known_[static_cast<size_t>(op.inputs[i])] = known_before[--k];
    }
  };
  try {
    PrepareStep(index);
  } catch (...) {
    restore();
    throw;
  }
  restore();
  for (const int32_t output : op.outputs) {
    const auto i = static_cast<size_t>(output);
    if (shape_known_[i] && !value_known_[i]) MoveToHeap(output, tensors_[i].bytes);
    shape_known_[i] = false;
    value_known_[i] = false;
  }
  AllocateOwnScratch(step);
  step.run(RunStepContext(*this, index));
}

void Executor::RunStep(size_t index) {
  Step& step = steps_[index];
  if (step.deferred) {
    RunDeferred(index);
  } else if (!step.folded) {
    step.run(RunStepContext(*this, index));
  }
}

void Executor::Invoke() {
  ASSAY_CHECK(!session_.options().plan_only);
  if (!prepared_) Prepare();
  const OpHook& hook = session_.hook();
  if (hook && !chains_.empty()) BreakChains();
  const bool half = session_.options().profile->half_between_ops;
  for (size_t s = 0; s < steps_.size(); ++s) {
    const graph::Operator& op = graph_.operators[s];
    session_.CheckCancelled();
    if (steps_[s].left_out) continue;
    if (steps_[s].chain) {
      const size_t chain = *steps_[s].chain;
      RunChain(chains_[chain], chain_buffers_[chain]);
      s = chains_[chain].last_step();
      continue;
    }
    OpEvent event;
    if (hook) {
      event = {.subgraph = index_,
               .op_index = static_cast<int32_t>(s),
               .op = &op,
               .before = true,
               .engine = steps_[s].engine,
               .inputs = {},
               .outputs = {}};
      for (size_t i = 0; i < op.inputs.size(); ++i) {
        const int32_t input = InputOf(s, i);
        event.inputs.push_back(input == graph::kNoTensor ? nullptr : &tensor(input));
      }
      for (const int32_t i : op.outputs) event.outputs.push_back(&tensor(i));
      hook(event);
    }
    try {
      RunStep(s);
    } catch (const Error& error) {
      throw Located(error, static_cast<int32_t>(s));
    }
    if (half) {
      for (const int32_t i : op.outputs) {
        const TensorRef& output = tensor(i);
        if (output.dtype == DType::kFloat32 && !output.is_constant) RoundToHalf(output);
      }
    }
    if (hook) {
      event.before = false;
      event.engine = steps_[s].engine;
      hook(event);
    }
  }
}

bool Executor::IsReadable(int32_t index) const {
  const auto i = static_cast<size_t>(index);
  if (places_[i] == Storage::kUnknown) return false;
  if (places_[i] != Storage::kArena || session_.options().preserve_all_tensors) return true;
  return std::find(graph_.outputs.begin(), graph_.outputs.end(), index) != graph_.outputs.end() ||
         std::find(graph_.inputs.begin(), graph_.inputs.end(), index) != graph_.inputs.end();
}

}  // namespace assay::runtime
