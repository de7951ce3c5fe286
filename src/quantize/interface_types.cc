#include "quantize/interface_types.h"

#include <algorithm>

#include "base/error.h"
#include "graph/verifier.h"
#include "passes/rewrite.h"
#include "quantize/conversion_ops.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;
using graph::Tensor;
using passes::TensorAt;

bool HasCodes(const Tensor& tensor) {
  return (tensor.dtype == DType::kInt8 || tensor.dtype == DType::kUInt8 || tensor.dtype == DType::kInt16) &&
         tensor.quantization.scale.size() == 1;
}

bool IsEightBits(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

// True where going from one to the other loses nothing: a float tensor, or the same codes 128 apart.
bool IsOnlyAnotherType(const Tensor& a, const Tensor& b) {
  if (a.dtype == DType::kFloat32 || b.dtype == DType::kFloat32) return true;
  if (a.quantization.scale != b.quantization.scale) return false;
  const int64_t of_a = a.quantization.first_zero_point() + (a.dtype == DType::kInt8 ? 128 : 0);
  const int64_t of_b = b.quantization.first_zero_point() + (b.dtype == DType::kInt8 ? 128 : 0);
  return IsEightBits(a.dtype) && IsEightBits(b.dtype) && of_a == of_b;
}

// The tensor with the wanted type beside `tensor`, whose codes it shares.
Tensor Another(const Tensor& tensor, DType wanted, const char* what) {
  if (!HasCodes(tensor)) {
    throw InputError("{} '{}' is {} and not quantized with one scale: it cannot become {}", what,
                     graph::Printable(tensor.name), DTypeName(tensor.dtype), DTypeName(wanted));
  }
  Tensor other = tensor;
  if (wanted == DType::kFloat32) {
    other.quantization = {};
  } else if (IsEightBits(wanted) && IsEightBits(tensor.dtype)) {
    other.quantization.zero_point[0] += wanted == DType::kUInt8 ? 128 : -128;
  } else {
    throw InputError("{} '{}' has codes of {}: it cannot become {}", what, graph::Printable(tensor.name),
                     DTypeName(tensor.dtype), DTypeName(wanted));
  }
  other.dtype = wanted;
  return other;
}

// Adds a tensor of the wanted type that takes over the name of `inner`, which gets the suffix.
int32_t AddOuter(Subgraph& graph, int32_t inner, DType wanted, const char* what, const char* suffix) {
  Tensor outer = Another(TensorAt(graph, inner), wanted, what);
  TensorAt(graph, inner).name += suffix;
  graph.tensors.push_back(std::move(outer));
  return static_cast<int32_t>(graph.tensors.size()) - 1;
}

bool IsConversion(const Operator& op) { return op.code == BuiltinOp::kQuantize || op.code == BuiltinOp::kDequantize; }

void Rename(graph::Model& model, int32_t from, int32_t to, bool outputs) {
  for (graph::Signature& signature : model.signatures) {
    if (signature.subgraph != 0) continue;
    for (graph::SignatureTensor& tensor : outputs ? signature.outputs : signature.inputs) {
      if (tensor.tensor == from) tensor.tensor = to;
    }
  }
}

void ChangeInput(graph::Model& model, size_t position, DType wanted) {
  Subgraph& graph = model.subgraphs[0];
  const int32_t from = graph.inputs[position];
  if (TensorAt(graph, from).dtype == wanted) return;
  int32_t inner = from;
  const passes::Uses uses(graph);
  if (uses.readers(from) == 1) {
    for (size_t i = 0; i < graph.operators.size(); ++i) {
      const Operator& op = graph.operators[i];
      if (op.inputs != std::vector<int32_t>{from} || !IsConversion(op)) continue;
      if (!HasCodes(TensorAt(graph, op.outputs[0])) ||
          !IsOnlyAnotherType(TensorAt(graph, from), TensorAt(graph, op.outputs[0]))) {
        break;
      }
      inner = op.outputs[0];
      std::swap(TensorAt(graph, inner).name, TensorAt(graph, from).name);
      graph.operators.erase(graph.operators.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
  if (TensorAt(graph, inner).dtype != wanted) {
    const int32_t outer = AddOuter(graph, inner, wanted, "input", "/quantized");
    graph.operators.insert(graph.operators.begin(), ConversionOp(graph, outer, inner));
    inner = outer;
  }
  graph.inputs[position] = inner;
  Rename(model, from, inner, false);
}

void ChangeOutput(graph::Model& model, size_t position, DType wanted) {
  Subgraph& graph = model.subgraphs[0];
  const int32_t from = graph.outputs[position];
  if (TensorAt(graph, from).dtype == wanted) return;
  int32_t inner = from;
  const passes::Uses uses(graph);
  const int32_t producer = uses.producer(from);
  if (producer >= 0 && uses.readers(from) == 1 && IsConversion(graph.operators[static_cast<size_t>(producer)])) {
    const int32_t before = graph.operators[static_cast<size_t>(producer)].inputs[0];
    if (HasCodes(TensorAt(graph, before)) && IsOnlyAnotherType(TensorAt(graph, from), TensorAt(graph, before))) {
      inner = before;
      std::swap(TensorAt(graph, inner).name, TensorAt(graph, from).name);
      graph.operators.erase(graph.operators.begin() + producer);
    }
  }
  if (TensorAt(graph, inner).dtype != wanted) {
    const int32_t outer = AddOuter(graph, inner, wanted, "output", "/codes");
    graph.operators.push_back(ConversionOp(graph, inner, outer));
    inner = outer;
  }
  graph.outputs[position] = inner;
  Rename(model, from, inner, true);
}

}  // namespace

void ChangeInterfaceTypes(graph::Model& model, const InterfaceTypes& types) {
  const auto is_value = [&](int32_t tensor) {
    const Tensor& t = TensorAt(model.subgraphs[0], tensor);
    return t.dtype == DType::kFloat32 || HasCodes(t);
  };
  for (size_t i = 0; i < model.subgraphs[0].inputs.size(); ++i) {
    if (is_value(model.subgraphs[0].inputs[i])) ChangeInput(model, i, types.input);
  }
  for (size_t i = 0; i < model.subgraphs[0].outputs.size(); ++i) {
    if (is_value(model.subgraphs[0].outputs[i])) ChangeOutput(model, i, types.output);
  }
}

}  // namespace assay::quantize
