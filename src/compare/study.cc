#include "compare/study.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kernels/simd/codes.h"
#include "kernels/simd/target.h"
#include "passes/dequantize_graph.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

using graph::BuiltinOp;

const graph::Operator* ProducerOf(const graph::Subgraph& graph, const std::vector<int32_t>& producers, int32_t tensor) {
  const int32_t op = producers[static_cast<size_t>(tensor)];
  return op < 0 ? nullptr : &graph.operators[static_cast<size_t>(op)];
}

// The logits behind a tensor of probabilities, or -1.
int32_t LogitsBehind(const graph::Subgraph& graph, const std::vector<int32_t>& producers, int32_t tensor) {
  for (int step = 0; step < 3; ++step) {
    const graph::Operator* op = ProducerOf(graph, producers, tensor);
    if (op == nullptr || op->inputs.empty() || op->inputs[0] == graph::kNoTensor) return -1;
    switch (op->code) {
      case BuiltinOp::kSoftmax:
      case BuiltinOp::kLogSoftmax:
      case BuiltinOp::kLogistic:
        return op->inputs[0];
      case BuiltinOp::kQuantize:
      case BuiltinOp::kDequantize:
      case BuiltinOp::kReshape:
      case BuiltinOp::kSqueeze:
        tensor = op->inputs[0];
        break;
      default:
        return -1;
    }
  }
  return -1;
}

}  // namespace

TensorValues ReadTensors(const runtime::Interpreter& interpreter, const graph::Subgraph& graph) {
  TensorValues values;
  ReadTensors(interpreter, graph, values);
  return values;
}

void ReadTensors(const runtime::Interpreter& interpreter, const graph::Subgraph& graph, TensorValues& values) {
  if (values.tensors() != graph.tensors.size()) values = TensorValues(graph.tensors.size());
  for (size_t t = 0; t < graph.tensors.size(); ++t) {
    const auto index = static_cast<int32_t>(t);
    const bool wanted = !graph.tensors[t].data.has_value() && HasRealValues(graph.tensors[t].dtype);
    if (wanted && interpreter.IsReadable(index)) {
      interpreter.ReadTensor(index, values.Place(index));
    } else {
      values.Drop(index);
    }
  }
}

bool ReadingChangesOutputs(const std::shared_ptr<const graph::Model>& model, runtime::InterpreterOptions options,
                           const TensorValues& values) {
  options.preserve_all_tensors = false;
  runtime::Interpreter interpreter(model, options);
  for (size_t k = 0; k < interpreter.input_count(); ++k) {
    const int32_t tensor = interpreter.InputDetails(k).index;
    if (!values.Has(tensor)) return false;
    interpreter.ResizeInput(k, values.at(tensor).shape());
    interpreter.SetInput(k, values.at(tensor));
  }
  interpreter.Invoke();
  for (size_t k = 0; k < interpreter.output_count(); ++k) {
    const int32_t tensor = interpreter.OutputDetails(k).index;
    if (values.Has(tensor) && !std::ranges::equal(interpreter.OutputBytes(k), values.at(tensor).bytes())) return true;
  }
  return false;
}

uint64_t TensorValues::bytes() const {
  uint64_t total = 0;
  for (const auto& value : values_) total += value.has_value() ? value->bytes().size() : 0;
  return total;
}

SegmentRunner::SegmentRunner(passes::Segment segment, const runtime::InterpreterOptions& options, runtime::OpHook hook)
    : inputs_(std::move(segment.inputs)),
      outputs_(std::move(segment.outputs)),
      interpreter_(std::make_shared<const graph::Model>(std::move(segment.model)), options) {
  if (hook) interpreter_.SetHook(std::move(hook));
}

std::vector<Array> SegmentRunner::Run(const std::vector<Array>& values) {
  ASSAY_CHECK(values.size() == inputs_.size());
  for (size_t i = 0; i < values.size(); ++i) interpreter_.ResizeInput(i, values[i].shape());
  interpreter_.AllocateTensors();
  interpreter_.ResetVariables();
  for (size_t i = 0; i < values.size(); ++i) interpreter_.SetInput(i, values[i]);
  interpreter_.Invoke();
  std::vector<Array> results;
  for (size_t k = 0; k < outputs_.size(); ++k) results.push_back(interpreter_.Output(k));
  return results;
}

void SegmentRunner::Run(const std::vector<Shape>& shapes,
                        const std::function<void(size_t input, std::span<uint8_t>)>& fill) {
  ASSAY_CHECK(shapes.size() == inputs_.size());
  for (size_t i = 0; i < shapes.size(); ++i) interpreter_.ResizeInput(i, shapes[i]);
  interpreter_.AllocateTensors();
  interpreter_.ResetVariables();
  for (size_t i = 0; i < shapes.size(); ++i) fill(i, interpreter_.MutableInput(i));
  interpreter_.Invoke();
}

TensorView SegmentRunner::Result(size_t output) const {
  return {interpreter_.OutputDetails(output).dtype, interpreter_.OutputShape(output), interpreter_.OutputBytes(output)};
}

runtime::OpHook FakeQuantizeOutputs(std::shared_ptr<const graph::Model> quantized, std::set<int32_t> skip) {
  return [quantized = std::move(quantized), skip = std::move(skip)](const runtime::OpEvent& event) {
    if (event.before) return;
    const graph::Subgraph& graph = quantized->subgraphs[static_cast<size_t>(event.subgraph)];
    for (size_t k = 0; k < event.outputs.size(); ++k) {
      const int32_t index = event.op->outputs[k];
      const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(index)];
      const ops::TensorRef& value = *event.outputs[k];
      if (!IsQuantizedInteger(tensor.dtype) || tensor.quantization.scale.size() != 1) continue;
      if (value.dtype != DType::kFloat32 || value.data == nullptr || value.is_constant) continue;
      if (event.subgraph == 0 && skip.count(index) > 0) continue;
      RoundToCodes(value.mutable_values<float>(), tensor.quantization, tensor.dtype);
    }
  };
}

std::vector<float> RealValuesOf(const Array& value, const graph::Tensor& tensor) {
  if (value.dtype() != tensor.dtype) return StoredValues(value.dtype(), value.bytes(), value.size());
  return RealValues(value.dtype(), value.bytes(), value.shape(), tensor.quantization);
}

std::span<const float> RealValuesOf(const TensorView& value, const graph::Tensor& tensor, std::vector<float>& room) {
  const auto count = static_cast<size_t>(value.shape.NumElements());
  if (value.dtype == DType::kFloat32) {
    return {reinterpret_cast<const float*>(value.bytes.data()), count};
  }
  room.resize(count);
  if (value.dtype != tensor.dtype) {
    StoredValues(value.dtype, value.bytes, room);
  } else {
    RealValues(value.dtype, value.bytes, value.shape, tensor.quantization, room);
  }
  return room;
}

std::span<const float> RealValuesOf(const Array& value, const graph::Tensor& tensor, std::vector<float>& room) {
  return RealValuesOf(ViewOf(value), tensor, room);
}

Array FloatArray(const std::vector<float>& values, const Shape& shape) {
  Array array(DType::kFloat32, shape);
  ASSAY_CHECK(static_cast<size_t>(array.size()) == values.size());
  if (!values.empty()) std::memcpy(array.bytes().data(), values.data(), values.size() * sizeof(float));
  return array;
}

namespace {

// What the vector kernels need; none where they do not reach.
std::optional<kernels::simd::CodeSteps> StepsOf(float scale, int64_t zero_point, CodeRange codes) {
  constexpr int64_t kMost = 1 << 20;
  const auto fits = [](int64_t n) { return n >= -kMost && n <= kMost; };
  if (!kernels::simd::UsesVectors() || !fits(zero_point) || !fits(codes.low) || !fits(codes.high)) return std::nullopt;
  const int64_t least = codes.low - zero_point, most = codes.high - zero_point;
  return kernels::simd::CodeSteps{scale, static_cast<float>(zero_point), static_cast<float>(least),
                                  static_cast<float>(most)};
}

template <typename T>
void StoreCodes(std::span<const float> values, float scale, int64_t zero_point, std::span<uint8_t> bytes) {
  constexpr auto kLow = std::numeric_limits<T>::lowest(), kHigh = std::numeric_limits<T>::max();
  T* out = reinterpret_cast<T*>(bytes.data());
  if constexpr (sizeof(T) <= 2) {
    const auto steps = StepsOf(scale, zero_point, {kLow, kHigh});
    if (steps.has_value()) return kernels::simd::StoreCodes(*steps, values.data(), values.size(), out);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const double code = std::nearbyint(static_cast<double>(values[i] / scale)) + static_cast<double>(zero_point);
    // The largest 64-bit code is no double: what rounds up to it would overflow.
    out[i] = std::isnan(code)                     ? T{0}
             : code <= static_cast<double>(kLow)  ? kLow
             : code >= static_cast<double>(kHigh) ? kHigh
                                                  : static_cast<T>(code);
  }
}

}  // namespace

void RoundToCodes(std::span<float> values, const Quantization& q, DType codes) {
  if (q.scale.size() != 1 || !(q.scale[0] > 0)) return;
  const auto steps = StepsOf(q.scale[0], q.first_zero_point(), CodesOf(codes));
  if (steps.has_value()) return kernels::simd::RoundToCodes(*steps, values.data(), values.size(), values.data());
  FakeQuantize(values, q.scale[0], q.first_zero_point(), CodesOf(codes));
}

Array StoreAs(std::span<const float> values, const graph::Tensor& tensor, const Shape& shape) {
  Array array(tensor.dtype, shape);
  ASSAY_CHECK(static_cast<size_t>(array.size()) == values.size());
  StoreAs(values, tensor, array.bytes());
  return array;
}

void StoreAs(std::span<const float> values, const graph::Tensor& tensor, std::span<uint8_t> bytes) {
  ASSAY_CHECK(bytes.size() >= DTypeBytes(tensor.dtype, values.size()));
  const bool quantized = tensor.quantization.scale.size() == 1;
  const float scale = quantized ? tensor.quantization.scale[0] : 1.0F;
  const int64_t zero = quantized && !tensor.quantization.zero_point.empty() ? tensor.quantization.zero_point[0] : 0;
  switch (tensor.dtype) {
    case DType::kFloat32:
      if (!values.empty()) std::memcpy(bytes.data(), values.data(), values.size_bytes());
      break;
    case DType::kInt8:
      return StoreCodes<int8_t>(values, scale, zero, bytes);
    case DType::kUInt8:
      return StoreCodes<uint8_t>(values, scale, zero, bytes);
    case DType::kInt16:
      return StoreCodes<int16_t>(values, scale, zero, bytes);
    case DType::kInt32:
      return StoreCodes<int32_t>(values, scale, zero, bytes);
    case DType::kInt64:
      return StoreCodes<int64_t>(values, scale, zero, bytes);
    case DType::kBool:
      for (size_t i = 0; i < values.size(); ++i) bytes[i] = values[i] != 0 ? 1 : 0;
      break;
    default:
      throw InputError("tensor '{}' is {}, which real values cannot be turned into", tensor.name,
                       DTypeName(tensor.dtype));
  }
}

bool Study::IsComparable(int32_t model_tensor) const {
  const int32_t r = match_of(model_tensor);
  if (r < 0 || traces.empty()) return false;
  return std::all_of(traces.begin(), traces.end(), [&](const SampleTrace& trace) {
    return trace.reference.Has(r) && trace.model.Has(model_tensor) &&
           trace.reference.at(r).size() == trace.model.at(model_tensor).size();
  });
}

runtime::InterpreterOptions Study::ModelOptions() const {
  runtime::InterpreterOptions of_model = options;
  of_model.delegate = model_delegate;
  return of_model;
}

void Study::CheckCancelled() const {
  if (options.cancelled != nullptr && *options.cancelled) throw Error(ErrorCode::kInterrupted, "interrupted");
}

std::vector<int32_t> Producers(const graph::Subgraph& graph) {
  std::vector<int32_t> producers(graph.tensors.size(), -1);
  for (size_t op = 0; op < graph.operators.size(); ++op) {
    for (const int32_t output : graph.operators[op].outputs) {
      producers[static_cast<size_t>(output)] = static_cast<int32_t>(op);
    }
  }
  return producers;
}

bool PassesValuesOn(BuiltinOp code) {
  switch (code) {
    case BuiltinOp::kReshape:
    case BuiltinOp::kSqueeze:
    case BuiltinOp::kExpandDims:
    case BuiltinOp::kTranspose:
    case BuiltinOp::kPad:
    case BuiltinOp::kPadv2:
    case BuiltinOp::kMirrorPad:
    case BuiltinOp::kMaxPool2D:
    case BuiltinOp::kAveragePool2D:
    case BuiltinOp::kConcatenation:
    case BuiltinOp::kSlice:
    case BuiltinOp::kStridedSlice:
    case BuiltinOp::kSplit:
    case BuiltinOp::kSplitV:
    case BuiltinOp::kGather:
    case BuiltinOp::kGatherNd:
    case BuiltinOp::kSpaceToBatchNd:
    case BuiltinOp::kBatchToSpaceNd:
    case BuiltinOp::kSpaceToDepth:
    case BuiltinOp::kDepthToSpace:
    case BuiltinOp::kResizeBilinear:
    case BuiltinOp::kResizeNearestNeighbor:
    case BuiltinOp::kReduceMax:
    case BuiltinOp::kReduceMin:
    case BuiltinOp::kMaximum:
    case BuiltinOp::kMinimum:
    case BuiltinOp::kPack:
    case BuiltinOp::kUnpack:
    case BuiltinOp::kTile:
    case BuiltinOp::kReverseV2:
      return true;
    default:
      return false;
  }
}

void PrepareStudy(Study& study, int64_t label_count) {
  const auto float_form = [](const std::shared_ptr<const graph::Model>& model) {
    return std::make_shared<const graph::Model>(passes::DequantizeGraph(*model));
  };
  try {
    study.float_model = float_form(study.model);
    study.float_reference = float_form(study.reference);
  } catch (const Error& error) {
    study.simulation_missing = error.what();
    study.float_model = study.float_reference = nullptr;
  }
  const graph::Subgraph &m = study.model_graph(), &r = study.reference_graph();
  std::vector<LossTerm> outputs;
  for (const int32_t output : m.outputs) {
    const int32_t match = study.match_of(output);
    if (match >= 0 && HasRealValues(study.model_tensor(output).dtype)) outputs.push_back({match, output});
  }
  study.loss_terms.clear();
  if (outputs.empty()) return;
  // The output that holds class scores: as eval::FindScores chooses it.
  std::optional<LossTerm> scores;
  for (const LossTerm& term : outputs) {
    const int64_t size = study.model_tensor(term.model).shape.NumElements();
    if (!scores.has_value() && label_count > 0 && (size == label_count || size == label_count + 1)) scores = term;
  }
  const auto m_producers = Producers(m), r_producers = Producers(r);
  if (!scores.has_value() && outputs.size() == 1 && LogitsBehind(m, m_producers, outputs[0].model) >= 0 &&
      study.model_tensor(outputs[0].model).shape.NumElements() > 1) {
    scores = outputs[0];
  }
  if (!scores.has_value()) {
    study.loss_terms = outputs;
    return;
  }
  study.has_answers = true;
  const int32_t m_logits = LogitsBehind(m, m_producers, scores->model);
  const int32_t r_logits = LogitsBehind(r, r_producers, scores->reference);
  if (m_logits >= 0 && r_logits >= 0 && study.match_of(m_logits) == r_logits) {
    study.loss_terms.push_back({r_logits, m_logits});
  }
  study.loss_terms.push_back(*scores);
}

std::vector<double> LossesOf(const Study& study, const ScoresOf& scores) {
  std::vector<double> losses(study.traces.size(), 0);
  for (const LossTerm& term : study.loss_terms) {
    std::vector<double> errors(losses.size(), 0);
    double power = 0;
    for (size_t s = 0; s < losses.size(); ++s) {
      const std::vector<float> wanted =
          RealValuesOf(study.traces[s].reference.at(term.reference), study.reference_tensor(term.reference));
      const std::vector<float> found = scores(s, term.model);
      for (size_t i = 0; i < std::min(wanted.size(), found.size()); ++i) {
        const double difference = static_cast<double>(found[i]) - static_cast<double>(wanted[i]);
        if (!std::isfinite(difference)) continue;
        errors[s] += difference * difference;
        power += static_cast<double>(wanted[i]) * static_cast<double>(wanted[i]);
      }
    }
    for (size_t s = 0; s < losses.size(); ++s) losses[s] += power > 0 ? errors[s] / power : errors[s];
  }
  return losses;
}

double LossOf(const Study& study, const ScoresOf& scores) {
  const std::vector<double> losses = LossesOf(study, scores);
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

double AgreementOf(const Study& study, const ScoresOf& scores) {
  if (!study.has_answers || study.traces.empty()) return 1;
  const LossTerm& term = study.loss_terms.back();
  size_t same = 0;
  for (size_t s = 0; s < study.traces.size(); ++s) {
    const std::vector<float> wanted =
        RealValuesOf(study.traces[s].reference.at(term.reference), study.reference_tensor(term.reference));
    const std::vector<float> found = scores(s, term.model);
    const auto best = [](const std::vector<float>& v) { return std::max_element(v.begin(), v.end()) - v.begin(); };
    same += best(wanted) == best(found);
  }
  return static_cast<double>(same) / static_cast<double>(study.traces.size());
}

}  // namespace assay::compare
