#include "runtime/inspect_model.h"

#include <algorithm>
#include <map>
#include <new>
#include <set>

#include "graph/verifier.h"
#include "ops/registry.h"
#include "runtime/op_cost.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;
using graph::Tensor;

bool IsFloat(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat64;
}

bool IsConstant(const Tensor& tensor) { return tensor.data.has_value() || tensor.external_buffer != 0; }

const Tensor* Find(const Subgraph& graph, int32_t index) {
  return index == graph::kNoTensor ? nullptr : &graph.tensors[static_cast<size_t>(index)];
}

int BiasPosition(BuiltinOp op) {
  switch (op) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kConv3D:
    case BuiltinOp::kFullyConnected:
      return 2;
    case BuiltinOp::kTransposeConv:
    case BuiltinOp::kConv3DTranspose:
      return 3;
    default:
      return -1;
  }
}

// Constants that are numbers to compute with, not shapes, axes or indices.
bool IsParameter(const Tensor& tensor, bool is_bias) {
  if (!IsConstant(tensor)) return false;
  if (IsFloat(tensor.dtype) || IsQuantizedInteger(tensor.dtype)) return true;
  return (tensor.dtype == DType::kInt32 || tensor.dtype == DType::kInt64) &&
         (is_bias || tensor.quantization.is_quantized());
}

// Ops that only unpack a constant; what they give counts as that constant.
bool Unpacks(const Operator& op) {
  return (op.code == BuiltinOp::kDequantize || op.code == BuiltinOp::kDensify) && op.inputs.size() == 1 &&
         op.outputs.size() == 1;
}

// Per tensor the constant that it is or that it was unpacked from, or kNoTensor.
std::vector<int32_t> ConstantOrigins(const Subgraph& graph) {
  std::vector<int32_t> origin(graph.tensors.size(), graph::kNoTensor);
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    if (IsConstant(graph.tensors[i])) origin[i] = static_cast<int32_t>(i);
  }
  for (const Operator& op : graph.operators) {
    if (!Unpacks(op) || op.inputs[0] == graph::kNoTensor || op.outputs[0] == graph::kNoTensor) continue;
    origin[static_cast<size_t>(op.outputs[0])] = origin[static_cast<size_t>(op.inputs[0])];
  }
  return origin;
}

// The types of weights and activations, over all subgraphs.
struct Census {
  std::map<std::string, int64_t> weights, activations;  // by elements, by tensors
  bool per_channel = false, per_tensor = false, blockwise = false, sparse = false;
  int64_t hybrid_ops = 0;
};

Census Count(const graph::Model& model) {
  Census census;
  for (const Subgraph& graph : model.subgraphs) {
    std::set<int32_t> seen;
    const std::vector<int32_t> origins = ConstantOrigins(graph);
    for (const Operator& op : graph.operators) {
      bool has_float_input = false, has_integer_weights = false;
      for (size_t i = 0; i < op.inputs.size(); ++i) {
        const Tensor* tensor = Find(graph, op.inputs[i]);
        if (tensor == nullptr) continue;
        const bool weight = IsParameter(*tensor, false) && tensor->dtype != DType::kInt32 &&
                            tensor->dtype != DType::kInt64 && tensor->shape.NumElements() > 1;
        has_float_input |= !IsConstant(*tensor) && tensor->dtype == DType::kFloat32;
        has_integer_weights |= weight && i > 0 && IsQuantizedInteger(tensor->dtype);
        if (!weight || !seen.insert(op.inputs[i]).second) continue;
        int64_t& count = census.weights[std::string(DTypeName(tensor->dtype))];
        count = AddCounts(count, tensor->shape.NumElements());
        if (tensor->quantization.is_quantized()) {
          (tensor->quantization.is_per_channel() ? census.per_channel : census.per_tensor) = true;
        }
        census.blockwise |= tensor->blockwise.has_value();
        census.sparse |= tensor->sparsity.has_value();
      }
      census.hybrid_ops += has_float_input && has_integer_weights && HasMacs(op.code);
      for (const int32_t output : op.outputs) {
        const Tensor* tensor = Find(graph, output);
        if (tensor == nullptr || origins[static_cast<size_t>(output)] != graph::kNoTensor) continue;
        const bool number =
            IsFloat(tensor->dtype) || (IsQuantizedInteger(tensor->dtype) && tensor->quantization.is_quantized());
        if (number) ++census.activations[std::string(DTypeName(tensor->dtype))];
      }
    }
  }
  return census;
}

std::string Most(const std::map<std::string, int64_t>& counts) {
  std::string best;
  int64_t most = 0;
  for (const auto& [name, count] : counts) {
    if (count > most) most = count, best = name;
  }
  return best;
}

// The names, the most frequent first; `of_integers` is said of those that are quantized.
std::string List(const std::map<std::string, int64_t>& counts, const std::string& of_integers = {}) {
  std::vector<std::pair<int64_t, std::string>> order;
  order.reserve(counts.size());
  for (const auto& [name, count] : counts) order.emplace_back(-count, name);
  std::sort(order.begin(), order.end());
  std::string text;
  for (const auto& [count, name] : order) {
    const bool is_integer = IsQuantizedInteger(DTypeFromName(name).value_or(DType::kFloat32));
    text += fmt::format("{}{}{}", text.empty() ? "" : " and ", name, is_integer ? of_integers : "");
  }
  return text.empty() ? "none" : text;
}

std::string Types(const Subgraph& graph, const std::vector<int32_t>& tensors) {
  std::map<std::string, int64_t> counts;
  for (const int32_t i : tensors) ++counts[std::string(DTypeName(graph.tensors[static_cast<size_t>(i)].dtype))];
  return List(counts);
}

void DescribeScheme(const graph::Model& model, ModelFacts& facts) {
  const Census census = Count(model);
  const std::string weights = Most(census.weights), activations = Most(census.activations);
  std::string integer_weights;
  for (const char* name : {"int2", "int4", "uint8", "int8"}) {
    if (census.weights.count(name) > 0) integer_weights = name;
  }
  if (activations == "int16") {
    facts.scheme = integer_weights.empty() ? "int16" : "int16x8 (int16 activations, 8-bit weights)";
  } else if (activations == "int8" || activations == "uint8") {
    facts.scheme = activations;
    if (census.weights.count("int4") > 0) facts.scheme += " with int4 weights";
  } else if (activations == "float32" || activations.empty()) {
    if (census.hybrid_ops > 0) {
      facts.scheme = fmt::format("dynamic range ({}{} weights, float32 activations)",
                                 weights.rfind("float", 0) == 0 ? "some " : "", integer_weights);
    } else if (census.weights.count("float16") > 0) {
      facts.scheme = "float16 weights";
    } else if (!integer_weights.empty()) {
      facts.scheme = fmt::format("float32 with {} weights", integer_weights);
    } else {
      facts.scheme = "float32";
    }
  } else {
    facts.scheme = activations;
  }
  std::string granularity;
  if (census.per_channel) granularity = census.per_tensor ? " per channel or per tensor" : " per channel";
  if (!census.per_channel && census.per_tensor) granularity = " per tensor";
  if (census.blockwise) granularity += " blockwise";
  if (census.sparse) granularity += " (some stored sparse)";
  const Subgraph& main = model.subgraphs[0];
  facts.scheme_detail =
      fmt::format("weights {}, activations {}, inputs {}, outputs {}", List(census.weights, granularity),
                  List(census.activations), Types(main, main.inputs), Types(main, main.outputs));
}

void DescribeEngine(const Operator& op, const numerics::Profile& profile,
                    const std::optional<Interpreter::SubgraphPlan>& plan, OpFacts& facts) {
  const ops::OpRow* row = ops::FindOpRow(op);
  facts.has_kernel = row != nullptr && op.version <= row->max_version;
  if (row == nullptr) {
    facts.remark = "there is no kernel";
    return;
  }
  if (!facts.has_kernel) {
    facts.remark = fmt::format("version {} is newer than {}, the newest that is known", op.version, row->max_version);
  }
  if (!facts.has_kernel || !plan.has_value()) return;
  const Interpreter::OpPlan& step = plan->ops[static_cast<size_t>(facts.index)];
  facts.folded = step.folded;
  if (step.folded) {
    facts.remark = "computed once, from constants and shapes";
  } else if (step.deferred) {
    facts.remark = "its shapes are known only when it runs";
  } else {
    facts.engine = step.engine;
    if (profile.engine == numerics::Engine::kXnnpack && step.engine != numerics::Engine::kXnnpack) {
      facts.remark = row->xnnpack_takes == nullptr ? "XNNPACK has no such op"
                                                   : "XNNPACK does not take it with these types, shapes or options";
    }
  }
}

// Subgraph 0, what it calls, and what signatures name.
std::vector<std::optional<Interpreter::SubgraphPlan>> Prepare(const std::shared_ptr<const graph::Model>& model,
                                                              InterpreterOptions options, std::string& cannot_run) {
  std::vector<std::optional<Interpreter::SubgraphPlan>> plans(model->subgraphs.size());
  options.plan_only = true;
  try {
    Interpreter interpreter(model, options);
    interpreter.AllocateTensors();
    std::set<int32_t> tried = {0};
    for (const graph::Signature& signature : model->signatures) {
      if (!tried.insert(signature.subgraph).second) continue;
      interpreter.SelectSignature(signature.key);
      interpreter.AllocateTensors();
    }
    for (size_t s = 0; s < plans.size(); ++s) plans[s] = interpreter.Plan(static_cast<int32_t>(s));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInput) throw;
    cannot_run = error.what();
  } catch (const std::bad_alloc&) {
    cannot_run = fmt::format("{}: out of memory", model->source);
  }
  return plans;
}

void FindCallers(const graph::Model& model, ModelFacts& facts) {
  const auto add = [&](int32_t subgraph, std::string caller) {
    if (subgraph < 0 || static_cast<size_t>(subgraph) >= facts.subgraphs.size()) return;
    auto& callers = facts.subgraphs[static_cast<size_t>(subgraph)].callers;
    if (callers.empty() || callers.back() != caller) callers.push_back(std::move(caller));
  };
  for (size_t s = 0; s < model.subgraphs.size(); ++s) {
    const Subgraph& graph = model.subgraphs[s];
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      const std::vector<int32_t> called = graph::CalledSubgraphs(graph.operators[i]);
      if (called.empty()) continue;
      const std::string name = graph::Printable(graph.operators[i].Name());
      for (const int32_t callee : called) {
        add(callee, s == 0 ? fmt::format("op {} {}", i, name) : fmt::format("subgraph {} op {} {}", s, i, name));
      }
    }
  }
  for (const graph::Signature& signature : model.signatures) {
    add(signature.subgraph, fmt::format("signature '{}'", graph::Printable(signature.key)));
  }
}

TensorFacts DescribeTensor(const Tensor& tensor, size_t index, const std::optional<Interpreter::SubgraphPlan>& plan) {
  TensorFacts facts;
  facts.shape = tensor.shape;
  if (plan.has_value() && !IsConstant(tensor)) {
    facts.shape_known = plan->shape_known[index];
    if (facts.shape_known) facts.shape = plan->shapes[index];
  }
  if (facts.shape_known && DTypeBits(tensor.dtype) > 0) {
    facts.bytes = DTypeBytes(tensor.dtype, static_cast<uint64_t>(facts.shape.NumElements()));
  }
  return facts;
}

}  // namespace

ModelFacts InspectModel(std::shared_ptr<const graph::Model> model, const InterpreterOptions& options) {
  ModelFacts facts;
  facts.model = model;
  facts.profile = options.profile->id;
  if (model->subgraphs.empty()) throw InputError("{}: has no subgraph", model->source);
  DescribeScheme(*model, facts);
  const auto plans = Prepare(model, options, facts.cannot_run);
  facts.subgraphs.resize(model->subgraphs.size());
  FindCallers(*model, facts);
  std::set<const uint8_t*> counted, weighed;  // constants by their place in the file: tensors may share one
  std::set<std::string> missing;
  for (size_t s = 0; s < model->subgraphs.size(); ++s) {
    const Subgraph& graph = model->subgraphs[s];
    const auto& plan = plans[s];
    SubgraphFacts& sub = facts.subgraphs[s];
    if (plan.has_value()) sub.memory = plan->memory;
    const std::vector<int32_t> origins = ConstantOrigins(graph);
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      const Tensor& tensor = graph.tensors[i];
      sub.tensors.push_back(DescribeTensor(tensor, i, plan));
      if (!tensor.data.has_value() || tensor.data->bytes().empty()) continue;
      if (weighed.insert(tensor.data->bytes().data()).second) facts.constant_bytes += tensor.data->bytes().size();
    }
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      const Operator& op = graph.operators[i];
      OpFacts one;
      one.subgraph = static_cast<int32_t>(s);
      one.index = static_cast<int32_t>(i);
      std::vector<Shape> inputs, outputs;
      bool shapes_known = true;
      const auto add_shape = [&](std::vector<Shape>& shapes, int32_t tensor) {
        if (tensor == graph::kNoTensor) {
          shapes.push_back({0});
          return;
        }
        const TensorFacts& operand = sub.tensors[static_cast<size_t>(tensor)];
        shapes_known &= operand.shape_known;
        shapes.push_back(operand.shape);
      };
      for (size_t k = 0; k < op.inputs.size(); ++k) {
        const int32_t input = op.inputs[k];
        add_shape(inputs, input);
        if (input == graph::kNoTensor) continue;
        const Tensor& read = graph.tensors[static_cast<size_t>(input)];
        if (read.data.has_value()) one.constant_bytes += read.data->bytes().size();
        const int32_t origin = origins[static_cast<size_t>(input)];
        if (origin == graph::kNoTensor || Unpacks(op)) continue;
        const Tensor& constant = graph.tensors[static_cast<size_t>(origin)];
        if (!IsParameter(constant, static_cast<int>(k) == BiasPosition(op.code))) continue;
        const int64_t elements = constant.shape.NumElements();
        one.parameters = AddCounts(one.parameters, elements);
        const bool is_new = !constant.data.has_value() || constant.data->bytes().empty() ||
                            counted.insert(constant.data->bytes().data()).second;
        if (is_new) facts.parameters = AddCounts(facts.parameters, elements);
      }
      for (const int32_t output : op.outputs) add_shape(outputs, output);
      if (shapes_known || !HasMacs(op.code)) {
        one.macs = CountMacs(op, inputs, outputs);
        facts.macs = AddCounts(facts.macs, *one.macs);
      } else {
        ++facts.ops_with_unknown_macs;
      }
      DescribeEngine(op, *options.profile, plan, one);
      const std::string name(op.Name());
      if (!one.has_kernel && missing.insert(name).second) facts.missing_kernels.push_back(name);
      sub.ops.push_back(std::move(one));
    }
    facts.operators += static_cast<int64_t>(graph.operators.size());
    facts.tensors += static_cast<int64_t>(graph.tensors.size());
  }
  return facts;
}

}  // namespace assay::runtime
