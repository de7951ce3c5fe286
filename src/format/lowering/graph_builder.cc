#include "format/lowering/graph_builder.h"

#include <algorithm>
#include <cstring>

#include "ops/single_op.h"

namespace assay::lowering {
namespace {

using graph::BuiltinOp;

// Open dimensions are tried at two sizes: what then differs depends on them.
constexpr int32_t kLow = 1, kHigh = 3;
constexpr uint64_t kMaxKnownBytes = 4096;

// What a folded constant may grow by: a FILL of a large size stays an op.
constexpr size_t kMaxGrowth = size_t{1} << 20;

bool IsInteger(DType dtype) { return dtype == DType::kInt32 || dtype == DType::kInt64; }

// Ops that may give the same for both sizes of what is open though they differ for others (batch / 4).
bool LosesDifferences(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kDiv:
    case BuiltinOp::kFloorDiv:
    case BuiltinOp::kFloorMod:
    case BuiltinOp::kMinimum:
    case BuiltinOp::kMaximum:
    case BuiltinOp::kReduceMax:
    case BuiltinOp::kReduceMin:
    case BuiltinOp::kArgMax:
    case BuiltinOp::kArgMin:
    case BuiltinOp::kSelect:
    case BuiltinOp::kSelectV2:
    case BuiltinOp::kTopkV2:
    case BuiltinOp::kUnique:
    case BuiltinOp::kRightShift:
    case BuiltinOp::kSign:
    case BuiltinOp::kCast:
      return true;
    default:
      return false;
  }
}

bool IsRandom(BuiltinOp code) {
  return code == BuiltinOp::kRandomUniform || code == BuiltinOp::kRandomStandardNormal ||
         code == BuiltinOp::kMultinomial;
}

}  // namespace

std::vector<float> FloatsOf(const graph::Tensor& constant) {
  ASSAY_CHECK(constant.data.has_value() && constant.dtype == DType::kFloat32);
  const auto bytes = constant.data->bytes();
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

GraphBuilder::GraphBuilder(std::string source) {
  model_.source = std::move(source);
  model_.subgraphs.emplace_back().name = "main";
  known_.emplace_back();
  high_.emplace_back();
}

int GraphBuilder::BeginSubgraph(std::string name) {
  model_.subgraphs.emplace_back().name = std::move(name);
  known_.emplace_back();
  high_.emplace_back();
  open_.push_back(model_.subgraphs.size() - 1);
  return static_cast<int>(open_.back());
}

void GraphBuilder::EndSubgraph(std::vector<Id> outputs) {
  ASSAY_CHECK(open_.size() > 1);
  current().outputs = std::move(outputs);
  open_.pop_back();
}

void GraphBuilder::DropSubgraphs(int first) {
  ASSAY_CHECK(static_cast<size_t>(first) > open_.back());
  model_.subgraphs.resize(static_cast<size_t>(first));
  known_.resize(static_cast<size_t>(first));
  high_.resize(static_cast<size_t>(first));
}

std::string GraphBuilder::NewName(std::string_view name) {
  std::string full = scope_.empty() ? std::string(name) : scope_ + "/" + std::string(name);
  const int count = names_[full]++;
  return count == 0 ? full : fmt::format("{}_{}", full, count);
}

Id GraphBuilder::NewTensor(std::string name, DType dtype) {
  graph::Tensor& tensor = current().tensors.emplace_back();
  tensor.name = std::move(name);
  tensor.dtype = dtype;
  tensor.has_rank = true;
  return static_cast<Id>(current().tensors.size()) - 1;
}

Id GraphBuilder::Input(const std::string& name, DType dtype, const std::vector<int32_t>& dims) {
  const Id id = NewTensor(name, dtype);
  graph::Tensor& tensor = current().tensors[static_cast<size_t>(id)];
  std::vector<int32_t> shape = dims;
  bool any_open = false;
  for (int32_t& dim : shape) {
    any_open |= dim < 0;
    if (dim < 0) dim = kLow;
  }
  tensor.shape = Shape(shape);
  if (!tensor.shape.IsValid(int64_t{1} << 32))
    throw InputError("input '{}' would have the shape {}", name, tensor.shape.ToString());
  if (any_open) {
    tensor.shape_signature = dims;
    for (size_t i = 0; i < dims.size(); ++i) shape[i] = dims[i] < 0 ? kHigh : dims[i];
    high_[open_.back()][id] = Shape(shape);
  }
  current().inputs.push_back(id);
  return id;
}

Id GraphBuilder::ConstantBytes(const std::string& name, DType dtype, Shape shape, graph::Constant data) {
  const Id id = NewTensor(NewName(name), dtype);
  graph::Tensor& tensor = current().tensors[static_cast<size_t>(id)];
  tensor.shape = std::move(shape);
  tensor.data = std::move(data);
  ASSAY_CHECK(tensor.data->bytes().size() == DTypeBytes(dtype, static_cast<uint64_t>(tensor.shape.NumElements())));
  return id;
}

Id GraphBuilder::Floats(const std::string& name, Shape shape, std::vector<float> values) {
  return ConstantBytes(name, DType::kFloat32, std::move(shape), graph::Constant::Own(std::move(values)));
}

Id GraphBuilder::Doubles(const std::string& name, Shape shape, std::vector<double> values) {
  std::vector<float> rounded(values.begin(), values.end());
  return ConstantBytes(name, DType::kFloat32, std::move(shape),
                       graph::Constant::Own(std::move(rounded)).WithExact(std::move(values)));
}

Id GraphBuilder::Ints(const std::string& name, std::span<const int32_t> values) {
  return ConstantBytes(name, DType::kInt32, {static_cast<int32_t>(values.size())},
                       graph::Constant::Own(std::vector<int32_t>(values.begin(), values.end())));
}

Id GraphBuilder::IntScalar(const std::string& name, int32_t value) {
  std::vector<uint8_t> bytes(sizeof(value));
  std::memcpy(bytes.data(), &value, sizeof(value));
  return ConstantBytes(name, DType::kInt32, {}, graph::Constant::Own(std::move(bytes)));
}

bool GraphBuilder::IsOpen(Id id, int axis) const {
  const graph::Tensor& tensor = info(id);
  return tensor.shape_signature.has_value() && (*tensor.shape_signature)[static_cast<size_t>(axis)] < 0;
}

std::vector<int32_t> GraphBuilder::Dims(Id id) const {
  if (info(id).shape_signature.has_value()) return *info(id).shape_signature;
  const auto dims = shape(id).dims();
  return {dims.begin(), dims.end()};
}

const graph::Operator* GraphBuilder::Producer(Id id) const {
  // Tensors are numbered in the order in which ops are added.
  const auto& ops = current().operators;
  auto op = std::upper_bound(ops.begin(), ops.end(), id,
                             [](Id wanted, const graph::Operator& other) { return wanted < other.outputs.front(); });
  if (op == ops.begin()) return nullptr;
  --op;
  return std::find(op->outputs.begin(), op->outputs.end(), id) == op->outputs.end() ? nullptr : &*op;
}

int32_t GraphBuilder::Axis(Id id, int64_t axis) const {
  const int n = rank(id);
  if (axis < -n || axis >= n) throw InputError("axis {} of a tensor of {} dimensions", axis, n);
  return static_cast<int32_t>(axis < 0 ? axis + n : axis);
}

Shape GraphBuilder::ShapeAt(Id id, bool high) const {
  const auto found = high_[open_.back()].find(id);
  return high && found != high_[open_.back()].end() ? found->second : shape(id);
}

// The outputs' shapes and, for integers, values, at both sizes of what is open.
void GraphBuilder::Infer(const graph::Operator& op) {
  graph::Subgraph& subgraph = current();
  std::map<Id, KnownValue>& known = known_[open_.back()];
  std::vector<const graph::Tensor*> outputs;
  for (const Id id : op.outputs) outputs.push_back(&subgraph.tensors[static_cast<size_t>(id)]);
  std::vector<ops::SingleOpOutput> results[2];
  bool any_open = false, any_differs = false;
  for (const Id id : op.inputs) {
    any_open |= id != graph::kNoTensor && (info(id).shape_signature.has_value() || known.count(id) > 0);
    const auto value = known.find(id);
    any_differs |= value != known.end() && value->second.at_low != value->second.at_high;
  }
  for (const bool high : {false, true}) {
    if (high && !any_open) {
      results[1] = results[0];
      break;
    }
    std::vector<ops::SingleOpInput> inputs;
    bool small = true;
    for (const Id id : op.inputs) {
      ops::SingleOpInput& input = inputs.emplace_back();
      if (id == graph::kNoTensor) continue;
      input.info = &info(id);
      input.shape = ShapeAt(id, high);
      if (info(id).data.has_value()) {
        input.value = info(id).data->bytes();
        input.is_known = true;
      } else if (const auto found = known.find(id); found != known.end()) {
        input.value = high ? found->second.at_high : found->second.at_low;
        input.is_known = true;
      }
      small &= input.value.size() <= kMaxKnownBytes;
    }
    std::vector<ops::SingleOpOutput>& result = results[high ? 1 : 0];
    result = ops::ApplySingleOp(op, inputs, outputs, false);
    // Small integers are computed; the shape says beforehand that they are small.
    bool run = small && !outputs.empty() && IsInteger(outputs[0]->dtype) && ops::IsQuick(op, inputs, result);
    for (const ops::SingleOpOutput& output : result) {
      run &= !output.shape.has_value() || output.shape->NumElements() <= static_cast<int64_t>(kMaxKnownBytes);
    }
    if (run) result = ops::ApplySingleOp(op, inputs, outputs, true);
  }
  for (size_t i = 0; i < op.outputs.size(); ++i) {
    const ops::SingleOpOutput &low = results[0][i], &high = results[1][i];
    if (!low.shape.has_value() || !high.shape.has_value() || low.shape->rank() != high.shape->rank()) {
      throw InputError("{}: the shape of its result depends on values that only running shows", op.Name());
    }
    graph::Tensor& tensor = subgraph.tensors[static_cast<size_t>(op.outputs[i])];
    tensor.shape = *low.shape;
    std::vector<int32_t> signature(low.shape->dims().begin(), low.shape->dims().end());
    bool is_open = false;
    for (int d = 0; d < low.shape->rank(); ++d) {
      if ((*low.shape)[d] == (*high.shape)[d]) continue;
      signature[static_cast<size_t>(d)] = -1;
      is_open = true;
    }
    if (is_open) {
      tensor.shape_signature = std::move(signature);
      high_[open_.back()][op.outputs[i]] = *high.shape;
    }
    const bool is_chance = any_differs && LosesDifferences(op.code) && low.value == high.value;
    if (low.is_known && high.is_known && IsInteger(tensor.dtype) && low.value.size() <= kMaxKnownBytes && !is_chance) {
      known[op.outputs[i]] = {low.value, high.value};
    }
  }
}

graph::Operator GraphBuilder::NewOp(BuiltinOp code, const std::string& full_name, const std::vector<Id>& inputs,
                                    graph::Attributes attributes, const std::vector<DType>& dtypes) {
  graph::Operator op;
  op.code = code;
  op.inputs = inputs;
  op.attributes = std::move(attributes);
  op.options_table = graph::BuiltinOpOptionsTable(code);
  for (size_t i = 0; i < dtypes.size(); ++i) {
    op.outputs.push_back(NewTensor(i == 0 ? full_name : fmt::format("{}:{}", full_name, i), dtypes[i]));
  }
  return op;
}

std::vector<Id> GraphBuilder::AddOp(graph::Operator op) {
  op.version = FloatOpVersion(current(), op);
  std::vector<Id> outputs = op.outputs;
  current().operators.push_back(std::move(op));
  return outputs;
}

std::vector<Id> GraphBuilder::Ops(BuiltinOp code, std::string_view name, const std::vector<Id>& inputs,
                                  graph::Attributes attributes, const std::vector<DType>& dtypes) {
  const std::string full = NewName(name);
  graph::Operator op = NewOp(code, full, inputs, std::move(attributes), dtypes);
  InContext([&] { return full; },
            [&] {
              if (!folds_ || !Fold(op)) Infer(op);
            });
  if (folds_ && AreKnown(op.outputs)) return op.outputs;
  return AddOp(std::move(op));
}

// Whether all of an op's results are constants, or integers that no open dimension changes, which then become such.
bool GraphBuilder::AreKnown(const std::vector<Id>& outputs) {
  const std::map<Id, KnownValue>& known = known_[open_.back()];
  for (const Id id : outputs) {
    if (info(id).data.has_value()) continue;
    const auto value = known.find(id);
    if (value == known.end() || value->second.at_low != value->second.at_high || IsOpenAnywhere(id)) return false;
  }
  for (const Id id : outputs) {
    graph::Tensor& tensor = current().tensors[static_cast<size_t>(id)];
    if (!tensor.data.has_value()) tensor.data = graph::Constant::Own(known.at(id).at_low);
  }
  return true;
}

Id GraphBuilder::Op(BuiltinOp code, std::string_view name, const std::vector<Id>& inputs, graph::Attributes attributes,
                    std::optional<DType> dtype) {
  return Ops(code, name, inputs, std::move(attributes), {dtype.value_or(info(inputs[0]).dtype)})[0];
}

std::vector<Id> GraphBuilder::OpsLike(BuiltinOp code, std::string_view name, const std::vector<Id>& inputs,
                                      graph::Attributes attributes, const std::vector<Id>& like) {
  std::vector<DType> dtypes;
  dtypes.reserve(like.size());
  for (const Id id : like) dtypes.push_back(info(id).dtype);
  graph::Operator op = NewOp(code, NewName(name), inputs, std::move(attributes), dtypes);
  std::map<Id, Shape>& high = high_[open_.back()];
  for (size_t i = 0; i < like.size(); ++i) {
    graph::Tensor& tensor = current().tensors[static_cast<size_t>(op.outputs[i])];
    tensor.shape = info(like[i]).shape;
    tensor.shape_signature = info(like[i]).shape_signature;
    if (const auto found = high.find(like[i]); found != high.end()) high[op.outputs[i]] = Shape(found->second);
  }
  return AddOp(std::move(op));
}

// Computes an op of constants; false where an operand is none, or its kernel does not say the result here.
bool GraphBuilder::Fold(const graph::Operator& op) {
  if (op.inputs.empty() || IsRandom(op.code)) return false;
  std::vector<ops::SingleOpInput> inputs;
  size_t input_bytes = 0;
  for (const Id id : op.inputs) {
    ops::SingleOpInput& input = inputs.emplace_back();
    if (id == graph::kNoTensor) continue;
    const graph::Tensor& tensor = info(id);
    if (!tensor.data.has_value()) return false;
    input.info = &tensor;
    input.shape = tensor.shape;
    input.value = tensor.data->bytes();
    input.is_known = true;
    input_bytes += input.value.size();
  }
  if (input_bytes > fold_budget_) return false;
  std::vector<const graph::Tensor*> outputs;
  for (const Id id : op.outputs) outputs.push_back(&info(id));
  // A constant that grows too much is computed when the model runs; its shape is known before its values are computed.
  std::vector<ops::SingleOpOutput> shapes = ops::ApplySingleOp(op, inputs, outputs, false);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const DType dtype = outputs[i]->dtype;
    if (!shapes[i].shape.has_value()) continue;
    const auto count = static_cast<uint64_t>(shapes[i].shape->NumElements());
    if (DTypeBits(dtype) == 0 || DTypeBytes(dtype, count) > input_bytes + kMaxGrowth) return false;
  }
  if (!ops::IsQuick(op, inputs, shapes)) return false;
  fold_budget_ -= input_bytes;
  std::vector<ops::SingleOpOutput> results = ops::ApplySingleOp(op, inputs, outputs, true);
  for (size_t i = 0; i < results.size(); ++i) {
    const ops::SingleOpOutput& result = results[i];
    if (!result.is_known || !result.shape.has_value() ||
        result.value.size() != DTypeBytes(outputs[i]->dtype, static_cast<uint64_t>(result.shape->NumElements()))) {
      return false;
    }
  }
  for (size_t i = 0; i < results.size(); ++i) {
    graph::Tensor& tensor = current().tensors[static_cast<size_t>(op.outputs[i])];
    tensor.shape = *results[i].shape;
    tensor.data = graph::Constant::Own(std::move(results[i].value));
  }
  return true;
}

bool GraphBuilder::IsOpenAnywhere(Id id) const {
  const auto& signature = info(id).shape_signature;
  return signature.has_value() && std::any_of(signature->begin(), signature->end(), [](int32_t d) { return d < 0; });
}

void GraphBuilder::SetKind(Id id, const Kind& kind) {
  graph::Tensor& tensor = current().tensors[static_cast<size_t>(id)];
  tensor.shape = kind.low;
  if (kind.low == kind.high) return;
  ASSAY_CHECK(kind.low.rank() == kind.high.rank());
  std::vector<int32_t> signature;
  signature.reserve(static_cast<size_t>(kind.low.rank()));
  for (int d = 0; d < kind.low.rank(); ++d) signature.push_back(kind.low[d] == kind.high[d] ? kind.low[d] : -1);
  tensor.shape_signature = std::move(signature);
  high_[open_.back()][id] = kind.high;
}

Id GraphBuilder::InputOfKind(const std::string& name, const Kind& kind) {
  const Id id = NewTensor(name, kind.dtype);
  SetKind(id, kind);
  current().inputs.push_back(id);
  return id;
}

std::vector<Id> GraphBuilder::OpsOfKinds(BuiltinOp code, std::string_view name, const std::vector<Id>& inputs,
                                         graph::Attributes attributes, const std::vector<Kind>& kinds) {
  std::vector<DType> dtypes;
  dtypes.reserve(kinds.size());
  for (const Kind& kind : kinds) dtypes.push_back(kind.dtype);
  graph::Operator op = NewOp(code, NewName(name), inputs, std::move(attributes), dtypes);
  for (size_t i = 0; i < kinds.size(); ++i) SetKind(op.outputs[i], kinds[i]);
  return AddOp(std::move(op));
}

std::optional<std::vector<int64_t>> GraphBuilder::IntValues(Id id, bool high) const {
  const graph::Tensor& tensor = info(id);
  if (!IsInteger(tensor.dtype)) return std::nullopt;
  std::span<const uint8_t> bytes;
  if (tensor.data.has_value()) {
    bytes = tensor.data->bytes();
  } else if (const auto found = known_[open_.back()].find(id); found != known_[open_.back()].end()) {
    bytes = high ? found->second.at_high : found->second.at_low;
  } else {
    return std::nullopt;
  }
  const size_t size = tensor.dtype == DType::kInt32 ? 4 : 8;
  std::vector<int64_t> values(bytes.size() / size);
  for (size_t i = 0; i < values.size(); ++i) {
    int32_t narrow = 0;
    if (size == 4) std::memcpy(&narrow, bytes.data() + i * size, size);
    if (size == 8) std::memcpy(&values[i], bytes.data() + i * size, size);
    if (size == 4) values[i] = narrow;
  }
  return values;
}

void GraphBuilder::AddSignature(std::string key, std::vector<graph::SignatureTensor> inputs,
                                std::vector<graph::SignatureTensor> outputs) {
  model_.signatures.push_back({std::move(key), 0, std::move(inputs), std::move(outputs)});
}

graph::Model GraphBuilder::Finish(std::vector<Id> outputs) {
  ASSAY_CHECK(open_.size() == 1);
  model_.subgraphs[0].outputs = std::move(outputs);
  return std::move(model_);
}

int32_t FloatOpVersion(const graph::Subgraph& subgraph, const graph::Operator& op) {
  const auto integer = [&](std::string_view name) -> int64_t {
    const graph::AttributeValue* value = op.attributes.Find(name);
    const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
    return number == nullptr ? 0 : *number;
  };
  const auto input = [&](size_t i) -> const graph::Tensor* {
    if (i >= op.inputs.size() || op.inputs[i] == graph::kNoTensor) return nullptr;
    return &subgraph.tensors[static_cast<size_t>(op.inputs[i])];
  };
  const auto rank_above_4 = [&] {
    for (const int32_t id : op.inputs) {
      if (id != graph::kNoTensor && subgraph.tensors[static_cast<size_t>(id)].shape.rank() > 4) return true;
    }
    return false;
  };
  const graph::Tensor *first = input(0), *second = input(1);
  switch (op.code) {
    case BuiltinOp::kConv2D:
      return first != nullptr && second != nullptr && first->shape.rank() == 4 && second->shape.rank() == 4 &&
                     first->shape[3] != second->shape[3]
                 ? 6
                 : 1;
    case BuiltinOp::kDepthwiseConv2D:
      return integer("dilation_w_factor") > 1 || integer("dilation_h_factor") > 1 ? 2 : 1;
    case BuiltinOp::kFullyConnected:
      if (input(2) == nullptr) return 6;
      return integer("keep_num_dims") != 0 ? 5 : 1;
    case BuiltinOp::kTransposeConv:
      return input(3) == nullptr ? 1 : (integer("fused_activation_function") != 0 ? 4 : 3);
    case BuiltinOp::kResizeBilinear:
    case BuiltinOp::kResizeNearestNeighbor:
      return integer("half_pixel_centers") != 0 ? 3 : 1;
    case BuiltinOp::kStridedSlice:
      return rank_above_4() ? 4 : 1;
    case BuiltinOp::kSlice:
      return rank_above_4() ? 4 : 1;
    case BuiltinOp::kTranspose:
      return first != nullptr && first->shape.rank() > 5 ? 6 : (first != nullptr && first->shape.rank() > 4 ? 4 : 1);
    case BuiltinOp::kBroadcastTo:
    case BuiltinOp::kSelect:
    case BuiltinOp::kSelectV2:
      return op.code == BuiltinOp::kBroadcastTo ? 2 : 1;
    case BuiltinOp::kFill:
      return 1;
    case BuiltinOp::kBatchMatmul:
      return 1;
    case BuiltinOp::kGather:
      return integer("batch_dims") != 0 ? 5 : 1;
    default:
      return 1;
  }
}

}  // namespace assay::lowering
