#include "ops/single_op.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "ops/op.h"
#include "ops/registry.h"
#include "ops/resources.h"

namespace assay::ops {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 36;
constexpr uint64_t kMaxBytes = uint64_t{8} << 30;

// 64-byte aligned working memory.
class Buffer {
 public:
  explicit Buffer(uint64_t bytes) : bytes_(bytes + 2 * kAlignment) {}
  uint8_t* data() {
    return bytes_.data() + (kAlignment - reinterpret_cast<uintptr_t>(bytes_.data()) % kAlignment) % kAlignment;
  }

 private:
  static constexpr size_t kAlignment = 64;
  std::vector<uint8_t> bytes_;
};

class NoSubgraphs final : public SubgraphRunner {
 public:
  std::vector<const TensorRef*> Run(int32_t, std::span<const TensorRef* const>) override { Refuse(); }
  std::optional<std::vector<Shape>> OutputShapes(int32_t, std::span<const TensorRef* const>) override { Refuse(); }
  Resources& resources() override { Refuse(); }
  int64_t max_loop_trips() const override { return 0; }

 private:
  [[noreturn]] static void Refuse() { throw InputError("calls another subgraph"); }
};

struct State {
  const graph::Operator& op;
  graph::Model empty_model;
  std::vector<TensorRef> inputs, outputs;
  std::vector<bool> input_known, output_known, shape_known;
  std::vector<std::vector<uint8_t>> values;  // of the outputs
  std::vector<std::unique_ptr<Buffer>> scratch;
  std::vector<uint64_t> scratch_bytes;
  NoSubgraphs subgraphs;

  void GiveMemory(size_t i) {
    values[i].reserve(1);  // kernels want an address, of nothing too
    values[i].assign(outputs[i].bytes, 0);
    outputs[i].data = values[i].data();
  }
  void Shape(int i, assay::Shape shape) {
    if (i < 0 || static_cast<size_t>(i) >= outputs.size()) throw InputError("output {} is missing", i);
    TensorRef& output = outputs[static_cast<size_t>(i)];
    if (!shape.IsValid(kMaxElements)) throw InputError("output {} would have the shape {}", i, shape.ToString());
    output.bytes = DTypeBytes(output.dtype, static_cast<uint64_t>(shape.NumElements()));
    if (output.bytes > kMaxBytes) throw InputError("output {} would have {} bytes", i, output.bytes);
    output.shape = std::move(shape);
    shape_known[static_cast<size_t>(i)] = true;
  }
};

class SinglePrepare final : public PrepareContext {
 public:
  SinglePrepare(State& state, bool shapes_only) : s_(state), shapes_only_(shapes_only) {}
  const graph::Operator& op() const override { return s_.op; }
  const graph::Model& model() const override { return s_.empty_model; }
  const numerics::Profile& profile() const override { return numerics::FindProfile("reference"); }
  numerics::Engine engine() const override { return numerics::Engine::kReference; }
  const TensorRef& Input(int i) const override {
    if (!HasInput(i)) throw InputError("input {} is missing", i);
    return s_.inputs[static_cast<size_t>(i)];
  }
  const TensorRef& Output(int i) const override {
    if (static_cast<size_t>(i) >= s_.outputs.size()) throw InputError("output {} is missing", i);
    return s_.outputs[static_cast<size_t>(i)];
  }
  const TensorRef& Intermediate(int i) const override { throw InputError("intermediate tensor {} is missing", i); }
  bool IsKnown(int i) const override { return HasInput(i) && s_.input_known[static_cast<size_t>(i)]; }
  void SetOutputShape(int i, Shape shape) override { s_.Shape(i, std::move(shape)); }
  void SetOutputDynamic(int /*i*/) override {}
  void SetOutputValue(int i, Shape shape, std::span<const uint8_t> bytes) override {
    s_.Shape(i, std::move(shape));
    s_.GiveMemory(static_cast<size_t>(i));
    ASSAY_CHECK(s_.outputs[static_cast<size_t>(i)].bytes == bytes.size());
    if (!bytes.empty()) std::memcpy(s_.outputs[static_cast<size_t>(i)].data, bytes.data(), bytes.size());
    s_.output_known[static_cast<size_t>(i)] = true;
  }
  SubgraphRunner& subgraphs() const override { return s_.subgraphs; }
  bool shapes_only() const override { return shapes_only_; }
  int AddScratch(uint64_t bytes) override {
    if (bytes > kMaxBytes) throw InputError("needs {} bytes of working memory", bytes);
    s_.scratch_bytes.push_back(bytes);
    return static_cast<int>(s_.scratch_bytes.size()) - 1;
  }

 private:
  State& s_;
  bool shapes_only_;
};

class SingleRun final : public RunContext {
 public:
  explicit SingleRun(State& state) : s_(state) {}
  bool HasInput(int i) const override {
    return static_cast<size_t>(i) < s_.op.inputs.size() && s_.op.inputs[static_cast<size_t>(i)] != graph::kNoTensor;
  }
  const TensorRef& Input(int i) const override { return s_.inputs[static_cast<size_t>(i)]; }
  const TensorRef& Output(int i) const override { return s_.outputs[static_cast<size_t>(i)]; }
  const TensorRef& Intermediate(int i) const override { throw InputError("intermediate tensor {} is missing", i); }
  const TensorRef& ResizeOutput(int i, Shape shape) const override {
    s_.Shape(i, std::move(shape));
    s_.GiveMemory(static_cast<size_t>(i));
    return s_.outputs[static_cast<size_t>(i)];
  }
  std::span<uint8_t> Scratch(int id) const override {
    const auto i = static_cast<size_t>(id);
    return {s_.scratch[i]->data(), s_.scratch_bytes[i]};
  }
  SubgraphRunner& subgraphs() const override { return s_.subgraphs; }
  void CheckCancelled() const override {}

 private:
  State& s_;
};

}  // namespace

std::vector<SingleOpOutput> ApplySingleOp(const graph::Operator& op, std::span<const SingleOpInput> inputs,
                                          std::span<const graph::Tensor* const> outputs, bool run) {
  const OpRow* row = FindOpRow(op);
  if (row == nullptr) throw InputError("there is no kernel for {}", op.Name());
  State s{.op = op,
          .empty_model = {},
          .inputs = {},
          .outputs = {},
          .input_known = {},
          .output_known = {},
          .shape_known = {},
          .values = {},
          .scratch = {},
          .scratch_bytes = {},
          .subgraphs = {}};
  ASSAY_CHECK(inputs.size() == op.inputs.size() && outputs.size() == op.outputs.size());
  static constexpr uint64_t kNothing[8] = {};
  for (const SingleOpInput& input : inputs) {
    TensorRef& tensor = s.inputs.emplace_back();
    s.input_known.push_back(input.info != nullptr && input.is_known);
    if (input.info == nullptr) continue;
    tensor.info = input.info;
    tensor.dtype = input.info->dtype;
    tensor.shape = input.shape;
    // Kernels take constants without writing to them; is_constant guards that.
    tensor.data = input.is_known && !input.value.empty()
                      ? const_cast<uint8_t*>(input.value.data())
                      : const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(kNothing));
    tensor.bytes = input.is_known ? input.value.size()
                                  : DTypeBytes(tensor.dtype, static_cast<uint64_t>(tensor.shape.NumElements()));
    if (!input.is_known) tensor.data = nullptr;
    tensor.is_constant = input.is_known;
  }
  for (const graph::Tensor* output : outputs) {
    TensorRef& tensor = s.outputs.emplace_back();
    tensor.info = output;
    tensor.dtype = output->dtype;
  }
  s.output_known.assign(outputs.size(), false);
  s.shape_known.assign(outputs.size(), false);
  s.values.resize(outputs.size());
  RunFn body;
  try {
    SinglePrepare prepare(s, !run);
    body = row->prepare(prepare);
  } catch (const ValueNotKnownYet&) {
    return std::vector<SingleOpOutput>(outputs.size());
  }
  bool all_known = true;
  for (size_t i = 0; i < inputs.size(); ++i) all_known &= inputs[i].info == nullptr || inputs[i].is_known;
  const bool done = std::all_of(s.output_known.begin(), s.output_known.end(), [](bool b) { return b; });
  if (run && all_known && !done && body) {
    for (const uint64_t bytes : s.scratch_bytes) s.scratch.push_back(std::make_unique<Buffer>(bytes));
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (s.shape_known[i] && !s.output_known[i]) s.GiveMemory(i);
    }
    body(SingleRun(s));
    s.output_known.assign(outputs.size(), true);
  }
  std::vector<SingleOpOutput> results(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (s.shape_known[i]) results[i].shape = s.outputs[i].shape;
    if (!s.output_known[i]) continue;
    results[i].is_known = true;
    results[i].value = std::move(s.values[i]);
  }
  return results;
}

bool IsQuick(const graph::Operator& op, std::span<const SingleOpInput> inputs,
             std::span<const SingleOpOutput> outputs) {
  using graph::BuiltinOp;
  constexpr double kMaxProduct = 1.7e10;
  size_t other = 0;
  switch (op.code) {
    case BuiltinOp::kFullyConnected:
    case BuiltinOp::kBatchMatmul:
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kConv3D:
    case BuiltinOp::kTransposeConv:
      other = 1;
      break;
    case BuiltinOp::kAveragePool2D:
    case BuiltinOp::kMaxPool2D:
    case BuiltinOp::kL2Pool2D:
    case BuiltinOp::kLocalResponseNormalization:
      break;
    case BuiltinOp::kNonMaxSuppressionV4:
    case BuiltinOp::kNonMaxSuppressionV5:
    case BuiltinOp::kUnidirectionalSequenceLstm:
    case BuiltinOp::kBidirectionalSequenceLstm:
    case BuiltinOp::kLstm:
    case BuiltinOp::kSvdf:
    case BuiltinOp::kCustom:
      return false;
    default:
      return true;
  }
  if (other >= inputs.size() || outputs.empty() || !outputs[0].shape.has_value()) return false;
  const auto elements = [](const Shape& shape) { return static_cast<double>(shape.NumElements()); };
  double most = elements(inputs[other].shape);
  if (op.code == BuiltinOp::kTransposeConv && inputs.size() > 2) most = std::max(most, elements(inputs[2].shape));
  return elements(*outputs[0].shape) * most <= kMaxProduct;
}

}  // namespace assay::ops
